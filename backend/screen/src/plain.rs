//! Detection of plain output: printable text, controls that only move within and between lines, and
//! SGR.
//!
//! Plain output contains no queries, and lines of it that have scrolled away leave no trace. Output
//! is examined as it arrives, each byte once.

mod blocks;

use std::ops::Range;

/// Number of bytes examined together.
const BLOCK_BYTES: usize = 64;

/// First byte of C1 controls, and of some other characters.
const C1_LEAD_BYTE: u8 = 0xc2;

/// The state at the end of the output examined so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Ground,
    Escape,
    /// Inside the parameters of a possible SGR sequence.
    Parameters,
    /// Inside a character whose first byte may have begun a C1 control.
    AfterC1Lead,
}

/// Finds stretches of plain output, by offset.
///
/// A stretch is plain for every parser that is in its ground state somewhere in it, from there on.
/// If that place is inside a sequence, the rest of the sequence is text.
#[derive(Debug)]
pub struct PlainOutputScanner {
    /// Start of the current plain stretch.
    plain_start: u64,
    /// End of the output examined so far.
    end: u64,
    /// Start of the unfinished character or sequence.
    unfinished_start: u64,
    state: State,
}

impl PlainOutputScanner {
    /// Creates a scanner for output that begins at offset `start`.
    #[must_use]
    pub fn new(start: u64) -> Self {
        Self { plain_start: start, end: start, unfinished_start: start, state: State::Ground }
    }

    /// Returns the current plain stretch, which may continue.
    #[must_use]
    pub fn plain(&self) -> Range<u64> {
        self.plain_start..if self.state == State::Ground { self.end } else { self.unfinished_start }
    }

    /// Examines the next output. Calls `ended` for each plain stretch that ends in it, with the
    /// offset before which its end is known.
    pub fn scan(&mut self, output: &[u8], mut ended: impl FnMut(Range<u64>, u64)) {
        let start = self.end;
        let (mut at, mut bytewise_until) = (0, 0);
        while let Some(&byte) = output.get(at) {
            let offset = start + at as u64;
            let (state, taken) = match (self.state, byte) {
                (State::Ground, _) => {
                    let plain = plain_length(output, at, &mut bytewise_until);
                    at += plain;
                    if plain > 0 {
                        continue;
                    }
                    self.unfinished_start = offset;
                    match byte {
                        0x1b => (Some(State::Escape), 1),
                        C1_LEAD_BYTE => (Some(State::AfterC1Lead), 1),
                        _ => (None, 1),
                    }
                }
                (State::Escape, b'[') => (Some(State::Parameters), 1),
                (State::Parameters, _) if is_parameter(byte) => (Some(State::Parameters), 1),
                (State::Parameters, b'm') => (Some(State::Ground), 1),
                (State::AfterC1Lead, _) if !(0x80..0xa0).contains(&byte) => (Some(State::Ground), 0),
                // The byte may begin a sequence itself.
                (State::Escape | State::Parameters | State::AfterC1Lead, _) => (None, 0),
            };
            at += taken;
            if state.is_none() {
                ended(self.plain_start..self.unfinished_start, offset + 1);
                self.plain_start = start + at as u64;
            }
            self.state = state.unwrap_or_default();
        }
        self.end = start + output.len() as u64;
    }
}

/// Returns a lower bound of the length of the plain text and whole SGR sequences from `at` on; it
/// is 0 only if there are none. Up to `bytewise_until`, other output is too close for blocks to be
/// of use.
fn plain_length(output: &[u8], at: usize, bytewise_until: &mut usize) -> usize {
    if at >= *bytewise_until {
        let plain = blocks::plain_length(&output[at..]);
        if plain > 0 {
            return plain;
        }
        *bytewise_until = at + BLOCK_BYTES;
    }
    plain_length_bytewise(&output[at..], BLOCK_BYTES)
}

/// Returns the length of the plain text and whole SGR sequences at the front, byte by byte. The
/// last of them begins within the first `max_bytes` bytes.
fn plain_length_bytewise(output: &[u8], max_bytes: usize) -> usize {
    let mut at = 0;
    while let Some(&byte) = output[..output.len().min(max_bytes)].get(at) {
        match byte {
            0x1b => match sgr_length(&output[at..]) {
                Some(length) => at += length,
                None => break,
            },
            _ if may_end_plain(byte) => break,
            _ => at += 1,
        }
    }
    at
}

/// Reports whether a byte may be more than text, without beginning an escape sequence.
const fn may_end_plain(byte: u8) -> bool {
    let is_control = byte < 0x20;
    let is_known = (byte.wrapping_sub(0x07) < 4) as u8 | (byte == 0x0d) as u8 | (byte == 0x1b) as u8;
    (is_control as u8 & !is_known | (byte == C1_LEAD_BYTE) as u8) & 1 != 0
}

/// Returns the length of the SGR sequence at the front.
pub(super) fn sgr_length(output: &[u8]) -> Option<usize> {
    let parameters = output.strip_prefix(b"\x1b[")?;
    let length = parameters.iter().position(|&byte| !is_parameter(byte))?;
    (parameters[length] == b'm').then_some(length + 3)
}

fn is_parameter(byte: u8) -> bool {
    // All digits, the colon, and the semicolon.
    matches!(byte, b'0'..=b';')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ends(pieces: &[&[u8]]) -> (Vec<(Range<u64>, u64)>, Range<u64>) {
        let (mut scanner, mut ends) = (PlainOutputScanner::new(100), Vec::new());
        for piece in pieces {
            scanner.scan(piece, |stretch, known| ends.push((stretch, known)));
        }
        (ends, scanner.plain())
    }

    #[test]
    fn text_and_its_styles_are_plain() {
        let text = "a\r\nb\t\x08\x07\x1b[0;4:3m日本 é\u{a0}".as_bytes();
        assert_eq!(ends(&[text]), (vec![], 100..100 + text.len() as u64));
    }

    #[test]
    fn what_is_not_plain_ends_a_stretch() {
        assert_eq!(ends(&[b"ab\x1b[6ncd"]), (vec![(100..102, 106)], 105..108));
        assert_eq!(ends(&[b"ab\x05cd"]), (vec![(100..102, 103)], 103..105));
        assert_eq!(ends(&[b"a\x1b\x1b[1mb"]), (vec![(100..101, 103)], 102..107));
        assert_eq!(ends(&[b"a\xc2\x9bc"]), (vec![(100..101, 103)], 102..104));
    }

    #[test]
    fn what_is_not_finished_may_be_plain_or_not() {
        assert_eq!(ends(&[b"ab\x1b[3"]), (vec![], 100..102));
        assert_eq!(ends(&[b"ab\xc2"]), (vec![], 100..102));
    }

    proptest! {
        #[test]
        fn it_may_be_cut_anywhere(
            output in proptest::collection::vec(
                proptest::sample::select(&b"\x1b\x1b[[;12mmnh \r\n\x05\xc2\xc2\x9b\xa0aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"[..]),
                    0..200,
            ),
            cut in any::<proptest::sample::Index>(),
        ) {
            let cut = cut.index(output.len() + 1);
            prop_assert_eq!(ends(&[&output[..cut], &output[cut..]]), ends(&[&output]));
        }
    }
}
