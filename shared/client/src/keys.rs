//! Counts pressed keys in terminal input, for display to the user.

/// Maximum number of bytes that are examined. A paste can be far longer, and its exact number of
/// keys is of no use to anybody.
pub const MAX_COUNTED_BYTES: usize = 4096;

/// Counts the keys in input. Mouse reports, focus reports and the brackets of a paste are not keys.
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

/// Returns the length of the first element of the input, at least 1, and whether it is a key.
fn first(input: &[u8]) -> (usize, bool) {
    match input {
        // X10 mouse report, with three bytes after the introducer.
        [0x1b, b'[', b'M', ..] => (6, false),
        // Focus report (DECSET 1004).
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
        // Continuation byte of a UTF-8 character.
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
