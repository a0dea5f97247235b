//! The server's own terminal emulation, which holds a session's screen and scrollback.
//!
//! It follows xterm.js, which draws the same output in the page, down to its peculiarities: a
//! [`Screen`] and an xterm.js that have parsed the same output are in the same state, and a
//! snapshot of the screen brings a fresh xterm.js to that state. The tests in `tests/screen`
//! compare the two.
//!
//! * [`parser`] turns bytes into text and control functions; [`terminal`] and [`control`] execute
//!   them.
//! * [`buffer`] is a grid of [`row`]s with its [`scrollback`]; [`reflow`] changes its size.

#![forbid(unsafe_code)]

mod answers;
mod buffer;
mod charset;
mod clear;
mod control;
mod flood;
mod insert;
mod interner;
mod modes;
mod palette;
mod params;
mod parser;
mod pending_function;
mod plain;
mod print;
mod reflow;
mod row;
mod scrollback;
mod sgr;
mod snapshot;
mod stale_modes;
mod style;
mod sweep;
mod tables;
mod tabs;
mod terminal;
mod width;

use std::mem;

use limpet_shared::{
    Winsize,
    limits::{MAX_CLUSTER_CHARS, MAX_LINK_ID_BYTES, MAX_LINK_URI_BYTES},
    theme::Colours,
};
use memchr::memchr_iter;

use self::{
    answers::Answers,
    control::{MAX_CLIPPED_SCREENS, Performer},
    flood::SkippablePrefix,
    parser::Parser,
    scrollback::Scrollback,
    tables::{CLUSTER_BYTES, MAX_LINKS_BYTES, MAX_SHARED_BYTES, STYLE_BYTES},
    terminal::Terminal,
};
pub use self::{plain::PlainOutputScanner, stale_modes::StaleModes};

/// Minimum number of columns: a wide character needs two.
const MIN_COLUMNS: usize = 2;

/// Maximum number of steps that a byte causes without touching any cells but its own.
const MAX_STEPS_PER_BYTE: usize = 48;

/// Maximum number of steps that a byte causes in addition, per cell of the screen and one more row
/// and column.
const MAX_STEPS_PER_CELL: usize = 3;

/// Bytes that a cell of the screen takes, including the spare capacity of its row.
const CELL_BYTES: usize = 16;

/// Maximum number of bytes that a packed cell of the scrollback takes: one with its own style and
/// cluster, and spare capacity.
const MAX_PACKED_BYTES_PER_CELL: usize = 24;

/// Bytes that a row takes beside its cells.
const ROW_BYTES: usize = 96;

/// Maximum number of bytes that a style and a cluster used by a single cell take, together with the
/// same number of them that are no longer used.
const MAX_SHARED_BYTES_PER_CELL: usize =
    2 * (STYLE_BYTES + CLUSTER_BYTES + char::MAX_LEN_UTF8 * MAX_CLUSTER_CHARS);

/// Maximum number of bytes that a hyperlink takes.
const MAX_LINK_BYTES: usize = 256 + MAX_LINK_URI_BYTES + MAX_LINK_ID_BYTES;

/// Bytes that do not depend on the size of the screen: a control string, answers, and values too
/// few to be worth a sweep.
const FIXED_BYTES: usize = 1536 * 1024;

/// Steps per cell, or per byte of packed scrollback, to resize the screen.
const REFLOW_STEPS_PER_CELL: usize = 8;

/// Steps per cell, or per byte of packed scrollback, to write the screen as output.
const SNAPSHOT_STEPS_PER_CELL: usize = 4;

/// Steps per cell to read the screen as text.
const TEXT_STEPS_PER_CELL: usize = 4;

/// A terminal without a display: it parses a session's output and holds the resulting state.
#[derive(Clone, Debug)]
pub struct Screen {
    parser: Parser,
    terminal: Terminal,
    answers: Answers,
}

