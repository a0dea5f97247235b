//! A row of cells.
//!
//! Blank cells to the right of the last cell that was ever written are not stored. The rules for
//! wide characters of which half is overwritten, erased or moved are those of xterm.js in the page.
//!
//! When the terminal becomes narrower, a row that is not reflowed keeps its cells beyond the margin
//! aside until something is written at the margin. A *whole* row has these cells behind the others:
//! rows are whole in the scrollback and while they are reflowed.

use std::{borrow::Cow, ops::Range};

/// The number of a style in its table; 0 is the default style.
pub(super) type StyleId = u32;

/// The content of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Glyph {
    /// Nothing was ever written here, or it was erased.
    Blank,
    /// A single character.
    Char(char),
    /// A grapheme cluster of several characters, given by its number in the table.
    Cluster(u32),
}

/// A cell, packed into eight bytes.
///
/// The first four bytes hold the character or the number of the cluster, a bit that tells the two
/// apart, and the width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    text: u32,
    style: StyleId,
}

const CLUSTER_FLAG: u32 = 1 << 29;
const WIDTH_SHIFT: u32 = 30;
const TEXT_MASK: u32 = CLUSTER_FLAG - 1;

impl Cell {
    /// A cell without content, in the default style.
    pub(super) const BLANK: Self = Self::blank(0);

    /// Creates a cell without content.
    pub(super) const fn blank(style: StyleId) -> Self {
        Self { text: 1 << WIDTH_SHIFT, style }
    }

    /// Creates the second column of the glyph to the left.
    pub(super) const fn continuation(style: StyleId) -> Self {
        Self { text: 0, style }
    }

    /// Creates a character of one or two columns.
    pub(super) const fn char(char: char, width: u8, style: StyleId) -> Self {
        Self { text: char as u32 | (width as u32) << WIDTH_SHIFT, style }
    }

    /// Creates a grapheme cluster of several characters.
    pub(super) const fn cluster(number: u32, width: u8, style: StyleId) -> Self {
        Self { text: number & TEXT_MASK | CLUSTER_FLAG | (width as u32) << WIDTH_SHIFT, style }
    }

    /// Returns the content of the cell. A NUL character is blank.
    pub(super) fn glyph(self) -> Glyph {
        match self.text & TEXT_MASK {
            number if self.text & CLUSTER_FLAG != 0 => Glyph::Cluster(number),
            0 => Glyph::Blank,
            code => char::from_u32(code).map_or(Glyph::Blank, Glyph::Char),
        }
    }

    /// Returns the character in the cell, if it has exactly one.
    pub(super) fn as_char(self) -> Option<char> {
        if self.has_char() { char::from_u32(self.text & TEXT_MASK) } else { None }
    }

    /// Reports whether the cell has exactly one character.
    pub(super) const fn has_char(self) -> bool {
        self.text & CLUSTER_FLAG == 0 && self.text & TEXT_MASK != 0
    }

    /// Reports whether the cell has a character of ASCII.
    pub(super) const fn is_ascii(self) -> bool {
        self.text & !0x7f == 1 << WIDTH_SHIFT && self.text & 0x7f != 0
    }

    /// Returns the character of ASCII in the cell.
    pub(super) const fn low_byte(self) -> u8 {
        self.text.to_le_bytes()[0]
    }

    /// Returns the number of columns of the glyph: 1 or 2, and 0 for the second column of a wide
    /// one.
    pub(super) const fn width(self) -> u8 {
        (self.text >> WIDTH_SHIFT) as u8
    }

    pub(super) const fn style(self) -> StyleId {
        self.style
    }

    pub(super) const fn has_content(self) -> bool {
        self.text & (TEXT_MASK | CLUSTER_FLAG) != 0
    }
}

/// A row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    cells: Vec<Cell>,
    /// True if the row continues the one above.
    pub(super) wrapped: bool,
    clipped: Option<Box<ClippedCells>>,
}

/// Cells beyond the margin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClippedCells {
    /// Column of the first cell. This is the last visible column if the margin cuts a wide glyph
    /// there.
    start: usize,
    cells: Vec<Cell>,
}

impl ClippedCells {
    /// Creates an empty sequence of cells from a column on.
    pub(super) fn new(start: usize) -> Self {
        Self { start, cells: Vec::new() }
    }

    pub(super) fn extend(&mut self, cells: Vec<Cell>) {
        self.cells.extend(cells);
    }

    /// Returns the column of the first cell.
    pub(super) fn start(&self) -> usize {
        self.start
    }

    /// Returns the column after the last cell.
    pub(super) fn end(&self) -> usize {
        self.start + self.cells.len()
    }

