//! Follows a terminal's output just enough to know where its escape sequences begin and end.
//!
//! The states are those of the DEC parser as xterm implements it, with the ones that end alike merged. Text, which is
//! nearly all of most output, is not looked at byte by byte.

use limpet_shared::limits::TITLE;
use memchr::{memchr, memchr2};

const ESC: u8 = 0x1b;
const BEL: u8 = 0x07;
const CAN: u8 = 0x18;
const SUB: u8 = 0x1a;

/// A title in UTF-8, and the number and semicolon before it.
const OSC_MAX: usize = 4 * TITLE + 2;

/// What was found in a piece of output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// The first position at which a terminal may start anew: at the start of a line if there is one, else between
    /// two characters. Never inside an escape sequence, a control string or a character.
    pub safe: Option<usize>,
    /// The last title that was set (`OSC 0` or `OSC 2`), without control characters.
    pub title: Option<String>,
}

/// Scans output piece by piece; sequences may be cut anywhere between the pieces.
#[derive(Debug, Default)]
pub struct Scanner {
    state: State,
    /// The beginning of the control string at hand, if that is an `OSC`.
    osc: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Ground,
    /// Inside a character of UTF-8, of which so many bytes are to come.
    Utf8(u8),
    /// After the byte that begins U+0080 to U+00BF: the next one may make it a C1 control.
    C1,
    Escape,
    EscapeIntermediate,
    Csi,
    Osc,
    /// `DCS`, `SOS`, `PM` or `APC`.
    String,
}

impl Scanner {
    /// Scans the next piece.
    pub fn scan(&mut self, piece: &[u8]) -> Scan {
        let mut scan = Scan::default();
        let mut line = None;
        let mut at = 0;
        while at < piece.len() {
            if self.state == State::Ground {
                scan.safe = scan.safe.or(Some(at));
                at += self.text(&piece[at..], at, &mut line);
            } else {
                self.step(piece[at], &mut scan.title);
                at += 1;
            }
        }
        scan.safe = line.or(scan.safe);
        scan
    }

    /// Takes text up to the next byte that needs a look of its own, that byte included, and tells how much it took.
    fn text(&mut self, rest: &[u8], at: usize, line: &mut Option<usize>) -> usize {
        let (text, taken) = if let Some(end) = memchr2(ESC, 0xc2, rest) {
            self.state = if rest[end] == ESC { State::Escape } else { State::C1 };
            (&rest[..end], end + 1)
        } else {
            self.state = unfinished(rest);
            (rest, rest.len())
        };
        if line.is_none() {
            *line = memchr(b'\n', text).map(|feed| at + feed + 1);
        }
        taken
    }

    fn step(&mut self, byte: u8, title: &mut Option<String>) {
        self.state = match (self.state, byte) {
            (State::Utf8(left), 0x80..=0xbf) if left > 1 => State::Utf8(left - 1),
            (State::C1, 0x80..=0xbf) => c1(byte),
            (State::Osc, ESC | BEL) => {
                *title = self.title().or(title.take());
                if byte == ESC { State::Escape } else { State::Ground }
            }
            (_, ESC) => State::Escape,
            (State::Escape, b'[') => State::Csi,
            (State::Escape, b']') => State::Osc,
            (State::Escape, b'P' | b'X' | b'^' | b'_') => State::String,
            (State::Escape | State::EscapeIntermediate, 0x20..=0x2f) => State::EscapeIntermediate,
            (State::Ground | State::Utf8(_) | State::C1, _)
            | (State::Escape | State::EscapeIntermediate, 0x30..=0x7e)
            | (State::Csi, 0x40..=0x7e)
            | (_, CAN | SUB) => State::Ground,
            (State::Osc, _) => {
                if self.osc.len() < OSC_MAX {
                    self.osc.push(byte);
                }
                State::Osc
            }
            (state, _) => state,
        };
        if self.state != State::Osc {
            self.osc = Vec::new();
        }
    }

    fn title(&self) -> Option<String> {
        let text = self.osc.strip_prefix(b"0;").or_else(|| self.osc.strip_prefix(b"2;"))?;
        let text = String::from_utf8_lossy(text);
        Some(text.chars().filter(|c| !c.is_control()).take(TITLE).collect())
    }
}

