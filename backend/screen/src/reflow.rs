//! Resizing a buffer: rows are added or removed, and wrapped lines are wrapped again, exactly as
//! xterm.js does it.
//!
//! Other terminals decide some cases differently. As in xterm.js, the line of the cursor is left
//! for the program to redraw, and rows return from the scrollback only when nothing is below the
//! cursor.

use std::ops::Range;

use super::{
    buffer::Buffer,
    row::{Cell, Row},
};

impl Buffer {
    /// Changes the size of the buffer.
    pub(super) fn resize(&mut self, columns: usize, rows: usize) {
        if columns != self.columns {
            self.screen.iter_mut().for_each(Row::unclip);
        }
        if !self.screen.is_empty() {
            self.resize_rows(rows);
            self.x = self.x.min(columns - 1);
            self.saved.x = self.saved.x.min(columns - 1);
            self.top = 0;
        }
        self.bottom = rows - 1;
        if self.scrollback.is_enabled() && columns != self.columns {
            self.reflow(columns, rows);
        }
        self.screen.iter_mut().for_each(|row| row.clip(columns));
        (self.columns, self.rows) = (columns, rows);
        self.y = self.y.min(self.screen.len().saturating_sub(1));
        self.tabs.extend(columns);
    }

    fn resize_rows(&mut self, rows: usize) {
        let mut returned = Vec::new();
        for _ in self.rows..rows {
            let nothing_below = self.screen.len() <= self.y + 1;
            match if nothing_below { self.scrollback.pop() } else { None } {
                Some(row) => returned.push(row),
                None => self.screen.push(Row::default()),
            }
        }
        let returned_count = returned.len();
        self.screen.splice(0..0, returned.into_iter().rev());
        let scrollback_rows = self.scrollback.len();
        let below = self.screen.len().saturating_sub(self.y + 1).min(self.rows.saturating_sub(rows));
        self.screen.truncate(self.screen.len() - below);
        let scrolled_out = self.rows.saturating_sub(rows + below).min(self.screen.len());
        for row in self.screen.drain(..scrolled_out) {
            if self.scrollback.is_enabled() {
                self.scrollback.push(&row);
            }
        }
        let dropped = scrolled_out - self.scrollback.len().saturating_sub(scrollback_rows).min(scrolled_out);
        self.saved.line = self.saved.line.saturating_sub(dropped);
        self.y = self.y.min(rows - 1) + returned_count;
    }

    fn reflow(&mut self, columns: usize, rows: usize) {
        let mut lines = Lines {
            scrollback_rows: self.scrollback.len(),
            limit: self.scrollback.limit() + rows,
            rows: self.scrollback.iter().chain(std::mem::take(&mut self.screen)).collect(),
            y: self.y,
            saved: self.saved.line,
            old_columns: self.columns,
            new_columns: columns,
            screen_rows: rows,
            removed_rows: 0,
        };
        lines.detach_clipped_rows();
        if columns > self.columns {
            lines.widen();
        } else {
            lines.narrow();
            for row in &mut lines.rows {
                row.resize(columns);
            }
        }
        self.scrollback.clear();
        let screen = lines.rows.split_off(lines.scrollback_rows.min(lines.rows.len()));
        for row in &lines.rows {
            self.scrollback.push(row);
        }
        self.screen = screen;
        self.screen.resize_with(rows, Row::default);
        (self.y, self.saved.line) = (lines.y, lines.saved);
    }
}

/// All rows of a buffer while they are wrapped again.
struct Lines {
    rows: Vec<Row>,
    /// Number of scrollback rows among `rows`.
    scrollback_rows: usize,
    /// Maximum number of rows to keep.
    limit: usize,
    /// Row of the cursor on the screen.
    y: usize,
    /// Row of the saved cursor, among all rows.
    saved: usize,
    /// Number of columns before …
    old_columns: usize,
    /// … and after.
    new_columns: usize,
    /// Number of rows of the screen.
    screen_rows: usize,
    /// Number of rows removed at the bottom to make room for others. xterm.js still processes them.
    removed_rows: usize,
}

impl Lines {
    fn row_count(&self) -> usize {
        self.rows.len() - self.removed_rows
    }

    fn cursor_line(&self) -> Range<usize> {
        let cursor = (self.scrollback_rows + self.y).min(self.rows.len().saturating_sub(1));
        let is_wrapped = |at: usize| self.rows.get(at).is_some_and(|row| row.wrapped);
        let start = (0..=cursor).rev().find(|&at| !is_wrapped(at)).unwrap_or(0);
        let end = (cursor + 1..self.rows.len()).find(|&at| !is_wrapped(at)).unwrap_or(self.rows.len());
        start..end
    }

