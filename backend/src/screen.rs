//! The server's own terminal emulation: what a session's screen and scrollback look like.
//!
//! It follows xterm.js, which draws the same output in the page, down to its peculiarities: a [`Screen`] that has parsed some
//! output and an xterm.js that has parsed the same are in the same state, and a snapshot of the one brings a fresh other
//! there. Tests hold the two together (`tests/screen`).
//!
//! * [`parser`] turns bytes into text and control functions; [`terminal`] and [`control`] are what these do.
//! * [`buffer`] is a grid of [`row`]s with its [`scrollback`]; [`reflow`] gives it another size.

mod answer;
mod buffer;
mod charset;
mod clearing;
mod control;
mod flood;
mod insert;
mod leftovers;
mod modes;
mod palette;
mod params;
mod parser;
mod plain;
mod print;
mod reflow;
mod row;
mod scrollback;
mod sgr;
mod snapshot;
mod style;
mod sweep;
mod table;
mod tables;
mod tabs;
mod terminal;
mod unfinished;
mod width;

use std::mem;

use limpet_shared::{
    Winsize,
    limits::{MAX_CLUSTER_CHARS, MAX_LINK_ID_BYTES, MAX_LINK_URI_BYTES},
    theme::Colours,
};
use memchr::memchr_iter;

use self::{
    answer::Answers,
    control::{MAX_PLACED_SCREENS, Performer},
    flood::Flood,
    parser::Parser,
    scrollback::Scrollback,
    tables::{CLUSTER_BYTES, MAX_LINKS_BYTES, MAX_SHARED_BYTES, STYLE_BYTES},
    terminal::Terminal,
};
pub use self::{leftovers::Leftovers, plain::Scanner};

/// Fewest columns: a wide character needs two.
const MIN_COLUMNS: usize = 2;

/// Steps that a byte causes at most where it touches no cells but its own.
const STEPS_PER_BYTE: usize = 48;

/// Steps per cell of the screen, with a row more, that it causes at most.
const STEPS_PER_CELL: usize = 3;

/// What a cell of the screen takes, in bytes, with the room that a row has for more.
const CELL_BYTES: usize = 16;

/// What a cell of the scrollback takes at most, packed: a style and a cluster of its own, and room for more.
const PACKED_BYTES_PER_CELL: usize = 24;

/// What a row takes beside its cells.
const ROW_BYTES: usize = 96;

/// What a style and a cluster take that only one cell has, and as many that are not needed any more.
const SHARED_BYTES_PER_CELL: usize =
    2 * (STYLE_BYTES + CLUSTER_BYTES + char::MAX_LEN_UTF8 * MAX_CLUSTER_CHARS);

/// What a hyperlink takes at most.
const MAX_LINK_BYTES: usize = 256 + MAX_LINK_URI_BYTES + MAX_LINK_ID_BYTES;

/// What takes no more in a large screen than in a small one: a control string, answers, values that are not worth a sweep.
const FIXED_BYTES: usize = 1536 * 1024;

/// Steps that a cell takes, or a byte of packed scrollback, when the screen takes on another size …
const REFLOW_STEPS: usize = 8;

/// … when it is written as output …
const SNAPSHOT_STEPS: usize = 4;

/// … and when it is read as text.
const TEXT_STEPS: usize = 4;

/// A terminal that is seen by nobody.
#[derive(Clone, Debug)]
pub struct Screen {
    parser: Parser,
    terminal: Terminal,
    answers: Answers,
}

/// A screen as output.
#[derive(Debug)]
pub struct Snapshot {
    /// Output that brings a fresh xterm.js of the same size into the screen's state.
    pub output: Vec<u8>,
    /// How many bytes at its end begin a character or a control function, because the output that was fed last did.
    pub unfinished: usize,
    /// How many rows of scrollback were left out.
    pub left_out: usize,
}

/// A screen as text.
#[derive(Debug, Default)]
pub struct Text {
    /// Its rows from the top, without what is blank at their ends.
    pub lines: Vec<String>,
    /// Column and row of the cursor, counted from 0.
    pub cursor: (usize, usize),
    /// Whether the cursor is shown.
    pub is_cursor_visible: bool,
    /// Whether this is the alternate screen, of a program that uses all of it.
    pub is_alternate: bool,
}

impl Screen {
    /// A blank screen that keeps so many rows of scrollback.
    #[must_use]
    pub fn new(size: Winsize, scrollback: usize) -> Self {
        let (columns, rows) = cells(size);
        let (mut answers, terminal) = (Answers::default(), Terminal::new(columns, rows, scrollback));
        answers.set_size(size);
        Self { parser: Parser::default(), terminal, answers }
    }

    /// Takes the program's next output; it may be cut anywhere.
    pub fn feed(&mut self, output: &[u8]) {
        self.feed_and_sweep(output, u64::MAX);
    }