    pub(super) fn cells(&self) -> &[Cell] {
        &self.cells
    }
}

impl Row {
    /// Creates a row of `columns` erased cells.
    pub(super) fn blank(columns: usize, cell: Cell, wrapped: bool) -> Self {
        let cells = if cell == Cell::BLANK { Vec::new() } else { vec![cell; columns] };
        Self { cells, wrapped, clipped: None }
    }

    /// Turns the row into one of `columns` erased cells.
    pub(super) fn erase(&mut self, columns: usize, cell: Cell, wrapped: bool) {
        self.clipped = None;
        self.cells.clear();
        if cell != Cell::BLANK {
            self.cells.resize(columns, cell);
        }
        self.wrapped = wrapped;
    }

    /// Erases the row like [`erase`](Self::erase), and frees its memory if it becomes blank.
    pub(super) fn clear(&mut self, columns: usize, cell: Cell) {
        if cell == Cell::BLANK {
            *self = Self::default();
        } else {
            self.erase(columns, cell, false);
        }
    }

    pub(super) fn from_cells(cells: Vec<Cell>, wrapped: bool) -> Self {
        Self { cells, wrapped, clipped: None }
    }

    /// Returns the row with its cells beyond the margin.
    pub(super) fn whole(&self) -> Cow<'_, Self> {
        if self.clipped.is_none() {
            return Cow::Borrowed(self);
        }
        let mut row = self.clone();
        row.unclip();
        Cow::Owned(row)
    }

    /// Moves the cells beyond the margin back, so that the row is whole.
    pub(super) fn unclip(&mut self) {
        if let Some(clipped) = self.clipped.take() {
            self.cells.truncate(clipped.start);
            self.pad(clipped.start);
            self.cells.extend(clipped.cells);
        }
    }

    /// Moves the cells beyond the margin aside.
    pub(super) fn clip(&mut self, columns: usize) {
        if self.cells.len() <= columns {
            return;
        }
        // Half of a wide glyph is not shown.
        let start = if self.width(columns - 1) == 2 { columns - 1 } else { columns };
        let cells = self.split_off(start);
        if cells.iter().any(|&cell| cell != Cell::BLANK) {
            self.clipped = Some(Box::new(ClippedCells { start, cells }));
        }
        self.trim();
        self.cells.shrink_to(columns);
    }

    /// Returns the cells beyond the margin.
    pub(super) fn clipped(&self) -> Option<&ClippedCells> {
        self.clipped.as_deref()
    }

    pub(super) fn set_clipped(&mut self, clipped: Box<ClippedCells>) {
        self.clipped = Some(clipped);
    }

    /// Drops the cells beyond the margin.
    pub(super) fn drop_clipped(&mut self) {
        self.clipped = None;
    }

    /// Returns all stored cells, including those beyond the margin.
    pub(super) fn all_cells(&self) -> impl Iterator<Item = &Cell> {
        self.cells.iter().chain(self.clipped.iter().flat_map(|clipped| &clipped.cells))
    }

    /// Returns the cells up to the last one that is stored.
    pub(super) fn cells(&self) -> &[Cell] {
        &self.cells
    }

    pub(super) fn get(&self, column: usize) -> Cell {
        self.cells.get(column).copied().unwrap_or(Cell::BLANK)
    }

    pub(super) fn width(&self, column: usize) -> u8 {
        self.get(column).width()
    }

    pub(super) fn set(&mut self, column: usize, cell: Cell) {
        if let Some(slot) = self.cells.get_mut(column) {
            *slot = cell;
        } else if cell != Cell::BLANK {
            self.cells.resize(column, Cell::BLANK);
            self.cells.push(cell);
        }
    }

    /// Writes ASCII from `column` on.
    pub(super) fn write_ascii(&mut self, column: usize, text: &[u8], style: StyleId) {
        if self.cells.len() < column {
            self.cells.resize(column, Cell::BLANK);
        }
        let mut cells = text.iter().map(|&byte| Cell::char(byte.into(), 1, style));
        for slot in self.cells[column..].iter_mut().take(text.len()) {
            if let Some(cell) = cells.next() {
                *slot = cell;
            }
        }
        self.cells.extend(cells);
    }

    /// Inserts cells, and moves those from `at` on to the right. Cells moved past the margin are
    /// lost.
    pub(super) fn insert(&mut self, at: usize, count: usize, fill: Cell, columns: usize) {
        let at = at % columns;
        self.clipped = None;
        let cuts_half = at > 0 && self.width(at - 1) == 2;
        if cuts_half {
            self.set(at - 1, blank_like(fill));
        }
        if count < columns - at {
            self.pad(columns);
            self.cells.copy_within(at..columns - count, at + count);
            self.cells[at..at + count].fill(fill);
            if cuts_half {
                // The other half of the glyph.
                self.cells[at + count] = blank_like(fill);
            }
        } else {
            self.fill(at, columns, fill);
        }
        if self.width(columns - 1) == 2 {
            self.set(columns - 1, blank_like(fill));
        }
        self.trim();
    }

    /// Cuts the row at `at`, and returns the stored cells from there on.
    pub(super) fn split_off(&mut self, at: usize) -> Vec<Cell> {
        self.cells.split_off(at.min(self.cells.len()))
    }

    /// Appends cells at `at`, which is the end of the row or beyond it, and drops those that do not
    /// fit.
    pub(super) fn append(&mut self, at: usize, cells: &[Cell], columns: usize) {
        self.pad(at);
        self.cells.extend_from_slice(cells);
        self.cells.truncate(columns);
    }

    /// Deletes cells, and moves those behind them to the left.
    pub(super) fn delete(&mut self, at: usize, count: usize, fill: Cell, columns: usize) {
        let at = at % columns;
        self.clipped = None;
        if count < columns - at {
            self.pad(columns);
            self.cells.copy_within(at + count..columns, at);
            self.cells[columns - count..].fill(fill);
        } else {
            self.fill(at, columns, fill);
        }
        if at > 0 && self.width(at - 1) == 2 {
            self.set(at - 1, blank_like(fill));
        }
        if self.width(at) == 0 && !self.get(at).has_content() {
            self.set(at, blank_like(fill));
        }
        self.trim();
    }

    /// Erases the cells of a range.
    pub(super) fn erase_range(&mut self, range: Range<usize>, fill: Cell, columns: usize) {
        let Range { start, end } = range;
        if start > 0 && self.width(start - 1) == 2 {
            self.set(start - 1, blank_like(fill));
        }
        if end < columns && end > 0 && self.width(end - 1) == 2 {
            self.set(end, blank_like(fill));
        }
        if end >= columns {
            self.clipped = None;
        }
        self.fill(start, end.min(columns), fill);
        self.trim();
    }

    /// Erases the cells of a range that are not `protected`.
    pub(super) fn erase_unprotected(
        &mut self,
        range: Range<usize>,
        fill: Cell,
        columns: usize,
        protected: impl Fn(StyleId) -> bool,
    ) {
        let Range { start, end } = range;
        let is_protected = |row: &Self, column| protected(row.get(column).style());
        if start > 0 && self.width(start - 1) == 2 && !is_protected(self, start - 1) {
            self.set(start - 1, blank_like(fill));
        }
        if end < columns && end > 0 && self.width(end - 1) == 2 && !is_protected(self, end) {
            self.set(end, blank_like(fill));
        }
        if end >= columns {
            self.clipped = None;
        }
        for column in start..end.min(columns) {
            if !is_protected(self, column) {
                self.set(column, fill);
            }
        }
        self.trim();
    }

    /// Cuts the row at another number of columns, and frees the memory of the cells that are cut.
    pub(super) fn resize(&mut self, columns: usize) {
        if self.cells.len() > columns {
            self.cells.truncate(columns);
            self.cells.shrink_to(columns);
            if columns > 0 && self.width(columns - 1) == 2 {
                self.set(columns - 1, Cell::BLANK);
            }
            self.trim();
        }
    }

    /// Returns the length of the row up to the end of its text.
    pub(super) fn text_length(&self) -> usize {
        let last = self.cells.iter().rposition(|cell| cell.has_content());
        last.map_or(0, |at| at + usize::from(self.cells[at].width()))
    }

    /// Copies cells of another row, which may be a copy of this one.
    pub(super) fn copy_from(&mut self, source: &Self, from: usize, to: usize, count: usize) {
        for offset in 0..count {
            self.set(to + offset, source.get(from + offset));
        }
    }

    fn fill(&mut self, start: usize, end: usize, fill: Cell) {
        if fill == Cell::BLANK && end >= self.cells.len() {
            self.cells.truncate(start);
            return;
        }
        for column in start..end {
            self.set(column, fill);
        }
    }

    fn pad(&mut self, columns: usize) {
        if self.cells.len() < columns {
            self.cells.resize(columns, Cell::BLANK);
        }
    }

    /// Drops blank cells at the end.
    pub(super) fn trim(&mut self) {
        let length = self.cells.iter().rposition(|&cell| cell != Cell::BLANK).map_or(0, |last| last + 1);
        self.cells.truncate(length);
    }
}

/// Returns the blank cell that replaces half of a wide glyph.
fn blank_like(fill: Cell) -> Cell {
    Cell::blank(fill.style())
}
