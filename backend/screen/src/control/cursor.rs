//! Cursor movement.

use super::{
    super::{pending_function::RowChange, terminal::Terminal},
    Params,
};
use crate::{
    buffer::SavedCursor,
    style::{LinkId, Style},
};

/// Steps to search for a tab stop, which examines words of 64 columns.
const TAB_STEPS: usize = 16;

impl Terminal {
    /// Keeps the cursor on the screen, or within the scroll region in origin mode. `max_column` is
    /// the last column allowed.
    pub(super) fn clamp_cursor_to(&mut self, max_column: usize) {
        let (origin, rows) = (self.modes.origin, self.rows);
        let buffer = self.buffer_mut();
        buffer.x = buffer.x.min(max_column);
        let (first, last) = if origin { (buffer.top, buffer.bottom) } else { (0, rows - 1) };
        buffer.y = buffer.y.max(first).min(last);
    }

    /// Restricts the cursor to the columns of the screen. A cursor behind the margin, where the
    /// next character would wrap, moves to the last column.
    pub(super) fn clamp_cursor(&mut self) {
        self.clamp_cursor_to(self.columns - 1);
    }

    /// CUP: moves the cursor. In origin mode the scroll region's corner is the origin.
    pub(super) fn set_cursor(&mut self, x: usize, y: usize) {
        let origin = self.modes.origin;
        let buffer = self.buffer_mut();
        buffer.x = x;
        buffer.y = if origin { buffer.top.saturating_add(y) } else { y };
        self.clamp_cursor();
    }

    /// Moves the cursor relative to its position. As in xterm.js, the scroll region's top is added
    /// once more in origin mode.
    pub(super) fn move_by(&mut self, x: isize, y: isize) {
        self.clamp_cursor();
        let buffer = self.buffer();
        let (x, y) = (buffer.x.saturating_add_signed(x), buffer.y.saturating_add_signed(y));
        self.set_cursor(x, y);
    }

    /// CUU: moves up, at most to the scroll region's top.
    pub(super) fn cursor_up(&mut self, count: usize) {
        let buffer = self.buffer();
        let max_count = buffer.y.checked_sub(buffer.top);
        self.move_by(0, -super::to_signed(max_count.map_or(count, |max_count| count.min(max_count))));
    }

    /// CUD: moves down, at most to the scroll region's bottom.
    pub(super) fn cursor_down(&mut self, count: usize) {
        let buffer = self.buffer();
        let max_count = buffer.bottom.checked_sub(buffer.y);
        self.move_by(0, super::to_signed(max_count.map_or(count, |max_count| count.min(max_count))));
    }

    pub(super) fn backspace(&mut self) {
        if !self.modes.reverse_wrap {
            self.clamp_cursor();
            let buffer = self.buffer_mut();
            buffer.x = buffer.x.saturating_sub(1);
            return;
        }
        self.clamp_cursor_to(self.columns);
        let columns = self.columns;
        let buffer = self.buffer_mut();
        if buffer.x > 0 {
            buffer.x -= 1;
        } else if buffer.y > buffer.top && buffer.y <= buffer.bottom && buffer.row().wrapped {
            // Only an automatic wrap is undone.
            buffer.row().wrapped = false;
            buffer.y -= 1;
            buffer.x = columns - 1;
            let last = buffer.row().get(columns - 1);
            if last.width() > 0 && !last.has_content() {
                buffer.x -= 1;
            }
        }
        self.clamp_cursor();
    }

    pub(super) fn tab(&mut self) {
        self.tab_forward(1);
    }

    /// CHT: moves forward by tab stops.
    pub(super) fn tab_forward(&mut self, count: usize) {
        let columns = self.columns;
        let buffer = self.buffer_mut();
        if buffer.x < columns {
            let mut stops = 0;
            while stops < count && buffer.x < columns - 1 {
                buffer.x = buffer.tabs.next(buffer.x, columns);
                stops += 1;
            }
            self.spend(TAB_STEPS * stops);
        }
    }

