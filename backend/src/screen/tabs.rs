//! Tab stops.

/// How far apart they are at first, in columns.
const DISTANCE: usize = 8;

/// The columns at which a tab stops, as a set of bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TabStops(Vec<u64>);

impl TabStops {
    /// One every eight columns.
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

    /// Continues the stops into columns that are new. What was set beyond them earlier is still there.
    pub(super) fn extend(&mut self, columns: usize) {
        let from = if self.has(columns) { columns } else { self.last_before(columns) };
        self.set_every(from, columns);
    }

    /// The next stop to the right, at most the last column.
    pub(super) fn next(&self, column: usize, columns: usize) -> usize {
        (column + 1..columns).find(|&at| self.has(at)).unwrap_or(columns - 1)
    }

    /// The next stop to the left, at least the first column.
    pub(super) fn previous(&self, column: usize, columns: usize) -> usize {
        self.last_before(column).min(columns - 1)
    }

    fn last_before(&self, column: usize) -> usize {
        (0..column).rev().find(|&at| self.has(at)).unwrap_or(0)
    }

    fn set_every(&mut self, from: usize, columns: usize) {
        for column in (from..columns).step_by(DISTANCE) {
            self.set(column);
        }
    }
}
