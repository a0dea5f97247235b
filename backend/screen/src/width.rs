//! Character widths in columns, and the rule by which a character joins the one before it.
//!
//! By default each character takes the columns that `wcwidth` returns for it, as shells, editors
//! and multiplexers assume; a character without columns joins the cell before the cursor. In mode
//! 2027 grapheme clusters have widths, by Unicode's UAX #29 as xterm.js's grapheme add-on
//! implements it; there every character takes at least one column unless it joins.

mod table;

use limpet_shared::limits::MAX_CLUSTER_CHARS;

use self::table::RANGES;

/// Binary logarithm of the number of code points that share an entry of [`PAGES`].
const PAGE_BITS: u32 = 7;

/// The first range that does not end before each page of the planes that text is made of.
const PAGES: [u16; (0x2_0000 >> PAGE_BITS) + 1] = {
    let mut pages = [0; (0x2_0000 >> PAGE_BITS) + 1];
    let (mut page, mut first, mut range) = (0, 0, 0_u16);
    while page < pages.len() {
        while (range as usize) < RANGES.len() && RANGES[range as usize].1 < first {
            range += 1;
        }
        pages[page] = range;
        page += 1;
        first += 1 << PAGE_BITS;
    }
    pages
};

/// The rule by which columns are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum WidthRule {
    /// Each character has its own columns.
    #[default]
    Chars,
    /// A grapheme cluster has the columns of its widest character (mode 2027).
    Clusters,
}

/// The first character that may take another number of columns than one.
const FIRST_SPECIAL: char = '\u{300}';

/// The class of a character in grapheme clusters (UAX #29, table 2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Other,
    Prepend,
    Extend,
    RegionalIndicator,
    SpacingMark,
    HangulL,
    HangulV,
    HangulT,
    HangulLv,
    HangulLvt,
    Zwj,
    Pictographic,
}

/// The measurements of the character printed last, as long as nothing else came after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Preceding {
    kind: Kind,
    /// Columns of the whole cluster; 0 if it joins an unknown character.
    pub(super) width: u8,
    /// True if it joined the character before it.
    pub(super) joins: bool,
    /// Number of code points of the whole cluster.
    chars: u8,
}

const _: () = assert!(MAX_CLUSTER_CHARS <= u8::MAX as usize, "a cluster's code points are counted in a byte");

impl Preceding {
    /// A printable character of ASCII that did not join.
    pub(super) const ASCII: Self = Self { kind: Kind::Other, width: 1, joins: false, chars: 1 };
}

/// Measures `char` after the preceding character. `None` if it has no effect because it would join
/// a full cluster.
pub(super) fn measure(char: char, preceding: Option<Preceding>, width_rule: WidthRule) -> Option<Preceding> {
    match width_rule {
        WidthRule::Chars => measure_char(char, preceding),
        WidthRule::Clusters => measure_in_cluster(char, preceding),
    }
}

fn measure_char(char: char, preceding: Option<Preceding>) -> Option<Preceding> {
    let columns = if char < FIRST_SPECIAL { 1 } else { look_up(char.into()).2 };
    if columns > 0 {
        return Some(unjoined(Kind::Other, columns));
    }
    let before = preceding.unwrap_or(unjoined(Kind::Other, 0));
    let is_full = usize::from(before.chars) >= MAX_CLUSTER_CHARS;
    (!is_full).then_some(Preceding { joins: true, chars: before.chars + 1, ..before })
}

fn measure_in_cluster(char: char, preceding: Option<Preceding>) -> Option<Preceding> {
    let (kind, columns, _) = look_up(char.into());
    let width = width_of(char, columns);
    let Some(before) = preceding.filter(|before| joins(before.kind, kind)) else {
        return Some(unjoined(kind, width));
    };
    if usize::from(before.chars) >= MAX_CLUSTER_CHARS {
        return None;
    }
    let chars = before.chars + 1;
    if kind == Kind::RegionalIndicator {
        // A third regional indicator begins a new pair.
        let width = if before.width > width { before.width } else { 2 };
        return Some(Preceding { kind: Kind::Other, width, joins: true, chars });
    }
    Some(Preceding { kind, width: width.max(before.width), joins: true, chars })
}

/// Measures `char` without a preceding character.
pub(super) fn measure_alone(char: char, width_rule: WidthRule) -> Preceding {
    let (kind, columns, by_char) = look_up(char.into());
    match width_rule {
        WidthRule::Chars => unjoined(Kind::Other, by_char),
        WidthRule::Clusters => unjoined(kind, width_of(char, columns)),
    }
}

