//! Rows of scrollback that a snapshot left out.

use std::cell::Cell;

use super::xterm::Terminal;

/// The rows that are missing above the first one, and the position of a user who waits for them.
#[derive(Debug, Default)]
pub struct History {
    /// Number of missing rows.
    missing: Cell<u64>,
    /// Distance of the viewport from the newest row, if a user waits for the missing rows.
    rows_above_bottom: Cell<Option<i32>>,
}

impl History {
    /// Sets the number of rows that the terminal lacks above its first one.
    pub fn set_missing(&self, missing: u64) {
        self.missing.set(missing);
    }

    /// Reports whether to request the missing rows: there are some, and they are not requested yet.
    /// Records the viewport of `terminal`, to restore it when they have arrived.
    pub fn begin_request(&self, terminal: &Terminal) -> bool {
        if self.missing.get() == 0 || self.rows_above_bottom.get().is_some() {
            return false;
        }
        let buffer = terminal.buffer().active();
        self.rows_above_bottom.set(Some(buffer.base_y() - buffer.viewport_y()));
        true
    }

    /// Forgets the request, whose response may not come any more.
    pub fn cancel_request(&self) {
        self.rows_above_bottom.set(None);
    }

    /// Restores the recorded viewport once all rows have arrived.
    pub fn restore_viewport(&self, terminal: &Terminal) {
        if self.missing.get() > 0 {
            return;
        }
        if let Some(rows) = self.rows_above_bottom.take() {
            terminal.scroll_lines(-rows);
        }
    }
}

/// Reports whether the first row is visible because the user has scrolled up to it.
pub fn is_at_top(terminal: &Terminal) -> bool {
    let buffer = terminal.buffer().active();
    buffer.viewport_y() == 0 && buffer.base_y() > 0
}