    /// Separates rows with cells beyond the margin from the rows after them, which never continued
    /// those cells.
    fn detach_clipped_rows(&mut self) {
        let cursor_line = self.cursor_line();
        for at in 0..self.rows.len() {
            if self.rows[at].cells().len() > self.old_columns && !cursor_line.contains(&at) {
                self.rows[at].wrapped = false;
                if let Some(next) = self.rows.get_mut(at + 1) {
                    next.wrapped = false;
                }
            }
        }
    }

    /// Joins the rows of lines that now fit into fewer rows.
    fn widen(&mut self) {
        let cursor = self.scrollback_rows + self.y;
        let mut kept = Vec::with_capacity(self.rows.len());
        let mut removed = 0;
        let mut rows = std::mem::take(&mut self.rows);
        let mut at = 0;
        while at < rows.len() {
            let end = at + 1 + rows[at + 1..].iter().take_while(|row| row.wrapped).count();
            let line = &mut rows[at..end];
            let count = if line.len() == 1 || (at..end).contains(&cursor) {
                line.len()
            } else {
                join_rows(line, self.old_columns, self.new_columns)
            };
            removed += line.len() - count;
            kept.extend(line[..count].iter_mut().map(std::mem::take));
            at = end;
        }
        self.rows = kept;
        for _ in 0..removed {
            if self.scrollback_rows == 0 {
                self.y = self.y.saturating_sub(1);
                if self.rows.len() < self.screen_rows {
                    self.rows.push(Row::default());
                }
            } else {
                self.scrollback_rows -= 1;
            }
        }
        self.saved = self.saved.saturating_sub(removed);
    }

    /// Wraps lines that no longer fit, from the last to the first. The line of the cursor is not
    /// wrapped: it keeps its cells beyond the margin.
    fn narrow(&mut self) {
        let (cursor_line, columns) = (self.cursor_line(), self.new_columns);
        self.rows[cursor_line.clone()].iter_mut().for_each(|row| row.clip(columns));
        let mut inserts: Vec<(usize, Vec<Row>)> = Vec::new();
        let mut added = 0;
        let mut end = self.rows.len();
        while end > 0 {
            if cursor_line.contains(&(end - 1)) {
                end = cursor_line.start;
                continue;
            }
            let mut start = end - 1;
            let last = &self.rows[start];
            if !last.wrapped && last.text_length() <= self.new_columns {
                end = start;
                continue;
            }
            while self.rows[start].wrapped && start > 0 {
                start -= 1;
            }
            let lengths = rewrapped_lengths(&self.rows[start..end], self.old_columns, self.new_columns);
            let more = lengths.len().saturating_sub(end - start);
            let new = self.rewrap(start..end, &lengths);
            self.move_screen(more, added);
            if !new.is_empty() {
                added += new.len();
                inserts.push((end, new));
            }
            end = start;
        }
        self.rows.truncate(self.row_count());
        self.insert_rows(inserts);
        let excess = self.rows.len().saturating_sub(self.limit);
        self.rows.drain(..excess);
    }

    /// Inserts rows before the given positions, which are in descending order.
    fn insert_rows(&mut self, inserts: Vec<(usize, Vec<Row>)>) {
        let end = self.rows.len();
        let mut inserts = inserts.into_iter().peekable();
        // Rows inserted at the end follow each other.
        while let Some((at, new)) = inserts.next_if(|&(at, _)| at >= end) {
            let at = at.min(self.rows.len());
            self.rows.splice(at..at, new);
        }
        let inserts: Vec<_> = inserts.collect();
        if inserts.is_empty() {
            return;
        }
        let added: usize = inserts.iter().map(|(_, new)| new.len()).sum();
        let mut rows = Vec::with_capacity(self.rows.len() + added);
        let mut old = std::mem::take(&mut self.rows).into_iter();
        let mut taken = 0;
        for (at, new) in inserts.into_iter().rev() {
            rows.extend(old.by_ref().take(at - taken));
            rows.extend(new);
            taken = at;
        }
        rows.extend(old);
        self.rows = rows;
    }