const fn unjoined(kind: Kind, width: u8) -> Preceding {
    Preceding { kind, width, joins: false, chars: 1 }
}

/// Returns the width of a character; the selector of the emoji presentation makes its cluster wide.
const fn width_of(char: char, columns: u8) -> u8 {
    if char == '\u{fe0f}' { 2 } else { columns }
}

/// Reports whether there is no boundary between the two (rules GB6 to GB13, except that the caller
/// has to pair regional indicators).
fn joins(before: Kind, after: Kind) -> bool {
    use Kind::{
        Extend, HangulL, HangulLv, HangulLvt, HangulT, HangulV, Pictographic, Prepend, RegionalIndicator,
        SpacingMark, Zwj,
    };
    matches!(
        (before, after),
        (HangulL, HangulL | HangulV | HangulLv | HangulLvt)
            | (HangulLv | HangulV, HangulV | HangulT)
            | (HangulLvt | HangulT, HangulT)
            | (_, Extend | Zwj | SpacingMark)
            | (Prepend, _)
            | (Zwj, Pictographic)
            | (RegionalIndicator, RegionalIndicator)
    )
}

/// Returns the kind of a character, its columns in a cluster, and its columns by `wcwidth`.
fn look_up(code: u32) -> (Kind, u8, u8) {
    if let syllable @ 0xac00..=0xd7a3 = code {
        let kind = if (syllable - 0xac00).is_multiple_of(28) { Kind::HangulLv } else { Kind::HangulLvt };
        return (kind, 2, 2);
    }
    let page = (code >> PAGE_BITS) as usize;
    let (start, end) = match PAGES.get(page..page + 2) {
        Some(&[start, end]) => (start.into(), RANGES.len().min(usize::from(end) + 1)),
        _ => (0, RANGES.len()),
    };
    let at = start + RANGES[start..end].partition_point(|&(_, last, ..)| last < code);
    match RANGES.get(at) {
        Some(&(first, _, kind, columns, by_char)) if first <= code => (kind, columns, by_char),
        _ => (Kind::Other, 1, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the columns of text that is printed as one run.
    fn columns(text: &str, width_rule: WidthRule) -> usize {
        let (mut before, mut sum) = (None, 0);
        for char in text.chars() {
            let Some(now) = measure(char, before, width_rule) else { continue };
            let old = before.filter(|_| now.joins).map_or(0, |before: Preceding| before.width);
            sum += usize::from(now.width) - usize::from(old);
            before = Some(now);
        }
        sum
    }

    #[test]
    fn clusters_take_the_columns_of_one_character() {
        for (text, expected) in [
            ("abc", 3),
            ("日本", 4),
            ("e\u{301}", 1),
            ("👩\u{200d}👩\u{200d}👧", 2),
            ("🇩🇪", 2),
            ("🇩🇪🇫", 3),
            ("❤\u{fe0f}", 2),
            ("각", 2),
            ("\u{1100}\u{1161}\u{11a8}", 2),
            ("क\u{93f}", 1),
            ("\u{301}", 1),
            // A character that joins a full cluster has no effect, not even a selector.
            (&format!("❤{}\u{fe0f}\u{200d}", "\u{301}".repeat(MAX_CLUSTER_CHARS)), 1),
            (&format!("❤{}\u{200d}❤", "\u{301}".repeat(MAX_CLUSTER_CHARS - 2)), 1),
            (&format!("❤{}\u{200d}❤", "\u{301}".repeat(MAX_CLUSTER_CHARS - 1)), 2),
        ] {
            assert_eq!(columns(text, WidthRule::Clusters), expected, "{text:?}");
        }
    }

    #[test]
    fn characters_take_the_columns_that_programs_count() {
        for (text, expected) in [
            ("abc", 3),
            ("日本", 4),
            ("e\u{301}", 1),
            ("👩\u{200d}👩\u{200d}👧", 6),
            ("🇩🇪", 2),
            ("❤\u{fe0f}", 1),
            ("1\u{fe0f}\u{20e3}", 1),
            ("👍🏽", 4),
            ("각", 2),
            ("\u{1100}\u{1161}\u{11a8}", 2),
            ("क\u{93f}", 2),
            ("\u{301}\u{200b}\u{2060}", 0),
            ("䷀", 2),
        ] {
            assert_eq!(columns(text, WidthRule::Chars), expected, "{text:?}");
        }
    }

    #[test]
    fn the_table_is_in_order() {
        assert!(RANGES.windows(2).all(|pair| pair[0].1 < pair[1].0));
    }
}
