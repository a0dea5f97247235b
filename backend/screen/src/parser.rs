//! The parser, which turns bytes into text and control functions.
//!
//! The states are those of DEC's VT500 parser (Paul Williams' state machine) as xterm.js implements
//! it. The peculiarities of xterm.js are kept on purpose, because the page's terminal has to arrive
//! at the same screen: C1 controls count in their UTF-8 form only, and `ESC` ends an OSC whatever
//! follows.

mod fast_path;
mod state_output;
mod utf8;

use self::utf8::{Decoded, Decoder};
use super::params::Params;

/// Maximum length of the text of a control string, in bytes. A longer string has no effect.
const MAX_STRING_BYTES: usize = 64 * 1024;

/// A control function: its prefix or intermediates, packed, and its final byte.
pub(super) type Function = (u32, u8);

/// The actions of a terminal for parsed output.
pub(super) trait Perform {
    /// Reports whether the parser has to stop for now.
    fn must_stop(&self) -> bool;
    /// Returns the maximum length of a run of text, in bytes.
    fn max_run_bytes(&self) -> usize;
    /// Prints text without any control in it.
    fn print(&mut self, text: Text<'_>);
    /// Executes a C0 or C1 control.
    fn execute(&mut self, control: u8);
    /// Executes a control sequence.
    fn csi(&mut self, function: Function, params: &Params);
    /// Executes an escape sequence.
    fn esc(&mut self, function: Function);
    /// Executes an operating system command.
    fn osc(&mut self, number: u32, text: &str);
    /// Executes a device control string.
    fn dcs(&mut self, function: Function, text: &str);
    /// Notes that a control string of an unknown kind, or without effect, has ended.
    fn ignore_string(&mut self);
}

/// A run of printable characters.
#[derive(Clone, Copy, Debug)]
pub(super) enum Text<'a> {
    /// ASCII only.
    Ascii(&'a [u8]),
    /// Characters not all of which are ASCII.
    Chars(&'a [char]),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Ground,
    Escape,
    EscapeIntermediate,
    CsiEntry,
    CsiParam,
    CsiIntermediate,
    CsiIgnore,
    SosPm,
    Osc,
    DcsEntry,
    DcsParam,
    DcsIntermediate,
    DcsIgnore,
    DcsPassthrough,
    ApcEntry,
    ApcPassthrough,
}

/// The parser. It holds all state between two pieces of output, so pieces may be cut anywhere.
#[derive(Clone, Debug, Default)]
pub(super) struct Parser {
    state: State,
    decoder: Decoder,
    /// Parameters of the current control function. They take no memory between two pieces if no
    /// function is begun.
    params: Option<Box<Params>>,
    /// The prefix and the intermediates of the current control function, packed.
    collected: u32,
    /// The final byte of a device control string's introduction.
    dcs_final: u8,
    /// The text of the current control string.
    string: String,
    is_string_too_long: bool,
    /// Reused memory, kept only while a piece is parsed.
    run: Vec<char>,
}

impl Parser {
    /// Reports whether the next byte begins a new character or control function.
    pub(super) fn is_in_ground_state(&self) -> bool {
        self.state == State::Ground && self.decoder.is_empty()
    }

    fn params(&mut self) -> &mut Params {
        self.params.get_or_insert_default()
    }

    /// Parses a piece of output until the terminal is done. Returns the number of bytes taken.
    pub(super) fn parse(&mut self, piece: &[u8], terminal: &mut impl Perform) -> usize {
        let mut rest = piece;
        while !rest.is_empty() && !terminal.must_stop() {
            rest = if self.is_in_ground_state() {
                self.parse_run(rest, terminal)
            } else {
                self.step(rest, terminal)
            };
        }
        self.string.shrink_to(if self.string.is_empty() { 0 } else { MAX_STRING_BYTES });
        self.run = Vec::new();
        if self.is_in_ground_state() {
            self.params = None;
        }
        piece.len() - rest.len()
    }

    /// Takes the next character in any state.
    fn step<'a>(&mut self, rest: &'a [u8], terminal: &mut impl Perform) -> &'a [u8] {
        let (decoded, taken) = self.decoder.decode(rest);
        match decoded {
            Decoded::Char(char @ '\u{a0}'..) if self.state == State::Ground => {
                terminal.print(Text::Chars(&[char]));
            }
            Decoded::Char(char) => self.transition(char.into(), terminal),
            Decoded::Nothing => {}
        }
        &rest[taken..]
    }

