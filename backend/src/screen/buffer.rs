//! A buffer of rows: the primary one with its scrollback, or the alternate one.

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
        buffer.fill(Cell::BLANK);
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

    /// Begins an alternate buffer's use. Returns the steps that it took.
    pub(super) fn fill(&mut self, cell: Cell) -> usize {
        if !self.screen.is_empty() {
            return 0;
        }
        self.screen = vec![Row::blank(self.columns, cell, false); self.rows];
        erase_steps(self.rows, self.columns, cell)
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

    /// Takes `count` rows out, moves those up to `last` up, and leaves erased rows in the gap. Returns the steps that it took.
    pub(super) fn delete_rows(&mut self, first: usize, last: usize, count: usize, fill: Cell) -> usize {
        let columns = self.columns;
        let region = self.region(first, last);
        let (rows, count) = (region.len(), count.min(region.len()));
        region.rotate_left(count);
        region[rows - count..].iter_mut().for_each(|row| row.clear(columns, fill));
        rows + erase_steps(count, columns, fill)
    }

    /// Drops `count` rows up to `last`, moves those from `first` on down, and leaves erased rows in the gap. Returns the steps that it
    /// took.
    pub(super) fn insert_rows(&mut self, first: usize, last: usize, count: usize, fill: Cell) -> usize {
        let columns = self.columns;
        let region = self.region(first, last);
        let (rows, count) = (region.len(), count.min(region.len()));
        region.rotate_right(count);
        region[..count].iter_mut().for_each(|row| row.clear(columns, fill));
        rows + erase_steps(count, columns, fill)
    }

    /// The rows from `first` to `last`.
    fn region(&mut self, first: usize, last: usize) -> &mut [Row] {
        let last = last.min(self.screen.len() - 1);
        &mut self.screen[first.min(last)..=last]
    }

    /// Where the saved cursor is on the screen.
    pub(super) fn saved_y(&self) -> usize {
        self.saved.line.saturating_sub(self.scrollback.len())
    }

    /// Its scrollback is the end of one that has so many rows.
    pub(super) fn is_end_of(&mut self, rows: usize) {
        let len = self.scrollback.len();
        self.saved.line = self.saved.line.checked_sub(rows).map_or(self.saved.line.min(len), |y| y + len);
    }
}

/// The steps that it takes to erase rows: blank ones are not stored.
pub(super) fn erase_steps(rows: usize, columns: usize, fill: Cell) -> usize {
    if fill == Cell::BLANK { rows } else { rows * (columns + 1) }
}
