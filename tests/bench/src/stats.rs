//! Statistics over several runs.

use serde::{Deserialize, Serialize};

/// The median of several values, and their range.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) runs: usize,
}

impl Spread {
    /// Returns `None` if there are no values.
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (&min, &max) = (sorted.first()?, sorted.last()?);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            sorted[middle]
        } else {
            f64::midpoint(sorted[middle - 1], sorted[middle])
        };
        Some(Self { median, min, max, runs: sorted.len() })
    }

    /// Computes the spread of ratios, which are formed pair by pair, so that a disturbance of both
    /// runs of a pair has no effect.
    pub(crate) fn of_ratios(values: &[f64], references: &[f64]) -> Option<Self> {
        let ratios: Vec<f64> =
            values.iter().zip(references).map(|(value, reference)| value / reference).collect();
        Self::of(&ratios).filter(|spread| spread.min.is_finite() && spread.max.is_finite())
    }
}

/// Returns the value at a percentile, given as a share from 0 to 1, by the nearest-rank method.
pub(crate) fn percentile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let rank = (share * float(sorted.len())).ceil() - 1.0;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank within the values")]
    let at = rank.max(0.0) as usize;
    Some(sorted[at.min(last)])
}

/// Converts a count to floating point.
#[expect(clippy::cast_precision_loss, reason = "counts here are far below 2^53")]
pub(crate) fn float(count: impl TryInto<u64>) -> f64 {
    count.try_into().unwrap_or(u64::MAX) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_an_even_number_of_values_is_between_two() {
        let spread = Spread::of(&[4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!(spread, Spread { median: 2.5, min: 1.0, max: 4.0, runs: 4 });
        assert_eq!(Spread::of(&[]), None);
    }

    #[test]
    fn ratios_are_formed_pair_by_pair() {
        // The second pair ran on a busy machine.
        let spread = Spread::of_ratios(&[1.0, 30.0], &[2.0, 20.0]).unwrap();
        assert_eq!((spread.median, spread.min, spread.max), (1.0, 0.5, 1.5));
        assert_eq!(Spread::of_ratios(&[1.0], &[0.0]), None, "a ratio to nothing is none");
    }

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(percentile(&values, 0.5), Some(50.0));
        assert_eq!(percentile(&values, 0.99), Some(99.0));
        assert_eq!(percentile(&values, 0.999), Some(100.0));
        assert_eq!(percentile(&values[..1], 0.5), Some(1.0));
        assert_eq!(percentile(&[], 0.5), None);
    }
}