    /// Makes one transition of the state machine.
    fn transition(&mut self, code: u32, terminal: &mut impl Perform) {
        let byte = u8::try_from(code).unwrap_or(0xff);
        // These controls mean the same in every state.
        match byte {
            0x1b => return self.begin_escape(terminal),
            0x18 | 0x1a => {
                self.end_string(false, terminal);
                return self.execute_control(byte, terminal);
            }
            0x80..=0x8f | 0x91..=0x97 | 0x99 | 0x9a => return self.execute_control(byte, terminal),
            0x9c => {
                self.end_string(true, terminal);
                self.state = State::Ground;
                return;
            }
            0x90 => return self.begin(State::DcsEntry),
            0x98 | 0x9e => return self.state = State::SosPm,
            0x9b => return self.begin(State::CsiEntry),
            0x9d => return self.begin_string(State::Osc),
            0x9f => return self.begin(State::ApcEntry),
            _ => {}
        }
        // C0 controls are executed within escape and control sequences, but not within strings.
        let c0 = byte < 0x20;
        match self.state {
            State::Ground => in_ground(code, byte, terminal),
            State::Escape | State::EscapeIntermediate if c0 => terminal.execute(byte),
            State::CsiEntry | State::CsiParam | State::CsiIntermediate | State::CsiIgnore if c0 => {
                terminal.execute(byte);
            }
            State::Escape => self.after_escape(byte, terminal),
            State::EscapeIntermediate => self.after_escape_intermediate(byte, terminal),
            State::CsiEntry | State::CsiParam | State::CsiIntermediate => self.in_csi(byte, terminal),
            State::CsiIgnore => {
                if (0x40..0x7f).contains(&byte) {
                    self.state = State::Ground;
                }
            }
            State::SosPm => {
                // A peculiarity of xterm.js: characters beyond ASCII end these strings.
                if byte >= 0xa0 {
                    self.state = State::Ground;
                }
            }
            State::Osc => match byte {
                0x07 => {
                    self.end_string(true, terminal);
                    self.state = State::Ground;
                }
                _ if c0 => {}
                _ => self.push_to_string(code),
            },
            State::DcsEntry | State::DcsParam | State::DcsIntermediate => {
                if !c0 {
                    self.in_dcs(byte);
                }
            }
            State::DcsPassthrough => self.push_to_string(code),
            State::ApcEntry => match byte {
                _ if c0 => {}
                0x20..=0x2f | 0x7f => {}
                0x30..=0x7e => self.state = State::ApcPassthrough,
                _ => self.state = State::Ground,
            },
            State::DcsIgnore | State::ApcPassthrough => {}
        }
    }

    fn begin_escape(&mut self, terminal: &mut impl Perform) {
        self.end_string(true, terminal);
        self.begin(State::Escape);
    }

    fn execute_control(&mut self, byte: u8, terminal: &mut impl Perform) {
        terminal.execute(byte);
        self.state = State::Ground;
    }

    fn begin(&mut self, state: State) {
        self.params().clear();
        self.collected = 0;
        self.state = state;
    }

    fn begin_string(&mut self, state: State) {
        self.string.clear();
        self.is_string_too_long = false;
        self.state = state;
    }

    fn push_to_string(&mut self, code: u32) {
        let Some(char) = char::from_u32(code) else { return };
        self.is_string_too_long |= self.string.len() + char.len_utf8() > MAX_STRING_BYTES;
        if !self.is_string_too_long {
            self.string.push(char);
        }
    }

