//! Cells beyond the margin. They are printed within their row, and moved from there by `OSC 7748`.

use super::Writer;
use crate::screen::{
    control::{MAX_PLACED_SCREENS, SNAPSHOT_COMMAND},
    row::{Cell, Row},
};

impl Writer<'_> {
    /// Writes a row's cells beyond the margin so that the terminal holds them. The row is blank
    /// from the cursor's column `start` on.
    pub(super) fn hold_beyond(&mut self, row: &Row, start: usize) {
        let room = self.columns - start.min(self.columns);
        let most = MAX_PLACED_SCREENS * (self.columns + 1) * self.rows;
        let Some(beyond) = row.beyond().filter(|_| room > 1) else { return };
        let (mut at, mut rest) = (beyond.start(), beyond.cells());
        while !rest.is_empty() && self.placed < most {
            let mut count = rest.len().min(room).min(most - self.placed);
            // A wide glyph is not cut.
            if count > 1 && rest[count - 1].width() == 2 {
                count -= 1;
            }
            let (now, later) = rest.split_at(count);
            let cells = [&vec![Cell::BLANK; start][..], now].concat();
            self.cells(&Row::from_cells(cells, false), start);
            self.control(&format!(
                "\x1b]{SNAPSHOT_COMMAND};hold;{start};{at};{count}\x1b\\\x1b[{}G",
                start + 1
            ));
            self.placed += count;
            at += count;
            rest = later;
        }
    }

    /// Attaches the held cells to their row, `up` rows above the cursor.
    pub(super) fn place_beyond(&mut self, row: &Row, up: usize) {
        if row.beyond().is_some() {
            self.control(&format!("\x1b]{SNAPSHOT_COMMAND};beyond;{up}\x1b\\"));
        }
    }
}