    /// CBT: moves back by tab stops.
    pub(super) fn tab_back(&mut self, count: usize) {
        let columns = self.columns;
        let buffer = self.buffer_mut();
        if buffer.x < columns {
            let mut stops = 0;
            while stops < count && buffer.x > 0 {
                buffer.x = buffer.tabs.previous(buffer.x, columns);
                stops += 1;
            }
            self.spend(TAB_STEPS * stops);
        }
    }

    /// HTS: sets a tab stop at the cursor.
    pub(super) fn set_tab(&mut self) {
        let buffer = self.buffer_mut();
        buffer.tabs.set(buffer.x);
    }

    /// TBC: clears the tab stop at the cursor, or all of them.
    pub(super) fn clear_tabs(&mut self, which: i32) {
        let buffer = self.buffer_mut();
        match which {
            0 => buffer.tabs.clear(buffer.x),
            3 => buffer.tabs.clear_all(),
            _ => {}
        }
    }

    pub(super) fn line_feed(&mut self) {
        let fill = self.erased_cell();
        let (columns, rows, newline) = (self.columns, self.rows, self.newline_mode);
        let buffer = self.buffer_mut();
        if newline {
            buffer.x = 0;
        }
        let mut steps = 0;
        if buffer.y == buffer.bottom {
            steps = buffer.scroll(fill, false);
        } else if buffer.y + 1 < rows {
            buffer.y += 1;
            buffer.row().wrapped = false;
        }
        if buffer.x >= columns {
            buffer.x -= 1;
        }
        self.spend(steps);
    }

    /// IND: moves down, or scrolls at the bottom.
    pub(super) fn index(&mut self) {
        self.clamp_cursor();
        let fill = self.erased_cell();
        let rows = self.rows;
        let buffer = self.buffer_mut();
        if buffer.y == buffer.bottom {
            let steps = buffer.scroll(fill, false);
            self.spend(steps);
        } else {
            buffer.y = (buffer.y + 1).min(rows - 1);
        }
        self.clamp_cursor();
    }

    /// NEL: moves to the start of the next row.
    pub(super) fn next_line(&mut self) {
        self.buffer_mut().x = 0;
        self.index();
    }

    /// RI: moves up, or scrolls down at the top.
    pub(super) fn reverse_index(&mut self) {
        self.clamp_cursor();
        let fill = self.erased_cell();
        let buffer = self.buffer_mut();
        if buffer.y == buffer.top {
            let (steps, gap) = buffer.insert_rows(buffer.top, buffer.bottom, 1);
            self.spend(steps);
            self.change_rows(gap, RowChange::Fill(fill));
        } else {
            buffer.y = buffer.y.saturating_sub(1);
            self.clamp_cursor();
        }
    }

    /// DECSC: saves the cursor.
    pub(super) fn save_cursor(&mut self) {
        let saved = SavedCursor {
            x: self.buffer().x,
            line: self.buffer().scrollback.len() + self.buffer().y,
            style: Style { link: LinkId::NONE, ..self.pen },
            charsets: self.charsets,
            active_charset: self.active_charset,
            origin: self.modes.origin,
            autowrap: self.modes.autowrap,
        };
        self.buffer_mut().saved = saved;
    }

    /// DECRC: restores the cursor.
    pub(super) fn restore_cursor(&mut self) {
        let buffer = self.buffer_mut();
        let saved = buffer.saved.clone();
        (buffer.x, buffer.y) = (saved.x, buffer.saved_y());
        // The current hyperlink continues.
        self.set_pen(Style { link: self.pen.link, ..saved.style });
        self.charsets.restore(saved.charsets);
        self.active_charset = saved.active_charset;
        (self.modes.origin, self.modes.autowrap) = (saved.origin, saved.autowrap);
        self.clamp_cursor();
    }

    /// DECSTBM: sets the scroll region.
    pub(super) fn set_scroll_region(&mut self, params: &Params) {
        let top = params.at_least_one(0);
        let bottom = match usize::try_from(params.get(1)) {
            Ok(bottom @ 1..) if params.len() >= 2 && bottom <= self.rows => bottom,
            _ => self.rows,
        };
        if bottom > top {
            let buffer = self.buffer_mut();
            (buffer.top, buffer.bottom) = (top - 1, bottom - 1);
            self.set_cursor(0, 0);
        }
    }
}
