//! The session's screen, which follows the log behind everybody else.
//!
//! Output is parsed when there is nothing more urgent to do, or when somebody asks what is on the screen. What piles up in a
//! flood meanwhile is left out as far as nobody could see it any more.

use std::collections::VecDeque;

use bytes::Bytes;
use limpet_shared::{Header, Kind, OutputOffset, Winsize, limits::OUTPUT_FRAME, theme::Colours};

use crate::screen::{Screen, Text};

/// How much may wait to be parsed, in bytes.
const MOST: usize = 4 * 1024 * 1024;

/// When that was too much, so much of it is parsed that no more than this is left.
const ROOM: usize = MOST / 4 * 3;

/// How much is parsed before something else gets its turn: a millisecond's worth at most.
const SLICE: usize = 16 * 1024;

/// Longer control strings than this are not shown from their beginning by a snapshot.
const UNFINISHED: usize = 64 * 1024;

/// SOS begins a control string that means nothing.
const NOTHING: &[u8] = b"\x1bX";

/// A screen and the output it has yet to parse.
#[derive(Debug)]
pub(super) struct Display {
    screen: Screen,
    waiting: VecDeque<Waiting>,
    /// The log up to here has been parsed.
    parsed: OutputOffset,
    is_overfull: bool,
    /// Whether output was left out since this was last asked for.
    has_left_out: bool,
}

/// Output to be parsed.
#[derive(Debug)]
struct Waiting {
    output: Vec<u8>,
    /// So much of it is done.
    taken: usize,
    /// Whether there was nobody else to answer its questions.
    answered_here: bool,
}

/// A screen as frames.
#[derive(Clone, Debug)]
pub(super) struct Redrawing {
    /// Snapshot frames.
    pub(super) frames: Vec<Bytes>,
    /// Where data goes on after them.
    pub(super) output: OutputOffset,
    /// How many rows of scrollback they leave out.
    pub(super) earlier: usize,
}

impl Display {
    pub(super) fn new(size: Winsize, scrollback: usize) -> Self {
        Self {
            screen: Screen::new(size, scrollback),
            waiting: VecDeque::new(),
            parsed: OutputOffset::ZERO,
            is_overfull: false,
            has_left_out: false,
        }
    }

    /// One that shows what a snapshot draws that was made by [`snapshot`](Self::snapshot), with the offset that came with it.
    pub(super) fn drawn(size: Winsize, scrollback: usize, snapshot: &[u8], output: OutputOffset) -> Self {
        let mut display = Self::new(size, scrollback);
        display.screen.feed(snapshot);
        display.parsed = output;
        display
    }

    /// The log up to here has been parsed.
    pub(super) fn parsed(&self) -> OutputOffset {
        self.parsed
    }

    /// The log up to here has been taken.
    pub(super) fn taken(&self) -> OutputOffset {
        self.parsed.advanced(self.len())
    }

    /// Output up to here is not to be had any more.
    pub(super) fn skip_to(&mut self, output: OutputOffset) {
        self.catch_up();
        self.parsed = output;
    }

    /// Whether output was left out since this was last called.
    pub(super) fn take_left_out(&mut self) -> bool {
        std::mem::take(&mut self.has_left_out)
    }

    /// What has been parsed, as output that draws it, with so many rows of scrollback at most; and the offset at which data goes on
    /// after it.
    pub(super) fn snapshot(&self, history: usize) -> (Vec<u8>, OutputOffset) {
        let (snapshot, output, _) = snapshot(&self.screen, self.parsed, history);
        (snapshot, output)
    }

    /// Takes the log's next output. `answered_here` tells that there is no viewer whose terminal answers questions.
    pub(super) fn take(&mut self, output: &[u8], answered_here: bool) {
        match self.waiting.back_mut().filter(|last| last.answered_here == answered_here) {
            Some(last) => last.output.extend_from_slice(output),
            None => self.waiting.push_back(Waiting { output: output.to_vec(), taken: 0, answered_here }),
        }
        if self.len() > MOST {
            self.leave_out();
            self.is_overfull = self.len() > ROOM;
        }
    }

    /// Whether so much waits that cannot be left out that nothing more may come before some of it is parsed.
    pub(super) fn is_overfull(&self) -> bool {
        self.is_overfull
    }

