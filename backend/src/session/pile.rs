//! The screen's backlog: the part of the log that it has yet to parse, and the size changes in it.

use std::{collections::VecDeque, ops::Range};

use limpet_shared::{OutputOffset, Winsize};

use crate::{
    log::{Log, Position, SizeAt},
    screen::Scanner,
};

/// Minimum length of plain output for which to check whether lines of it can be left out, in bytes.
const MIN_SKIPPABLE_BYTES: u64 = 64 * 1024;

/// Number of waiting size changes at which the terminal is no longer resized.
const MAX_WAITING_SIZES: usize = 32;

/// The screen's position in the log, and the output and sizes that follow.
#[derive(Debug)]
pub(super) struct ScreenBacklog {
    log: Log,
    /// End of the output that has been parsed or left out.
    parsed: OutputOffset,
    /// Number of size changes that the screen has made.
    resizes: u64,
    /// Sizes that wait until the output before them is parsed.
    sizes: VecDeque<SizeAt>,
    /// Pieces of the waiting output, by who answers the queries in them.
    runs: VecDeque<Run>,
    scanner: Scanner,
    /// Plain output in the backlog that is long enough to be left out and is
    /// followed by other output.
    stretches: VecDeque<Range<u64>>,
    /// End of the output that may contain queries for the screen.
    asked: u64,
    /// End of the plain output of which nothing could be left out.
    tried: u64,
}

/// A piece of the log that follows the previous one.
#[derive(Debug)]
struct Run {
    end: OutputOffset,
    /// Set if no viewer's terminal answers queries in it.
    answered_here: bool,
}

impl ScreenBacklog {
    /// Creates a backlog that begins at this position of the log.
    pub(super) fn new(log: Log, start: Position) -> Self {
        Self {
            log,
            parsed: start.output,
            resizes: start.resizes,
            sizes: VecDeque::new(),
            runs: VecDeque::new(),
            scanner: Scanner::new(start.output.get()),
            stretches: VecDeque::new(),
            asked: 0,
            tried: 0,
        }
    }

    /// Skips all waiting output; the next output begins at this offset. Waiting
    /// sizes come before it.
    pub(super) fn skip_to(&mut self, start: OutputOffset) {
        let sizes = self.sizes.iter().map(|&(from, size)| (from.max(start), size)).collect();
        let position = Position { output: start, resizes: self.resizes };
        *self = Self { sizes, ..Self::new(self.log.clone(), position) };
    }

    pub(super) fn parsed(&self) -> OutputOffset {
        self.parsed
    }

    /// Returns the position up to which output has been parsed and sizes have been
    /// given to the screen.
    pub(super) fn position(&self) -> Position {
        Position { output: self.parsed, resizes: self.resizes }
    }

    /// Returns the end of the output that has been taken.
    pub(super) fn taken(&self) -> OutputOffset {
        self.runs.back().map_or(self.parsed, |last| last.end)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.sizes.is_empty()
    }

    /// Takes the size that the terminal has from here on.
    pub(super) fn take_size(&mut self, size: Winsize) {
        self.sizes.push_back((self.taken(), size));
    }

    /// Reports whether no more sizes may come until some have been given to the screen.
    pub(super) fn has_many_sizes(&self) -> bool {
        self.sizes.len() >= MAX_WAITING_SIZES
    }

    /// Returns the next size, if no output comes before it.
    pub(super) fn next_size(&self) -> Option<Winsize> {
        self.sizes.front().filter(|&&(from, _)| from <= self.parsed).map(|&(_, size)| size)
    }

    /// Records that the next size has been given to the screen.
    pub(super) fn resized(&mut self) {
        if self.sizes.pop_front().is_some() {
            self.resizes += 1;
        }
    }

    /// Returns the end of the output that comes before the next size.
    fn end(&self) -> OutputOffset {
        self.sizes.front().map_or_else(|| self.taken(), |&(from, _)| from)
    }

    pub(super) fn len(&self) -> u64 {
        self.taken().since(self.parsed)
    }

