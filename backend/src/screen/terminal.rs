//! The terminal's state, and what text does to it. [`super::control`] has the control functions.

use limpet_shared::limits::max_repeat_count;

use super::{
    buffer::Buffer,
    charset::{Charset, Charsets},
    modes::{Keyboard, Modes, MouseEncoding, MouseTracking},
    palette::Palette,
    parser::Text,
    row::{Cell, Glyph, Row, StyleId},
    scrollback::Shared,
    style::Style,
    table::SWEEP,
    tables::{MAX_SHARED_BYTES, Tables},
    width::{Preceding, measure},
};

/// A hint, not a character.
const SOFT_HYPHEN: char = '\u{ad}';

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
    pen_id: Option<StyleId>,
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
    /// What REP has yet to print.
    repeat: Option<Box<Repeat>>,
    /// Tables that nothing needs any more, if it takes long to drop them.
    discarded: Option<Box<Tables>>,
    pub(super) steps: Steps,
}

/// A glyph that is printed again and again (REP). It may fill the screen, so it is done in pieces like other text.
#[derive(Clone, Debug)]
struct Repeat {
    glyph: Vec<char>,
    /// Which of its code points comes next.
    next: usize,
    /// Code points that are left.
    left: usize,
}

/// How much work there has been. A step is about what it takes to look at a cell and change it: some nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Steps {
    pub(super) taken: u64,
    /// Nothing more is parsed when as many have been taken.
    pub(super) until: u64,
    /// How many had been taken when the tables were swept last.
    swept: u64,
}

/// Steps that printing a character takes at most, but for the rows that scroll and the cells that move.
const CHAR_STEPS: usize = 4;

/// Steps that it takes to look up a grapheme cluster.
const CLUSTER_STEPS: usize = 32;

/// Steps that a run of text may take, about.
const RUN_STEPS: usize = 64 * 1024;

/// Longest run of text, in bytes.
const MAX_RUN: usize = 4096;