    /// Whether output waits to be parsed.
    pub(super) fn is_behind(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether programs may wait for answers that are to be given here.
    pub(super) fn owes_answers(&self) -> bool {
        self.waiting.front().is_some_and(|first| first.answered_here)
    }

    /// Parses the next slice of what waits.
    pub(super) fn follow(&mut self) {
        let Some(first) = self.waiting.front_mut() else { return };
        let slice = &first.output[first.taken..];
        let slice = &slice[..slice.len().min(SLICE)];
        self.screen.answer(first.answered_here);
        self.screen.feed(slice);
        self.parsed = self.parsed.advanced(slice.len());
        first.taken += slice.len();
        if first.taken == first.output.len() {
            self.waiting.pop_front();
        }
        self.is_overfull &= self.len() > ROOM;
    }

    /// Parses all that waits.
    fn catch_up(&mut self) {
        while self.is_behind() {
            if self.len() > SLICE {
                self.leave_out();
            }
            self.follow();
        }
    }

    /// Drops of what waits first what would leave no trace.
    fn leave_out(&mut self) {
        let Some(first) = self.waiting.front_mut() else { return };
        let left_out = self.screen.leave_out(&first.output[first.taken..]);
        self.has_left_out |= left_out > 0;
        first.output.drain(..first.taken + left_out);
        first.taken = 0;
        self.parsed = self.parsed.advanced(left_out);
    }

    fn len(&self) -> usize {
        self.waiting.iter().map(|waiting| waiting.output.len() - waiting.taken).sum()
    }

    pub(super) fn resize(&mut self, size: Winsize) {
        // Rows are wrapped as they were when they were printed.
        self.catch_up();
        self.screen.resize(size);
    }

    pub(super) fn set_colours(&mut self, colours: Colours) {
        self.screen.set_colours(colours);
    }

    /// The title that the program has set.
    pub(super) fn title(&self) -> &str {
        self.screen.title()
    }

    /// Answers to be written to the program.
    pub(super) fn take_answers(&mut self) -> Vec<u8> {
        self.screen.take_answers()
    }

    /// The screen as of now, with so many rows of scrollback at most.
    pub(super) fn redrawing(&mut self, history: usize) -> Redrawing {
        self.catch_up();
        redrawing(&self.screen, self.parsed, history)
    }

    /// The screen as of now.
    pub(super) fn text(&mut self) -> Text {
        self.catch_up();
        self.screen.text()
    }

    /// The screen when nothing more will come.
    pub(super) fn into_last(mut self) -> LastScreen {
        self.catch_up();
        LastScreen { screen: self.screen, end: self.parsed }
    }
}

/// What a session leaves to be looked at.
#[derive(Debug)]
pub(super) struct LastScreen {
    screen: Screen,
    end: OutputOffset,
}

impl LastScreen {
    pub(super) fn redrawing(&self, history: usize) -> Redrawing {
        redrawing(&self.screen, self.end, history)
    }

    pub(super) fn text(&self) -> Text {
        self.screen.text()
    }

    pub(super) fn title(&self) -> &str {
        self.screen.title()
    }
}

impl Redrawing {
    /// What its frames hold.
    pub(super) fn into_output(self) -> Vec<u8> {
        self.frames.iter().flat_map(|frame| &frame[Header::LEN..]).copied().collect()
    }
}

fn redrawing(screen: &Screen, parsed: OutputOffset, history: usize) -> Redrawing {
    let (snapshot, output, earlier) = snapshot(screen, parsed, history);
    let header = Header { kind: Kind::Snapshot, offset: output.get() }.encode();
    let frames = snapshot.chunks(OUTPUT_FRAME).map(|part| Bytes::from([&header[..], part].concat()));
    Redrawing { frames: frames.collect(), output, earlier }
}

/// A screen that has parsed output up to here, as output; where data goes on; and how many rows of scrollback are left out.
fn snapshot(screen: &Screen, parsed: OutputOffset, history: usize) -> (Vec<u8>, OutputOffset, usize) {
    let mut snapshot = screen.snapshot(history);
    if snapshot.unfinished > UNFINISHED {
        snapshot.output.extend_from_slice(NOTHING);
        snapshot.unfinished = 0;
    }
    (snapshot.output, parsed.before(snapshot.unfinished), snapshot.left_out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn display() -> Display {
        Display::new(Winsize::cells(40, 10), 100)
    }

    #[test]
    fn a_flood_is_bounded_and_its_end_is_seen() {
        let mut display = display();
        let lines = (0..50_000).map(|n| format!("line {n}\r\n")).collect::<Vec<_>>().concat();
        for _ in 0..40 {
            display.take(lines.as_bytes(), true);
            assert!(display.len() <= MOST && !display.is_overfull());
        }
        let text = display.text();
        assert_eq!((text.lines[8].as_str(), text.cursor), ("line 49999", (0, 9)));
        assert_eq!(display.parsed.get(), 40 * lines.len() as u64);
        assert!(!display.is_behind());
    }

    #[test]
    fn what_cannot_be_left_out_is_parsed() {
        let mut display = display();
        let moves = "\x1b[3;3Hx".repeat(MOST / 4);
        display.take(moves.as_bytes(), true);
        assert!(display.is_overfull());
        while display.is_overfull() {
            display.follow();
        }
        assert!(display.len() <= ROOM);
        assert_eq!(display.text().lines[2], "  x");
    }

    #[test]
    fn only_what_came_while_nobody_was_there_is_answered() {
        let mut display = display();
        display.take(b"\x1b[5n", false);
        display.take(b"\x1b[6n", true);
        display.take(b"\x1b[5n", false);
        display.catch_up();
        assert_eq!(display.take_answers(), b"\x1b[1;1R");
    }

    #[test]
    fn a_snapshot_ends_before_what_is_not_complete() {
        let mut display = display();
        display.take(b"abc\x1b[3", true);
        let redrawing = display.redrawing(usize::MAX);
        assert_eq!(redrawing.output.get(), 3);
        display.take(&[b"\x1b]0;", &b"x".repeat(2 * UNFINISHED)[..]].concat(), true);
        let redrawing = display.redrawing(usize::MAX);
        assert_eq!(redrawing.output, display.parsed, "a control string of that length does not come again");
        assert!(redrawing.frames[0].ends_with(NOTHING));
    }
}
