//! UTF-8 as the page decodes it: each maximal part of an invalid sequence becomes U+FFFD, and
//! U+FEFF vanishes.

/// A decoder that keeps the beginning of a character between two pieces.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Decoder {
    pending: [u8; 3],
    len: usize,
}

/// The result of decoding the first bytes of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decoded {
    Char(char),
    /// The beginning of a character, or a character without any effect.
    Nothing,
}

impl Decoder {
    /// Reports whether no character is begun.
    pub(super) fn is_empty(self) -> bool {
        self.len == 0
    }

    /// Returns the bytes of the character that is begun.
    pub(super) fn pending(&self) -> &[u8] {
        &self.pending[..self.len]
    }

    /// Decodes one character, or an invalid sequence, and returns how many bytes of `piece` it
    /// took: at least one, unless a character begun earlier turns out to be invalid.
    #[inline]
    pub(super) fn decode(&mut self, piece: &[u8]) -> (Decoded, usize) {
        match piece.first() {
            Some(&ascii @ 0x00..=0x7f) if self.len == 0 => (Decoded::Char(ascii.into()), 1),
            _ => self.decode_more(piece),
        }
    }

    fn decode_more(&mut self, piece: &[u8]) -> (Decoded, usize) {
        let pending = std::mem::take(&mut self.len);
        let available = (pending + piece.len()).min(4);
        let mut bytes = [0; 4];
        bytes[..pending].copy_from_slice(&self.pending[..pending]);
        bytes[pending..available].copy_from_slice(&piece[..available - pending]);
        let first = bytes[..available].utf8_chunks().next();
        let char = first.as_ref().and_then(|chunk| chunk.valid().chars().next());
        match (char, str::from_utf8(&bytes[..available])) {
            (Some(char), _) => (to_decoded(char), char.len_utf8() - pending),
            (None, Err(error)) if error.error_len().is_none() => {
                self.pending[..available].copy_from_slice(&bytes[..available]);
                self.len = available;
                (Decoded::Nothing, available - pending)
            }
            // The bytes kept earlier belong to the invalid sequence.
            (None, Err(error)) => {
                (Decoded::Char(char::REPLACEMENT_CHARACTER), error.error_len().map_or(1, |len| len - pending))
            }
            (None, Ok(_)) => (Decoded::Nothing, 0),
        }
    }
}

/// Returns the text at the front, up to a possible C1 control or invalid UTF-8.
pub(super) fn whole_text(piece: &[u8]) -> &str {
    let text = piece.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    let end = text.find(|char| matches!(char, '\u{80}'..='\u{9f}'));
    &text[..end.unwrap_or(text.len())]
}

/// Reports whether a character has no effect at all.
pub(super) const fn is_ignored(char: char) -> bool {
    char == '\u{feff}'
}

fn to_decoded(char: char) -> Decoded {
    if is_ignored(char) { Decoded::Nothing } else { Decoded::Char(char) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(pieces: &[&[u8]]) -> String {
        let (mut decoder, mut text) = (Decoder::default(), String::new());
        for mut rest in pieces.iter().copied() {
            while !rest.is_empty() {
                let (now, taken) = decoder.decode(rest);
                rest = &rest[taken..];
                if let Decoded::Char(char) = now {
                    text.push(char);
                }
            }
        }
        // The end of all output would end the character that is begun.
        if !decoder.is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
        }
        text
    }

    proptest! {
        #[test]
        fn what_is_invalid_is_replaced_as_browsers_do(
            bytes in proptest::collection::vec(
                prop_oneof![
                    any::<u8>(),
                    proptest::sample::select(&b"a\x80\x8f\x90\x9f\xa0\xbf\xc0\xc1\xc2\xdf\xe0\xe1\xed\xef\xf0\xf1\xf4\xf5\xff"[..]),
                ],
                0..40,
            ),
            cut in any::<proptest::sample::Index>(),
        ) {
            let right = String::from_utf8_lossy(&bytes).replace('\u{feff}', "");
            let (one, other) = bytes.split_at(cut.index(bytes.len() + 1));
            prop_assert_eq!(decode(&[&bytes]), right.clone());
            prop_assert_eq!(decode(&[one, other]), right);
        }
    }
}
