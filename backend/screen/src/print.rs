//! Printing text.

use super::{
    charset::Charset,
    parser::Text,
    row::{Cell, Glyph},
    terminal::Terminal,
    width::{Preceding, WidthRule, measure},
};

/// SOFT HYPHEN, which is a hint and not printed.
pub(super) const SOFT_HYPHEN: char = '\u{ad}';

/// Maximum number of steps to print a character, without those of rows that scroll and cells that
/// move.
pub(super) const MAX_CHAR_STEPS: usize = 4;

/// Steps to look up a grapheme cluster.
const CLUSTER_STEPS: usize = 32;

/// Approximate maximum number of steps of a run of text.
const MAX_RUN_STEPS: usize = 64 * 1024;

/// Maximum length of a run of text, in bytes.
const MAX_RUN_BYTES: usize = 2048;

impl Terminal {
    /// Returns the maximum length of a run of text, in bytes. It is shorter in narrow, tall
    /// screens, where the same text scrolls more rows.
    pub(super) fn max_run_bytes(&self) -> usize {
        if self.rows / 8 <= self.columns {
            return MAX_RUN_BYTES;
        }
        (MAX_RUN_STEPS / (MAX_CHAR_STEPS + self.rows / self.columns)).clamp(1, MAX_RUN_BYTES)
    }

    /// Prints a run of text.
    pub(super) fn print(&mut self, text: Text<'_>) {
        self.erase_left_half();
        match text {
            Text::Ascii(bytes) if self.prints_ascii_unchanged() => self.print_ascii(bytes),
            Text::Ascii(bytes) => {
                let chars: Vec<char> = bytes.iter().copied().map(char::from).collect();
                self.print_chars(&chars);
            }
            Text::Chars(chars) => self.print_chars(chars),
        }
        self.erase_right_half();
    }

    fn print_chars(&mut self, mut chars: &[char]) {
        while let Some((&first, _)) = chars.split_first() {
            let printed = if self.modes.insert {
                self.insert_in_row(chars)
            } else if self.prints_ascii_unchanged() {
                self.print_row(chars)
            } else {
                0
            };
            if printed == 0 {
                self.print_char(first);
            }
            chars = &chars[printed.max(1)..];
        }
    }

    /// Reports whether characters of ASCII are printed one after the other without any special
    /// rule.
    fn prints_ascii_unchanged(&self) -> bool {
        let charset = self.charsets.get(self.active_charset.into());
        charset == Charset::Ascii && !self.modes.insert && self.modes.autowrap
    }

    fn print_ascii(&mut self, mut bytes: &[u8]) {
        // If clusters count, the first character may join the one before.
        if self.modes.width_rule == WidthRule::Clusters
            && let (Some(_), Some((&first, rest))) = (self.preceding, bytes.split_first())
        {
            self.print_char(first.into());
            bytes = rest;
        }
        let style = self.pen_id();
        self.spend(bytes.len());
        while !bytes.is_empty() {
            if self.buffer().x >= self.columns {
                self.wrap(0);
            }
            let columns = self.columns;
            let buffer = self.buffer_mut();
            let room = columns - buffer.x;
            let (now, later) = bytes.split_at(bytes.len().min(room));
            let x = buffer.x;
            buffer.row().write_ascii(x, now, style);
            buffer.x += now.len();
            buffer.drop_clipped_at_margin();
            bytes = later;
            self.preceding = Some(Preceding::ASCII);
        }
    }

    /// Prints characters up to the first one that joins the one before or does not fit into the
    /// row. Returns their number.
    fn print_row(&mut self, chars: &[char]) -> usize {
        let (style, columns, width_rule) = (self.pen_id(), self.columns, self.modes.width_rule);
        let mut preceding = self.preceding;
        let buffer = self.buffer_mut();
        let mut x = buffer.x;
        let row = buffer.row();
        let printed = chars.iter().take_while(|&&char| {
            let Some(now) = measure(char, preceding, width_rule) else { return false };
            let width = usize::from(now.width);
            let is_simple = !now.joins && x + width <= columns && char != SOFT_HYPHEN;
            if is_simple {
                row.set(x, Cell::char(char, now.width, style));
                if width == 2 {
                    row.set(x + 1, Cell::continuation(style));
                }
                x += width;
                preceding = Some(now);
            }
            is_simple
        });
        let printed = printed.count();
        buffer.x = x;
        buffer.drop_clipped_at_margin();
        self.preceding = preceding;
        self.spend(MAX_CHAR_STEPS / 2 * printed);
        printed
    }

