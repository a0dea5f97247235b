//! The control functions (ECMA-48, DEC's VT220 and VT510 manuals, xterm's "Control Sequences"), as
//! xterm.js executes them.

mod cursor;
mod edit;
mod mode;
mod snapshot_command;
mod string;

pub(super) use self::{
    snapshot_command::{MAX_CLIPPED_SCREENS, SNAPSHOT_COMMAND},
    string::MAX_TITLES,
};
use super::{
    answers,
    charset::Charset,
    params::Params,
    parser::{Function, Perform, Text},
    pending_function::RowChange,
    row::Cell,
    sgr,
    style::Attributes,
    terminal::Terminal,
};

/// Prefixes and intermediates, as the parser packs them.
const NONE: u32 = 0;
const QUESTION: u32 = b'?' as u32;
const GREATER: u32 = b'>' as u32;
const LESS: u32 = b'<' as u32;
const EQUALS: u32 = b'=' as u32;
const SPACE: u32 = b' ' as u32;
const QUOTE: u32 = b'"' as u32;
const APOSTROPHE: u32 = b'\'' as u32;
const BANG: u32 = b'!' as u32;
const HASH: u32 = b'#' as u32;
const PERCENT: u32 = b'%' as u32;

/// Steps per byte of a control string.
const STRING_STEPS_PER_BYTE: usize = 4;

/// The terminal that output is parsed for, and its answers.
pub(super) struct Performer<'a> {
    pub(super) terminal: &'a mut Terminal,
    pub(super) answers: &'a mut answers::Answers,
}

/// Steps of a control, without those of the rows and cells that it changes.
const CONTROL_STEPS: usize = 4;

/// Steps of a control function, without those of the rows and cells that it changes.
const FUNCTION_STEPS: usize = 16;

impl Perform for Performer<'_> {
    fn must_stop(&self) -> bool {
        self.terminal.steps.taken >= self.terminal.steps.stop_at
    }

    fn max_run_bytes(&self) -> usize {
        self.terminal.max_run_bytes()
    }

    fn print(&mut self, text: Text<'_>) {
        self.terminal.print(text);
    }

    fn execute(&mut self, control: u8) {
        let terminal = &mut *self.terminal;
        terminal.spend(CONTROL_STEPS);
        terminal.preceding = None;
        match control {
            0x08 => terminal.backspace(),
            b'\t' => terminal.tab(),
            b'\n' | 0x0b | 0x0c => terminal.line_feed(),
            b'\r' => terminal.buffer_mut().x = 0,
            0x0e => terminal.active_charset = 1,
            0x0f => terminal.active_charset = 0,
            0x84 => terminal.index(),
            0x85 => terminal.next_line(),
            0x88 => terminal.set_tab(),
            _ => {}
        }
    }

    fn csi(&mut self, function: Function, params: &Params) {
        self.answers.answer_csi(self.terminal, function, params);
        let terminal = &mut *self.terminal;
        terminal.spend(FUNCTION_STEPS);
        if function == (NONE, b'b') {
            // A repetition ends before anything else is parsed, so `preceding` remains until then.
            terminal.repeat(params.at_least_one(0));
        } else {
            terminal.control_sequence(function, params);
            terminal.preceding = None;
        }
    }

    fn esc(&mut self, function: Function) {
        self.terminal.spend(FUNCTION_STEPS);
        self.terminal.escape_sequence(function);
        self.terminal.preceding = None;
    }

    fn osc(&mut self, number: u32, text: &str) {
        self.terminal.spend(FUNCTION_STEPS + STRING_STEPS_PER_BYTE * text.len());
        self.terminal.operating_system_command(number, text, self.answers);
        self.terminal.preceding = None;
    }

    fn dcs(&mut self, function: Function, text: &str) {
        self.terminal.spend(FUNCTION_STEPS + STRING_STEPS_PER_BYTE * text.len());
        self.answers.answer_dcs(self.terminal, function, text);
        self.terminal.preceding = None;
    }

    fn ignore_string(&mut self) {
        self.terminal.spend(FUNCTION_STEPS);
        self.terminal.preceding = None;
    }
}

