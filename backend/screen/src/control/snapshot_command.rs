//! `OSC 7748`, limpet's own command, by which snapshots restore state that no standard sequence can
//! express. The page's terminal implements it too (`frontend/xterm/place.mjs`); other terminals
//! ignore it.

use limpet_shared::limits::MAX_SIDE_CELLS;

use super::super::{
    row::{Cell, ClippedCells},
    terminal::Terminal,
};

/// The number of the operating system command.
pub(in super::super) const SNAPSHOT_COMMAND: u32 = 7748;

/// Maximum number of cells that may be put beyond the margin until the terminal is reset, as a
/// multiple of the screen's cells.
pub(in super::super) const MAX_CLIPPED_SCREENS: usize = 4;

impl Terminal {
    /// Executes the command.
    ///
    /// * `wrap` moves the cursor from the last column behind the margin, so that the next character
    ///   wraps.
    /// * `hold ; source ; column ; count` cuts cells out of the cursor's row and holds them for a
    ///   column beyond the margin.
    /// * `beyond ; up` attaches the held cells to the row that is `up` rows above the cursor.
    /// * `above ; rows` moves the saved cursor up, out of the screen.
    pub(super) fn execute_snapshot_command(&mut self, text: &str) {
        let columns = self.columns;
        let mut fields = text.split(';');
        let name = fields.next();
        let numbers: Option<Vec<usize>> = fields.map(parse_number).collect();
        match (name, numbers.as_deref()) {
            (Some("wrap"), Some([])) => {
                let buffer = self.buffer_mut();
                if buffer.x == columns - 1 {
                    buffer.x = columns;
                }
            }
            (Some("hold"), Some(&[source, column, count])) => self.hold_cells(source, column, count),
            (Some("beyond"), Some(&[up])) => {
                let held = self.held_cells.take();
                let buffer = self.buffer_mut();
                let row = buffer.y.checked_sub(up).and_then(|y| buffer.screen.get_mut(y));
                if let (Some(row), Some(held)) = (row, held) {
                    row.set_clipped(held);
                }
            }
            (Some("above"), Some(&[rows])) => {
                let saved = &mut self.buffer_mut().saved;
                saved.line = saved.line.saturating_sub(rows);
            }
            _ => {}
        }
    }

    fn hold_cells(&mut self, source: usize, column: usize, count: usize) {
        let (columns, rows) = (self.columns, self.rows);
        let is_in_row = count > 0 && source < columns && count <= columns - source;
        let is_beyond = column >= columns - 1 && column <= usize::from(MAX_SIDE_CELLS).saturating_sub(count);
        if !is_in_row || !is_beyond {
            return;
        }
        self.spend(columns);
        let row = self.buffer_mut().row();
        let cells: Vec<Cell> = (source..source + count).map(|column| row.get(column)).collect();
        row.erase_range(source..source + count, Cell::BLANK, columns);
        let has_room = self.placed_cells + count <= MAX_CLIPPED_SCREENS * (columns + 1) * rows;
        let is_adjacent = self.held_cells.as_ref().is_none_or(|held| held.end() == column);
        if has_room && is_adjacent {
            self.placed_cells += count;
            self.held_cells.get_or_insert_with(|| Box::new(ClippedCells::new(column))).extend(cells);
        }
    }
}

/// Parses a number of up to seven digits.
fn parse_number(field: &str) -> Option<usize> {
    let is_number = field.len() <= 7 && field.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| field.parse().ok()).flatten()
}
