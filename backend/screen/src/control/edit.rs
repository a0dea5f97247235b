//! Erasing, inserting and deleting.

use std::ops::Range;

use super::{
    super::{
        pending_function::{RowChange, SELECTIVE_ERASE_STEPS_PER_CELL, is_protected},
        tables::Tables,
        terminal::Terminal,
    },
    Cell,
};

impl Terminal {
    /// ED, or DECSED if `selective`: erases in the screen.
    pub(super) fn erase_in_display(&mut self, what: i32, selective: bool) {
        self.clamp_cursor_to(self.columns);
        let (columns, rows) = (self.columns, self.rows);
        let (x, y) = (self.buffer().x, self.buffer().y);
        match what {
            0 => {
                self.erase_columns(y, x..columns, x == 0, selective);
                self.erase_rows(y + 1..rows, selective);
            }
            1 => {
                self.erase_columns(y, 0..x + 1, true, selective);
                if x + 1 >= columns {
                    self.buffer_mut().set_wrapped(y + 1, false);
                }
                self.erase_rows(0..y, selective);
            }
            2 => self.erase_rows(0..rows, selective),
            3 => {
                let scrollback = self.buffer_mut().scrollback.take();
                self.discard(Tables::default(), scrollback);
            }
            _ => {}
        }
    }

    /// EL, or DECSEL if `selective`: erases in the cursor's row.
    pub(super) fn erase_in_line(&mut self, what: i32, selective: bool) {
        self.clamp_cursor_to(self.columns);
        let columns = self.columns;
        let (x, y) = (self.buffer().x, self.buffer().y);
        match what {
            0 => self.erase_columns(y, x..columns, x == 0, selective),
            1 => self.erase_columns(y, 0..x + 1, false, selective),
            2 => self.erase_columns(y, 0..columns, true, selective),
            _ => {}
        }
    }

    /// ECH: erases cells from the cursor on.
    pub(super) fn erase_chars(&mut self, count: usize) {
        self.clamp_cursor();
        let (x, y) = (self.buffer().x, self.buffer().y);
        self.erase_columns(y, x..x.saturating_add(count), false, false);
    }

    fn erase_columns(&mut self, y: usize, range: Range<usize>, unwrap: bool, selective: bool) {
        let fill = self.erased_cell();
        let columns = self.columns;
        self.spend(if selective { SELECTIVE_ERASE_STEPS_PER_CELL * columns } else { columns });
        let buffer = if self.is_alternate { &mut self.alternate } else { &mut self.primary };
        let Some(row) = buffer.screen.get_mut(y) else { return };
        if selective {
            row.erase_unprotected(range, fill, columns, |id| is_protected(&self.tables, id));
        } else {
            row.erase_range(range, fill, columns);
        }
        row.wrapped &= !unwrap;
    }

    fn erase_rows(&mut self, rows: Range<usize>, selective: bool) {
        let fill = self.erased_cell();
        self.change_rows(
            rows,
            if selective { RowChange::EraseUnprotected(fill) } else { RowChange::Fill(fill) },
        );
    }

    /// ICH: inserts cells at the cursor.
    pub(super) fn insert_chars(&mut self, count: usize) {
        self.clamp_cursor();
        let (fill, columns) = (self.erased_cell(), self.columns);
        let buffer = self.buffer_mut();
        let x = buffer.x;
        buffer.row().insert(x, count, fill, columns);
        self.spend(columns);
    }

    /// DCH: deletes cells at the cursor.
    pub(super) fn delete_chars(&mut self, count: usize) {
        self.clamp_cursor();
        let (fill, columns) = (self.erased_cell(), self.columns);
        let buffer = self.buffer_mut();
        let x = buffer.x;
        buffer.row().delete(x, count, fill, columns);
        self.spend(columns);
    }

    /// IL: inserts rows at the cursor.
    pub(super) fn insert_lines(&mut self, count: usize) {
        self.clamp_cursor();
        if !self.is_in_region() {
            return;
        }
        let fill = self.erased_cell();
        let buffer = self.buffer_mut();
        buffer.x = 0;
        let (steps, gap) = buffer.insert_rows(buffer.y, buffer.bottom, count);
        self.spend(steps);
        self.change_rows(gap, RowChange::Fill(fill));
    }

    /// DL: deletes rows at the cursor.
    pub(super) fn delete_lines(&mut self, count: usize) {
        self.clamp_cursor();
        if !self.is_in_region() {
            return;
        }
        let fill = self.erased_cell();
        let buffer = self.buffer_mut();
        buffer.x = 0;
        let (steps, gap) = buffer.delete_rows(buffer.y, buffer.bottom, count);
        self.spend(steps);
        self.change_rows(gap, RowChange::Fill(fill));
    }

    /// SU: scrolls the region up. The rows do not go to the scrollback.
    pub(super) fn scroll_up(&mut self, count: usize) {
        let fill = self.erased_cell();
        let buffer = self.buffer_mut();
        let (steps, gap) = buffer.delete_rows(buffer.top, buffer.bottom, count);
        self.spend(steps);
        self.change_rows(gap, RowChange::Fill(fill));
    }

    /// SD: scrolls the region down.
    pub(super) fn scroll_down(&mut self, count: usize) {
        let buffer = self.buffer_mut();
        let (steps, gap) = buffer.insert_rows(buffer.top, buffer.bottom, count);
        self.spend(steps);
        self.change_rows(gap, RowChange::Fill(Cell::BLANK));
    }

    /// SR, DECIC: inserts columns in every row of the scroll region.
    pub(super) fn insert_columns(&mut self, at: usize, count: usize) {
        let fill = self.erased_cell();
        self.change_region(RowChange::Insert(fill, at, count));
    }

    /// SL, DECDC: deletes columns in every row of the scroll region.
    pub(super) fn delete_columns(&mut self, at: usize, count: usize) {
        let fill = self.erased_cell();
        self.change_region(RowChange::Delete(fill, at, count));
    }

    fn change_region(&mut self, change: RowChange) {
        if self.is_in_region() {
            let buffer = self.buffer();
            self.change_rows(buffer.top..buffer.bottom + 1, change);
        }
    }

    fn is_in_region(&self) -> bool {
        let buffer = self.buffer();
        (buffer.top..=buffer.bottom).contains(&buffer.y)
    }
}
