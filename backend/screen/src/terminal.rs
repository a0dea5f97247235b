//! The state of the terminal. Text changes it in [`super::print`], control functions in
//! [`super::control`].

use super::{
    buffer::Buffer,
    charset::Charsets,
    modes::{Keyboard, Modes, MouseEncoding, MouseTracking},
    palette::Palette,
    pending_function::UnfinishedFunction,
    row::{Cell, ClippedCells, StyleId},
    stale_modes::StaleModes,
    style::Style,
    sweep::Discarded,
    tables::Tables,
    width::Preceding,
};

/// Both buffers and everything that applies to them.
#[derive(Clone, Debug)]
pub(super) struct Terminal {
    pub(super) columns: usize,
    pub(super) rows: usize,
    pub(super) primary: Buffer,
    pub(super) alternate: Buffer,
    pub(super) is_alternate: bool,
    pub(super) tables: Tables,
    /// The style of text that is printed next.
    pub(super) pen: Style,
    /// The number of this style, cached because many characters need it.
    pub(super) pen_id: Option<StyleId>,
    /// The character printed last, if nothing came after it.
    pub(super) preceding: Option<Preceding>,
    /// The character sets G0 to G3.
    pub(super) charsets: Charsets,
    /// Index of the character set in use.
    pub(super) active_charset: u8,
    pub(super) modes: Modes,
    pub(super) mouse: MouseTracking,
    pub(super) mouse_encoding: MouseEncoding,
    pub(super) keyboard: Keyboard,
    pub(super) cursor_hidden: bool,
    /// LNM: a line feed also returns to the first column.
    pub(super) newline_mode: bool,
    pub(super) palette: Palette,
    pub(super) title: String,
    pub(super) title_stack: Vec<String>,
    /// Serial number of the newest hyperlink without a name.
    pub(super) last_link_serial: u64,
    /// Cells that a snapshot is about to put beyond the margin.
    pub(super) held_cells: Option<Box<ClippedCells>>,
    /// Number of cells that snapshots have put there.
    pub(super) placed_cells: usize,
    /// The modes that were on when a line editor began to read.
    pub(super) stale_modes: Option<StaleModes>,
    /// The modes with which the last line editor has read.
    pub(super) prompt_modes: StaleModes,
    /// The rest of the last control function.
    pub(super) unfinished: Option<Box<UnfinishedFunction>>,
    /// Unused values that take long to drop.
    pub(super) discarded: Option<Box<Discarded>>,
    pub(super) steps: Steps,
}

/// The amount of work done. A step is about the time to read and change a cell: some nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Steps {
    pub(super) taken: u64,
    /// The value of `taken` at which parsing stops.
    pub(super) stop_at: u64,
    /// The value of `taken` at the last sweep of the tables.
    pub(super) last_sweep: u64,
}

impl Terminal {
    pub(super) fn new(columns: usize, rows: usize, scrollback: usize) -> Self {
        Self {
            columns,
            rows,
            primary: Buffer::primary(columns, rows, scrollback),
            alternate: Buffer::alternate(columns, rows),
            is_alternate: false,
            tables: Tables::default(),
            pen: Style::default(),
            pen_id: None,
            preceding: None,
            charsets: Charsets::default(),
            active_charset: 0,
            modes: Modes::default(),
            mouse: MouseTracking::default(),
            mouse_encoding: MouseEncoding::default(),
            keyboard: Keyboard::default(),
            cursor_hidden: false,
            newline_mode: false,
            palette: Palette::default(),
            title: String::new(),
            title_stack: Vec::new(),
            last_link_serial: 0,
            held_cells: None,
            placed_cells: 0,
            stale_modes: None,
            prompt_modes: StaleModes::default(),
            unfinished: None,
            discarded: None,
            steps: Steps::default(),
        }
    }

    /// RIS. As in xterm.js, the title, the palette, LNM and the cursor's visibility are kept.
    pub(super) fn reset(&mut self) {
        let limit = self.primary.scrollback.limit();
        let fresh = Self::new(self.columns, self.rows, limit);
        let old = std::mem::replace(self, fresh);
        (self.title, self.title_stack) = (old.title, old.title_stack);
        self.last_link_serial = old.last_link_serial;
        self.steps = old.steps;
        self.spend(2 * self.rows);
        self.discard(old.tables, old.primary.scrollback);
        (self.palette, self.newline_mode) = (old.palette, old.newline_mode);
        self.cursor_hidden = old.cursor_hidden;
    }

    /// Changes the size of the terminal.
    pub(super) fn resize(&mut self, columns: usize, rows: usize) {
        if (columns, rows) == (self.columns, self.rows) {
            return;
        }
        (self.columns, self.rows) = (columns, rows);
        // The cursor may no longer be behind the character printed last.
        self.preceding = None;
        self.primary.resize(columns, rows);
        self.alternate.resize(columns, rows);
    }

    /// Reports whether lines that scroll off the screen go to the scrollback.
    pub(super) fn scrolls_into_scrollback(&self) -> bool {
        !self.is_alternate && (self.primary.top, self.primary.bottom) == (0, self.rows - 1)
    }

    /// Moves to the start of a line. The next character joins nothing.
    pub(super) fn begin_line(&mut self) {
        self.preceding = None;
        self.buffer_mut().x = 0;
    }

    /// Returns the buffer in use.
    pub(super) fn buffer(&self) -> &Buffer {
        if self.is_alternate { &self.alternate } else { &self.primary }
    }

    pub(super) fn buffer_mut(&mut self) -> &mut Buffer {
        if self.is_alternate { &mut self.alternate } else { &mut self.primary }
    }

    /// Returns kitty's keyboard flags of the primary buffer.
    pub(super) fn primary_keyboard_flags(&self) -> i32 {
        if self.is_alternate { self.keyboard.primary_flags } else { self.keyboard.flags }
    }

    /// Sets the style of text that is printed next.
    pub(super) fn set_pen(&mut self, pen: Style) {
        self.pen = pen;
        self.pen_id = None;
        self.count_added_values();
    }

    /// Returns the number of the current style.
    pub(super) fn pen_id(&mut self) -> StyleId {
        if let Some(id) = self.pen_id {
            return id;
        }
        let id = self.tables.style_id(self.pen);
        self.pen_id = Some(id);
        id
    }

    /// Returns an erased cell: it has only the background of the current style.
    pub(super) fn erased_cell(&mut self) -> Cell {
        Cell::blank(self.tables.style_id(self.pen.background_only()))
    }

    /// Returns a cell without content in the current style.
    pub(super) fn blank_cell(&mut self) -> Cell {
        Cell::blank(self.pen_id())
    }

    /// Counts steps that were taken.
    pub(super) fn spend(&mut self, steps: usize) {
        self.steps.taken += steps as u64;
    }

    /// Does the part of a soft reset that concerns the current style.
    pub(super) fn reset_pen(&mut self) {
        self.set_pen(Style::default());
    }
}
