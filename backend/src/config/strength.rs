//! A rough estimate of how hard a chosen token is to guess.
//!
//! Repetitions, keyboard rows and common words count little, however long they are. Everything else
//! counts as if it were random. So obviously weak tokens are refused, but a token that passes is
//! not proven strong.

/// The minimum strength of a token. 16 random hexadecimal digits have 64 bits.
const MIN_TOKEN_BITS: u32 = 56;

/// The strength that a common word or a part of a sequence adds, whatever its length.
const KNOWN_PART_BITS: u32 = 8;

/// The strength that a repetition of an earlier part adds, whatever its length.
const REPEATED_BITS: u32 = 5;

/// The strength that a separator adds.
const SEPARATOR_BITS: u32 = 1;

/// The minimum length of a repetition or a part of a sequence, in characters. Shorter ones
/// occur in random text.
const MIN_RUN_CHARS: usize = 3;

/// Sequences of characters that are typed in either direction.
const SEQUENCES: [&str; 13] = [
    "01234567890123456789",
    "0123456789abcdef0123456789abcdef",
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qwertzuiop",
    "yxcvbnm",
    "azertyuiop",
    "qsdfghjklm",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "qazwsxedcrfvtgbyhnujmikolp",
    "1q2w3e4r5t6z7u8i9o0p1q2w3e4r5t6y7u8i9o0p",
];

/// Words that are common in passwords, and limpet's own.
const COMMON_WORDS: [&str; 60] = [
    "abc123",
    "access",
    "admin",
    "apple",
    "arch",
    "baseball",
    "batman",
    "changeme",
    "computer",
    "container",
    "debian",
    "default",
    "demo",
    "docker",
    "donald",
    "dragon",
    "example",
    "flower",
    "football",
    "freedom",
    "github",
    "google",
    "guest",
    "hello",
    "iloveyou",
    "internet",
    "letmein",
    "limpet",
    "linux",
    "login",
    "love",
    "master",
    "michael",
    "monkey",
    "mynoob",
    "ninja",
    "pass",
    "passw0rd",
    "password",
    "princess",
    "root",
    "secret",
    "secure",
    "server",
    "shadow",
    "shell",
    "starwars",
    "summer",
    "sunshine",
    "superman",
    "system",
    "temp",
    "terminal",
    "test",
    "token",
    "trustno1",
    "ubuntu",
    "user",
    "welcome",
    "winter",
];

/// Reports whether a token is too easy to guess.
pub(super) fn is_weak(token: &str) -> bool {
    estimate_bits(token) < MIN_TOKEN_BITS
}

/// Estimates the strength of an ASCII text in bits.
fn estimate_bits(token: &str) -> u32 {
    let text = token.to_ascii_lowercase();
    let mut bits = 0;
    let mut at = 0;
    let alphabet = alphabet_bits(token);
    while at < text.len() {
        let (rest, before) = (&text[at..], &text[..]);
        let known = common_word_len(rest).max(sequence_len(rest));
        let repeated = repetition_len(before, at);
        let (len, added_bits) = if known >= MIN_RUN_CHARS.max(repeated) {
            (known, KNOWN_PART_BITS)
        } else if repeated >= MIN_RUN_CHARS {
            (repeated, REPEATED_BITS)
        } else if rest.starts_with(['-', '.', '_', '~']) {
            (1, SEPARATOR_BITS)
        } else {
            (1, alphabet)
        };
        bits += added_bits;
        at += len;
    }
    bits
}

/// Returns the bits of one random character of the classes that a text consists of, rounded down.
fn alphabet_bits(token: &str) -> u32 {
    let has = |kind: fn(&u8) -> bool| token.bytes().any(|byte| kind(&byte));
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte.to_ascii_lowercase());
    let (lower, upper) = (has(u8::is_ascii_lowercase), has(u8::is_ascii_uppercase));
    if token.bytes().all(|byte| is_hex(byte) || byte == b'-') {
        return if lower || upper { 4 } else { 3 };
    }
    let size = 26 * (u32::from(lower) + u32::from(upper)) + 10 * u32::from(has(u8::is_ascii_digit));
    size.max(2).ilog2()
}

/// Returns the length of the common word that a text begins with.
fn common_word_len(text: &str) -> usize {
    COMMON_WORDS.iter().filter(|word| text.starts_with(**word)).map(|word| word.len()).max().unwrap_or(0)
}

/// Returns the length of the part of a sequence that a text begins with.
fn sequence_len(text: &str) -> usize {
    let longest_prefix = |sequence: &str| {
        (MIN_RUN_CHARS..=text.len()).take_while(|&len| sequence.contains(&text[..len])).last()
    };
    let both = |sequence: &&str| [(*sequence).to_owned(), sequence.chars().rev().collect()];
    SEQUENCES.iter().flat_map(both).filter_map(|sequence| longest_prefix(&sequence)).max().unwrap_or(0)
}

/// Returns how many characters from `at` on repeat an earlier part, which may overlap (`aaaa`).
fn repetition_len(text: &str, at: usize) -> usize {
    let bytes = text.as_bytes();
    let common = |from: usize| bytes[from..].iter().zip(&bytes[at..]).take_while(|(a, b)| a == b).count();
    (0..at).map(common).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use limpet_sys::random;

    #[test]
    fn what_people_type_without_thinking_is_weak() {
        for token in [
            "aaaaaaaaaaaaaaaa",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "1234567890123456",
            "12345678901234567890123456789012",
            "0123456789abcdef",
            "fedcba9876543210",
            "passwordpassword",
            "Password.Password",
            "password-password-password-password",
            "abcabcabcabcabcabc",
            "abcdefghijklmnop",
            "qwertyuiopasdfgh",
            "1qaz2wsx3edc4rfv",
            "my-secret-token-123",
            "limpet-limpet-limpet",
            "changeme-changeme",
            "admin-admin-admin-123456",
            "letmein.letmein.letmein",
            "0000000000000000",
            "abababababababab",
            "test-test-test-test-test-test",
            "----------------",
            "2024-01-01-2024-01-01",
        ] {
            assert!(is_weak(token), "{token}: {}", estimate_bits(token));
        }
    }

    #[test]
    fn what_is_random_is_not() {
        let hex = |bytes: &[u8]| hex::encode(bytes);
        for _ in 0..200 {
            assert!(!is_weak(&hex(&random::bytes::<32>())));
            assert!(!is_weak(&hex(&random::bytes::<16>())));
            let short = hex(&random::bytes::<10>());
            assert!(!is_weak(&short), "{short}: {}", estimate_bits(&short));
        }
        for token in [
            "550e8400-e29b-41d4-a716-446655440000",
            "correct-horse-battery-staple",
            "kT7-vq2Zr9_xLm4Bw",
            "9f86d081884c7d65",
            "hzvjqkxwpmrtbydn",
        ] {
            assert!(!is_weak(token), "{token}: {}", estimate_bits(token));
        }
    }
}
