//! The terminal's answers to the program's queries, the same as those of xterm.js in the page.

use limpet_shared::{
    Winsize,
    theme::{Appearance, Colours},
};

use super::{
    modes::{MouseEncoding, MouseTracking},
    palette::{Palette, Rgb, SPECIAL_COLOURS},
    params::Params,
    parser::Function,
    style::Attributes,
    terminal::Terminal,
    width::WidthRule,
};

/// The page's terminal. Programs choose features by it.
const VERSION: &str = "xterm.js(6.1.0-beta.336)";

/// Maximum number of bytes of answers that wait. A program that keeps asking without reading gets
/// no more.
const MAX_PENDING_BYTES: usize = 64 * 1024;

/// The answers, while this terminal gives them.
#[derive(Clone, Debug, Default)]
pub(super) struct Answers {
    enabled: bool,
    pending: Vec<u8>,
    colours: Box<Colours>,
    size: Winsize,
}

impl Answers {
    /// Sets whether queries are answered from now on.
    pub(super) fn set_enabled(&mut self, enabled: bool) {
        self.enabled = enabled;
    }

    /// Sets the colours to report.
    pub(super) fn set_colours(&mut self, colours: Colours) {
        *self.colours = colours;
    }

    /// Sets the size to report, in pixels as well.
    pub(super) fn set_size(&mut self, size: Winsize) {
        self.size = size;
    }

    /// Takes the answers given since the last call.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.pending)
    }

    fn push(&mut self, answer: &str) {
        if self.pending.len() + answer.len() <= MAX_PENDING_BYTES {
            self.pending.extend_from_slice(answer.as_bytes());
        }
    }

    /// Answers control sequences that are queries.
    pub(super) fn answer_csi(&mut self, terminal: &Terminal, (prefix, last): Function, params: &Params) {
        if !self.enabled {
            return;
        }
        let (packed, first) = (prefix.to_be_bytes(), params.get(0));
        let prefix = &packed[packed.iter().take_while(|&&byte| byte == 0).count()..];
        match (prefix, last) {
            // DA1, DA2, XTVERSION.
            (b"", b'c') if first == 0 => self.push("\x1b[?1;2c"),
            (b">", b'c') if first == 0 => self.push("\x1b[>0;276;0c"),
            (b">", b'q') if first == 0 => self.push(&format!("\x1bP>|{VERSION}\x1b\\")),
            // DSR.
            (b"", b'n') if first == 5 => self.push("\x1b[0n"),
            (b"", b'n') if first == 6 => self.report_cursor(terminal, ""),
            (b"?", b'n') if first == 6 => self.report_cursor(terminal, "?"),
            (b"?", b'n') if first == 996 => {
                let is_light = self.colours.appearance == Appearance::Light;
                self.push(if is_light { "\x1b[?997;2n" } else { "\x1b[?997;1n" });
            }
            // DECRQM.
            (b"$", b'p') => self.push(&format!("\x1b[{first};{}$y", ansi_mode(terminal, first))),
            (b"?$", b'p') => self.push(&format!("\x1b[?{first};{}$y", private_mode(terminal, first))),
            (b"?", b'u') => self.push(&format!("\x1b[?{}u", terminal.keyboard.flags)),
            (b"", b't') => self.report_size(terminal, first, params.get(1)),
            _ => {}
        }
    }

    fn report_cursor(&mut self, terminal: &Terminal, prefix: &str) {
        let buffer = terminal.buffer();
        self.push(&format!("\x1b[{prefix}{};{}R", buffer.y + 1, buffer.x + 1));
    }

    /// Answers XTWINOPS queries for sizes.
    fn report_size(&mut self, terminal: &Terminal, operation: i32, which: i32) {
        let Winsize { xpixel, ypixel, .. } = self.size;
        let (width, height) = (usize::from(xpixel), usize::from(ypixel));
        let is_known = width > 0 && height > 0;
        match operation {
            14 if is_known && which != 2 => self.push(&format!("\x1b[4;{height};{width}t")),
            16 if is_known => {
                self.push(&format!("\x1b[6;{};{}t", height / terminal.rows, width / terminal.columns));
            }
            18 => self.push(&format!("\x1b[8;{};{}t", terminal.rows, terminal.columns)),
            _ => {}
        }
    }

    /// Reports the current value of one of the 256 colours.
    pub(super) fn report_indexed_colour(&mut self, palette: &Palette, index: u8) {
        self.report_colour(palette, &format!("4;{index}"), index.into());
    }

    /// Reports the current value of the colour of `OSC 10`, `11` or `12`.
    pub(super) fn report_special_colour(&mut self, palette: &Palette, number: u32) {
        if let Some(&index) = SPECIAL_COLOURS.get((number as usize).wrapping_sub(10)) {
            self.report_colour(palette, &number.to_string(), index);
        }
    }

    fn report_colour(&mut self, palette: &Palette, name: &str, index: u16) {
        if !self.enabled {
            return;
        }
        let changed = palette.get(index);
        let [r, g, b] = changed.unwrap_or_else(|| theme_colour(&self.colours, index));
        self.push(&format!("\x1b]{name};rgb:{r:02x}{r:02x}/{g:02x}{g:02x}/{b:02x}{b:02x}\x1b\\"));
    }

    /// Answers DECRQSS.
    pub(super) fn answer_dcs(&mut self, terminal: &Terminal, function: Function, text: &str) {
        if !self.enabled || function != (u32::from(b'$'), b'q') {
            return;
        }
        let buffer = terminal.buffer();
        match text {
            "\"q" => {
                let protected = u8::from(terminal.pen.attributes.has(Attributes::PROTECTED));
                self.push(&format!("\x1bP1$r{protected}\"q\x1b\\"));
            }
            "\"p" => self.push("\x1bP1$r61;1\"p\x1b\\"),
            "r" => self.push(&format!("\x1bP1$r{};{}r\x1b\\", buffer.top + 1, buffer.bottom + 1)),
            "m" => self.push("\x1bP1$r0m\x1b\\"),
            " q" => self.push("\x1bP1$r1 q\x1b\\"),
            _ => self.push("\x1bP0$r\x1b\\"),
        }
    }
}