    /// The same, as far as it takes no more than about so many steps. Says whether that was all of it.
    fn feed_and_sweep(&mut self, mut output: &[u8], budget: u64) -> bool {
        let until = self.steps().saturating_add(budget);
        loop {
            output = &output[self.feed_within(output, until.saturating_sub(self.steps()))..];
            if !self.is_sweep_due() {
                return output.is_empty() && !self.is_unfinished();
            }
            self.sweep();
        }
    }

    /// Takes as much of the program's next output as can be taken in `budget` [steps](Self::steps) and one control function more, or a
    /// run of text. Says how many bytes these were.
    ///
    /// The last control function may still [need steps](Self::is_unfinished), which the next call takes. Nothing is taken while
    /// [a sweep is due](Self::is_sweep_due).
    #[must_use]
    pub fn feed_within(&mut self, output: &[u8], budget: u64) -> usize {
        let until = self.steps().saturating_add(budget);
        let mut taken = 0;
        loop {
            self.terminal.go_on(until);
            if taken == output.len() || self.steps() >= until || self.is_sweep_due() {
                return taken;
            }
            self.terminal.steps.until = until;
            let mut performer = Performer { terminal: &mut self.terminal, answers: &mut self.answers };
            taken += self.parser.parse(&output[taken..], &mut performer);
        }
    }

