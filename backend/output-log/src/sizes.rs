//! The sizes of a session's terminal, and the offsets in its output at which they took effect.

use std::collections::VecDeque;

use limpet_shared::{OutputOffset, Winsize};

/// Maximum number of sizes that are kept. A reader that lacks older ones gets a snapshot.
const MAX_SIZES: usize = 128;

/// A position in a session's output. Sizes are ordered with the output, and several may take effect
/// at one offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Offset before which all output has come.
    pub output: OutputOffset,
    /// Number of size changes that have come.
    pub resizes: u64,
}

impl Position {
    /// The start of a session.
    pub const START: Self = Self { output: OutputOffset::ZERO, resizes: 0 };
}

/// A size, and the offset at which it takes effect.
pub type SizeAt = (OutputOffset, Winsize);

/// The known sizes, in order. There is always at least one.
#[derive(Clone, Debug)]
pub struct Sizes {
    /// Number of changes up to the oldest known size.
    first: u64,
    oldest: SizeAt,
    /// The sizes after the oldest one. Most terminals keep their first size, so this takes no
    /// memory for them.
    later: VecDeque<SizeAt>,
}

impl Sizes {
    /// Returns the sizes of a terminal that has had this size from the start.
    #[must_use]
    pub fn new(size: Winsize) -> Self {
        Self { first: 0, oldest: (OutputOffset::ZERO, size), later: VecDeque::new() }
    }

    /// Restores the sizes that an earlier server knew. The oldest one came after `first` changes.
    /// Returns `None` if there are no sizes.
    #[must_use]
    pub fn restore(first: u64, sizes: impl IntoIterator<Item = SizeAt>) -> Option<Self> {
        let mut sizes = sizes.into_iter();
        let mut known = Self { first, oldest: sizes.next()?, later: VecDeque::new() };
        sizes.for_each(|(from, size)| known.push(from, size));
        Some(known)
    }

    /// Adds a size that takes effect at this offset.
    pub fn push(&mut self, from: OutputOffset, size: Winsize) {
        if self.later.len() + 1 >= MAX_SIZES {
            self.forget_oldest();
        }
        self.later.push_back((from, size));
    }

    /// Drops sizes that no reader can need, because they were replaced before `start`.
    pub(super) fn forget_before(&mut self, start: OutputOffset) {
        while self.later.front().is_some_and(|&(from, _)| from < start) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some(next) = self.later.pop_front() {
            self.oldest = next;
            self.first += 1;
        }
    }