    /// Distributes a line over its rows again, and returns the additional rows that it needs.
    fn rewrap(&mut self, range: Range<usize>, lengths: &[usize]) -> Vec<Row> {
        let count = range.len();
        let mut rows: Vec<Row> = self.rows[range.clone()].iter_mut().map(std::mem::take).collect();
        let mut from_column = rows[count - 1].text_length();
        rows.resize_with(lengths.len().max(count), || Row::blank(self.new_columns, Cell::BLANK, true));
        // Copies in place and backwards, so that no cell is overwritten before it is copied.
        let mut ends = lengths.iter().copied().enumerate().rev().filter(|&(_, length)| length > 0);
        let (mut from, mut target) = (count - 1, ends.next());
        while let Some((to, to_column)) = target {
            let cells = from_column.min(to_column);
            let (from_start, to_start) = (from_column - cells, to_column - cells);
            let copied: Vec<Cell> = (from_start..from_column).map(|column| rows[from].get(column)).collect();
            for (offset, cell) in copied.into_iter().enumerate() {
                rows[to].set(to_start + offset, cell);
            }
            target = if to_start == 0 { ends.next() } else { Some((to, to_start)) };
            from_column = from_start;
            if from_column == 0 {
                let Some(before) = from.checked_sub(1) else { break };
                from = before;
                from_column = filled_length(&rows, from, self.old_columns);
            }
        }
        for (row, &length) in rows.iter_mut().zip(lengths) {
            if length < self.new_columns {
                row.set(length, Cell::BLANK);
            }
        }
        let new = rows.split_off(count);
        for (slot, row) in self.rows[range].iter_mut().zip(rows) {
            *slot = row;
        }
        new
    }

    /// Moves the screen along the lines after `more` rows were added to a line, and `added` rows to
    /// lines before it.
    fn move_screen(&mut self, more: usize, added: usize) {
        let is_filling = self.scrollback_rows == 0 && self.y + 1 != self.row_count();
        let end = if is_filling { self.y } else { self.row_count() };
        let trimmed = (end + more).saturating_sub(self.limit);
        for _ in 0..more.saturating_sub(trimmed) {
            if self.scrollback_rows == 0 {
                if self.y + 1 < self.screen_rows {
                    self.y += 1;
                    self.removed_rows += 1;
                } else {
                    self.scrollback_rows += 1;
                }
            } else if self.scrollback_rows + self.screen_rows
                < self.limit.min(self.row_count() + added + more)
            {
                self.scrollback_rows += 1;
            }
        }
        self.saved = (self.saved + more).min(self.scrollback_rows + self.screen_rows - 1);
    }
}

/// Moves cells up into the wider rows of a line, and returns the number of rows that it needs.
fn join_rows(line: &mut [Row], old_columns: usize, new_columns: usize) -> usize {
    let (mut to, mut to_column) = (0, filled_length(line, 0, old_columns));
    let (mut from, mut from_column) = (1, 0);
    while from < line.len() {
        let end = filled_length(line, from, old_columns);
        let cells = (end - from_column).min(new_columns - to_column);
        let source = line[from].clone();
        line[to].copy_from(&source, from_column, to_column, cells);
        to_column += cells;
        if to_column == new_columns {
            to += 1;
            to_column = 0;
        }
        from_column += cells;
        if from_column == end {
            from += 1;
            from_column = 0;
        }
        // A wide glyph cannot be cut.
        if to_column == 0 && to != 0 && line[to - 1].width(new_columns - 1) == 2 {
            let glyph = line[to - 1].get(new_columns - 1);
            line[to].set(0, glyph);
            to_column = 1;
            line[to - 1].set(new_columns - 1, Cell::BLANK);
        }
    }
    if let Some(row) = line.get_mut(to) {
        row.erase_range(to_column..new_columns, Cell::BLANK, new_columns);
    }
    let is_empty = |at: usize| at > to || line[at].text_length() == 0;
    (1..line.len()).rev().find(|&at| !is_empty(at)).map_or(1, |last| last + 1)
}

/// Returns the length of each row of a line in the new width.
fn rewrapped_lengths(line: &[Row], old_columns: usize, new_columns: usize) -> Vec<usize> {
    let needed: usize = (0..line.len()).map(|at| filled_length(line, at, old_columns)).sum();
    let mut lengths = Vec::new();
    let (mut column, mut row, mut have) = (0, 0, 0);
    while have < needed {
        if needed - have < new_columns {
            lengths.push(needed - have);
            break;
        }
        column += new_columns;
        let end = filled_length(line, row, old_columns);
        if column > end {
            column -= end;
            row += 1;
        }
        let cut = line.get(row).is_some_and(|row| column > 0 && row.width(column - 1) == 2);
        column -= usize::from(cut);
        let length = new_columns - usize::from(cut);
        lengths.push(length);
        have += length;
    }
    lengths
}

/// Returns the filled length of a row of a line: the whole width, except in the last row, or if the
/// last column was too narrow for a wide glyph.
fn filled_length(line: &[Row], at: usize, columns: usize) -> usize {
    let Some(next) = line.get(at + 1) else { return line[at].text_length() };
    let last = line[at].get(columns - 1);
    let is_last_omitted = !last.has_content() && last.width() == 1 && next.width(0) == 2;
    columns - usize::from(is_last_omitted)
}