    /// How much work there has been, in steps: cells and rows that were looked at or changed, and what takes as long as that.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.terminal.steps.taken
    }

    /// Whether a control function that was fed last is not finished. No snapshot can stand for that.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        self.terminal.is_unfinished()
    }

    /// Whether the next byte begins something new: nothing that a program has begun is torn apart by output of somebody else.
    #[must_use]
    pub fn is_between(&self) -> bool {
        self.parser.is_between() && !self.is_unfinished()
    }

    /// Whether this is the alternate screen, of a program that uses all of it.
    #[must_use]
    pub fn is_alternate(&self) -> bool {
        self.terminal.is_alternate
    }

    /// Whether so much has been shown and is gone that it is time to [`sweep`](Self::sweep).
    #[must_use]
    pub fn is_sweep_due(&self) -> bool {
        self.terminal.is_sweep_due()
    }

    /// How many steps that takes. It may be far more than a slice's worth, where there is much scrollback.
    #[must_use]
    pub fn sweep_steps(&self) -> u64 {
        self.terminal.sweep_steps()
    }

    /// How many steps a byte of output causes at most, beside those of sweeps, in a screen of this size.
    ///
    /// Most take less than ten. What takes most is a control function that changes every cell, and has three bytes at least, or a
    /// repetition of grapheme clusters, which has eight.
    #[must_use]
    pub fn max_steps_per_byte(size: Winsize) -> u64 {
        let (columns, rows) = cells(size);
        (STEPS_PER_BYTE + STEPS_PER_CELL * (columns + 1) * (rows + 1)) as u64
    }

    /// How much memory a screen takes at most, in bytes, that had no more columns and no more rows than this so far.
    ///
    /// It is what cells and packed rows take, what they share, and a constant. What is shared is bounded by the number of cells, and
    /// where it is the scrollback's by a constant as well.
    #[must_use]
    pub fn memory_bound(size: Winsize, scrollback: usize) -> usize {
        let (columns, rows) = cells(size);
        let shown = (2 + MAX_PLACED_SCREENS) * (columns + 1) * rows;
        let scrolled = columns.saturating_mul(scrollback);
        let shared = |cells: usize| cells.saturating_mul(SHARED_BYTES_PER_CELL);
        let links = 2 * MAX_LINKS_BYTES.min(shown.saturating_add(scrolled).saturating_mul(MAX_LINK_BYTES));
        let rows = ROW_BYTES * (2 * rows + scrollback);
        let packed = scrolled.saturating_mul(PACKED_BYTES_PER_CELL);
        let cells = shown * CELL_BYTES + packed + rows;
        cells + shared(shown) + shared(scrolled).min(2 * MAX_SHARED_BYTES) + links + FIXED_BYTES
    }

    /// Forgets styles, grapheme clusters and hyperlinks that are nowhere to be seen any more.
    pub fn sweep(&mut self) {
        self.terminal.sweep();
    }

    /// How much of the output that is to be fed next, and is plain as a [`Scanner`] told, can be left out, since nothing of it could be
    /// seen in the end. The screen is then ready for the rest.
    #[must_use]
    pub fn leave_out(&mut self, plain: &[u8]) -> usize {
        let Some(flood) = self.flood(plain, self.terminal.primary.scrollback.limit()) else { return 0 };
        self.skip(&flood);
        flood.len
    }

    /// Another screen, as this one will be after such output, plain at first and whatever `rest` is, but with so many rows of scrollback
    /// at most; if there is enough output that little of it has to be parsed for that, in so many steps. And how many rows of scrollback
    /// this one will have by then, at least.
    pub fn glimpse(
        &mut self,
        (plain, rest): (&[u8], &[u8]),
        history: usize,
        budget: u64,
    ) -> Option<(Self, usize)> {
        let limit = self.terminal.primary.scrollback.limit();
        let flood = self.flood(plain, history.min(limit))?;
        let scrollback =
            mem::replace(&mut self.terminal.primary.scrollback, Scrollback::new(history.min(limit)));
        let mut glimpse = self.clone();
        glimpse.skip(&flood);
        let until = glimpse.steps().saturating_add(budget);
        let mut is_complete = glimpse.feed_and_sweep(&plain[flood.len..], budget);
        // Lines move the cursor down before they scroll anything.
        let lines = memchr_iter(b'\n', plain).count() + self.terminal.primary.y + 1;
        let rows = limit.min(scrollback.len() + lines.saturating_sub(self.terminal.rows));
        // At least so many rows scroll out, and the saved row with them as long as the scrollback has room.
        let scrolled = history.min(limit) + self.terminal.rows;
        glimpse.terminal.primary.is_end_of(limit.min(scrollback.len() + scrolled));
        self.terminal.primary.scrollback = scrollback;
        is_complete &= glimpse.feed_and_sweep(rest, until.saturating_sub(glimpse.steps()));
        is_complete.then_some((glimpse, rows))
    }

    /// What need not be parsed of plain output, if so many rows of scrollback are to be right.
    fn flood(&self, plain: &[u8], history: usize) -> Option<Flood> {
        let Terminal { columns, rows, modes, .. } = &self.terminal;
        let is_plain = self.parser.is_between() && !self.is_unfinished() && self.terminal.scrolls_plainly();
        let columns = if modes.autowrap { *columns } else { usize::MAX / 2 };
        is_plain.then(|| flood::find(plain, history + 2 * rows, columns)).flatten()
    }

    fn skip(&mut self, flood: &Flood) {
        self.feed(&flood.styles);
        self.terminal.begin_line();
    }

    /// How many steps [`resize`](Self::resize) takes, about.
    #[must_use]
    pub fn resize_steps(&self, size: Winsize) -> u64 {
        let (columns, rows) = cells(size);
        let Terminal { primary, columns: old_columns, rows: old_rows, .. } = &self.terminal;
        // Each row's cells are looked at some times, once more as it is packed again.
        let reflown = if columns == *old_columns { 0 } else { primary.scrollback.packed_bytes() };
        let shown = columns.max(*old_columns) * rows.max(*old_rows);
        (REFLOW_STEPS * (reflown + shown)) as u64
    }

    /// How many steps a [`snapshot`](Self::snapshot) with so much history takes, about.
    #[must_use]
    pub fn snapshot_steps(&self, history: usize) -> u64 {
        let scrollback = &self.terminal.primary.scrollback;
        let rows = scrollback.len();
        let written = scrollback.packed_bytes() / rows.max(1) * history.min(rows);
        (SNAPSHOT_STEPS * (written + self.terminal.columns * self.terminal.rows)) as u64
    }

    /// How many steps [`text`](Self::text) takes, about.
    #[must_use]
    pub fn text_steps(&self) -> u64 {
        (TEXT_STEPS * self.terminal.columns * self.terminal.rows) as u64
    }

    /// How many steps it takes to drop it, about.
    #[must_use]
    pub fn drop_steps(&self) -> u64 {
        self.terminal.drop_steps()
    }

    /// Takes on another size.
    pub fn resize(&mut self, size: Winsize) {
        let (columns, rows) = cells(size);
        self.answers.set_size(size);
        self.terminal.resize(columns, rows);
    }

    /// The screen as output, with `history` rows of scrollback at most, the newest ones.
    #[must_use]
    pub fn snapshot(&self, history: usize) -> Snapshot {
        let mut output = snapshot::write(&self.terminal, history);
        let finished = output.len();
        self.parser.write_unfinished(&mut output);
        let left_out = self.terminal.primary.scrollback.len().saturating_sub(history);
        Snapshot { unfinished: output.len() - finished, output, left_out }
    }

    /// The screen as text, without scrollback.
    #[must_use]
    pub fn text(&self) -> Text {
        let (buffer, tables) = (self.terminal.buffer(), &self.terminal.tables);
        Text {
            lines: buffer.screen.iter().map(|row| tables.text(row)).collect(),
            cursor: (buffer.x.min(self.terminal.columns - 1), buffer.y),
            is_cursor_visible: !self.terminal.cursor_hidden,
            is_alternate: self.terminal.is_alternate,
        }
    }

    /// The title that the program set last.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.terminal.title
    }

    /// Whether the program's questions are answered here from now on.
    pub fn answer(&mut self, wanted: bool) {
        self.answers.want(wanted);
    }

    /// The answers to what the program has asked since this was last called.
    pub fn take_answers(&mut self) -> Vec<u8> {
        self.answers.take()
    }

    /// The colours that a program is told when it asks.
    pub fn set_colours(&mut self, colours: Colours) {
        self.answers.set_colours(colours);
    }
}

fn cells(size: Winsize) -> (usize, usize) {
    (usize::from(size.cols).max(MIN_COLUMNS), usize::from(size.rows).max(1))
}