    /// Returns the number of size changes so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.first + self.later.len() as u64
    }

    /// Returns the current size.
    #[must_use]
    pub fn last(&self) -> Winsize {
        self.later.back().unwrap_or(&self.oldest).1
    }

    /// Returns the size after this number of changes, and the offset at which it took effect.
    /// `None` if it is no longer known, or not yet.
    #[must_use]
    pub fn get(&self, resizes: u64) -> Option<SizeAt> {
        let at = usize::try_from(resizes.checked_sub(self.first)?).ok()?;
        if at == 0 { Some(self.oldest) } else { self.later.get(at - 1).copied() }
    }

    /// Returns all known sizes, each with the number of changes up to it.
    pub fn iter(&self) -> impl Iterator<Item = (u64, SizeAt)> + '_ {
        (self.first..).zip([self.oldest].into_iter().chain(self.later.iter().copied()))
    }

    /// Reports whether a reader at this position needs only sizes that are still known.
    pub(super) fn covers(&self, Position { output, resizes }: Position) -> bool {
        let begins_before = self.get(resizes).is_some_and(|(from, _)| from <= output);
        begins_before && self.get(resizes + 1).is_none_or(|(from, _)| from >= output)
    }

    /// Returns the position at which a new terminal starts that gets all of the output. It skips
    /// the sizes that were replaced before any output.
    pub(super) fn start(&self) -> Option<Position> {
        let before_any = |&(_, (from, _)): &(u64, SizeAt)| from == OutputOffset::ZERO;
        let (resizes, _) = self.iter().take_while(before_any).last()?;
        Some(Position { output: OutputOffset::ZERO, resizes })
    }

    /// Returns the position of a terminal that has got all output before `output` and does not
    /// report which sizes. The position is known only if at most one size has taken effect since,
    /// and that one at this very offset.
    pub(super) fn position_at(&self, output: OutputOffset) -> Option<Position> {
        let resizes = self.count();
        let has_begun = self.get(resizes).is_some_and(|(from, _)| from <= output);
        let before = resizes.checked_sub(1).and_then(|before| self.get(before));
        // A terminal that has shown nothing can skip all but the last of several sizes.
        let is_single = output == OutputOffset::ZERO || before.is_none_or(|(from, _)| from < output);
        (has_begun && is_single).then_some(Position { output, resizes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: u64) -> OutputOffset {
        OutputOffset::new(offset)
    }

    fn size(cols: u16) -> Winsize {
        Winsize::cells(cols, 10)
    }

    fn position(output: u64, resizes: u64) -> Position {
        Position { output: at(output), resizes }
    }

    fn sizes(changes: &[u64]) -> Sizes {
        let mut sizes = Sizes::new(size(1));
        for (&from, cols) in changes.iter().zip(2..) {
            sizes.push(at(from), size(cols));
        }
        sizes
    }

    #[test]
    fn a_place_is_an_offset_and_the_sizes_before_it() {
        let sizes = sizes(&[5, 5, 9]);
        assert_eq!((sizes.count(), sizes.last(), sizes.get(2)), (3, size(4), Some((at(5), size(3)))));
        let is_known = |&(output, resizes): &(u64, u64)| sizes.covers(position(output, resizes));
        let known = [(0, 0), (5, 0), (5, 1), (5, 2), (7, 2), (9, 2), (12, 3)];
        assert!(known.iter().all(is_known));
        let unknown = [(4, 1), (6, 0), (6, 1), (10, 2), (8, 3), (20, 4)];
        assert!(!unknown.iter().any(is_known));
    }

    #[test]
    fn only_so_many_are_kept_and_those_that_replaced_others_long_ago_are_not() {
        let mut many = sizes(&[3; 1000]);
        assert_eq!((many.iter().count(), many.count()), (MAX_SIZES, 1000));
        assert!(!many.covers(position(0, 0)) && many.covers(position(3, 999)));
        assert_eq!(many.start(), None);
        many.forget_before(at(3));
        assert_eq!(many.iter().count(), MAX_SIZES);
        many.forget_before(at(4));
        assert_eq!((many.iter().count(), many.get(1000)), (1, Some((at(3), size(1001)))));
    }

    #[test]
    fn what_an_earlier_server_knew_goes_on_with_its_numbers() {
        let before = sizes(&[3; 200]);
        let first = before.iter().next().map_or(0, |(resizes, _)| resizes);
        let after = Sizes::restore(first, before.iter().map(|(_, size)| size)).unwrap();
        assert!(after.iter().eq(before.iter()) && Sizes::restore(0, []).is_none());
    }

    #[test]
    fn a_new_terminal_begins_with_the_size_of_the_first_output() {
        assert_eq!(sizes(&[]).start(), Some(position(0, 0)));
        assert_eq!(sizes(&[0, 0, 5]).start(), Some(position(0, 2)));
    }

    #[test]
    fn who_does_not_say_which_sizes_it_has_got_is_believed_where_it_makes_no_difference() {
        let sizes = sizes(&[0, 5, 9]);
        assert_eq!(
            sizes.position_at(at(9)),
            Some(position(9, 3)),
            "it is told this size, whether it has it or not"
        );
        assert_eq!(sizes.position_at(at(10)), Some(position(10, 3)));
        assert_eq!((sizes.position_at(at(8)), sizes.position_at(at(3))), (None, None));
        assert_eq!(self::sizes(&[9, 9]).position_at(at(9)), None);
    }
}