/// A screen written as output.
#[derive(Debug)]
pub struct Snapshot {
    /// Output that brings a fresh xterm.js of the same size into the screen's state.
    pub output: Vec<u8>,
    /// Number of bytes at the end of `output` that begin a character or a control function. They
    /// are there because the output fed so far ends inside one.
    pub unfinished_bytes: usize,
    /// Number of scrollback rows that are not in `output`.
    pub omitted_rows: usize,
}

/// A screen as text.
#[derive(Debug, Default)]
pub struct Text {
    /// The rows from the top, without trailing blanks.
    pub lines: Vec<String>,
    /// Column and row of the cursor, counted from 0.
    pub cursor: (usize, usize),
    /// True if the cursor is shown.
    pub is_cursor_visible: bool,
    /// True if this is the alternate screen, which full-screen programs use.
    pub is_alternate: bool,
}

impl Screen {
    /// Creates a blank screen that keeps up to `scrollback` rows of scrollback.
    #[must_use]
    pub fn new(size: Winsize, scrollback: usize) -> Self {
        let (columns, rows) = grid_size(size);
        let (mut answers, terminal) = (Answers::default(), Terminal::new(columns, rows, scrollback));
        answers.set_size(size);
        Self { parser: Parser::default(), terminal, answers }
    }

    /// Parses the program's next output, which may be cut anywhere.
    pub fn feed(&mut self, output: &[u8]) {
        self.feed_with_sweeps(output, u64::MAX);
    }

    /// Parses the program's next output and sweeps when due, within about `budget` steps. Returns
    /// true if that was enough for all of it.
    fn feed_with_sweeps(&mut self, mut output: &[u8], budget: u64) -> bool {
        let until = self.steps().saturating_add(budget);
        loop {
            output = &output[self.feed_within(output, until.saturating_sub(self.steps()))..];
            if !self.is_sweep_due() {
                return output.is_empty() && !self.is_unfinished();
            }
            self.sweep();
        }
    }

    /// Parses as much of the program's next output as `budget` [steps](Self::steps) allow; the last
    /// control function or run of text may exceed them. Returns the number of bytes taken.
    ///
    /// The last control function may still [be unfinished](Self::is_unfinished); the next call
    /// continues it. Nothing is taken while [a sweep is due](Self::is_sweep_due).
    #[must_use]
    pub fn feed_within(&mut self, output: &[u8], budget: u64) -> usize {
        let until = self.steps().saturating_add(budget);
        let mut taken = 0;
        loop {
            self.terminal.continue_unfinished(until);
            if taken == output.len() || self.steps() >= until || self.is_sweep_due() {
                return taken;
            }
            self.terminal.steps.stop_at = until;
            let mut performer = Performer { terminal: &mut self.terminal, answers: &mut self.answers };
            taken += self.parser.parse(&output[taken..], &mut performer);
        }
    }