/// What a C1 control begins (ECMA-48), by its second byte in UTF-8; xterm.js knows them in this form.
fn c1(byte: u8) -> State {
    match byte {
        0x90 | 0x98 | 0x9e | 0x9f => State::String,
        0x9b => State::Csi,
        0x9d => State::Osc,
        _ => State::Ground,
    }
}

/// The state after text: within a character if the last one is not complete.
fn unfinished(text: &[u8]) -> State {
    let last = text.iter().rev().take(3).position(|byte| !matches!(byte, 0x80..=0xbf));
    let Some((seen, lead)) = last.map(|seen| (seen, text[text.len() - 1 - seen])) else {
        return State::Ground;
    };
    let length: usize = match lead {
        0xc3..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    };
    match length.checked_sub(seen + 1) {
        Some(left @ 1..) => State::Utf8(u8::try_from(left).unwrap_or(0)),
        _ => State::Ground,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn safe(output: &str) -> Option<usize> {
        Scanner::default().scan(output.as_bytes()).safe
    }

    /// Scans in pieces cut at every position: what is found must not depend on the cut.
    fn title(output: &str) -> Option<String> {
        let whole = Scanner::default().scan(output.as_bytes()).title;
        for cut in 0..=output.len() {
            let mut scanner = Scanner::default();
            let (before, after) = output.as_bytes().split_at(cut);
            let first = scanner.scan(before).title;
            assert_eq!(scanner.scan(after).title.or(first), whole, "cut at {cut}");
        }
        whole
    }

    #[test]
    fn the_start_of_a_line_is_preferred() {
        assert_eq!(safe("abc\ndef\n"), Some(4));
        assert_eq!(safe("abc"), Some(0));
    }

    #[test]
    fn a_line_feed_inside_a_sequence_is_none() {
        assert_eq!(safe("\x1b]0;a\nb\x07x\ny"), Some(10));
        assert_eq!(safe("\x1bPq\n\x1b\\\n"), Some(7));
        assert_eq!(safe("\x1b[1\nm"), Some(0));
    }

    #[test]
    fn a_piece_that_continues_something_is_safe_only_after_that() {
        for (before, after, expected) in [
            ("\u{1f600}", "", None),
            ("\x1b[31", "mred", Some(1)),
            ("\x1b", "[31mred", Some(4)),
            ("\x1b]8;;http://", "host\x1b\\link", Some(6)),
            ("\u{9b}1", "mx", Some(1)),
        ] {
            let mut scanner = Scanner::default();
            scanner.scan(before.as_bytes());
            assert_eq!(scanner.scan(after.as_bytes()).safe, expected, "{before:?} {after:?}");
        }
        let smile = "\u{1f600}x".as_bytes();
        for cut in 1..4 {
            let mut scanner = Scanner::default();
            scanner.scan(&smile[..cut]);
            assert_eq!(scanner.scan(&smile[cut..]).safe, Some(4 - cut));
        }
    }

    #[test]
    fn titles_are_found_wherever_they_are_cut() {
        assert_eq!(title("x\x1b]0;one\x07y\x1b]2;zw\u{f6}lf\x1b\\z").as_deref(), Some("zw\u{f6}lf"));
        assert_eq!(title("\x1b]0;\x07").as_deref(), Some(""));
        assert_eq!(title("\x1b]0;bell\x18 cancelled\x07"), None);
        assert_eq!(title("\x1b]7;file:///\x07\x1b]52;c;eA==\x07"), None);
    }

    #[test]
    fn a_title_has_bounds_and_no_controls() {
        let long = "x".repeat(100_000);
        assert_eq!(title(&format!("\x1b]2;{}\x07", &long[..2000])).unwrap().len(), TITLE);
        let mut scanner = Scanner::default();
        scanner.scan(format!("\x1b]2;{long}").as_bytes());
        assert!(scanner.osc.len() <= OSC_MAX);
        assert_eq!(title("\x1b]2;a\tb\rc\x07").as_deref(), Some("abc"));
    }
}
