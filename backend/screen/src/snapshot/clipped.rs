//! Cells beyond the margin. They are printed within their row, and moved from there by `OSC 7748`.

use super::Writer;
use crate::{
    control::{MAX_CLIPPED_SCREENS, SNAPSHOT_COMMAND},
    row::{Cell, Row},
};

impl Writer<'_> {
    /// Writes a row's cells beyond the margin so that the terminal holds them. The row is blank
    /// from the cursor's column `start` on.
    pub(super) fn hold_clipped(&mut self, row: &Row, start: usize) {
        let room = self.columns - start.min(self.columns);
        let max_cells = MAX_CLIPPED_SCREENS * (self.columns + 1) * self.rows;
        let Some(clipped) = row.clipped().filter(|_| room > 1) else { return };
        let (mut at, mut rest) = (clipped.start(), clipped.cells());
        while !rest.is_empty() && self.placed_cells < max_cells {
            let mut count = rest.len().min(room).min(max_cells - self.placed_cells);
            // A wide glyph is not cut.
            if count > 1 && rest[count - 1].width() == 2 {
                count -= 1;
            }
            let (now, later) = rest.split_at(count);
            let cells = [&vec![Cell::BLANK; start][..], now].concat();
            self.write_cells(&Row::from_cells(cells, false), start);
            self.write_control(&format!(
                "\x1b]{SNAPSHOT_COMMAND};hold;{start};{at};{count}\x1b\\\x1b[{}G",
                start + 1
            ));
            self.placed_cells += count;
            at += count;
            rest = later;
        }
    }

    /// Attaches the held cells to their row, `up` rows above the cursor.
    pub(super) fn attach_clipped(&mut self, row: &Row, up: usize) {
        if row.clipped().is_some() {
            self.write_control(&format!("\x1b]{SNAPSHOT_COMMAND};beyond;{up}\x1b\\"));
        }
    }
}
