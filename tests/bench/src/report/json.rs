//! For programs.

use std::{fs, path::Path};

use anyhow::{Context, bail};

use super::Report;

pub(crate) fn write(report: &Report, path: &Path) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(report)?;
    fs::write(path, text + "\n").with_context(|| format!("could not write {}", path.display()))
}

/// Every number is one: what cannot be measured must not look as if it had been.
pub(crate) fn check(report: &Report) -> anyhow::Result<()> {
    if report.figures.is_empty() || report.ratios.is_empty() {
        bail!("nothing was measured");
    }
    for figure in &report.figures {
        let name = format!("{} {} of {}", figure.measure.scene, figure.measure.metric, figure.server);
        if figure.values.iter().any(|value| !value.is_finite()) {
            bail!("{name} is no number: {:?}", figure.values);
        }
    }
    for ratio in &report.ratios {
        if !(ratio.spread.min.is_finite() && ratio.spread.max.is_finite()) {
            bail!("a ratio of {} {} is none", ratio.measure.scene, ratio.measure.metric);
        }
    }
    Ok(())
}
