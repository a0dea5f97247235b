//! UTF-8 as xterm.js reads it: what is no UTF-8 vanishes without a replacement character, and so does U+FEFF.

/// Remembers the beginning of a character that is cut.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Decoder {
    begun: [u8; 3],
    len: usize,
}

/// What the first bytes of a piece are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decoded {
    Char(char),
    /// The beginning of a character, or nothing that means one.
    Nothing,
}

impl Decoder {
    /// Whether no character is begun.
    pub(super) fn is_between(self) -> bool {
        self.len == 0
    }

    /// The bytes of the character that is begun.
    pub(super) fn begun(&self) -> &[u8] {
        &self.begun[..self.len]
    }

    /// Takes one character, or bytes that are none, and says how many of `piece` it took: one at least, unless a
    /// character that was begun turns out not to be one.
    #[inline]
    pub(super) fn decode(&mut self, piece: &[u8]) -> (Decoded, usize) {
        match piece.first() {
            Some(&ascii @ 0x00..=0x7f) if self.len == 0 => (Decoded::Char(ascii.into()), 1),
            _ => self.decode_more(piece),
        }
    }

    fn decode_more(&mut self, piece: &[u8]) -> (Decoded, usize) {
        let mut bytes = [0; 4];
        let begun = std::mem::take(&mut self.len);
        bytes[..begun].copy_from_slice(&self.begun[..begun]);
        let Some(&first) = bytes[..begun].first().or(piece.first()) else { return (Decoded::Nothing, 0) };
        let length = match first {
            0x00..=0x7f => return (Decoded::Char(first.into()), 1),
            0xc0..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf7 => 4,
            _ => return (Decoded::Nothing, 1),
        };
        let mut have = begun;
        for &byte in piece {
            if have > 0 && byte & 0xc0 != 0x80 {
                return (Decoded::Nothing, have - begun);
            }
            bytes[have] = byte;
            have += 1;
            if have == length {
                return (whole(&bytes[..length]), have - begun);
            }
        }
        self.begun[..have].copy_from_slice(&bytes[..have]);
        self.len = have;
        (Decoded::Nothing, piece.len())
    }
}

/// The text at the front, up to what may be a control or is no UTF-8.
pub(super) fn whole_text(piece: &[u8]) -> &str {
    let end = piece.iter().position(u8::is_ascii_control).unwrap_or(piece.len());
    let text = match std::str::from_utf8(&piece[..end]) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&piece[..error.valid_up_to()]).unwrap_or_default(),
    };
    let end = text.find(|char| matches!(char, '\u{80}'..='\u{9f}' | '\u{feff}'));
    &text[..end.unwrap_or(text.len())]
}

fn whole(bytes: &[u8]) -> Decoded {
    match std::str::from_utf8(bytes).ok().and_then(|text| text.chars().next()) {
        Some('\u{feff}') | None => Decoded::Nothing,
        Some(char) => Decoded::Char(char),
    }
}
