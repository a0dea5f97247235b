//! The state of a terminal other than its cells.

use super::Writer;
use crate::{
    buffer::{Buffer, SavedCursor},
    charset::Charsets,
    control::MAX_TITLES,
    modes::{CursorStyle, Modes},
    palette::{Palette, SPECIAL_COLOURS},
    row::Cell,
    style::Style,
    tabs::TabStops,
    terminal::Terminal,
};

use crate::control::SNAPSHOT_COMMAND;

impl Writer<'_> {
    /// Writes the state that RIS does not reset.
    pub(super) fn write_state_kept_by_ris(&mut self, terminal: &Terminal) {
        self.write_control("\x1b[20l");
        self.write_control(if terminal.cursor_hidden { "\x1b[?25l" } else { "\x1b[?25h" });
        self.write_palette(&terminal.palette);
        // A terminal that was fed a snapshot before has its titles.
        self.write_control(&"\x1b[23;2t".repeat(MAX_TITLES));
        for title in &terminal.title_stack {
            self.write_control(&format!("\x1b]2;{title}\x1b\\\x1b[22;2t"));
        }
        self.write_control(&format!("\x1b]2;{}\x1b\\", terminal.title));
    }

    fn write_palette(&mut self, palette: &Palette) {
        // xterm.js rebuilds its style sheet for each of these sequences, so they are left out if
        // the program has never set or reset a colour.
        let Some(changes) = palette.changes() else { return };
        self.write_control("\x1b]104\x1b\\\x1b]110\x1b\\\x1b]111\x1b\\\x1b]112\x1b\\");
        for (index, [red, green, blue]) in changes {
            let target = match SPECIAL_COLOURS.iter().position(|&special| special == index) {
                Some(place) => (10 + place).to_string(),
                None => format!("4;{index}"),
            };
            self.write_control(&format!("\x1b]{target};rgb:{red:02x}/{green:02x}/{blue:02x}\x1b\\"));
        }
    }

    pub(super) fn write_tab_stops(&mut self, buffer: &Buffer) {
        let usual = TabStops::new(self.columns);
        // There may be a stop behind the margin, where it has no effect.
        if (0..self.columns).all(|column| buffer.tabs.has(column) == usual.has(column)) {
            return;
        }
        self.write_control("\x1b[3g");
        for column in (0..self.columns).filter(|&column| buffer.tabs.has(column)) {
            self.write_control(&format!("\x1b[{}G\x1bH", column + 1));
        }
    }

    /// Writes the scroll region and the state saved by DECSC.
    pub(super) fn write_saved_cursor(&mut self, buffer: &Buffer, history: usize) {
        self.set_style(Style::default());
        if (buffer.top, buffer.bottom) != (0, buffer.rows - 1) {
            self.write_control(&format!("\x1b[{};{}r", buffer.top + 1, buffer.bottom + 1));
        }
        let SavedCursor { x, style, charsets, active_charset, origin, autowrap, .. } = buffer.saved;
        let scrolled = buffer.scrollback.len();
        let written = scrolled.min(history);
        let line = (buffer.saved.line + written).saturating_sub(scrolled);
        if (SavedCursor { line, ..buffer.saved.clone() }) == SavedCursor::default() {
            return;
        }
        let (at, cell) = glyph_before(buffer, x, buffer.saved_y());
        let wraps = x >= self.columns && cell.has_content();
        self.write_control(if origin { "\x1b[?6h" } else { "" });
        self.go_to(buffer, if wraps { at } else { x }, buffer.saved_y(), origin);
        if wraps {
            self.write_glyph(cell);
        }
        self.write_charsets(charsets, active_charset);
        self.write_control(if autowrap { "" } else { "\x1b[?7l" });
        self.set_style(style);
        self.write_control("\x1b7\x1b[?6l\x1b[?7h");
        let above = written.saturating_sub(line);
        if above > 0 {
            // The saved row has scrolled out.
            self.write_control(&format!("\x1b]{SNAPSHOT_COMMAND};above;{above}\x1b\\"));
        }
        self.write_charsets(Charsets::default(), 0);
        self.set_style(Style::default());
    }

    /// Moves the cursor by CUP, which counts from the scroll region in origin mode.
    fn go_to(&mut self, buffer: &Buffer, x: usize, y: usize, origin: bool) {
        let (x, y) = (x.min(self.columns - 1), y.min(buffer.rows - 1));
        let y = if origin { y.clamp(buffer.top, buffer.bottom) - buffer.top } else { y };
        self.write_control(&format!("\x1b[{};{}H", y + 1, x + 1));
    }

    /// Designates G0 to G3, and selects the one in use.
    fn write_charsets(&mut self, charsets: Charsets, active_charset: u8) {
        let sets = charsets.designated().len().max(self.charsets.designated().len());
        for (slot, designator) in ['(', ')', '*', '+'].into_iter().enumerate().take(sets) {
            let charset = charsets.get(slot);
            if slot >= self.charsets.designated().len() || charset != self.charsets.get(slot) {
                self.write_control(&format!("\x1b{designator}{}", char::from(charset.name())));
                self.charsets.designate(slot, charset);
            }
        }
        if self.active_charset == active_charset {
            return;
        }
        self.active_charset = active_charset;
        self.write_control(match active_charset {
            0 => "\x0f",
            1 => "\x0e",
            2 => "\x1bn",
            _ => "\x1bo",
        });
    }

    /// Writes kitty's keyboard flags of the buffer in use, whose stack is empty.
    pub(super) fn write_keyboard(&mut self, stack: &[i32], flags: i32) {
        let mut all = stack.iter().chain([&flags]);
        if let Some(first) = all.next().filter(|&&first| first != 0 || !stack.is_empty()) {
            self.write_control(&format!("\x1b[={first}u"));
        }
        for flags in all {
            self.write_control(&format!("\x1b[>{flags}u"));
        }
    }

    /// Writes the alternate buffer if it is in use or holds saved state.
    pub(super) fn write_alternate(&mut self, terminal: &Terminal) {
        let (buffer, keyboard) = (&terminal.alternate, &terminal.keyboard);
        let flags = if terminal.is_alternate { keyboard.flags } else { keyboard.alternate_flags };
        let remembers =
            buffer.saved != SavedCursor::default() || !keyboard.alternate_stack.is_empty() || flags != 0;
        if !terminal.is_alternate && !remembers {
            return;
        }
        self.set_style(Style::default());
        // The position of the cursor decides how a resize changes the primary buffer.
        self.go_to(&terminal.primary, 0, terminal.primary.y, false);
        self.write_control("\x1b[?47h\x1b[H");
        if terminal.is_alternate {
            self.write_buffer(buffer, 0);
        } else {
            self.write_saved_cursor(buffer, 0);
        }
        self.write_keyboard(&keyboard.alternate_stack, flags);
        if !terminal.is_alternate {
            self.write_control("\x1b[?47l");
        }
    }

    /// Writes the modes, the current style, and the cursor, after everything that moves it.
    pub(super) fn write_cursor_and_modes(&mut self, terminal: &Terminal) {
        let Modes { insert, origin, .. } = terminal.modes;
        let buffer = terminal.buffer();
        self.write_control(if origin { "\x1b[?6h" } else { "" });
        let column = buffer.x;
        let (at, cell) = glyph_before(buffer, buffer.x, buffer.y);
        // The last character is printed again if only it can tell that the next one wraps, or what
        // that one would join.
        let joins = terminal.preceding.is_some() && cell.has_content();
        let wraps = column >= self.columns;
        self.go_to(buffer, if joins || wraps { at } else { column }, buffer.y, origin);
        if wraps && !joins {
            if cell.has_content() {
                self.write_glyph(cell);
                // A control without any effect but to end the character.
                self.write_control("\0");
            } else {
                // The cell was erased, or moved away from under the cursor.
                self.write_control(&format!(
                    "\x1b[{columns}G\x1b]{SNAPSHOT_COMMAND};wrap\x1b\\",
                    columns = self.columns
                ));
            }
        }
        if joins && insert {
            // The glyph is inserted, as wide as it was before more was joined to it, so the row
            // first loses that width.
            self.write_control(&format!("\x1b[{}P", self.first_width(cell)));
        }
        self.write_modes(terminal);
        self.set_width_rule(terminal.modes.width_rule);
        self.write_charsets(terminal.charsets, terminal.active_charset);
        self.set_style(terminal.pen);
        if joins {
            self.write_glyph(cell);
        }
    }

    fn write_modes(&mut self, terminal: &Terminal) {
        let modes = &terminal.modes;
        let switches = [
            (modes.insert, "\x1b[4h"),
            (terminal.newline_mode, "\x1b[20h"),
            (modes.application_cursor, "\x1b[?1h"),
            (modes.application_keypad, "\x1b="),
            (!modes.autowrap, "\x1b[?7l"),
            (modes.reverse_wrap, "\x1b[?45h"),
            (modes.focus, "\x1b[?1004h"),
            (modes.bracketed_paste, "\x1b[?2004h"),
            (modes.colour_scheme, "\x1b[?2031h"),
            (modes.synchronized, "\x1b[?2026h"),
        ];
        for (on, sequence) in switches {
            if on {
                self.write_control(sequence);
            }
        }
        for mode in [terminal.mouse.mode(), terminal.mouse_encoding.mode()].into_iter().flatten() {
            self.write_control(&format!("\x1b[?{mode}h"));
        }
        if modes.cursor != CursorStyle::default() {
            self.write_control(&format!("\x1b[{} q", modes.cursor.number()));
        }
    }
}

/// Returns the column where the glyph before a position begins, and its first cell.
fn glyph_before(buffer: &Buffer, x: usize, y: usize) -> (usize, Cell) {
    let row = buffer.screen.get(y);
    let get = |column: usize| row.map_or(Cell::BLANK, |row| row.get(column));
    let before = x.saturating_sub(1);
    let at = if get(before).width() == 0 { before.saturating_sub(1) } else { before };
    (at, get(at))
}
