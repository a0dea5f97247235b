//! Finds commands by a few of their letters.

use std::cmp::Reverse;

/// Scores of a letter of the query: for any match, for a match at the start of a word, and for a
/// match right after the previous letter's.
const MATCH_SCORE: i32 = 1;
const WORD_START_SCORE: i32 = 7;
const RUN_SCORE: i32 = 4;

/// Returns how well `query` fits `text`: higher is better, `None` is no match. Every letter must
/// occur in order, in any case; spaces in the query do not count. The best of all ways to match the
/// letters counts, and a short text wins over a long one.
#[must_use]
pub fn score(query: &str, text: &str) -> Option<i32> {
    let text: Vec<char> = text.chars().map(fold).collect();
    // `ending` has the best score of the letters so far whose last match is at each place; `best`
    // is the maximum of all.
    let mut ending = vec![None; text.len()];
    let mut best = Some(0);
    for wanted in query.chars().filter(|c| !c.is_whitespace()).map(fold) {
        let mut before = if ending.iter().all(Option::is_none) { best } else { None };
        let mut next = vec![None; text.len()];
        for at in 0..text.len() {
            if text[at] == wanted {
                let previous = at.checked_sub(1).and_then(|previous| ending[previous]);
                let run = previous.map(|score: i32| score + RUN_SCORE);
                let word = if starts_word(&text, at) { WORD_START_SCORE } else { 0 };
                next[at] = run.max(before).map(|score| score + MATCH_SCORE + word);
            }
            before = before.max(ending[at]);
        }
        best = next.iter().copied().max().flatten();
        best?;
        ending = next;
    }
    let length = i32::try_from(text.len()).unwrap_or(i32::MAX);
    best.map(|best| best.saturating_mul(100).saturating_sub(length))
}

/// Returns the places of the texts that match, best first. Equal matches keep their order.
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
