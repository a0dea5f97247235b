//! A buffer of rows: the primary one with its scrollback, or the alternate one.

use std::ops::Range;

use super::{
    charset::Charsets,
    row::{Cell, Row},
    scrollback::Scrollback,
    style::Style,
    tabs::TabStops,
};

/// Steps per cell to move a row into the scrollback, including its compression.
const PACK_STEPS_PER_CELL: usize = 2;

/// The state saved by DECSC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SavedCursor {
    pub(super) x: usize,
    /// Row, counted from the first row of the scrollback.
    pub(super) line: usize,
    pub(super) style: Style,
    pub(super) charsets: Charsets,
    pub(super) active_charset: u8,
    pub(super) origin: bool,
    pub(super) autowrap: bool,
}

impl Default for SavedCursor {
    fn default() -> Self {
        Self {
            x: 0,
            line: 0,
            style: Style::default(),
            charsets: Charsets::default(),
            active_charset: 0,
            origin: false,
            autowrap: true,
        }
    }
}

/// Rows, and the position of the cursor.
#[derive(Clone, Debug)]
pub(super) struct Buffer {
    pub(super) columns: usize,
    pub(super) rows: usize,
    /// Rows that have scrolled out at the top.
    pub(super) scrollback: Scrollback,
    /// Visible rows; empty in an alternate buffer that is not in use.
    pub(super) screen: Vec<Row>,
    /// Column of the cursor. Equal to `columns` if the next character wraps.
    pub(super) x: usize,
    pub(super) y: usize,
    /// First row of the scroll region.
    pub(super) top: usize,
    /// Last row of the scroll region.
    pub(super) bottom: usize,
    pub(super) tabs: TabStops,
    pub(super) saved: SavedCursor,
}

impl Buffer {
    /// Creates a blank primary buffer.
    pub(super) fn primary(columns: usize, rows: usize, scrollback: usize) -> Self {
        let mut buffer = Self::alternate(columns, rows);
        buffer.scrollback = Scrollback::new(scrollback);
        buffer.activate();
        buffer
    }

    /// Creates an alternate buffer that is not in use.
    pub(super) fn alternate(columns: usize, rows: usize) -> Self {
        Self {
            columns,
            rows,
            scrollback: Scrollback::new(0),
            screen: Vec::new(),
            x: 0,
            y: 0,
            top: 0,
            bottom: rows - 1,
            tabs: TabStops::new(columns),
            saved: SavedCursor::default(),
        }
    }

    /// Starts the use of an alternate buffer, which is blank.
    pub(super) fn activate(&mut self) {
        self.screen.resize_with(self.rows, Row::default);
    }

    /// Ends the use of an alternate buffer. The state saved by DECSC stays.
    pub(super) fn deactivate(&mut self) {
        let saved = std::mem::take(&mut self.saved);
        *self = Self { saved, ..Self::alternate(self.columns, self.rows) };
    }

    /// Returns the row of the cursor.
    pub(super) fn row(&mut self) -> &mut Row {
        let y = self.y.min(self.screen.len() - 1);
        &mut self.screen[y]
    }

    /// Drops the cells of the cursor's row beyond the margin if text has just reached the margin.
    pub(super) fn drop_clipped_at_margin(&mut self) {
        if self.x >= self.columns {
            self.row().drop_clipped();
        }
    }

    pub(super) fn set_wrapped(&mut self, y: usize, wrapped: bool) {
        if let Some(row) = self.screen.get_mut(y) {
            row.wrapped = wrapped;
        }
    }

    /// Scrolls the region up by a row, which goes to the scrollback if it was the top of the
    /// screen. Returns the steps taken.
    pub(super) fn scroll(&mut self, fill: Cell, wrapped: bool) -> usize {
        let bottom = self.bottom.min(self.screen.len() - 1);
        let top = self.top.min(bottom);
        let mut steps = bottom - top + 1;
        if top == 0 && self.scrollback.is_enabled() {
            self.screen[0].trim();
            steps += PACK_STEPS_PER_CELL * self.screen[0].cells().len();
            self.scrollback.push(&self.screen[0]);
        }
        // The row that appears reuses the memory of the row that goes.
        self.screen[top..=bottom].rotate_left(1);
        self.screen[bottom].erase(self.columns, fill, wrapped);
        steps + self.screen[bottom].cells().len()
    }

    /// Deletes `count` rows from `first` on, and moves the rows after them, down to `last`, up.
    /// Returns the steps taken, and the rows that have to be erased.
    pub(super) fn delete_rows(&mut self, first: usize, last: usize, count: usize) -> (usize, Range<usize>) {
        let region = self.region(first, last);
        let (rows, count) = (region.len(), count.min(region.len()));
        self.screen[region.clone()].rotate_left(count);
        (rows, region.end - count..region.end)
    }

    /// Inserts `count` rows at `first`, and moves the rows down to `last` down. Returns the steps
    /// taken, and the rows that have to be erased.
    pub(super) fn insert_rows(&mut self, first: usize, last: usize, count: usize) -> (usize, Range<usize>) {
        let region = self.region(first, last);
        let (rows, count) = (region.len(), count.min(region.len()));
        self.screen[region.clone()].rotate_right(count);
        (rows, region.start..region.start + count)
    }

    fn region(&self, first: usize, last: usize) -> Range<usize> {
        let last = last.min(self.screen.len() - 1);
        first.min(last)..last + 1
    }

    /// Returns the row of the saved cursor on the screen.
    pub(super) fn saved_y(&self) -> usize {
        self.saved.line.saturating_sub(self.scrollback.len())
    }

    /// Adjusts the saved cursor for a scrollback that is the end of one with `rows` rows.
    pub(super) fn rebase_saved_cursor(&mut self, rows: usize) {
        let len = self.scrollback.len();
        self.saved.line = (self.saved.line + len).saturating_sub(rows);
    }
}
