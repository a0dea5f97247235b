//! The cells of a buffer, row by row from the top.

use super::Writer;
use crate::{
    row::{Cell, Glyph, Row},
    style::Style,
    width::{WidthRule, measure, measure_alone},
};

/// A character of two columns.
const WIDE_CHAR: char = '\u{3000}';

impl Writer<'_> {
    /// Writes rows from the top of a blank buffer on, so that rows which do not fit scroll out.
    pub(super) fn write_rows(&mut self, rows: impl Iterator<Item = Row>) {
        let mut before: Option<Row> = None;
        for row in rows {
            let start = match &before {
                None if row.wrapped => {
                    self.wrap_first_row();
                    0
                }
                None => 0,
                Some(above) if row.wrapped => self.wrap(above, &row),
                Some(_) => {
                    self.set_style(Style::default());
                    self.write_control("\r\n");
                    0
                }
            };
            if let Some(above) = &before {
                self.attach_clipped(above, 1);
            }
            self.hold_clipped(&row, start);
            self.write_cells(&row, start);
            before = Some(row);
        }
        if let Some(last) = &before {
            self.attach_clipped(last, 0);
        }
    }

    /// Writes a row's cells from column `start` on, where the cursor is.
    pub(super) fn write_cells(&mut self, row: &Row, start: usize) {
        let cells = row.cells();
        self.write_last_remnant(cells, start);
        let mut column = start;
        while let Some(&cell) = cells.get(column) {
            if cell.has_content() {
                self.write_glyph(cell);
                column += usize::from(cell.width()).max(1);
            } else if self.is_remnant(cell) && column + 1 < self.columns {
                self.write_remnant(cell, column, cells.get(column + 1).copied().unwrap_or(Cell::BLANK));
                column += 1;
            } else {
                let alike = cells[column..].iter().take_while(|&&other| other == cell).count();
                self.write_blanks(cell, alike);
                column += alike;
            }
        }
    }

    /// Skips or erases `count` cells, and moves beyond them.
    fn write_blanks(&mut self, cell: Cell, count: usize) {
        let style = self.tables.style(cell.style());
        // Cells with more than a background have been handled before.
        if style != Style::default() && style == style.background_only() {
            self.set_style(style);
            self.write_control(&format!("\x1b[{count}X"));
        }
        self.write_control(&format!("\x1b[{count}C"));
    }

    /// Reports whether a blank cell has more than a background, as a former half of a wide glyph
    /// has.
    fn is_remnant(&self, cell: Cell) -> bool {
        let style = self.tables.style(cell.style());
        !cell.has_content() && cell.width() == 1 && style != style.background_only()
    }

    /// Writes a cell that [is a remnant](Self::is_remnant) at the cursor: prints a wide glyph and
    /// overwrites its right half.
    fn write_remnant(&mut self, cell: Cell, column: usize, next: Cell) {
        self.write_control("");
        self.write_char(WIDE_CHAR);
        self.write_control(&format!("\x1b[{}G", column + 2));
        self.set_style(self.tables.style(cell.style()));
        self.write_char(' ');
        self.write_control(&format!("\x1b[{}G", column + 2));
        if !next.has_content() {
            self.set_style(self.tables.style(next.style()));
            self.write_control("\x1b[X");
        }
    }

    /// Writes a remnant in the last column. There the left half has to be overwritten, before the
    /// row has any other content.
    fn write_last_remnant(&mut self, cells: &[Cell], start: usize) {
        let columns = self.columns;
        let Some(&cell) = cells.get(columns - 1) else { return };
        if !self.is_remnant(cell) || columns - 2 < start {
            return;
        }
        self.write_control(&format!("\x1b[{}G", columns - 1));
        self.write_char(WIDE_CHAR);
        self.write_control(&format!("\x1b[{}G", columns - 1));
        self.set_style(self.tables.style(cell.style()));
        self.write_char(' ');
        self.set_style(Style::default());
        self.write_control(&format!("\x1b[{0}G\x1b[X\x1b[{1}G", columns - 1, start + 1));
    }

    /// Prints the content of a cell.
    pub(super) fn write_glyph(&mut self, cell: Cell) {
        let (tables, style) = (self.tables, self.tables.style(cell.style()));
        self.set_width_rule(self.width_rule_for(cell));
        // The current style may have more than a cell stores.
        if self.pen.style.normalized() != style {
            self.set_style(style);
        }
        match cell.glyph() {
            Glyph::Blank => {}
            Glyph::Char(char) => self.write_char(char),
            Glyph::Cluster(number) => {
                let mut chars = tables.cluster(number).chars();
                if let Some(first) = chars.next() {
                    self.write_char(first);
                }
                for char in chars {
                    self.preceding = measure(char, self.preceding, self.width_rule).or(self.preceding);
                    self.out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                }
            }
        }
    }

    /// Switches the rule by which the terminal counts columns.
    pub(super) fn set_width_rule(&mut self, width_rule: WidthRule) {
        if self.width_rule != width_rule {
            self.width_rule = width_rule;
            self.write_control(if width_rule == WidthRule::Clusters { "\x1b[?2027h" } else { "\x1b[?2027l" });
        }
    }

    /// Returns the rule by which a glyph has its width, or the current one if both give that width.
    fn width_rule_for(&self, cell: Cell) -> WidthRule {
        let gives_width = |&width_rule: &WidthRule| match cell.glyph() {
            Glyph::Blank => true,
            Glyph::Char(char) => columns_of([char], width_rule) == Some(cell.width()),
            Glyph::Cluster(number) => {
                columns_of(self.tables.cluster(number).chars(), width_rule) == Some(cell.width())
            }
        };
        let is_known = cell.is_ascii() || gives_width(&self.width_rule);
        let other = if self.width_rule == WidthRule::Chars { WidthRule::Clusters } else { WidthRule::Chars };
        if is_known || !gives_width(&other) { self.width_rule } else { other }
    }

    /// Returns the width of a glyph when only its first character had been printed.
    pub(super) fn first_width(&self, cell: Cell) -> u8 {
        match cell.glyph() {
            Glyph::Cluster(number) => {
                let first = self.tables.cluster(number).chars().next();
                first.map_or(1, |char| measure_alone(char, self.width_rule).width)
            }
            _ => cell.width(),
        }
    }

    /// Prints a character that must not join the one before it.
    fn write_char(&mut self, char: char) {
        let joins = measure(char, self.preceding, self.width_rule).is_none_or(|measured| measured.joins);
        if joins {
            // A control without any other effect.
            self.write_control("\0");
        }
        self.preceding = Some(measure_alone(char, self.width_rule));
        self.out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
    }

    /// Moves to a row that continues the one above, and returns the first of its columns that is
    /// not written yet.
    fn wrap(&mut self, above: &Row, row: &Row) -> usize {
        let (last, first) = (above.get(self.columns - 1), row.get(0));
        let is_full = last.has_content() || last.width() == 0;
        if is_full && first.has_content() {
            self.write_glyph(first);
            if self.pen.style.background_only() != Style::default() {
                // If the screen scrolled, the whole row got the background.
                self.erase_row();
            }
            return usize::from(first.width());
        }
        // A wide glyph wraps if one column is left for it, and that column keeps its own style.
        if !is_full {
            self.set_style(self.tables.style(last.style()));
            self.write_control(&format!("\x1b[{}G", self.columns));
        }
        self.write_char(WIDE_CHAR);
        self.write_control("\r");
        self.erase_row();
        0
    }

    /// Makes the first row of a blank buffer continue a row which is no longer there.
    fn wrap_first_row(&mut self) {
        self.write_control(&format!("\x1b[{}G", self.columns));
        self.write_char(WIDE_CHAR);
        self.write_control("\x1b[A\x1b[M");
        self.erase_row();
    }

    /// Erases from the cursor on. EL would make the row one that continues nothing.
    fn erase_row(&mut self) {
        self.set_style(Style::default());
        self.write_control(&format!("\x1b[{}X", self.columns));
    }
}

/// Returns the columns of a glyph by a rule. `None` if its characters are not one glyph by that
/// rule.
fn columns_of(chars: impl IntoIterator<Item = char>, width_rule: WidthRule) -> Option<u8> {
    let mut chars = chars.into_iter();
    let first = measure_alone(chars.next()?, width_rule);
    let all = chars.try_fold(first, |before, char| {
        measure(char, Some(before), width_rule).filter(|measured| measured.joins)
    });
    all.map(|measured| measured.width).filter(|&width| width > 0 && first.width > 0)
}
