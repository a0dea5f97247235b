//! Control functions that may change the whole screen. They are executed in pieces, and neither
//! other output nor a snapshot comes before their end.

use std::ops::Range;

use limpet_shared::limits::repeat_count;

use super::{
    parser::Text,
    row::{Cell, Glyph, Row, StyleId},
    style::Attributes,
    tables::Tables,
    terminal::Terminal,
};

/// Maximum number of steps of a change of rows that are taken at once. Most changes take fewer and
/// are never unfinished.
const MAX_IMMEDIATE_STEPS: u64 = 16 * 1024;

/// Steps per cell of a selective erase, which looks up each cell's style.
pub(super) const SELECTIVE_ERASE_STEPS_PER_CELL: usize = 2;

/// The rest of a control function.
#[derive(Clone, Debug)]
pub(super) enum UnfinishedFunction {
    Repeat(Repeat),
    Rows(Range<usize>, RowChange),
}

/// A glyph that is printed repeatedly (REP).
#[derive(Clone, Debug)]
pub(super) struct Repeat {
    glyph: Vec<char>,
    /// Index of the next code point.
    next: usize,
    /// Number of code points left.
    left: usize,
}

/// A change made to several rows. Afterwards none of them continues the row above.
#[derive(Clone, Copy, Debug)]
pub(super) enum RowChange {
    /// Fills the row with this cell.
    Fill(Cell),
    /// Replaces every unprotected cell by this one.
    EraseUnprotected(Cell),
    /// Inserts the cell at a column, a number of times.
    Insert(Cell, usize, usize),
    /// Deletes a number of cells at a column, and fills the end of the row with the cell.
    Delete(Cell, usize, usize),
}

impl RowChange {
    /// Returns the cell that the change leaves behind.
    pub(super) fn cell(self) -> Cell {
        let (Self::Fill(cell)
        | Self::EraseUnprotected(cell)
        | Self::Insert(cell, ..)
        | Self::Delete(cell, ..)) = self;
        cell
    }

    /// Changes a row, and returns the steps taken.
    fn apply(self, row: &mut Row, tables: &Tables, columns: usize) -> usize {
        match self {
            Self::Fill(cell) => row.clear(columns, cell),
            Self::EraseUnprotected(cell) => {
                row.erase_unprotected(0..columns, cell, columns, |id| is_protected(tables, id));
            }
            Self::Insert(cell, at, count) => row.insert(at, count, cell, columns),
            Self::Delete(cell, at, count) => row.delete(at, count, cell, columns),
        }
        row.wrapped = false;
        match self {
            // Blank cells are not stored.
            Self::Fill(Cell::BLANK) => 1,
            Self::EraseUnprotected(_) => SELECTIVE_ERASE_STEPS_PER_CELL * columns,
            Self::Fill(_) | Self::Insert(..) | Self::Delete(..) => columns + 1,
        }
    }
}

/// Reports whether a selective erase spares cells of a style.
pub(super) fn is_protected(tables: &Tables, style: StyleId) -> bool {
    tables.style(style).attributes.has(Attributes::PROTECTED)
}

impl Terminal {
    /// Reports whether the last control function has to be continued by
    /// [`continue_unfinished`](Self::continue_unfinished).
    pub(super) fn is_unfinished(&self) -> bool {
        self.unfinished.is_some()
    }

    /// Continues the last control function until `until` steps have been taken.
    pub(super) fn continue_unfinished(&mut self, until: u64) {
        while self.steps.taken < until
            && let Some(mut unfinished) = self.unfinished.take()
        {
            let is_finished = match &mut *unfinished {
                UnfinishedFunction::Repeat(repeat) => self.print_repeated(repeat),
                UnfinishedFunction::Rows(rows, change) => self.change_some_rows(rows, *change, until),
            };
            if !is_finished {
                self.unfinished = Some(unfinished);
            }
        }
    }

    /// Interrupts the parser until the rest of a control function is done.
    fn defer(&mut self, unfinished: UnfinishedFunction) {
        self.unfinished = Some(Box::new(unfinished));
        self.steps.stop_at = self.steps.taken;
    }