impl Terminal {
    fn control_sequence(&mut self, function: Function, params: &Params) {
        let count = params.at_least_one(0);
        match function {
            (NONE, b'@') => self.insert_chars(count),
            (SPACE, b'@') => self.delete_columns(0, count),
            (NONE, b'A') => self.cursor_up(count),
            (SPACE, b'A') => self.insert_columns(0, count),
            (NONE, b'B') => self.cursor_down(count),
            (NONE, b'C' | b'a') => self.move_by(to_signed(count), 0),
            (NONE, b'D') => self.move_by(-to_signed(count), 0),
            (NONE, b'E') => {
                self.cursor_down(count);
                self.buffer_mut().x = 0;
            }
            (NONE, b'F') => {
                self.cursor_up(count);
                self.buffer_mut().x = 0;
            }
            (NONE, b'G' | b'`') => {
                let y = self.buffer().y;
                self.set_cursor(count - 1, y);
            }
            (NONE, b'H' | b'f') => self.set_cursor(params.at_least_one(1) - 1, count - 1),
            (NONE, b'I') => self.tab_forward(count),
            (NONE, b'J') => self.erase_in_display(params.get(0), false),
            (QUESTION, b'J') => self.erase_in_display(params.get(0), true),
            (NONE, b'K') => self.erase_in_line(params.get(0), false),
            (QUESTION, b'K') => self.erase_in_line(params.get(0), true),
            (NONE, b'L') => self.insert_lines(count),
            (NONE, b'M') => self.delete_lines(count),
            (NONE, b'P') => self.delete_chars(count),
            (NONE, b'S') => self.scroll_up(count),
            (NONE, b'T' | b'^') => self.scroll_down(count),
            (NONE, b'X') => self.erase_chars(count),
            (NONE, b'Z') => self.tab_back(count),
            (NONE, b'd') => {
                let x = self.buffer().x;
                self.set_cursor(x, count - 1);
            }
            (NONE, b'e') => self.move_by(0, to_signed(count)),
            (NONE, b'g') => self.clear_tabs(params.get(0)),
            (NONE, b'h') => params.iter().for_each(|mode| self.set_ansi_mode(mode, true)),
            (NONE, b'l') => params.iter().for_each(|mode| self.set_ansi_mode(mode, false)),
            (QUESTION, b'h') => params.iter().for_each(|mode| self.set_private_mode(mode)),
            (QUESTION, b'l') => params.iter().for_each(|mode| self.reset_private_mode(mode)),
            (NONE, b'm') => {
                let mut pen = self.pen;
                sgr::apply(&mut pen, params);
                self.set_pen(pen);
            }
            (BANG, b'p') => self.soft_reset(),
            (SPACE, b'q') => self.set_cursor_style(params.get(0)),
            (QUOTE, b'q') => {
                let mut pen = self.pen;
                match params.get(0) {
                    1 => pen.attributes.set(Attributes::PROTECTED, true),
                    0 | 2 => pen.attributes.set(Attributes::PROTECTED, false),
                    _ => {}
                }
                self.set_pen(pen);
            }
            (NONE, b'r') => self.set_scroll_region(params),
            (NONE, b's') => self.save_cursor(),
            (NONE, b't') => self.title_stack_operation(params),
            (NONE, b'u') => self.restore_cursor(),
            (EQUALS, b'u') => self.keyboard.set(params.get(0), params.get(1)),
            (GREATER, b'u') => self.keyboard.push(params.get(0), self.is_alternate),
            (LESS, b'u') => self.keyboard.pop(count, self.is_alternate),
            (APOSTROPHE, b'}') => {
                let x = self.buffer().x;
                self.insert_columns(x, count);
            }
            (APOSTROPHE, b'~') => {
                let x = self.buffer().x;
                self.delete_columns(x, count);
            }
            _ => {}
        }
    }

    fn escape_sequence(&mut self, function: Function) {
        match function {
            (NONE, b'7') => self.save_cursor(),
            (NONE, b'8') => self.restore_cursor(),
            (NONE, b'D') => self.index(),
            (NONE, b'E') => self.next_line(),
            (NONE, b'H') => self.set_tab(),
            (NONE, b'M') => self.reverse_index(),
            (NONE, b'=') => self.modes.application_keypad = true,
            (NONE, b'>') => self.modes.application_keypad = false,
            (NONE, b'c') => self.reset(),
            (NONE, b'n' | b'}') => self.active_charset = 2,
            (NONE, b'o' | b'|') => self.active_charset = 3,
            (NONE, b'~') => self.active_charset = 1,
            (PERCENT, b'@' | b'G') => {
                self.active_charset = 0;
                self.charsets.designate(0, Charset::Ascii);
            }
            (HASH, b'8') => self.fill_with_e(),
            (intermediate, last) => {
                let slot = match u8::try_from(intermediate) {
                    Ok(b'(') => 0,
                    Ok(b')' | b'-') => 1,
                    Ok(b'*' | b'.') => 2,
                    Ok(b'+') => 3,
                    _ => return,
                };
                if let Some(charset) = Charset::designated(last) {
                    self.charsets.designate(slot, charset);
                }
            }
        }
    }

    /// DECALN: fills the screen with the letter E.
    fn fill_with_e(&mut self) {
        self.set_cursor(0, 0);
        let style = self.tables.style_id(self.pen.without_extended());
        let first = self.buffer().y;
        self.change_rows(first..self.rows, RowChange::Fill(Cell::char('E', 1, style)));
    }
}

/// Converts a count to a signed number. Coordinates are small, but counts may be anything.
fn to_signed(count: usize) -> isize {
    isize::try_from(count).unwrap_or(isize::MAX)
}
