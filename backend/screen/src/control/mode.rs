//! Setting and resetting modes.

use super::super::{
    buffer::SavedCursor,
    charset::Charsets,
    modes::{CursorStyle, Keyboard, Modes, MouseEncoding, MouseTracking},
    pending_function::RowChange,
    stale_modes::BRACKETED_PASTE,
    style::Style,
    terminal::Terminal,
    width::WidthRule,
};

impl Terminal {
    /// SM and RM: sets or resets a mode.
    pub(super) fn set_ansi_mode(&mut self, mode: i32, on: bool) {
        match mode {
            4 => self.modes.insert = on,
            20 => self.newline_mode = on,
            _ => {}
        }
    }

    /// DECSET: sets a private mode.
    pub(super) fn set_private_mode(&mut self, mode: i32) {
        if let Some(tracking) = MouseTracking::from_mode(mode) {
            self.mouse = tracking;
        } else if let Some(encoding) = MouseEncoding::from_mode(mode) {
            self.mouse_encoding = encoding;
        } else if let Some(switch) = self.modes.private(mode) {
            *switch = true;
        }
        match mode {
            BRACKETED_PASTE => self.record_stale_modes(),
            2 => self.charsets = Charsets::ASCII,
            6 => self.set_cursor(0, 0),
            25 => self.cursor_hidden = false,
            2027 => self.modes.width_rule = WidthRule::Clusters,
            47 | 1047 => self.use_alternate(),
            1048 => self.save_cursor(),
            1049 => {
                self.save_cursor();
                self.use_alternate();
            }
            _ => {}
        }
    }

    /// DECRST: resets a private mode.
    pub(super) fn reset_private_mode(&mut self, mode: i32) {
        if MouseTracking::from_mode(mode).is_some() {
            self.mouse = MouseTracking::Off;
        } else if MouseEncoding::from_mode(mode).is_some() {
            self.mouse_encoding = MouseEncoding::Default;
        } else if let Some(switch) = self.modes.private(mode) {
            *switch = false;
        }
        match mode {
            BRACKETED_PASTE => self.record_prompt_modes(),
            6 => self.set_cursor(0, 0),
            25 => self.cursor_hidden = true,
            2027 => self.modes.width_rule = WidthRule::Chars,
            47 | 1047 => self.use_primary(),
            1048 => self.restore_cursor(),
            1049 => {
                self.use_primary();
                self.restore_cursor();
            }
            _ => {}
        }
    }

    fn use_alternate(&mut self) {
        self.keyboard.enter_alternate();
        if self.is_alternate {
            return;
        }
        let fill = self.erased_cell();
        self.alternate.activate();
        self.spend(self.rows);
        (self.alternate.x, self.alternate.y) = (self.primary.x, self.primary.y);
        self.is_alternate = true;
        self.change_rows(0..self.rows, RowChange::Fill(fill));
    }

    fn use_primary(&mut self) {
        self.keyboard.enter_primary();
        if !self.is_alternate {
            return;
        }
        (self.primary.x, self.primary.y) = (self.alternate.x, self.alternate.y);
        self.alternate.deactivate();
        self.spend(self.rows);
        self.is_alternate = false;
    }

    /// DECSTR: performs a soft reset.
    pub(super) fn soft_reset(&mut self) {
        self.cursor_hidden = false;
        self.reset_pen();
        self.modes = Modes::default();
        self.keyboard = Keyboard::default();
        self.charsets = Charsets::default();
        self.active_charset = 0;
        let rows = self.rows;
        let buffer = self.buffer_mut();
        (buffer.top, buffer.bottom) = (0, rows - 1);
        let saved = std::mem::take(&mut buffer.saved);
        buffer.saved = SavedCursor { x: 0, line: buffer.scrollback.len(), style: Style::default(), ..saved };
    }

    /// DECSCUSR: sets the shape and the blinking of the cursor.
    pub(super) fn set_cursor_style(&mut self, style: i32) {
        let cursor = &mut self.modes.cursor;
        match style {
            0 => *cursor = CursorStyle::default(),
            1..=6 => cursor.shape = u8::try_from((style - 1) / 2).ok(),
            _ => {}
        }
        // As in xterm.js, a number without a shape still sets blinking.
        if style != 0 {
            cursor.blinks = Some(style % 2 == 1);
        }
    }
}
