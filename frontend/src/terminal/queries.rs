//! Queries: control sequences that make a terminal send an answer to the program.
//!
//! A program must get one answer, not one from each viewer, and no answer to a query from long ago.
//! So a terminal swallows queries before xterm.js sees them if it is not the primary viewer's, or
//! if it parses replayed output. Sequences that only set something pass.

/// A kind of control sequence, by the bytes that identify it to a parser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// The byte before the parameters, if any.
    pub prefix: &'static str,
    /// The bytes after the parameters.
    pub intermediates: &'static str,
    /// The byte that ends it, or begins a DCS's data.
    pub last: &'static str,
}

const fn sequence(prefix: &'static str, intermediates: &'static str, last: &'static str) -> Sequence {
    Sequence { prefix, intermediates, last }
}

/// The window operations, some of which are queries; see [`is_window_report`].
pub const WINDOW_OPERATION: Sequence = sequence("", "", "t");

/// DECSET, which is not a query but can make xterm.js send a report; see [`enables_focus_reports`].
pub const SET_MODE: Sequence = sequence("?", "", "h");

/// ED, which is not a query: with 2 it clears the screen, with 3 the scrollback.
pub const ERASE_IN_DISPLAY: Sequence = sequence("", "", "J");

/// Control sequences that are queries whatever their parameters (xterm's "Control Sequences", and
/// kitty's keyboard protocol).
pub const CSI_QUERIES: [Sequence; 9] = [
    // Device attributes: primary, secondary, tertiary.
    sequence("", "", "c"),
    sequence(">", "", "c"),
    sequence("=", "", "c"),
    // Device status and cursor position, ANSI and private.
    sequence("", "", "n"),
    sequence("?", "", "n"),
    // DECRQM: the state of a mode.
    sequence("", "$", "p"),
    sequence("?", "$", "p"),
    // XTVERSION.
    sequence(">", "", "q"),
    // The flags of kitty's keyboard protocol.
    sequence("?", "", "u"),
];

/// Device control strings that are queries.
pub const DCS_QUERIES: [Sequence; 2] = [
    // DECRQSS: the value of a setting.
    sequence("", "$", "q"),
    // XTGETTCAP: a terminfo capability.
    sequence("", "+", "q"),
];

/// Operating system commands that are queries if [`is_query`] says so: palette, foreground,
/// background, cursor.
pub const OSC_QUERIES: [u32; 4] = [4, 10, 11, 12];

/// The operating system command that reads and writes the clipboard.
pub const CLIPBOARD_OSC: u32 = 52;

/// Reports whether an operating system command queries a value instead of setting it.
#[must_use]
pub fn is_query(data: &str) -> bool {
    data.split(';').any(|field| field == "?")
}

/// Reports whether a window operation does anything but push and pop the title.
#[must_use]
pub fn is_window_report(params: &[u32]) -> bool {
    !matches!(params, [22 | 23, ..])
}

/// Reports whether DECSET enables focus reports, for which xterm.js sends the first one at once.
#[must_use]
pub fn enables_focus_reports(params: &[u32]) -> bool {
    params.contains(&1004)
}

/// Reports whether the terminal's input is a focus report.
#[must_use]
pub fn is_focus_report(input: &str) -> bool {
    input == "\x1b[I" || input == "\x1b[O"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setting_a_colour_is_no_query() {
        for query in ["?", "1;?", "0;?;1;?"] {
            assert!(is_query(query), "{query}");
        }
        for set in ["#112233", "rgb:11/22/33", "1;#fff", "7;what?"] {
            assert!(!is_query(set), "{set}");
        }
    }

    #[test]
    fn pushing_and_popping_the_title_is_no_report() {
        assert!(is_window_report(&[14]) && is_window_report(&[18, 2]) && is_window_report(&[]));
        assert!(!is_window_report(&[22, 0, 0]) && !is_window_report(&[23]));
    }
}