    /// Changes rows of the screen, as the last action of a control function.
    pub(super) fn change_rows(&mut self, mut rows: Range<usize>, change: RowChange) {
        if !self.change_some_rows(&mut rows, change, self.steps.taken + MAX_IMMEDIATE_STEPS) {
            self.defer(UnfinishedFunction::Rows(rows, change));
        }
    }

    /// Changes rows from the first one on, until `until` steps have been taken. Returns true if all
    /// were changed.
    fn change_some_rows(&mut self, rows: &mut Range<usize>, change: RowChange, until: u64) -> bool {
        let columns = self.columns;
        let buffer = if self.is_alternate { &mut self.alternate } else { &mut self.primary };
        while rows.start < rows.end
            && let Some(row) = buffer.screen.get_mut(rows.start)
        {
            if self.steps.taken >= until {
                return false;
            }
            self.steps.taken += change.apply(row, &self.tables, columns) as u64;
            rows.start += 1;
        }
        true
    }

    /// Returns the code points of the glyph before the cursor, if nothing came after it.
    pub(super) fn preceding_glyph(&mut self) -> Vec<char> {
        let Some(preceding) = self.preceding else { return Vec::new() };
        let buffer = self.buffer_mut();
        let x = buffer.x.saturating_sub(preceding.width.into());
        match buffer.row().get(x).glyph() {
            Glyph::Blank => Vec::new(),
            Glyph::Char(char) => vec![char],
            Glyph::Cluster(number) => self.tables.cluster(number).chars().collect(),
        }
    }

    /// Starts to repeat the character before the cursor (REP).
    /// [`continue_unfinished`](Self::continue_unfinished) prints it.
    pub(super) fn repeat(&mut self, count: usize) {
        let glyph = self.preceding_glyph();
        let width = self.preceding.map_or(1, |preceding| preceding.width.into());
        let count = repeat_count(count, self.columns, self.rows, glyph.len(), width, self.modes.insert);
        let left = glyph.len() * count;
        if left > 0 {
            self.defer(UnfinishedFunction::Repeat(Repeat { glyph, next: 0, left }));
        } else {
            self.preceding = None;
        }
    }

    /// Prints the next run of the repetition. Returns true if it was the last.
    fn print_repeated(&mut self, repeat: &mut Repeat) -> bool {
        let Repeat { glyph, next, left } = repeat;
        let count = self.max_run_bytes().min(*left);
        let run: Vec<char> = glyph.iter().copied().cycle().skip(*next).take(count).collect();
        self.print(Text::Chars(&run));
        *next = (*next + count) % glyph.len();
        *left -= count;
        if *left == 0 {
            self.preceding = None;
        }
        *left == 0
    }
}

#[cfg(test)]
mod tests {
    use limpet_shared::Winsize;

    use crate::{Screen, style::Style};

    #[test]
    fn a_sweep_in_between_changes_nothing() {
        let size = Winsize::cells(1000, 100);
        for function in ["[2J", "[?2J", "[100L", "[5 A", "[5 @", "[5'}", "[5'~", "[?1049h", "#8"] {
            // The erased cells have a style that no cell uses while protected cells are spared.
            let protected = "x".repeat(17_000);
            let text =
                format!("\x1b[1\"q{protected}\x1b[0\"qabc\r\n日本\x1b[99;5H\x1b[41m\x1b[H\x1b{function}");
            let (mut screen, mut other) = (Screen::new(size, 0), Screen::new(size, 0));
            let mut rest = text.as_bytes();
            while !rest.is_empty() {
                rest = &rest[screen.feed_within(rest, 1)..];
            }
            assert!(screen.is_unfinished(), "{function}");
            screen.terminal.set_pen(Style::default());
            screen.sweep();
            screen.feed(b"\x1b[42mnew");
            other.feed(text.as_bytes());
            other.terminal.set_pen(Style::default());
            other.feed(b"\x1b[42mnew");
            let snapshot = |screen: &Screen| String::from_utf8(screen.snapshot(usize::MAX).output).unwrap();
            assert_eq!(snapshot(&screen), snapshot(&other), "{function}");
        }
    }
}