    /// Returns the work done so far, in steps: the number of cells and rows read or changed, and
    /// other work of the same duration.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.terminal.steps.taken
    }

    /// Reports whether the last control function is unfinished. A snapshot cannot be taken then.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        self.terminal.is_unfinished()
    }

    /// Reports whether the next byte begins a new character or control function, so that other
    /// output can be inserted here without splitting one of the program's.
    #[must_use]
    pub fn is_at_boundary(&self) -> bool {
        self.parser.is_in_ground_state() && !self.is_unfinished()
    }

    /// Reports whether this is the alternate screen, which full-screen programs use.
    #[must_use]
    pub fn is_alternate(&self) -> bool {
        self.terminal.is_alternate
    }

    /// Reports whether [`sweep`](Self::sweep) has to be called before more output is parsed.
    #[must_use]
    pub fn is_sweep_due(&self) -> bool {
        self.terminal.is_sweep_due()
    }

    /// Returns the number of steps that a sweep takes. With much scrollback this can be far more
    /// than a slice of parsing may take.
    #[must_use]
    pub fn sweep_steps(&self) -> u64 {
        self.terminal.sweep_steps()
    }

    /// Returns the maximum number of steps that a byte of output causes in a screen of this size,
    /// without those of sweeps.
    ///
    /// Most bytes take less than ten. The most expensive functions are those that change every
    /// cell, which have at least three bytes, and the repetition of grapheme clusters, which has
    /// eight.
    #[must_use]
    pub fn max_steps_per_byte(size: Winsize) -> u64 {
        let (columns, rows) = grid_size(size);
        (MAX_STEPS_PER_BYTE + MAX_STEPS_PER_CELL * (columns + 1) * (rows + 1)) as u64
    }

    /// Returns the maximum memory, in bytes, of a screen that never had more columns or rows than
    /// `size`.
    ///
    /// This is the sum of cells and packed rows, the values that they share, and a constant. The
    /// shared values are bounded by the number of cells, and those of the scrollback also by a
    /// constant.
    #[must_use]
    pub fn memory_bound(size: Winsize, scrollback: usize) -> usize {
        let (columns, rows) = grid_size(size);
        let screen_cells = (2 + MAX_CLIPPED_SCREENS) * (columns + 1) * rows;
        let scrollback_cells = columns.saturating_mul(scrollback);
        let shared = |cells: usize| cells.saturating_mul(MAX_SHARED_BYTES_PER_CELL);
        let all_cells = screen_cells.saturating_add(scrollback_cells);
        let links = 2 * MAX_LINKS_BYTES.min(all_cells.saturating_mul(MAX_LINK_BYTES));
        let rows = ROW_BYTES * (2 * rows + scrollback);
        let packed = scrollback_cells.saturating_mul(MAX_PACKED_BYTES_PER_CELL);
        let cells = screen_cells * CELL_BYTES + packed + rows;
        let shared = shared(screen_cells) + shared(scrollback_cells).min(2 * MAX_SHARED_BYTES);
        cells + shared + links + FIXED_BYTES
    }

    /// Forgets styles, grapheme clusters and hyperlinks that are no longer used by any cell.
    pub fn sweep(&mut self) {
        self.terminal.sweep();
    }

    /// Returns the length of the part of `plain` that can be skipped because nothing of it would be
    /// visible in the end, and prepares the screen for the rest. `plain` is the output to be fed
    /// next; a [`PlainOutputScanner`] must have found it plain.
    #[must_use]
    pub fn skip_flood(&mut self, plain: &[u8]) -> usize {
        let limit = self.terminal.primary.scrollback.limit();
        let Some(prefix) = self.find_skippable_prefix(plain, limit) else { return 0 };
        self.skip(&prefix);
        prefix.len
    }

    /// Returns a preview: the screen as it will be after `plain`, which a [`PlainOutputScanner`]
    /// has found plain, and `rest`, which may be anything, but with at most `history` rows of
    /// scrollback. Also returns a lower bound of the rows of scrollback that this screen itself
    /// will have by then.
    ///
    /// Returns `None` unless most of `plain` can be skipped and the rest parsed in `budget` steps.
    pub fn preview(
        &mut self,
        (plain, rest): (&[u8], &[u8]),
        history: usize,
        budget: u64,
    ) -> Option<(Self, usize)> {
        let limit = self.terminal.primary.scrollback.limit();
        let prefix = self.find_skippable_prefix(plain, history.min(limit))?;
        let scrollback =
            mem::replace(&mut self.terminal.primary.scrollback, Scrollback::new(history.min(limit)));
        let mut preview = self.clone();
        preview.skip(&prefix);
        let until = preview.steps().saturating_add(budget);
        let mut is_complete = preview.feed_with_sweeps(&plain[prefix.len..], budget);
        // Lines move the cursor down before they scroll anything.
        let lines = memchr_iter(b'\n', plain).count() + self.terminal.primary.y + 1;
        let rows = limit.min(scrollback.len() + lines.saturating_sub(self.terminal.rows));
        // At least this many rows scroll out, and the saved row with them as long as the scrollback
        // has room.
        let scrolled = history.min(limit) + self.terminal.rows;
        preview.terminal.primary.rebase_saved_cursor(limit.min(scrollback.len() + scrolled));
        self.terminal.primary.scrollback = scrollback;
        is_complete &= preview.feed_with_sweeps(rest, until.saturating_sub(preview.steps()));
        is_complete.then_some((preview, rows))
    }

    /// Finds the part of plain output that need not be parsed if only the last `history` rows of
    /// scrollback have to be right.
    fn find_skippable_prefix(&self, plain: &[u8], history: usize) -> Option<SkippablePrefix> {
        let Terminal { columns, rows, modes, .. } = &self.terminal;
        let is_plain = self.is_at_boundary() && self.terminal.scrolls_into_scrollback();
        let columns = if modes.autowrap { *columns } else { usize::MAX / 2 };
        is_plain.then(|| flood::find(plain, history + 2 * rows, columns)).flatten()
    }

    fn skip(&mut self, prefix: &SkippablePrefix) {
        self.feed(&prefix.styles);
        self.terminal.begin_line();
    }

    /// Returns the approximate number of steps that [`resize`](Self::resize) takes.
    #[must_use]
    pub fn resize_steps(&self, size: Winsize) -> u64 {
        let (columns, rows) = grid_size(size);
        let Terminal { primary, columns: old_columns, rows: old_rows, .. } = &self.terminal;
        // The cells of each row are read several times, and once more when it is packed again.
        let reflown = if columns == *old_columns { 0 } else { primary.scrollback.packed_bytes() };
        let shown = columns.max(*old_columns) * rows.max(*old_rows);
        (REFLOW_STEPS_PER_CELL * (reflown + shown)) as u64
    }

    /// Returns the approximate number of steps that a [`snapshot`](Self::snapshot) with `history`
    /// takes.
    #[must_use]
    pub fn snapshot_steps(&self, history: usize) -> u64 {
        let scrollback = &self.terminal.primary.scrollback;
        let rows = scrollback.len();
        let written = scrollback.packed_bytes() / rows.max(1) * history.min(rows);
        (SNAPSHOT_STEPS_PER_CELL * (written + self.terminal.columns * self.terminal.rows)) as u64
    }

    /// Returns the approximate number of steps that [`text`](Self::text) takes.
    #[must_use]
    pub fn text_steps(&self) -> u64 {
        (TEXT_STEPS_PER_CELL * self.terminal.columns * self.terminal.rows) as u64
    }

    /// Returns the approximate number of steps that dropping the screen takes.
    #[must_use]
    pub fn drop_steps(&self) -> u64 {
        self.terminal.drop_steps()
    }

    /// Changes the size of the screen.
    pub fn resize(&mut self, size: Winsize) {
        let (columns, rows) = grid_size(size);
        self.answers.set_size(size);
        self.terminal.resize(columns, rows);
    }

    /// Writes the screen as output, with the newest `history` rows of scrollback at most.
    #[must_use]
    pub fn snapshot(&self, history: usize) -> Snapshot {
        let mut output = snapshot::write(&self.terminal, history);
        let finished = output.len();
        self.parser.write_unfinished(&mut output);
        let omitted_rows = self.terminal.primary.scrollback.len().saturating_sub(history);
        Snapshot { unfinished_bytes: output.len() - finished, output, omitted_rows }
    }

    /// Returns the screen as text, without scrollback.
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

    /// Returns the title that the program set last.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.terminal.title
    }

    /// Sets whether the screen answers the program's queries from now on.
    pub fn set_answering(&mut self, wanted: bool) {
        self.answers.set_enabled(wanted);
    }

    /// Returns the answers to the program's queries since the last call.
    pub fn take_answers(&mut self) -> Vec<u8> {
        self.answers.take()
    }

    /// Sets the colours reported to programs that query them.
    pub fn set_colours(&mut self, colours: Colours) {
        self.answers.set_colours(colours);
    }
}

fn grid_size(size: Winsize) -> (usize, usize) {
    (usize::from(size.cols).max(MIN_COLUMNS), usize::from(size.rows).max(1))
}
