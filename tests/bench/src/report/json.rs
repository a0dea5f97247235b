//! The report as JSON, for programs.

use std::{fs, path::Path};

use anyhow::{Context, bail};

use super::Report;

/// Figures that even a quick run yields for limpet, all greater than zero.
const REQUIRED_FIGURES: [(&str, &str); 20] = [
    ("output lines 1x1", "rate"),
    ("output lines 1x1", "cpu"),
    ("output lines 1x1", "switches of the server"),
    ("output lines 1x1", "frame size"),
    ("output coloured 1x1", "rate"),
    ("output utf8 1x1", "rate"),
    ("output long 1x1", "rate"),
    ("output yes 1x1", "rate"),
    ("output lines 16x1", "rate"),
    ("output lines 1x16", "rate"),
    ("output lines 1x1+3", "rate"),
    ("echo idle", "p50"),
    ("echo idle", "p99.9 of all"),
    ("echo beside 1 flood", "p99"),
    ("interrupt 1 MB/s viewer", "until the prompt"),
    ("interrupt 1 Mbit/s 30 ms", "until the prompt"),
    ("weight at the start", "resident"),
    ("opening sessions", "rate"),
    ("weight of a full scrollback", "resident unwatched"),
    ("sessions opened and closed", "rate"),
];

pub(crate) fn write(report: &Report, path: &Path) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(report)?;
    fs::write(path, text + "\n").with_context(|| format!("could not write {}", path.display()))
}

/// Checks that every figure is a finite number, so that a failed measurement does not look like a
/// result.
pub(crate) fn check(report: &Report) -> anyhow::Result<()> {
    if report.figures.is_empty() {
        bail!("nothing was measured");
    }
    for figure in &report.figures {
        let name = format!("{} {} of {}", figure.measure.scene, figure.measure.metric, figure.server);
        if figure.values.iter().any(|value| !value.is_finite()) {
            bail!("{name} is not a finite number: {:?}", figure.values);
        }
    }
    for ratio in &report.ratios {
        if !(ratio.spread.min.is_finite() && ratio.spread.max.is_finite()) {
            bail!("a ratio of {} {} is not finite", ratio.measure.scene, ratio.measure.metric);
        }
    }
    Ok(())
}

/// Checks that nothing is missing from a run of all parts.
pub(crate) fn check_complete(report: &Report) -> anyhow::Result<()> {
    for (scene, metric) in REQUIRED_FIGURES {
        let figure = report.figures.iter().find(|figure| {
            figure.server == "limpet" && figure.measure.scene == scene && figure.measure.metric == metric
        });
        match figure {
            None => bail!("missing figure: {scene}, {metric}"),
            Some(figure) if figure.spread.min <= 0.0 => bail!("nothing was measured: {scene}, {metric}"),
            Some(_) => {}
        }
    }
    for against in ["reader", "relay", "spawn loop"] {
        if !report.ratios.iter().any(|ratio| ratio.server == "limpet" && ratio.against == against) {
            bail!("no figure was compared with the {against}");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        figures::{Recorder, Unit},
        machine::Machine,
    };

    fn report(recorder: &Recorder) -> Report {
        let (figures, ratios) = (recorder.figures(), recorder.ratios(&["reader", "relay", "spawn loop"]));
        let machine = Machine::this(Vec::new());
        let (budgets, disturbed, failed) = (Vec::new(), Vec::new(), Vec::new());
        Report { quick: true, machine, seconds: 1.0, figures, ratios, budgets, runs: 1, disturbed, failed }
    }

    fn complete() -> Recorder {
        let mut recorder = Recorder::default();
        for server in ["reader", "relay", "spawn loop", "limpet"] {
            for (scene, metric) in REQUIRED_FIGURES {
                recorder.record(scene, metric, server, Unit::Count, 1.0);
            }
        }
        recorder
    }

    #[test]
    fn what_is_no_number_is_refused() {
        let mut recorder = complete();
        assert!(check(&report(&recorder)).is_ok());
        recorder.record("another", "rate", "limpet", Unit::Count, f64::NAN);
        assert!(check(&report(&recorder)).is_err());
        assert!(check(&report(&Recorder::default())).is_err());
    }

    #[test]
    fn a_missing_figure_and_an_empty_one_are_seen() {
        assert!(check_complete(&report(&complete())).is_ok());
        let mut recorder = complete();
        recorder.record("echo idle", "p50", "limpet", Unit::Count, 0.0);
        assert!(check_complete(&report(&recorder)).is_err());
        assert!(check_complete(&report(&Recorder::default())).is_err());
    }
}
