//! Limits on limpet's costs, and the check that it keeps them.

use std::{fs, path::Path};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::figures::{Figure, Measure, Ratio};

/// The contents of the budget file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    budget: Vec<Budget>,
}

/// A bound on one of limpet's figures, or on its ratio to another server's figure.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Budget {
    /// Description for people.
    what: String,
    scene: String,
    metric: String,
    /// The server whose figure the ratio is formed with. `None` bounds the figure itself.
    against: Option<String>,
    at_least: Option<f64>,
    at_most: Option<f64>,
}

/// The outcome of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Standing {
    Kept,
    Missed,
    /// The figure was not measured.
    Unknown,
}

/// A budget together with the measured value.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Verdict {
    pub(crate) what: String,
    pub(crate) bound: String,
    pub(crate) measured: Option<f64>,
    pub(crate) standing: Standing,
}

pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<Budget>> {
    let text = fs::read_to_string(path).with_context(|| format!("could not read {}", path.display()))?;
    parse(&text).with_context(|| format!("{} is not a valid list of budgets", path.display()))
}

fn parse(text: &str) -> anyhow::Result<Vec<Budget>> {
    Ok(toml::from_str::<File>(text)?.budget)
}

impl Budget {
    pub(crate) fn judge(&self, figures: &[Figure], ratios: &[Ratio]) -> Verdict {
        let measured = self.measured(figures, ratios);
        let standing = match measured {
            None => Standing::Unknown,
            Some(value) if self.holds(value) => Standing::Kept,
            Some(_) => Standing::Missed,
        };
        Verdict { what: self.what.clone(), bound: self.bound(), measured, standing }
    }

    fn measured(&self, figures: &[Figure], ratios: &[Ratio]) -> Option<f64> {
        let measure = Measure::new(&self.scene, &self.metric);
        let is_it = |other: &Measure, server: &str| *other == measure && server == "limpet";
        let spread = match &self.against {
            Some(against) => {
                ratios.iter().find(|it| is_it(&it.measure, &it.server) && it.against == *against)?.spread
            }
            None => figures.iter().find(|it| is_it(&it.measure, &it.server))?.spread,
        };
        Some(spread.median)
    }

    fn holds(&self, value: f64) -> bool {
        self.at_least.is_none_or(|least| value >= least) && self.at_most.is_none_or(|most| value <= most)
    }

    fn bound(&self) -> String {
        let least = self.at_least.map(|least| format!("≥ {least}"));
        let most = self.at_most.map(|most| format!("≤ {most}"));
        let bounds: Vec<String> = [least, most].into_iter().flatten().collect();
        let of = self.against.as_ref().map(|against| format!(" of {against}"));
        bounds.join(", ") + &of.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::{Recorder, Unit};

    fn standing(text: &str, of_limpet: f64) -> Standing {
        let mut recorder = Recorder::default();
        recorder.record("output", "rate", "reader", Unit::Count, 10.0);
        recorder.record("output", "rate", "limpet", Unit::Count, of_limpet);
        let budget = &parse(&format!("[[budget]]\nwhat = \"rate\"\nscene = \"output\"\n{text}")).unwrap()[0];
        budget.judge(&recorder.figures(), &recorder.ratios(&["reader"])).standing
    }

    #[test]
    fn a_ratio_is_held_against_its_bound() {
        let budget = "metric = \"rate\"\nagainst = \"reader\"\nat_least = 0.95";
        assert_eq!(standing(budget, 9.5), Standing::Kept);
        assert_eq!(standing(budget, 9.4), Standing::Missed);
    }

    #[test]
    fn a_figure_is_held_against_its_bound() {
        let budget = "metric = \"rate\"\nat_most = 5.0";
        assert_eq!(standing(budget, 5.0), Standing::Kept);
        assert_eq!(standing(budget, 5.1), Standing::Missed);
    }

    #[test]
    fn what_was_not_measured_is_not_kept() {
        assert_eq!(standing("metric = \"size\"\nat_most = 5.0", 1.0), Standing::Unknown);
    }

    #[test]
    fn the_budgets_that_there_are_can_be_read() {
        let budgets = read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/budgets.toml"))).unwrap();
        assert!(budgets.iter().all(|budget| budget.at_least.is_some() != budget.at_most.is_some()));
    }
}