    /// Reports whether programs may be waiting for answers from the screen.
    pub(super) fn owes_answers(&self) -> bool {
        self.parsed.get() < self.asked
    }

    /// Takes the log's next output.
    pub(super) fn take(&mut self, output: &[u8], answered_here: bool) {
        let end = self.taken().advanced(output.len());
        match self.runs.back_mut().filter(|last| last.answered_here == answered_here) {
            Some(last) => last.end = end,
            None => self.runs.push_back(Run { end, answered_here }),
        }
        let Self { scanner, stretches, asked, .. } = self;
        scanner.scan(output, |stretch, known| {
            if answered_here {
                *asked = known;
            }
            if stretch.end - stretch.start >= MIN_SKIPPABLE_BYTES {
                stretches.push_back(stretch);
            }
        });
    }

    pub(super) fn log(&self) -> &Log {
        &self.log
    }

    /// Returns at most `most` bytes from the front, and whether the screen answers queries in them.
    pub(super) fn front(&mut self, most: usize) -> Option<(Vec<u8>, bool)> {
        let first = self.runs.front()?;
        let end = first.end.min(self.end());
        let most = usize::try_from(end.since(self.parsed)).map_or(most, |len| len.min(most));
        let answered_here = first.answered_here;
        let slice = self.log.look(self.parsed, most, <[u8]>::to_vec).filter(|slice| slice.len() == most);
        let Some(slice) = slice else {
            tracing::error!("a screen lacks output that is no longer kept");
            self.skip_to(self.taken());
            return None;
        };
        Some((slice, answered_here))
    }

    /// Records that `count` bytes from the front have been parsed.
    pub(super) fn parsed_bytes(&mut self, count: usize) {
        self.parsed_to(self.parsed.advanced(count));
    }

    /// Leaves out of the plain output at the front as many bytes as `leave_out` returns. Returns
    /// whether there were any.
    pub(super) fn leave_out(&mut self, leave_out: impl FnOnce(&[u8]) -> usize) -> bool {
        let stretch = self.stretch();
        let end = stretch.end.min(self.end().get());
        let len = end.saturating_sub(self.parsed.get());
        if stretch.start > self.parsed.get() || len < MIN_SKIPPABLE_BYTES || end <= self.tried {
            return false;
        }
        self.tried = end;
        let most = usize::try_from(len).unwrap_or(usize::MAX);
        let left_out = self.log.look(self.parsed, most, leave_out).unwrap_or_default();
        self.parsed_to(self.parsed.advanced(left_out));
        left_out > 0
    }

    /// Passes the backlog to `look`, if it is a long stretch of plain output followed by not much
    /// else, and contains no size.
    pub(super) fn look<T>(&mut self, look: impl FnOnce(&[u8], &[u8]) -> Option<T>) -> Option<T> {
        if !self.sizes.is_empty() {
            return None;
        }
        let stretch = self.stretch();
        let plain = stretch.end.checked_sub(self.parsed.get()).filter(|&len| len >= MIN_SKIPPABLE_BYTES)?;
        let rest = self.taken().get() - stretch.end;
        if stretch.start > self.parsed.get() || rest > MIN_SKIPPABLE_BYTES {
            return None;
        }
        let (plain, all) = (usize::try_from(plain).ok()?, usize::try_from(self.len()).ok()?);
        let look = |output: &[u8]| look(output.get(..plain)?, &output[plain..]);
        self.log.look(self.parsed, all, look).flatten()
    }

    /// Returns the first plain stretch that has not been parsed.
    fn stretch(&mut self) -> Range<u64> {
        while self.stretches.front().is_some_and(|stretch| stretch.end <= self.parsed.get()) {
            self.stretches.pop_front();
        }
        self.stretches.front().cloned().unwrap_or_else(|| self.scanner.plain())
    }

    fn parsed_to(&mut self, parsed: OutputOffset) {
        self.parsed = parsed;
        while self.runs.front().is_some_and(|run| run.end <= parsed) {
            self.runs.pop_front();
        }
    }
}
