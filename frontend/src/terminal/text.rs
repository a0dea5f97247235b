//! Cleaning of pasted and copied text.

/// Returns text as it is pasted: each control character except tab and line end is replaced by a
/// blank.
///
/// In a terminal, control characters are keys. Those that stty(1) knows act even within a bracketed
/// paste: `^C` drops the line, so that the next one becomes a command of its own. xterm replaces
/// them in the same way (`disallowedPasteControls`).
#[must_use]
pub fn sanitize_paste(text: &str) -> String {
    let key = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r');
    text.chars().map(|c| if key(c) { ' ' } else { c }).collect()
}

/// Returns selected text as it is copied: without blanks at the ends of lines, and without empty
/// lines before and after. Returns `None` if nothing is left.
#[must_use]
pub fn trim_copied(selected: &str) -> Option<String> {
    let lines: Vec<&str> = selected.lines().map(str::trim_end).collect();
    let first = lines.iter().position(|line| !line.is_empty())?;
    let last = lines.iter().rposition(|line| !line.is_empty())?;
    Some(lines[first..=last].join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pasted_presses_no_keys() {
        assert_eq!(sanitize_paste("echo safe\u{3}\recho two\r"), "echo safe \recho two\r");
        assert_eq!(
            sanitize_paste("a\u{1a}\u{1c}\u{4}b\u{1b}[201~\u{7f}\u{8}\u{0}\u{9b}1m"),
            "a   b [201~    1m"
        );
        let harmless = "tab\t, lines\r\nof\ntext\r, é 日 👩\u{200d}💻";
        assert_eq!(sanitize_paste(harmless), harmless);
        assert!(
            sanitize_paste(&(0..0xa0).filter_map(char::from_u32).collect::<String>())
                .chars()
                .all(|c| !c.is_control() || "\t\n\r".contains(c))
        );
    }

    #[test]
    fn what_is_copied_has_no_blanks_that_nobody_sees() {
        assert_eq!(trim_copied("  one  \n\ntwo\t\n   \n\n").as_deref(), Some("  one\n\ntwo"));
        assert_eq!(trim_copied("\n \na").as_deref(), Some("a"));
        for nothing in ["", "   ", "\n\n \n"] {
            assert_eq!(trim_copied(nothing), None);
        }
    }
}