/// Packed bytes of scrollback that are looked through in a step.
const SWEPT_BYTES_PER_STEP: usize = 2;

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
            repeat: None,
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
        self.spend(2 * self.rows + old.primary.scrollback.blocks());
        self.steps.until = self.steps.taken;
        self.discarded = Some(old.tables).filter(|tables| tables.len() > SWEEP).map(Box::new);
        (self.palette, self.newline, self.cursor_hidden) = (old.palette, old.newline, old.cursor_hidden);
    }

    /// Takes on another size.
    pub(super) fn resize(&mut self, columns: usize, rows: usize) {
        if (columns, rows) == (self.columns, self.rows) {
            return;
        }
        (self.columns, self.rows) = (columns, rows);
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
    fn pen_id(&mut self) -> StyleId {
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
    fn blank_of_pen(&mut self) -> Cell {
        Cell::blank(self.pen_id())
    }

    /// Work has been done.
    pub(super) fn spend(&mut self, steps: usize) {
        self.steps.taken += steps as u64;
    }

    /// Whether the tables have grown enough to be swept. As many steps lie between two sweeps as one takes: no output can have more
    /// than half of all work go into sweeping.
    pub(super) fn is_sweep_due(&self) -> bool {
        let is_worth_it = || self.steps.taken - self.steps.swept >= self.sweep_steps();
        self.discarded.is_some() || self.tables.is_due() && is_worth_it()
    }

    /// How many steps it takes to sweep the tables.
    pub(super) fn sweep_steps(&self) -> u64 {
        let cells = 2 * (self.columns + 1) * self.rows;
        (cells + self.tables.len() + self.primary.scrollback.packed_bytes() / SWEPT_BYTES_PER_STEP) as u64
    }

    /// Forgets styles, clusters and links that no cell has any more; and the oldest rows, if the scrollback needs too many.
    pub(super) fn sweep(&mut self) {
        self.discarded = None;
        loop {
            let steps = self.sweep_steps();
            self.forget_unused();
            self.steps.taken += steps;
            let scrollback = &mut self.primary.scrollback;
            let rows = scrollback.len();
            if rows == 0 || self.tables.bytes() <= MAX_SHARED_BYTES {
                break;
            }
            let dropped = rows.div_ceil(2);
            scrollback.drop_oldest(dropped);
            self.primary.saved.line = self.primary.saved.line.saturating_sub(dropped);
        }
        self.pen_id = None;
        self.steps.swept = self.steps.taken;
    }

    fn forget_unused(&mut self) {
        let Self { primary, alternate, tables, .. } = self;
        let pens = [self.pen, primary.saved.style, alternate.saved.style];
        tables.sweep(
            |visitor| {
                primary.scrollback.visit(&mut *visitor);
                let rows = [&*primary, &*alternate].into_iter().flat_map(|buffer| &buffer.screen);
                for cell in rows.flat_map(Row::cells) {
                    visitor(Shared::Style(cell.style()));
                    if let Glyph::Cluster(number) = cell.glyph() {
                        visitor(Shared::Cluster(number));
                    }
                }
            },
            &pens,
        );
    }

    /// Interrupts the parser, if it may be time to sweep.
    fn look_at_tables(&mut self) {
        if self.tables.is_due() {
            self.steps.until = self.steps.taken;
        }
    }

    /// How long a run of text may be, in bytes, so that it does not take much longer than others.
    pub(super) fn max_run(&self) -> usize {
        if !self.modes.insert && self.rows / 8 <= self.columns {
            return MAX_RUN;
        }
        let moved = if self.modes.insert { self.columns } else { 0 };
        (RUN_STEPS / (CHAR_STEPS + moved + self.rows / self.columns)).clamp(1, MAX_RUN)
    }

    /// Prints a run of text.
    pub(super) fn print(&mut self, text: Text<'_>) {
        self.unpair_left();
        match text {
            Text::Ascii(bytes) if self.prints_plainly() => self.print_ascii(bytes),
            Text::Ascii(bytes) => {
                for &byte in bytes {
                    self.print_char(byte.into());
                }
            }
            Text::Chars(mut chars) => {
                while let Some((&first, _)) = chars.split_first() {
                    let printed = if self.prints_plainly() { self.print_row(chars) } else { 0 };
                    if printed == 0 {
                        self.print_char(first);
                    }
                    chars = &chars[printed.max(1)..];
                }
            }
        }
        self.unpair_right();
    }

    /// Whether characters of ASCII simply follow each other.
    fn prints_plainly(&self) -> bool {
        let charset = self.charsets.get(self.level.into());
        charset == Charset::Ascii && !self.modes.insert && self.modes.autowrap
    }

    fn print_ascii(&mut self, mut bytes: &[u8]) {
        // The first one may join what came before.
        if let (Some(_), Some((&first, rest))) = (self.preceding, bytes.split_first()) {
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
            bytes = later;
            self.preceding = Some(Preceding::ASCII);
        }
    }

    /// Prints characters up to the first one that does not simply come after the one before, in the same row. Says how many.
    fn print_row(&mut self, chars: &[char]) -> usize {
        let (style, columns) = (self.pen_id(), self.columns);
        let mut preceding = self.preceding;
        let buffer = self.buffer_mut();
        let mut x = buffer.x;
        let row = buffer.row();
        let printed = chars.iter().take_while(|&&char| {
            let Some(now) = measure(char, preceding) else { return false };
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
        self.preceding = preceding;
        self.spend(CHAR_STEPS / 2 * printed);
        printed
    }

    fn print_char(&mut self, char: char) {
        if char == SOFT_HYPHEN {
            return;
        }
        let char = self.charsets.get(self.level.into()).map(char);
        self.spend(CHAR_STEPS);
        let preceding = self.preceding;
        let Some(now) = measure(char, preceding) else { return };
        self.preceding = Some(now);
        let width = usize::from(now.width);
        let old_width = match preceding {
            Some(before) if now.joins => usize::from(before.width),
            _ => 0,
        };
        let columns = self.columns;
        if self.buffer().x + width - old_width > columns {
            if self.modes.autowrap {
                self.wrap(old_width);
            } else {
                self.buffer_mut().x = columns - 1;
                if width == 2 {
                    return;
                }
            }
        }
        if now.joins && self.buffer().x > 0 {
            self.join(char, width, old_width);
            return;
        }
        if self.modes.insert {
            let fill = self.blank_of_pen();
            let buffer = self.buffer_mut();
            let x = buffer.x;
            let row = buffer.row();
            row.insert(x, width - old_width, fill, columns);
            if row.width(columns - 1) == 2 {
                row.set(columns - 1, fill);
            }
            self.spend(columns);
        }
        let style = self.pen_id();
        let buffer = self.buffer_mut();
        let x = buffer.x;
        buffer.row().set(x, Cell::char(char, now.width, style));
        for column in x + 1..x + width {
            buffer.row().set(column, Cell::continuation(style));
        }
        buffer.x += width;
    }

    /// Goes to the next row, taking along a cluster that has grown too wide for this one.
    fn wrap(&mut self, carried: usize) {
        let (fill, pen) = (self.erased(), self.blank_of_pen());
        let (columns, rows) = (self.columns, self.rows);
        let buffer = self.buffer_mut();
        let from = buffer.x.saturating_sub(carried);
        let old = buffer.y;
        let carried_cells: Vec<Cell> =
            (from..from + carried).map(|column| buffer.row().get(column)).collect();
        for column in from..columns {
            buffer.row().set(column, pen);
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
    fn join(&mut self, char: char, width: usize, old_width: usize) {
        let style = self.pen_id();
        let buffer = if self.is_alternate { &mut self.alternate } else { &mut self.primary };
        let x = buffer.x;
        let at = x.saturating_sub(if buffer.row().width(x - 1) > 0 { 1 } else { 2 });
        let cell = buffer.row().get(at);
        let narrow = u8::from(width == 2) + 1;
        let number = match cell.glyph() {
            Glyph::Blank => None,
            Glyph::Char(first) => Some(self.tables.cluster_number(first.encode_utf8(&mut [0; 4]), char)),
            Glyph::Cluster(number) => Some(self.tables.extended_cluster(number, char)),
        };
        let cell = match number {
            None => Cell::char(char, narrow, cell.style()),
            Some(number) => Cell::cluster(number, narrow, cell.style()),
        };
        buffer.row().set(at, cell);
        for column in x..x + width.saturating_sub(old_width) {
            buffer.row().set(column, Cell::continuation(style));
        }
        buffer.x += width.saturating_sub(old_width);
        self.spend(CLUSTER_STEPS);
        self.look_at_tables();
    }

    /// The left half of a wide glyph goes when its right half is about to be overwritten.
    fn unpair_left(&mut self) {
        let blank = self.blank_of_pen();
        let buffer = self.buffer_mut();
        let x = buffer.x;
        if x > 0 && buffer.row().width(x - 1) == 2 {
            buffer.row().set(x - 1, blank);
        }
    }

    /// The right half goes when the left one has been overwritten.
    fn unpair_right(&mut self) {
        let blank = self.blank_of_pen();
        let columns = self.columns;
        let buffer = self.buffer_mut();
        let x = buffer.x;
        if x < columns && buffer.row().get(x) == Cell::continuation(buffer.row().get(x).style()) {
            buffer.row().set(x, blank);
        }
    }

    /// Begins to print the character before the cursor again (REP), as [`print_repeated`](Self::print_repeated) then does.
    pub(super) fn repeat(&mut self, count: usize) {
        let Some(preceding) = self.preceding else { return };
        let buffer = self.buffer_mut();
        let x = buffer.x.saturating_sub(preceding.width.into());
        let glyph: Vec<char> = match buffer.row().get(x).glyph() {
            Glyph::Blank => Vec::new(),
            Glyph::Char(char) => vec![char],
            Glyph::Cluster(number) => self.tables.cluster(number).chars().collect(),
        };
        let most = max_repeat_count(self.columns, self.rows, glyph.len(), self.modes.insert);
        let left = glyph.len() * count.min(most);
        if left > 0 {
            self.repeat = Some(Box::new(Repeat { glyph, next: 0, left }));
            self.steps.until = self.steps.taken;
        } else {
            self.preceding = None;
        }
    }

    /// Whether REP has not printed all that it is to print.
    pub(super) fn is_repeating(&self) -> bool {
        self.repeat.is_some()
    }

    /// Goes on with REP, until so many steps have been taken.
    pub(super) fn print_repeated(&mut self, until: u64) {
        while self.steps.taken < until
            && let Some(mut repeat) = self.repeat.take()
        {
            let Repeat { glyph, next, left } = &mut *repeat;
            let count = self.max_run().min(*left);
            let run: Vec<char> = glyph.iter().copied().cycle().skip(*next).take(count).collect();
            self.print(Text::Chars(&run));
            *next = (*next + count) % glyph.len();
            *left -= count;
            if *left > 0 {
                self.repeat = Some(repeat);
            } else {
                self.preceding = None;
            }
        }
    }

    /// The pen's part of what is reset softly.
    pub(super) fn reset_pen(&mut self) {
        self.set_pen(Style::default());
    }
}