    pub(super) fn print_char(&mut self, char: char) {
        if char == SOFT_HYPHEN {
            return;
        }
        let char = self.charsets.get(self.active_charset.into()).map(char);
        self.spend(MAX_CHAR_STEPS);
        let preceding = self.preceding;
        let Some(now) = measure(char, preceding, self.modes.width_rule) else { return };
        let width = usize::from(now.width);
        if width == 0 && self.buffer().x == 0 {
            // There is nothing to join at the start of a row.
            return;
        }
        let old_width = match preceding {
            Some(before) if now.joins => usize::from(before.width),
            _ => 0,
        };
        let columns = self.columns;
        if self.buffer().x + width - old_width > columns {
            if self.modes.autowrap {
                self.wrap(old_width);
            } else if now.joins {
                // A character at the margin cannot become wider.
                return;
            } else {
                // A character that does not fit takes the last columns.
                self.buffer_mut().x = columns - width;
                self.erase_left_half();
            }
        }
        // A mark that joined an unknown character cannot be repeated.
        self.preceding = Some(now).filter(|now| now.width > 0);
        if now.joins && self.buffer().x > 0 {
            self.join(char, width, old_width);
            return;
        }
        if self.modes.insert {
            let fill = self.blank_cell();
            let buffer = self.buffer_mut();
            let x = buffer.x;
            let row = buffer.row();
            row.insert(x, width - old_width, fill, columns);
            if row.width(columns - 1) == 2 {
                row.set(columns - 1, fill);
            }
            self.spend(columns - x);
        }
        let style = self.pen_id();
        let buffer = self.buffer_mut();
        let x = buffer.x;
        buffer.row().set(x, Cell::char(char, now.width, style));
        for column in x + 1..x + width {
            buffer.row().set(column, Cell::continuation(style));
        }
        buffer.x += width;
        buffer.drop_clipped_at_margin();
    }

    /// Moves to the next row, together with a cluster that has grown too wide for this one.
    fn wrap(&mut self, carried: usize) {
        let (fill, blank) = (self.erased_cell(), self.blank_cell());
        let (columns, rows) = (self.columns, self.rows);
        let buffer = self.buffer_mut();
        let from = buffer.x.saturating_sub(carried);
        let old = buffer.y;
        buffer.row().drop_clipped();
        let carried_cells: Vec<Cell> =
            (from..from + carried).map(|column| buffer.row().get(column)).collect();
        for column in from..columns {
            buffer.row().set(column, blank);
        }
        buffer.x = carried;
        let mut steps = columns - from.min(columns);
        if old == buffer.bottom {
            steps += buffer.scroll(fill, true);
        } else {
            buffer.y = (old + 1).min(rows - 1);
            let y = buffer.y;
            buffer.set_wrapped(y, true);
        }
        for (column, cell) in carried_cells.into_iter().enumerate() {
            buffer.row().set(column, cell);
        }
        self.spend(steps);
    }

    /// Adds a character to the cluster before the cursor.
    pub(super) fn join(&mut self, char: char, width: usize, old_width: usize) {
        let style = self.pen_id();
        let buffer = if self.is_alternate { &mut self.alternate } else { &mut self.primary };
        let x = buffer.x;
        let at = x.saturating_sub(if buffer.row().width(x - 1) > 0 { 1 } else { 2 });
        let cell = buffer.row().get(at);
        let number = match cell.glyph() {
            // A mark on an empty cell combines with a space.
            Glyph::Blank => Some(self.tables.cluster_number(" ", char)),
            Glyph::Char(first) => Some(self.tables.cluster_number(first.encode_utf8(&mut [0; 4]), char)),
            Glyph::Cluster(number) => self.tables.extended_cluster(number, char),
        };
        if let Some(number) = number {
            let width = if width == 0 { cell.width() } else { u8::from(width == 2) + 1 };
            buffer.row().set(at, Cell::cluster(number, width, cell.style()));
        }
        for column in x..x + width.saturating_sub(old_width) {
            buffer.row().set(column, Cell::continuation(style));
        }
        buffer.x += width.saturating_sub(old_width);
        buffer.drop_clipped_at_margin();
        self.spend(CLUSTER_STEPS);
        self.count_added_values();
    }

    /// Erases the left half of a wide glyph whose right half is about to be overwritten.
    pub(super) fn erase_left_half(&mut self) {
        let blank = self.blank_cell();
        let buffer = self.buffer_mut();
        let x = buffer.x;
        if x > 0 && buffer.row().width(x - 1) == 2 {
            buffer.row().set(x - 1, blank);
        }
    }

    /// Erases the right half of a wide glyph whose left half has been overwritten.
    pub(super) fn erase_right_half(&mut self) {
        let blank = self.blank_cell();
        let columns = self.columns;
        let buffer = self.buffer_mut();
        let x = buffer.x;
        if x < columns && buffer.row().get(x) == Cell::continuation(buffer.row().get(x).style()) {
            buffer.row().set(x, blank);
        }
    }
}
