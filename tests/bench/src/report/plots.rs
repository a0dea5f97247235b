//! The plots of a report.

use std::{fs, path::Path};

use anyhow::Context;

use super::{
    Report,
    svg::{Bar, Chart, Group, Scale},
};

/// The contents of a plot.
struct Plot {
    file: &'static str,
    title: &'static str,
    scale: Scale,
    /// The label of each group, and the scene and metric that it shows.
    rows: &'static [(&'static str, &'static str, &'static str)],
}

const PLOTS: [Plot; 8] = [
    Plot {
        file: "output-rate.svg",
        title: "Output with one viewer: MB/s, more is better",
        scale: Scale::Linear,
        rows: &[
            ("short lines", "output lines 1x1", "rate"),
            ("yes", "output yes 1x1", "rate"),
            ("coloured", "output coloured 1x1", "rate"),
            ("UTF-8", "output utf8 1x1", "rate"),
            ("long lines", "output long 1x1", "rate"),
        ],
    },
    Plot {
        file: "output-cpu.svg",
        title: "The server's CPU time for output: s/GB, less is better",
        scale: Scale::Linear,
        rows: &[
            ("short lines", "output lines 1x1", "cpu"),
            ("yes", "output yes 1x1", "cpu"),
            ("coloured", "output coloured 1x1", "cpu"),
            ("UTF-8", "output utf8 1x1", "cpu"),
            ("long lines", "output long 1x1", "cpu"),
        ],
    },
    Plot {
        file: "audience.svg",
        title: "CPU time for short lines by sessions × viewers: s/GB, less is better",
        scale: Scale::Linear,
        rows: &[
            ("1 × 1", "output lines 1x1", "cpu"),
            ("4 × 1", "output lines 4x1", "cpu"),
            ("16 × 1", "output lines 16x1", "cpu"),
            ("1 × 4", "output lines 1x4", "cpu"),
            ("1 × 16", "output lines 1x16", "cpu"),
            ("1 × 1 and 3 slow", "output lines 1x1+3", "cpu"),
        ],
    },
    Plot {
        file: "echo.svg",
        title: "From a key to its echo: µs, logarithmic, less is better",
        scale: Scale::Logarithmic,
        rows: &[
            ("idle, p50", "echo idle", "p50"),
            ("idle, p99", "echo idle", "p99"),
            ("beside 1 flood, p50", "echo beside 1 flood", "p50"),
            ("beside 1 flood, p99", "echo beside 1 flood", "p99"),
            ("beside 4 floods, p50", "echo beside 4 floods", "p50"),
            ("beside 4 floods, p99", "echo beside 4 floods", "p99"),
            ("in a flood, p50", "echo in a flood", "p50"),
            ("in a flood, p99", "echo in a flood", "p99"),
        ],
    },
    Plot {
        file: "interrupt.svg",
        title: "From Ctrl-C in a flood to the prompt: ms, logarithmic, less is better",
        scale: Scale::Logarithmic,
        rows: &[
            ("loopback", "interrupt near", "until the prompt"),
            ("viewer of 1 MB/s", "interrupt 1 MB/s viewer", "until the prompt"),
            ("10 Mbit/s, 30 ms", "interrupt 10 Mbit/s 30 ms", "until the prompt"),
            ("10 Mbit/s, 300 ms", "interrupt 10 Mbit/s 300 ms", "until the prompt"),
            ("1 Mbit/s, 30 ms", "interrupt 1 Mbit/s 30 ms", "until the prompt"),
            ("1 Mbit/s, 300 ms", "interrupt 1 Mbit/s 300 ms", "until the prompt"),
        ],
    },
    Plot {
        file: "weight.svg",
        title: "Memory of a session: KiB resident, less is better",
        scale: Scale::Linear,
        rows: &[
            ("100, watched", "weight of 100 sessions", "resident watched"),
            ("100, unwatched", "weight of 100 sessions", "resident unwatched"),
            ("1,000, watched", "weight of 1000 sessions", "resident watched"),
            ("1,000, unwatched", "weight of 1000 sessions", "resident unwatched"),
            ("4,000, watched", "weight of 4000 sessions", "resident watched"),
            ("4,000, unwatched", "weight of 4000 sessions", "resident unwatched"),
        ],
    },
    Plot {
        file: "page-flood.svg",
        title: "A flood in the page, the program waiting for it: MB/s, more is better",
        scale: Scale::Linear,
        rows: &[
            ("short lines, DOM", "page flood lines DOM", "rate"),
            ("short lines, WebGL", "page flood lines WebGL", "rate"),
            ("coloured, DOM", "page flood coloured DOM", "rate"),
            ("coloured, WebGL", "page flood coloured WebGL", "rate"),
        ],
    },
    Plot {
        file: "page-time.svg",
        title: "The page: ms, less is better",
        scale: Scale::Linear,
        rows: &[
            ("first prompt, empty cache", "page load", "first prompt, cold"),
            ("first prompt, full cache", "page load", "first prompt, warm"),
            ("key to glyph, p50", "page key to glyph", "p50"),
            ("key to glyph, p99", "page key to glyph", "p99"),
        ],
    },
];

/// Writes all plots that have figures, and the table beside them.
pub(crate) fn write(report: &Report, folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("could not create {}", folder.display()))?;
    let write = |name: &str, text: String| {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("could not write {}", path.display()))
    };
    for plot in &PLOTS {
        let chart = chart(plot, report);
        if !chart.groups.is_empty() {
            write(plot.file, chart.draw())?;
        }
    }
    write("figures.txt", super::table::text(report))
}

fn chart(plot: &Plot, report: &Report) -> Chart {
    let group = |&(label, scene, metric): &(&str, &str, &str)| {
        let figures = report.figures.iter();
        let figures =
            figures.filter(|figure| figure.measure.scene == scene && figure.measure.metric == metric);
        let bars: Vec<Bar> =
            figures.map(|figure| Bar { name: figure.server.clone(), spread: figure.spread }).collect();
        Group { label: label.to_owned(), bars }
    };
    let groups = plot.rows.iter().map(group).filter(|group| !group.bars.is_empty()).collect();
    let footer = report.machine.text().trim().replace('\n', "; ");
    Chart { title: plot.title.to_owned(), footer, scale: plot.scale, groups }
}
