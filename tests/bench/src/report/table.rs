//! The report as a table, for people.

use std::fmt::Write as _;

use super::{Report, short};
use crate::{budgets::Standing, figures::Figure};

/// Formats the whole report as text, scene by scene.
pub(crate) fn text(report: &Report) -> String {
    let mut text = report.machine.text();
    let mut scenes: Vec<&str> = report.figures.iter().map(|figure| figure.measure.scene.as_str()).collect();
    scenes.dedup();
    let mut shown = std::collections::HashSet::new();
    for scene in scenes.into_iter().filter(|scene| shown.insert(*scene)) {
        add_scene(&mut text, report, scene);
    }
    add_budgets(&mut text, report);
    add_noise(&mut text, report);
    text
}

fn add_scene(text: &mut String, report: &Report, scene: &str) {
    let _ = writeln!(text, "\n{scene}");
    for figure in report.figures.iter().filter(|figure| figure.measure.scene == scene) {
        let Figure { measure, server, unit, spread, .. } = figure;
        let value = format!("{} {}", short(spread.median), unit.symbol());
        let range = if spread.runs > 1 {
            format!("{} … {}", short(spread.min), short(spread.max))
        } else {
            String::new()
        };
        let ratios =
            report.ratios.iter().filter(|ratio| ratio.measure == *measure && ratio.server == *server);
        let ratios: Vec<String> =
            ratios.map(|ratio| format!("{} of {}", short(ratio.spread.median), ratio.against)).collect();
        let line =
            format!("  {:24} {server:10} {value:>16}   {range:24} {}", measure.metric, ratios.join(", "));
        let _ = writeln!(text, "{}", line.trim_end());
    }
}

fn add_budgets(text: &mut String, report: &Report) {
    let _ = writeln!(text, "\nbudgets");
    for verdict in &report.budgets {
        let standing = match verdict.standing {
            Standing::Kept => "kept",
            Standing::Missed => "MISSED",
            Standing::Unknown => "not measured",
        };
        let measured = verdict.measured.map_or_else(|| "-".to_owned(), short);
        let _ = writeln!(text, "  {standing:13} {measured:>9}  {:24} {}", verdict.bound, verdict.what);
    }
}

fn add_noise(text: &mut String, report: &Report) {
    let loud = report.disturbed.len();
    if loud > 0 {
        let share = report.disturbed.iter().map(|run| run.noise.others).fold(0.0, f64::max) * 100.0;
        let runs = report.runs;
        let _ = writeln!(
            text,
            "\nOther programs had more than 5 % of the machine in {loud} of {runs} runs, up to {share:.0} %: \
             trust ratios more than figures."
        );
    }
    for failed in &report.failed {
        let _ = writeln!(text, "\n{} yielded no figures in {}: {}", failed.server, failed.scene, failed.why);
    }
}
