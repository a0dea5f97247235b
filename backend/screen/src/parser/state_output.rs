//! The state of a parser between two pieces of output, written as output.
//!
//! A snapshot may be taken inside a character or a control function. It then ends with output that
//! brings another parser to the same state, in limited space: of a control string that is too long
//! to have any effect, only the kind is written.

use super::{Parser, State};

/// Byte that makes a control string have no effect: no OSC has this number, and no terminal here
/// knows such a DCS or APC.
const NO_EFFECT: u8 = b'x';

/// Parameters of CSI and DCS that make the rest of the function have no effect.
const IGNORED: &[u8] = b"1?";

impl Parser {
    /// Appends output that brings a parser from its [ground state](Self::is_in_ground_state) into
    /// this one's state.
    pub(in super::super) fn write_unfinished(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(match self.state {
            State::Ground => b"",
            State::Escape | State::EscapeIntermediate => b"\x1b",
            State::CsiEntry | State::CsiParam | State::CsiIntermediate | State::CsiIgnore => b"\x1b[",
            State::SosPm => b"\x1bX",
            State::Osc => b"\x1b]",
            State::DcsEntry
            | State::DcsParam
            | State::DcsIntermediate
            | State::DcsIgnore
            | State::DcsPassthrough => b"\x1bP",
            State::ApcEntry | State::ApcPassthrough => b"\x1b_",
        });
        match self.state {
            State::Ground | State::Escape | State::SosPm | State::ApcEntry => {}
            State::EscapeIntermediate => out.extend(self.collected_bytes()),
            State::CsiEntry
            | State::CsiParam
            | State::CsiIntermediate
            | State::DcsEntry
            | State::DcsParam
            | State::DcsIntermediate => self.write_introduction(out),
            State::CsiIgnore | State::DcsIgnore => out.extend_from_slice(IGNORED),
            State::ApcPassthrough => out.push(NO_EFFECT),
            State::Osc | State::DcsPassthrough if self.is_string_too_long => out.push(NO_EFFECT),
            State::Osc => out.extend_from_slice(self.string.as_bytes()),
            State::DcsPassthrough => {
                self.write_introduction(out);
                out.push(self.dcs_final);
                out.extend_from_slice(self.string.as_bytes());
            }
        }
        out.extend_from_slice(self.decoder.pending());
    }

    /// Appends what a CSI or DCS has received after its introducer: a prefix, parameters,
    /// intermediates.
    fn write_introduction(&self, out: &mut Vec<u8>) {
        let is_prefix = |byte: &u8| (0x3c..=0x3f).contains(byte);
        out.extend(self.collected_bytes().filter(is_prefix));
        if !matches!(self.state, State::CsiEntry | State::DcsEntry)
            && let Some(params) = &self.params
        {
            params.write(out);
        }
        out.extend(self.collected_bytes().filter(|byte| !is_prefix(byte)));
    }

    fn collected_bytes(&self) -> impl Iterator<Item = u8> {
        self.collected.to_be_bytes().into_iter().skip_while(|&byte| byte == 0)
    }
}

#[cfg(test)]
mod tests {
    use limpet_shared::Winsize;
    use proptest::prelude::*;

    use crate::Screen;

    const SIZE: Winsize = Winsize::cells(20, 5);

    fn screen(pieces: &[&[u8]]) -> Screen {
        let mut screen = Screen::new(SIZE, 10);
        for piece in pieces {
            screen.feed(piece);
        }
        screen
    }

    fn snapshot_text(screen: &Screen) -> String {
        String::from_utf8_lossy(&screen.snapshot(usize::MAX).output).into_owned()
    }

    /// Checks that a screen that was fed a snapshot is in the state of the screen that it was taken
    /// of.
    fn check(before: &[u8], after: &[u8]) {
        let (whole, cut) = (screen(&[before, after]), screen(&[before]).snapshot(usize::MAX).output);
        let resumed = screen(&[&cut, after]);
        assert_eq!(snapshot_text(&resumed), snapshot_text(&whole), "{:?}", String::from_utf8_lossy(after));
    }

    fn part() -> impl Strategy<Value = Vec<u8>> {
        let words = [
            "\x1b",
            "[",
            "]",
            "P",
            "_",
            "X",
            "^",
            "\\",
            "?",
            ">",
            "$",
            " ",
            "(",
            "0",
            "2",
            ";",
            ":",
            "1;2",
            "h",
            "m",
            "q",
            "H",
            "J",
            "2;t",
            "\x07",
            "\x18",
            "\n",
            "a",
            "日",
            "\u{9b}",
            "\u{9d}",
            "\u{90}",
            "\u{9c}",
            "\u{98}",
            "\u{9f}",
            "\x7f",
            ";;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;7",
            "0:::::::::::::::::::::::::::::::::::7",
            "      ",
            "99999999999",
        ];
        prop_oneof![
            9 => proptest::sample::select(words.to_vec()).prop_map(|word| word.as_bytes().to_vec()),
            1 => prop::collection::vec(any::<u8>(), 1..3),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]

        #[test]
        fn a_snapshot_may_be_taken_anywhere(
            before in prop::collection::vec(part(), 1..12),
            after in prop::collection::vec(part(), 0..8),
        ) {
            // The final text shows whether it was printed.
            check(&before.concat(), &[after.concat(), b"end".to_vec()].concat());
        }
    }

    #[test]
    fn a_long_control_string_goes_on_as_one_without_an_effect() {
        for introducer in [
            "\x1b]2;",
            "\x1b]1337;File=inline=1:",
            "\x1bPq",
            "\x1bP$q",
            "\x1b_G",
            "\x1bX",
            "\x1b^",
            "\u{9d}2;",
            "\x1b[1?",
        ] {
            for fill in ["A", "日", "\n"] {
                let before = [introducer, &fill.repeat(70_000)].concat();
                assert!(screen(&[before.as_bytes()]).snapshot(0).unfinished_bytes < 70_000 * fill.len());
                for end in ["\x07", "\x1b\\", "\x18", "日", "\u{9c}", "m", "\x1b[31m"] {
                    // Two strings without an effect may have different texts until they end.
                    check(before.as_bytes(), format!("more{end}the next line\x18end").as_bytes());
                }
            }
        }
    }

    #[test]
    fn a_string_is_as_long_as_may_be_or_has_no_effect() {
        for (fill, count) in [("A", 64 * 1024 - 2), ("日", 21_844), ("A", 64 * 1024 - 1)] {
            let title = fill.repeat(count);
            let fits = 2 + title.len() <= 64 * 1024;
            let before = format!("\x1b]2;{title}");
            assert_eq!(screen(&[before.as_bytes(), b"\x07"]).title().is_empty(), !fits, "{}", title.len());
            check(before.as_bytes(), b"\x07");
            check(before.as_bytes(), "é\x07".as_bytes());
        }
    }

    #[test]
    fn what_was_done_inside_a_control_sequence_is_not_done_again() {
        check(b"a\x1b[1\n", b"2Cb");
        check(b"a\x1b\n", b"[31mb");
    }

    #[test]
    fn a_tab_stop_behind_the_margin_is_none() {
        check(b"01234567890123456789\x1bH", b"\tend");
    }
}
