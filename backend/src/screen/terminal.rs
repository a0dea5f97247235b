//! The terminal's state. [`super::print`] has what text does to it, [`super::control`] the control functions.

use super::{
    buffer::Buffer,
    charset::Charsets,
    leftovers::Leftovers,
    modes::{Keyboard, Modes, MouseEncoding, MouseTracking},
    palette::Palette,
    row::{Beyond, Cell, StyleId},
    style::Style,
    sweep::Discarded,
    tables::Tables,
    unfinished::Unfinished,
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
    /// The style of what is printed next.
    pub(super) pen: Style,
    /// Its number, looked up once for many characters.
    pub(super) pen_id: Option<StyleId>,
    /// The character printed last, if nothing came after it.
    pub(super) preceding: Option<Preceding>,
    /// G0 to G3.
    pub(super) charsets: Charsets,
    /// Which of them is in use.
    pub(super) level: u8,
    pub(super) modes: Modes,
    pub(super) mouse: MouseTracking,
    pub(super) mouse_encoding: MouseEncoding,
    pub(super) keyboard: Keyboard,
    pub(super) cursor_hidden: bool,
    /// LNM: a line feed returns as well.
    pub(super) newline: bool,
    pub(super) palette: Palette,
    pub(super) title: String,
    pub(super) titles: Vec<String>,
    /// How many hyperlinks without a name there have been.
    pub(super) links: u64,
    /// Cells that a snapshot is about to put beyond the margin.
    pub(super) held: Option<Box<Beyond>>,
    /// How many cells it has put there.
    pub(super) placed: usize,
    /// Modes that were on when a line editor began to read.
    pub(super) leftovers: Option<Leftovers>,
    /// Modes with which the line editor has read that read last.
    pub(super) prompt_modes: Leftovers,
    /// What the last control function has yet to do.
    pub(super) unfinished: Option<Box<Unfinished>>,
    /// What nothing needs any more, if it takes long to drop it.
    pub(super) discarded: Option<Box<Discarded>>,
    pub(super) steps: Steps,
}

/// How much work there has been. A step is about what it takes to look at a cell and change it: some nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Steps {
    pub(super) taken: u64,
    /// Nothing more is parsed when as many have been taken.
    pub(super) until: u64,
    /// How many had been taken when the tables were swept last.
    pub(super) swept: u64,
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
            level: 0,
            modes: Modes::default(),
            mouse: MouseTracking::default(),
            mouse_encoding: MouseEncoding::default(),
            keyboard: Keyboard::default(),
            cursor_hidden: false,
            newline: false,
            palette: Palette::default(),
            title: String::new(),
            titles: Vec::new(),
            links: 0,
            held: None,
            placed: 0,
            leftovers: None,
            prompt_modes: Leftovers::default(),
            unfinished: None,
            discarded: None,
            steps: Steps::default(),
        }
    }

    /// RIS. What xterm.js keeps over it is kept: the title, the palette, LNM and the cursor's being hidden.
    pub(super) fn reset(&mut self) {
        let limit = self.primary.scrollback.limit();
        let fresh = Self::new(self.columns, self.rows, limit);
        let old = std::mem::replace(self, fresh);
        (self.title, self.titles, self.links) = (old.title, old.titles, old.links);
        self.steps = old.steps;
        self.spend(2 * self.rows);
        self.discard(old.tables, old.primary.scrollback);
        (self.palette, self.newline, self.cursor_hidden) = (old.palette, old.newline, old.cursor_hidden);
    }

    /// Takes on another size.
    pub(super) fn resize(&mut self, columns: usize, rows: usize) {
        if (columns, rows) == (self.columns, self.rows) {
            return;
        }
        (self.columns, self.rows) = (columns, rows);
        // The cursor may not be behind the character any more that was printed last.
        self.preceding = None;
        self.primary.resize(columns, rows);
        self.alternate.resize(columns, rows);
    }

    /// Whether lines that scroll out of the screen go to the scrollback.
    pub(super) fn scrolls_plainly(&self) -> bool {
        !self.is_alternate && (self.primary.top, self.primary.bottom) == (0, self.rows - 1)
    }

    /// Goes to the start of a line, which joins nothing.
    pub(super) fn begin_line(&mut self) {
        self.preceding = None;
        self.buffer_mut().x = 0;
    }

    /// The buffer in use.
    pub(super) fn buffer(&self) -> &Buffer {
        if self.is_alternate { &self.alternate } else { &self.primary }
    }

    pub(super) fn buffer_mut(&mut self) -> &mut Buffer {
        if self.is_alternate { &mut self.alternate } else { &mut self.primary }
    }

    /// Kitty's keyboard flags of the primary buffer.
    pub(super) fn primary_keyboard_flags(&self) -> i32 {
        if self.is_alternate { self.keyboard.primary_flags } else { self.keyboard.flags }
    }

    /// Changes the pen.
    pub(super) fn set_pen(&mut self, pen: Style) {
        self.pen = pen;
        self.pen_id = None;
        self.look_at_tables();
    }

    /// The number of the pen's style.
    pub(super) fn pen_id(&mut self) -> StyleId {
        if let Some(id) = self.pen_id {
            return id;
        }
        let id = self.tables.style_id(self.pen);
        self.pen_id = Some(id);
        id
    }

    /// An erased cell: the pen's background, and nothing else of it.
    pub(super) fn erased(&mut self) -> Cell {
        Cell::blank(self.tables.style_id(self.pen.erased()))
    }

    /// The pen with everything that it has, and nothing written.
    pub(super) fn blank_of_pen(&mut self) -> Cell {
        Cell::blank(self.pen_id())
    }

    /// Work has been done.
    pub(super) fn spend(&mut self, steps: usize) {
        self.steps.taken += steps as u64;
    }

    /// The pen's part of what is reset softly.
    pub(super) fn reset_pen(&mut self) {
        self.set_pen(Style::default());
    }
}
