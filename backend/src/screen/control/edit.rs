//! Erasing, inserting and deleting.

use super::{
    super::{buffer::erase_steps, tables::Tables, terminal::Terminal},
    Attributes, Cell, Row,
};

/// Steps per cell of a selective erase: each cell's style is looked up.
const SELECTIVE_STEPS: usize = 2;

impl Terminal {
    /// ED; with `selective`, DECSED.
    pub(super) fn erase_in_display(&mut self, what: i32, selective: bool) {
        self.restrict_cursor(self.columns);
        let (columns, rows) = (self.columns, self.rows);
        let (x, y) = (self.buffer().x, self.buffer().y);
        match what {
            0 => {
                self.erase_columns(y, (x, columns), x == 0, selective);
                (y + 1..rows).for_each(|y| self.erase_row(y, selective));
            }
            1 => {
                self.erase_columns(y, (0, x + 1), true, selective);
                if x + 1 >= columns {
                    self.buffer_mut().set_wrapped(y + 1, false);
                }
                (0..y).for_each(|y| self.erase_row(y, selective));
            }
            2 => (0..rows).for_each(|y| self.erase_row(y, selective)),
            3 => {
                let steps = self.buffer().scrollback.blocks();
                self.buffer_mut().scrollback.clear();
                self.spend(steps);
            }
            _ => {}
        }
    }

    /// EL; with `selective`, DECSEL.
    pub(super) fn erase_in_line(&mut self, what: i32, selective: bool) {
        self.restrict_cursor(self.columns);
        let columns = self.columns;
        let (x, y) = (self.buffer().x, self.buffer().y);
        match what {
            0 => self.erase_columns(y, (x, columns), x == 0, selective),
            1 => self.erase_columns(y, (0, x + 1), false, selective),
            2 => self.erase_columns(y, (0, columns), true, selective),
            _ => {}
        }
    }

    /// ECH.
    pub(super) fn erase_chars(&mut self, count: usize) {
        self.restrict();
        let (x, y) = (self.buffer().x, self.buffer().y);
        self.erase_columns(y, (x, x.saturating_add(count)), false, false);
    }

    fn erase_columns(&mut self, y: usize, range: (usize, usize), unwrap: bool, selective: bool) {
        let fill = self.erased();
        let columns = self.columns;
        self.spend(if selective { SELECTIVE_STEPS * columns } else { columns });
        self.change_row(y, |row, tables, columns| {
            if selective {
                let protected = |id| tables.style(id).attributes.has(Attributes::PROTECTED);
                row.replace_unprotected(range, fill, columns, protected);
            } else {
                row.replace(range.0, range.1, fill, columns);
            }
            row.wrapped &= !unwrap;
        });
    }

    fn erase_row(&mut self, y: usize, selective: bool) {
        let fill = self.erased();
        let columns = self.columns;
        self.spend(if selective { SELECTIVE_STEPS * columns } else { erase_steps(1, columns, fill) });
        self.change_row(y, |row, tables, columns| {
            if selective {
                let protected = |id| tables.style(id).attributes.has(Attributes::PROTECTED);
                for column in 0..columns {
                    if !protected(row.get(column).style()) {
                        row.set(column, fill);
                    }
                }
            } else {
                row.clear(columns, fill);
            }
            row.wrapped = false;
        });
    }

    fn change_row(&mut self, y: usize, change: impl FnOnce(&mut Row, &Tables, usize)) {
        let columns = self.columns;
        let buffer = if self.is_alternate { &mut self.alternate } else { &mut self.primary };
        if let Some(row) = buffer.screen.get_mut(y) {
            change(row, &self.tables, columns);
        }
    }

    /// ICH.
    pub(super) fn insert_chars(&mut self, count: usize) {
        self.restrict();
        let (fill, columns) = (self.erased(), self.columns);
        let buffer = self.buffer_mut();
        let x = buffer.x;
        buffer.row().insert(x, count, fill, columns);
        self.spend(columns);
    }

    /// DCH.
    pub(super) fn delete_chars(&mut self, count: usize) {
        self.restrict();
        let (fill, columns) = (self.erased(), self.columns);
        let buffer = self.buffer_mut();
        let x = buffer.x;
        buffer.row().delete(x, count, fill, columns);
        self.spend(columns);
    }

    /// IL.
    pub(super) fn insert_lines(&mut self, count: usize) {
        self.restrict();
        if !self.is_in_region() {
            return;
        }
        let fill = self.erased();
        let buffer = self.buffer_mut();
        buffer.x = 0;
        let steps = buffer.insert_rows(buffer.y, buffer.bottom, count, fill);
        self.spend(steps);
    }

    /// DL.
    pub(super) fn delete_lines(&mut self, count: usize) {
        self.restrict();
        if !self.is_in_region() {
            return;
        }
        let fill = self.erased();
        let buffer = self.buffer_mut();
        buffer.x = 0;
        let steps = buffer.delete_rows(buffer.y, buffer.bottom, count, fill);
        self.spend(steps);
    }

    /// SU. Nothing goes to the scrollback.
    pub(super) fn scroll_up(&mut self, count: usize) {
        let fill = self.erased();
        let buffer = self.buffer_mut();
        let steps = buffer.delete_rows(buffer.top, buffer.bottom, count, fill);
        self.spend(steps);
    }

    /// SD.
    pub(super) fn scroll_down(&mut self, count: usize) {
        let buffer = self.buffer_mut();
        let steps = buffer.insert_rows(buffer.top, buffer.bottom, count, Cell::BLANK);
        self.spend(steps);
    }

    /// SL, SR, DECIC, DECDC: every row of the scroll region changes alike.
    pub(super) fn shift_columns(&mut self, change: impl Fn(&mut Row, Cell, usize)) {
        if !self.is_in_region() {
            return;
        }
        let (fill, columns) = (self.erased(), self.columns);
        let buffer = self.buffer_mut();
        let (top, bottom) = (buffer.top, buffer.bottom);
        for row in buffer.screen.iter_mut().take(bottom + 1).skip(top) {
            change(row, fill, columns);
            row.wrapped = false;
        }
        self.spend((bottom + 1 - top) * (columns + 1));
    }

    fn is_in_region(&self) -> bool {
        let buffer = self.buffer();
        (buffer.top..=buffer.bottom).contains(&buffer.y)
    }
}
