//! The report of a run.

pub(crate) mod json;
pub(crate) mod plots;
mod svg;
pub(crate) mod table;

use serde::Serialize;

use crate::{
    budgets::Verdict,
    figures::{Disturbed, Failed, Figure, Ratio},
    machine::Machine,
};

/// Everything that a run has found.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) quick: bool,
    pub(crate) machine: Machine,
    /// Duration of the run in seconds.
    pub(crate) seconds: f64,
    pub(crate) figures: Vec<Figure>,
    pub(crate) ratios: Vec<Ratio>,
    pub(crate) budgets: Vec<Verdict>,
    pub(crate) runs: usize,
    /// Runs that other programs disturbed.
    pub(crate) disturbed: Vec<Disturbed>,
    pub(crate) failed: Vec<Failed>,
}

/// Formats a number with as many digits as are meaningful.
pub(crate) fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        ..0.1 => format!("{value:.4}"),
        ..10.0 => format!("{value:.2}"),
        ..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_or_so() {
        let shown = [0.0, 0.0123, 0.95, 12.34, 123.4, 123_456.0, -1.5].map(short);
        assert_eq!(shown, ["0", "0.0123", "0.95", "12.3", "123", "123456", "-1.50"]);
    }
}
