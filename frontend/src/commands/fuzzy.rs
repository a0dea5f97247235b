//! Finding a command by a few of its letters.

use std::cmp::Reverse;

/// How well `query` fits `text`; higher is better, `None` means not at all. Every letter must occur in order, in any
/// case; spaces in the query do not count. Letters that begin a word, or follow the one before, count more, and a
/// short text wins over a long one.
#[must_use]
pub fn score(query: &str, text: &str) -> Option<i32> {
    let text: Vec<char> = text.chars().map(fold).collect();
    let mut score: i32 = 0;
    let mut from = 0;
    let mut expected = None;
    for wanted in query.chars().filter(|c| !c.is_whitespace()).map(fold) {
        let hits = (from..text.len()).filter(|&at| text[at] == wanted);
        let worth = |at: usize| {
            if starts_word(&text, at) {
                8
            } else if expected == Some(at) {
                5
            } else {
                1
            }
        };
        // Of equally good places the first, hence the reversal: `max_by_key` keeps the last.
        let best = hits.rev().max_by_key(|&at| worth(at))?;
        score += worth(best);
        from = best + 1;
        expected = Some(from);
    }
    let length = i32::try_from(text.len()).unwrap_or(i32::MAX);
    Some(score.saturating_mul(100).saturating_sub(length))
}

/// The places of the texts that fit, best first; ones that fit equally well keep their order.
pub fn rank<'a>(query: &str, texts: impl Iterator<Item = &'a str>) -> Vec<usize> {
    let scored = texts.enumerate().filter_map(|(place, text)| Some((score(query, text)?, place)));
    let mut scored: Vec<(i32, usize)> = scored.collect();
    if !query.trim().is_empty() {
        scored.sort_by_key(|(score, _)| Reverse(*score));
    }
    scored.into_iter().map(|(_, place)| place).collect()
}

fn fold(letter: char) -> char {
    let plain = match letter {
        'é' | 'è' | 'ê' | 'É' => 'e',
        other => other,
    };
    plain.to_lowercase().next().unwrap_or(plain)
}

fn starts_word(text: &[char], at: usize) -> bool {
    text[at].is_alphanumeric() && (at == 0 || !text[at - 1].is_alphanumeric())
}
