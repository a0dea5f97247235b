//! Sanitizes the titles that programs and users give.

use limpet_shared::limits::MAX_TITLE_CHARS;

/// Returns a title as one line of at most [`MAX_TITLE_CHARS`] characters, without control
/// characters, without characters that change the direction of the text around it, and without
/// superfluous blanks. Empty if nothing of it would be visible.
pub(super) fn clean(title: &str) -> String {
    let mut clean = String::new();
    let mut count = 0;
    for c in title.chars().filter(|&c| !is_format(c)) {
        let is_blank = c.is_whitespace() || c.is_control();
        if is_blank && (clean.is_empty() || clean.ends_with(' ')) {
            continue;
        }
        clean.push(if is_blank { ' ' } else { c });
        count += 1;
        if count == MAX_TITLE_CHARS {
            break;
        }
    }
    clean.truncate(clean.trim_end().len());
    if clean.chars().all(is_invisible) { String::new() } else { clean }
}

/// Reports whether a character only controls the direction or the joining of others (Unicode:
/// `Bidi_Control`, and the format characters that neither emoji nor scripts need).
const fn is_format(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// Reports whether a character has no visible glyph.
const fn is_invisible(c: char) -> bool {
    matches!(c,
        ' ' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200c}' | '\u{200d}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}'
        | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_one_line_that_can_be_read() {
        for (title, shown) in [
            ("~/src", "~/src"),
            ("  a \t\u{a0}\n b  ", "a b"),
            ("gpj.\u{202e}exe\u{2066}\u{200f}", "gpj.exe"),
            ("\u{1b}[31mred\u{7}\u{9b}", "[31mred"),
            ("👩\u{200d}💻 ❤\u{fe0f}", "👩\u{200d}💻 ❤\u{fe0f}"),
            ("می\u{200c}خواهم", "می\u{200c}خواهم"),
        ] {
            assert_eq!(clean(title), shown, "{title:?}");
        }
    }

    #[test]
    fn one_that_cannot_be_seen_is_none() {
        for title in ["", "   ", "\u{202e}", "\u{3164}\u{2800} \u{200d}", "\u{e0041}\u{fe0f}", "\t\u{7}"] {
            assert_eq!(clean(title), "", "{title:?}");
        }
        assert_eq!(
            clean(&"x ".repeat(MAX_TITLE_CHARS)).chars().count(),
            MAX_TITLE_CHARS - 1,
            "the last one would be a blank"
        );
    }
}
