//! A buffer of rows: the primary one with its scrollback, or the alternate one.

use std::ops::Range;

use super::{
    charset::Charsets,
    row::{Cell, Row},
    scrollback::Scrollback,
    style::Style,
    tabs::TabStops,
};

/// Steps per cell that a row takes on its way into the scrollback, its compression included.
const PACK_STEPS: usize = 2;

/// What DECSC keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Saved {
    pub(super) x: usize,
    /// Counted from the first row of the scrollback.
    pub(super) line: usize,
    pub(super) style: Style,
    pub(super) charsets: Charsets,
    pub(super) level: u8,
    pub(super) origin: bool,
    pub(super) autowrap: bool,
}

impl Default for Saved {
    fn default() -> Self {
        Self {
            x: 0,
            line: 0,
            style: Style::default(),
            charsets: Charsets::default(),
            level: 0,
            origin: false,
            autowrap: true,
        }
    }
}

/// Rows, and where the cursor is among them.
#[derive(Clone, Debug)]
pub(super) struct Buffer {
    pub(super) columns: usize,
    pub(super) rows: usize,
    /// What has scrolled out at the top.
    pub(super) scrollback: Scrollback,
    /// What can be seen; empty in an alternate buffer that is not in use.
    pub(super) screen: Vec<Row>,
    /// The column of the cursor. Equal to `columns` when the next character goes to the next row.
    pub(super) x: usize,
    pub(super) y: usize,
    /// The scroll region's first row …
    pub(super) top: usize,
    /// … and its last.
    pub(super) bottom: usize,
    pub(super) tabs: TabStops,
    pub(super) saved: Saved,
}

impl Buffer {
    /// A primary buffer, blank.
    pub(super) fn primary(columns: usize, rows: usize, scrollback: usize) -> Self {
        let mut buffer = Self::alternate(columns, rows);
        buffer.scrollback = Scrollback::new(scrollback);
        buffer.begin();
        buffer
    }

    /// An alternate buffer, not in use.
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
            saved: Saved::default(),
        }
    }

    /// Begins an alternate buffer's use, blank.
    pub(super) fn begin(&mut self) {
        self.screen.resize_with(self.rows, Row::default);
    }

    /// Ends an alternate buffer's use. What DECSC kept stays.
    pub(super) fn clear(&mut self) {
        let saved = std::mem::take(&mut self.saved);
        *self = Self { saved, ..Self::alternate(self.columns, self.rows) };
    }

    /// The row of the cursor.
    pub(super) fn row(&mut self) -> &mut Row {
        let y = self.y.min(self.screen.len() - 1);
        &mut self.screen[y]
    }

    /// Drops the cells of the cursor's row beyond the margin if text has just reached the margin.
    pub(super) fn forget_beyond_margin(&mut self) {
        if self.x >= self.columns {
            self.row().forget_beyond();
        }
    }

    pub(super) fn set_wrapped(&mut self, y: usize, wrapped: bool) {
        if let Some(row) = self.screen.get_mut(y) {
            row.wrapped = wrapped;
        }
    }

    /// Scrolls the region up by a row. At the top of the screen the row goes to the scrollback. Returns the steps that it took.
    pub(super) fn scroll(&mut self, fill: Cell, wrapped: bool) -> usize {
        let bottom = self.bottom.min(self.screen.len() - 1);
        let top = self.top.min(bottom);
        let mut steps = bottom - top + 1;
        if top == 0 && self.scrollback.is_kept() {
            self.screen[0].trim();
            steps += PACK_STEPS * self.screen[0].cells().len();
            self.scrollback.push(&self.screen[0]);
        }
        // The memory of the one that goes is that of the one that comes.
        self.screen[top..=bottom].rotate_left(1);
        self.screen[bottom].erase(self.columns, fill, wrapped);
        steps + self.screen[bottom].cells().len()
    }

    /// Takes `count` rows out, and moves those up to `last` up. Returns the steps that it took, and the rows that are to be erased.
    pub(super) fn delete_rows(&mut self, first: usize, last: usize, count: usize) -> (usize, Range<usize>) {
        let region = self.region(first, last);
        let (rows, count) = (region.len(), count.min(region.len()));
        self.screen[region.clone()].rotate_left(count);
        (rows, region.end - count..region.end)
    }

    /// Drops `count` rows up to `last`, and moves those from `first` on down. Returns the same.
    pub(super) fn insert_rows(&mut self, first: usize, last: usize, count: usize) -> (usize, Range<usize>) {
        let region = self.region(first, last);
        let (rows, count) = (region.len(), count.min(region.len()));
        self.screen[region.clone()].rotate_right(count);
        (rows, region.start..region.start + count)
    }

    /// The rows from `first` to `last`.
    fn region(&self, first: usize, last: usize) -> Range<usize> {
        let last = last.min(self.screen.len() - 1);
        first.min(last)..last + 1
    }

    /// Where the saved cursor is on the screen.
    pub(super) fn saved_y(&self) -> usize {
        self.saved.line.saturating_sub(self.scrollback.len())
    }

    /// Its scrollback is the end of one that has so many rows.
    pub(super) fn is_end_of(&mut self, rows: usize) {
        let len = self.scrollback.len();
        self.saved.line = (self.saved.line + len).saturating_sub(rows);
    }
}
