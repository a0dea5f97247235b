//! How many keys were pressed, counted in what they were sent as, for people to read.

/// Most bytes that are counted: a paste can be far longer, and the exact number tells nobody anything.
pub const MAX_COUNTED_BYTES: usize = 4096;

/// Counts the keys in input. What the mouse, the focus and the brackets of a paste add to it are none.
#[must_use]
pub fn count(mut input: &[u8]) -> u32 {
    let mut keys = 0;
    while !input.is_empty() {
        let (len, is_key) = first(input);
        keys += u32::from(is_key);
        input = input.get(len..).unwrap_or_default();
    }
    keys
}

/// The length of what comes first, at least 1, and whether it is a key.
fn first(input: &[u8]) -> (usize, bool) {
    match input {
        // X10 mouse report: three bytes follow.
        [0x1b, b'[', b'M', ..] => (6, false),
        // The focus came or went (DECSET 1004).
        [0x1b, b'[', b'I' | b'O', ..] => (3, false),
        [0x1b, b'[', rest @ ..] => {
            let parameters = rest.iter().take_while(|byte| matches!(byte, 0x20..=0x3f)).count();
            // SGR mouse reports and the brackets of a paste (DECSET 1006, 2004).
            let is_key = !matches!(&rest[..parameters], [b'<', ..] | b"200" | b"201");
            (2 + parameters + 1, is_key)
        }
        [0x1b, b'O', _, ..] => (3, true),
        // Alt and a character.
        [0x1b, other, ..] if *other != 0x1b => (2, true),
        // The rest of a character in UTF-8.
        [0x80..=0xbf, ..] => (1, false),
        _ => (1, true),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::count;

    #[test]
    fn each_key_counts_once_whatever_it_sends() {
        for (input, keys) in [
            ("", 0),
            ("hello", 5),
            ("é日🦀", 3),
            ("\r\t\u{3}\u{7f}", 4),
            ("\x1b[A\x1bOB\x1b[1;5C\x1b[17~", 4),
            ("\x1bx\x1b\x1b", 3),
            ("\x1b[200~two\x1b[201~", 3),
            ("\x1b[<0;3;4M\x1b[<0;3;4m\x1b[I\x1b[O\x1b[M !!", 0),
        ] {
            assert_eq!(count(input.as_bytes()), keys, "{input:?}");
        }
    }

    proptest! {
        #[test]
        fn no_input_has_more_keys_than_bytes(input: Vec<u8>) {
            prop_assert!(count(&input) as usize <= input.len());
        }
    }
}