/// Values of DECRPM.
const UNKNOWN: u8 = 0;
const SET: u8 = 1;
const RESET: u8 = 2;
const ALWAYS_SET: u8 = 3;
const ALWAYS_RESET: u8 = 4;

fn mode_state(set: bool) -> u8 {
    if set { SET } else { RESET }
}

fn ansi_mode(terminal: &Terminal, mode: i32) -> u8 {
    match mode {
        2 => ALWAYS_RESET,
        4 => mode_state(terminal.modes.insert),
        12 => ALWAYS_SET,
        20 => mode_state(terminal.newline_mode),
        _ => UNKNOWN,
    }
}

fn private_mode(terminal: &Terminal, mode: i32) -> u8 {
    let modes = &terminal.modes;
    match mode {
        1 => mode_state(modes.application_cursor),
        6 => mode_state(modes.origin),
        7 => mode_state(modes.autowrap),
        8 => ALWAYS_SET,
        9 => mode_state(terminal.mouse == MouseTracking::Presses),
        // The user's choice, reported as blinking.
        12 | 1048 => SET,
        25 => mode_state(!terminal.cursor_hidden),
        45 => mode_state(modes.reverse_wrap),
        47 | 1047 | 1049 => mode_state(terminal.is_alternate),
        66 => mode_state(modes.application_keypad),
        67 | 1005 | 1015 => ALWAYS_RESET,
        1000 => mode_state(terminal.mouse == MouseTracking::Buttons),
        1002 => mode_state(terminal.mouse == MouseTracking::Drags),
        1003 => mode_state(terminal.mouse == MouseTracking::Motion),
        1004 => mode_state(modes.focus),
        1006 => mode_state(terminal.mouse_encoding == MouseEncoding::Sgr),
        1016 => mode_state(terminal.mouse_encoding == MouseEncoding::SgrPixels),
        2004 => mode_state(modes.bracketed_paste),
        2026 => mode_state(modes.synchronized),
        2027 => mode_state(modes.width_rule == WidthRule::Clusters),
        _ => UNKNOWN,
    }
}

/// Returns a colour of the theme. The cube and the greys of xterm's 256 colours are computed.
fn theme_colour(theme: &Colours, index: u16) -> Rgb {
    let plain = |colour: limpet_shared::theme::Rgb| [colour.red, colour.green, colour.blue];
    let level = |step: u16| if step == 0 { 0 } else { u8::try_from(55 + 40 * step).unwrap_or(u8::MAX) };
    match index {
        0..16 => plain(theme.ansi[usize::from(index)]),
        16..232 => {
            let cube = index - 16;
            [level(cube / 36), level(cube / 6 % 6), level(cube % 6)]
        }
        232..256 => [u8::try_from(8 + 10 * (index - 232)).unwrap_or(u8::MAX); 3],
        256 => plain(theme.foreground),
        257 => plain(theme.background),
        _ => plain(theme.cursor),
    }
}
