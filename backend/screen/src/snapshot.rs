//! A screen written as output that brings a fresh xterm.js into the same state.
//!
//! Nothing in it makes a terminal answer, ring, or touch the clipboard.

mod clipped;
mod pen;
mod rows;
mod state;

use self::pen::PenWriter;
use super::{
    buffer::Buffer,
    charset::Charsets,
    tables::Tables,
    terminal::Terminal,
    width::{Preceding, WidthRule},
};

/// Writes a snapshot, for a terminal of the same size in the state after RIS. The few things that
/// survive RIS in xterm.js are set in any case.
///
/// At most `history` rows of the scrollback are written, the newest ones.
pub(super) fn write(terminal: &Terminal, history: usize) -> Vec<u8> {
    let mut writer = Writer::new(&terminal.tables, terminal.columns, terminal.rows);
    writer.write_state_kept_by_ris(terminal);
    writer.write_buffer(&terminal.primary, history);
    writer.write_keyboard(&terminal.keyboard.primary_stack, terminal.primary_keyboard_flags());
    writer.write_alternate(terminal);
    writer.write_cursor_and_modes(terminal);
    writer.out
}

/// Output being written, and the state that it brings a terminal to.
struct Writer<'a> {
    out: Vec<u8>,
    tables: &'a Tables,
    columns: usize,
    rows: usize,
    pen: PenWriter,
    charsets: Charsets,
    active_charset: u8,
    /// The rule by which the terminal counts columns.
    width_rule: WidthRule,
    /// Number of cells put beyond the margin.
    placed_cells: usize,
    /// The character that the next one might join.
    preceding: Option<Preceding>,
}

impl<'a> Writer<'a> {
    fn new(tables: &'a Tables, columns: usize, rows: usize) -> Self {
        Self {
            out: Vec::new(),
            tables,
            columns,
            rows,
            pen: PenWriter::default(),
            charsets: Charsets::default(),
            active_charset: 0,
            width_rule: WidthRule::default(),
            placed_cells: 0,
            preceding: None,
        }
    }

    /// Appends controls.
    fn write_control(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
        self.preceding = None;
    }

    /// Writes one buffer; the terminal's own is in use and blank.
    fn write_buffer(&mut self, buffer: &Buffer, history: usize) {
        let omitted_rows = buffer.scrollback.len().saturating_sub(history);
        let columns = self.columns;
        let scrolled = buffer.scrollback.iter_from(omitted_rows).map(move |mut row| {
            row.clip(columns);
            row
        });
        self.write_rows(scrolled.chain(buffer.screen.iter().cloned()));
        self.write_tab_stops(buffer);
        self.write_saved_cursor(buffer, history);
    }
}
