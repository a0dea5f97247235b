//! Rows of scrollback that a terminal was drawn without.

use std::cell::Cell;

use super::xterm::Terminal;

/// What is missing above the first row, and who waits for it.
#[derive(Debug, Default)]
pub struct History {
    /// So many rows.
    missing: Cell<u64>,
    /// How far above the newest row a person looks who waits for them.
    looked_up: Cell<Option<i32>>,
}

impl History {
    /// The terminal is drawn anew, without so many rows.
    pub fn drawn(&self, missing: u64) {
        self.missing.set(missing);
    }

    /// Whether the missing rows are to be asked for: there are some, and nobody has asked yet. They are then waited for by
    /// somebody who looks at what `terminal` shows now.
    pub fn want(&self, terminal: &Terminal) -> bool {
        if self.missing.get() == 0 || self.looked_up.get().is_some() {
            return false;
        }
        let buffer = terminal.buffer().active();
        self.looked_up.set(Some(buffer.base_y() - buffer.viewport_y()));
        true
    }

    /// What was asked for may not come any more.
    pub fn give_up(&self) {
        self.looked_up.set(None);
    }

    /// Shows who has waited what they looked at, once everything is there.
    pub fn settle(&self, terminal: &Terminal) {
        if self.missing.get() > 0 {
            return;
        }
        if let Some(rows) = self.looked_up.take() {
            terminal.scroll_by(-rows);
        }
    }
}

/// Whether the first row is in sight, and not by itself.
pub fn at_top(terminal: &Terminal) -> bool {
    let buffer = terminal.buffer().active();
    buffer.viewport_y() == 0 && buffer.base_y() > 0
}