    /// Ends the current control string, if any.
    fn end_string(&mut self, success: bool, terminal: &mut impl Perform) {
        if !matches!(self.state, State::Osc | State::DcsPassthrough | State::ApcPassthrough) {
            return;
        }
        let string = std::mem::take(&mut self.string);
        let whole = success && !self.is_string_too_long;
        match self.state {
            State::Osc if whole => match osc_number(&string) {
                Some((number, text)) => terminal.osc(number, text),
                None => terminal.ignore_string(),
            },
            State::DcsPassthrough if whole => terminal.dcs((self.collected, self.dcs_final), &string),
            _ => terminal.ignore_string(),
        }
        self.params().clear();
        self.collected = 0;
    }

    fn collect(&mut self, byte: u8) {
        self.collected = self.collected << 8 | u32::from(byte);
    }

    fn after_escape(&mut self, byte: u8, terminal: &mut impl Perform) {
        match byte {
            b'[' => self.begin(State::CsiEntry),
            b']' => self.begin_string(State::Osc),
            b'P' => self.begin(State::DcsEntry),
            b'X' | b'^' => self.state = State::SosPm,
            b'_' => self.begin(State::ApcEntry),
            0x20..=0x2f => {
                self.collect(byte);
                self.state = State::EscapeIntermediate;
            }
            0x30..=0x7e => self.dispatch_esc(byte, terminal),
            0x7f => {}
            _ => self.state = State::Ground,
        }
    }

    fn after_escape_intermediate(&mut self, byte: u8, terminal: &mut impl Perform) {
        match byte {
            0x20..=0x2f => self.collect(byte),
            0x30..=0x7e => self.dispatch_esc(byte, terminal),
            _ => self.state = State::Ground,
        }
    }

    fn dispatch_esc(&mut self, byte: u8, terminal: &mut impl Perform) {
        self.state = State::Ground;
        terminal.esc((self.collected, byte));
    }

    fn in_csi(&mut self, byte: u8, terminal: &mut impl Perform) {
        match (self.state, byte) {
            (_, 0x40..=0x7e) => {
                self.state = State::Ground;
                let function = (self.collected, byte);
                terminal.csi(function, self.params());
            }
            (_, 0x20..=0x2f) => {
                self.collect(byte);
                self.state = State::CsiIntermediate;
            }
            (State::CsiIntermediate, 0x30..=0x3f) | (State::CsiParam, 0x3c..=0x3f) => {
                self.state = State::CsiIgnore;
            }
            (_, 0x30..=0x3b) => {
                self.params().push(byte);
                self.state = State::CsiParam;
            }
            (_, 0x3c..=0x3f) => {
                self.collect(byte);
                self.state = State::CsiParam;
            }
            (_, 0x7f) => {}
            _ => self.state = State::Ground,
        }
    }

    fn in_dcs(&mut self, byte: u8) {
        match (self.state, byte) {
            (_, 0x40..=0x7e) => {
                self.dcs_final = byte;
                self.begin_string(State::DcsPassthrough);
            }
            (_, 0x20..=0x2f) => {
                self.collect(byte);
                self.state = State::DcsIntermediate;
            }
            (State::DcsIntermediate, 0x30..=0x3f) | (State::DcsParam, 0x3c..=0x3f) => {
                self.state = State::DcsIgnore;
            }
            (_, 0x30..=0x3b) => {
                self.params().push(byte);
                self.state = State::DcsParam;
            }
            (_, 0x3c..=0x3f) => {
                self.collect(byte);
                self.state = State::DcsParam;
            }
            (_, 0x7f) => {}
            _ => self.state = State::Ground,
        }
    }
}

fn in_ground(code: u32, byte: u8, terminal: &mut impl Perform) {
    match byte {
        0x00..0x20 => terminal.execute(byte),
        0x7f => {}
        _ => {
            if let Some(char) = char::from_u32(code) {
                terminal.print(Text::Chars(&[char]));
            }
        }
    }
}

/// Splits an operating system command into its number and the text after the semicolon.
fn osc_number(string: &str) -> Option<(u32, &str)> {
    let (number, text) = string.split_once(';').unwrap_or((string, ""));
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| number.parse().ok()).flatten().map(|number| (number, text))
}
