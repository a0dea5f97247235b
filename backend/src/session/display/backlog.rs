//! The screen's backlog: the part of the log that it has yet to parse, and the size changes in it.

use std::{collections::VecDeque, ops::Range};

use limpet_output_log::{Position, SizeAt};
use limpet_screen::PlainOutputScanner;
use limpet_shared::{OutputOffset, Winsize};

use crate::session::flow::Log;

/// Minimum length of plain output for which to check whether lines of it can be left out, in bytes.
const MIN_SKIPPABLE_BYTES: u64 = 64 * 1024;

/// Number of waiting size changes at which the terminal is no longer resized.
const MAX_WAITING_SIZES: usize = 32;

/// The screen's position in the log, and the output and sizes that follow.
#[derive(Debug)]
pub(super) struct ScreenBacklog {
    log: Log,
    /// End of the output that has been parsed or left out.
    parsed_to: OutputOffset,
    /// Number of size changes that the screen has made.
    resizes: u64,
    /// Sizes that wait until the output before them is parsed.
    sizes: VecDeque<SizeAt>,
    /// Pieces of the waiting output, by who answers the queries in them.
    runs: VecDeque<Run>,
    scanner: PlainOutputScanner,
    /// Plain output in the backlog that is long enough to be left out and is
    /// followed by other output.
    plain_ranges: VecDeque<Range<u64>>,
    /// End of the output that may contain queries for the screen.
    queries_before: u64,
    /// End of the plain output of which nothing could be left out.
    tried_to: u64,
}

/// A piece of the log that follows the previous one.
#[derive(Debug)]
struct Run {
    end: OutputOffset,
    /// Set if no viewer's terminal answers queries in it.
    is_answered_by_screen: bool,
}

impl ScreenBacklog {
    /// Creates a backlog that begins at this position of the log.
    pub(super) fn new(log: Log, start: Position) -> Self {
        Self {
            log,
            parsed_to: start.output,
            resizes: start.resizes,
            sizes: VecDeque::new(),
            runs: VecDeque::new(),
            scanner: PlainOutputScanner::new(start.output.get()),
            plain_ranges: VecDeque::new(),
            queries_before: 0,
            tried_to: 0,
        }
    }

    /// Skips all waiting output; the next output begins at this offset. Waiting
    /// sizes come before it.
    pub(super) fn skip_to(&mut self, start: OutputOffset) {
        let sizes = self.sizes.iter().map(|&(from, size)| (from.max(start), size)).collect();
        let position = Position { output: start, resizes: self.resizes };
        *self = Self { sizes, ..Self::new(self.log.clone(), position) };
    }

    pub(super) fn parsed_to(&self) -> OutputOffset {
        self.parsed_to
    }

    /// Returns the position up to which output has been parsed and sizes have been
    /// given to the screen.
    pub(super) fn position(&self) -> Position {
        Position { output: self.parsed_to, resizes: self.resizes }
    }

    /// Returns the end of the output that has been taken.
    pub(super) fn taken_to(&self) -> OutputOffset {
        self.runs.back().map_or(self.parsed_to, |last| last.end)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.sizes.is_empty()
    }

    /// Takes the size that the terminal has from here on.
    pub(super) fn take_size(&mut self, size: Winsize) {
        self.sizes.push_back((self.taken_to(), size));
    }

    /// Reports whether no more sizes may come until some have been given to the screen.
    pub(super) fn has_many_sizes(&self) -> bool {
        self.sizes.len() >= MAX_WAITING_SIZES
    }

    /// Returns the next size, if no output comes before it.
    pub(super) fn next_size(&self) -> Option<Winsize> {
        self.sizes.front().filter(|&&(from, _)| from <= self.parsed_to).map(|&(_, size)| size)
    }

    /// Records that the next size has been given to the screen.
    pub(super) fn pop_size(&mut self) {
        if self.sizes.pop_front().is_some() {
            self.resizes += 1;
        }
    }

    /// Returns the end of the output that comes before the next size.
    fn end(&self) -> OutputOffset {
        self.sizes.front().map_or_else(|| self.taken_to(), |&(from, _)| from)
    }

