//! Tab stops.

/// Distance between the default tab stops, in columns.
const DEFAULT_TAB_COLUMNS: usize = 8;

/// The columns with a tab stop, as a set of bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TabStops(Vec<u64>);

impl TabStops {
    /// Creates a stop at every eighth column.
    pub(super) fn new(columns: usize) -> Self {
        let mut stops = Self(Vec::new());
        stops.set_every(0, columns);
        stops
    }

    pub(super) fn has(&self, column: usize) -> bool {
        self.0.get(column / 64).is_some_and(|word| word >> (column % 64) & 1 == 1)
    }

    pub(super) fn set(&mut self, column: usize) {
        if self.0.len() <= column / 64 {
            self.0.resize(column / 64 + 1, 0);
        }
        self.0[column / 64] |= 1 << (column % 64);
    }

    pub(super) fn clear(&mut self, column: usize) {
        if let Some(word) = self.0.get_mut(column / 64) {
            *word &= !(1 << (column % 64));
        }
    }

    pub(super) fn clear_all(&mut self) {
        self.0.clear();
    }

    /// Continues the default stops into new columns. Stops set there earlier remain.
    pub(super) fn extend(&mut self, columns: usize) {
        let from = if self.has(columns) { columns } else { self.last_before(columns) };
        self.set_every(from, columns);
    }

    /// Returns the next stop to the right, or the last column.
    pub(super) fn next(&self, column: usize, columns: usize) -> usize {
        let first = column + 1;
        let words = self.0.iter().enumerate().skip(first / 64);
        let mut stops = words.filter_map(|(at, &word)| {
            let word = if at == first / 64 { word & u64::MAX << (first % 64) } else { word };
            (word != 0).then(|| 64 * at + word.trailing_zeros() as usize)
        });
        stops.next().map_or(columns - 1, |stop| stop.min(columns - 1))
    }

    /// Returns the next stop to the left, or the first column.
    pub(super) fn previous(&self, column: usize, columns: usize) -> usize {
        self.last_before(column).min(columns - 1)
    }

    fn last_before(&self, column: usize) -> usize {
        let words = self.0.iter().enumerate().take(column.div_ceil(64)).rev();
        let mut stops = words.filter_map(|(at, &word)| {
            let word = if at == column / 64 { word & !(u64::MAX << (column % 64)) } else { word };
            (word != 0).then(|| 64 * at + 63 - word.leading_zeros() as usize)
        });
        stops.next().unwrap_or(0)
    }

    fn set_every(&mut self, from: usize, columns: usize) {
        for column in (from..columns).step_by(DEFAULT_TAB_COLUMNS) {
            self.set(column);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn stops_are_found_on_either_side(set in prop::collection::vec(0..300_usize, 0..6), column in 0..301_usize) {
            let mut stops = TabStops(Vec::new());
            for &column in &set {
                stops.set(column);
            }
            let next = set.iter().copied().filter(|&stop| stop > column).min();
            prop_assert_eq!(stops.next(column, 200), next.unwrap_or(199).min(199));
            let previous = set.iter().copied().filter(|&stop| stop < column).max();
            prop_assert_eq!(stops.previous(column, 200), previous.unwrap_or(0).min(199));
        }
    }
}