    pub(super) fn len(&self) -> u64 {
        self.taken_to().since(self.parsed_to)
    }

    /// Reports whether programs may be waiting for answers from the screen.
    pub(super) fn owes_answers(&self) -> bool {
        self.parsed_to.get() < self.queries_before
    }

    /// Takes the log's next output.
    pub(super) fn take(&mut self, output: &[u8], is_answered_by_screen: bool) {
        let end = self.taken_to().advanced(output.len());
        match self.runs.back_mut().filter(|last| last.is_answered_by_screen == is_answered_by_screen) {
            Some(last) => last.end = end,
            None => self.runs.push_back(Run { end, is_answered_by_screen }),
        }
        let Self { scanner, plain_ranges, queries_before, .. } = self;
        scanner.scan(output, |range, known| {
            if is_answered_by_screen {
                *queries_before = known;
            }
            if range.end - range.start >= MIN_SKIPPABLE_BYTES {
                plain_ranges.push_back(range);
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
        let most = usize::try_from(end.since(self.parsed_to)).map_or(most, |len| len.min(most));
        let is_answered_by_screen = first.is_answered_by_screen;
        let slice =
            self.log.with_output(self.parsed_to, most, <[u8]>::to_vec).filter(|slice| slice.len() == most);
        let Some(slice) = slice else {
            tracing::error!("the log no longer has the output that a screen needs");
            self.skip_to(self.taken_to());
            return None;
        };
        Some((slice, is_answered_by_screen))
    }

    /// Records that `count` bytes from the front have been parsed.
    pub(super) fn advance(&mut self, count: usize) {
        self.set_parsed_to(self.parsed_to.advanced(count));
    }

    /// Leaves out of the plain output at the front as many bytes as `invisible_len` returns.
    /// Returns whether there were any.
    pub(super) fn skip_invisible(&mut self, invisible_len: impl FnOnce(&[u8]) -> usize) -> bool {
        let range = self.next_plain_range();
        let end = range.end.min(self.end().get());
        let len = end.saturating_sub(self.parsed_to.get());
        if range.start > self.parsed_to.get() || len < MIN_SKIPPABLE_BYTES || end <= self.tried_to {
            return false;
        }
        self.tried_to = end;
        let most = usize::try_from(len).unwrap_or(usize::MAX);
        let skipped = self.log.with_output(self.parsed_to, most, invisible_len).unwrap_or_default();
        self.set_parsed_to(self.parsed_to.advanced(skipped));
        skipped > 0
    }

    /// Passes the backlog to `inspect`, if it is a long range of plain output followed by not much
    /// else, and contains no size.
    pub(super) fn inspect<T>(&mut self, inspect: impl FnOnce(&[u8], &[u8]) -> Option<T>) -> Option<T> {
        if !self.sizes.is_empty() {
            return None;
        }
        let range = self.next_plain_range();
        let plain = range.end.checked_sub(self.parsed_to.get()).filter(|&len| len >= MIN_SKIPPABLE_BYTES)?;
        let rest = self.taken_to().get() - range.end;
        if range.start > self.parsed_to.get() || rest > MIN_SKIPPABLE_BYTES {
            return None;
        }
        let (plain, all) = (usize::try_from(plain).ok()?, usize::try_from(self.len()).ok()?);
        let inspect = |output: &[u8]| inspect(output.get(..plain)?, &output[plain..]);
        self.log.with_output(self.parsed_to, all, inspect).flatten()
    }

    /// Returns the first plain range that has not been parsed.
    fn next_plain_range(&mut self) -> Range<u64> {
        while self.plain_ranges.front().is_some_and(|range| range.end <= self.parsed_to.get()) {
            self.plain_ranges.pop_front();
        }
        self.plain_ranges.front().cloned().unwrap_or_else(|| self.scanner.plain())
    }

    fn set_parsed_to(&mut self, parsed_to: OutputOffset) {
        self.parsed_to = parsed_to;
        while self.runs.front().is_some_and(|run| run.end <= parsed_to) {
            self.runs.pop_front();
        }
    }
}
