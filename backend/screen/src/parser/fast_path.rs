//! Fast paths for the most common output: runs of text, and control sequences of numbers.

use super::{
    Parser, Perform, Text,
    utf8::{self, Decoded},
};

/// Maximum length of a run with characters beyond ASCII, in bytes. Each character may create a new
/// grapheme cluster, which takes long.
const MAX_MIXED_RUN_BYTES: usize = 1024;

impl Parser {
    /// Prints the printable text at the front, or takes one control.
    pub(super) fn parse_run<'a>(&mut self, rest: &'a [u8], terminal: &mut impl Perform) -> &'a [u8] {
        if let Some(&control @ (..0x20 | 0x7f)) = rest.first() {
            return self.parse_sequence(rest, terminal).unwrap_or_else(|| {
                self.transition(control.into(), terminal);
                &rest[1..]
            });
        }
        let max_bytes = terminal.max_run_bytes().min(rest.len());
        let run = &rest[..max_bytes];
        let ascii = run.iter().position(|byte| !(0x20..0x7f).contains(byte)).unwrap_or(max_bytes);
        if rest.get(ascii).is_some_and(|&byte| byte >= 0x80) {
            // The same run may continue with other characters.
            let run = whole_characters(rest, max_bytes.min(MAX_MIXED_RUN_BYTES));
            return &rest[run.len() - self.print_mixed_text(run, terminal).len()..];
        }
        terminal.print(Text::Ascii(&run[..ascii]));
        &rest[ascii..]
    }

    /// Takes a whole control sequence at the front if it has the most common form: a prefix,
    /// numbers, and the final byte. The effect is that of calling [`transition`](Self::transition)
    /// for each byte.
    fn parse_sequence<'a>(&mut self, rest: &'a [u8], terminal: &mut impl Perform) -> Option<&'a [u8]> {
        let sequence = rest.strip_prefix(b"\x1b[")?;
        let (prefix, numbers) = match sequence.split_first() {
            Some((&prefix @ 0x3c..=0x3f, numbers)) => (prefix.into(), numbers),
            _ => (0, sequence),
        };
        let length = numbers.iter().position(|byte| !(0x30..=0x3b).contains(byte))?;
        let last = Some(numbers[length]).filter(|last| (0x40..0x7f).contains(last))?;
        let params = self.params();
        params.read(&numbers[..length]);
        terminal.csi((prefix, last), params);
        Some(&numbers[length + 1..])
    }

    /// Prints the printable text at the front of a run, which is not empty. Returns the rest of the
    /// run.
    fn print_mixed_text<'a>(&mut self, rest: &'a [u8], terminal: &mut impl Perform) -> &'a [u8] {
        let mut run = std::mem::take(&mut self.run);
        run.clear();
        let end = rest.iter().position(u8::is_ascii_control).unwrap_or(rest.len());
        let (mut at, mut control) = (0, None);
        while at < end && control.is_none() {
            let whole = utf8::whole_text(&rest[at..end]);
            run.extend(whole.chars().filter(|&char| !utf8::is_ignored(char)));
            at += whole.len();
            if at < end {
                let (decoded, taken) = self.decoder.decode(&rest[at..]);
                at += taken;
                match decoded {
                    Decoded::Char(char @ '\u{80}'..'\u{a0}') => control = Some(char),
                    Decoded::Char(char) => run.push(char),
                    Decoded::Nothing => {}
                }
            }
        }
        if !run.is_empty() {
            terminal.print(Text::Chars(&run));
        }
        self.run = run;
        if let Some(control) = control {
            self.transition(control.into(), terminal);
        }
        &rest[at..]
    }
}

/// Returns the first `max_bytes` bytes, extended to the end of the last character.
fn whole_characters(rest: &[u8], max_bytes: usize) -> &[u8] {
    let more = rest[max_bytes..].iter().take(3).take_while(|&&byte| byte & 0xc0 == 0x80).count();
    &rest[..max_bytes + more]
}

#[cfg(test)]
mod tests {
    use limpet_shared::Winsize;
    use proptest::prelude::*;

    use crate::Screen;

    fn piece() -> impl Strategy<Value = &'static str> {
        proptest::sample::select(vec![
            "text",
            " ",
            "\r\n",
            "\t",
            "é",
            "日本",
            "e\u{301}",
            "\u{301}",
            "\u{ad}",
            "👩\u{200d}👧",
            "\u{9b}1m",
            "─────────────────",
            "\x1b[31m",
            "\x1b[1;38;5;99m",
            "\x1b[38;5m",
            "\x1b[38;5;m",
            "\x1b[48:5:1m",
            "\x1b[38;2;1;2;3m",
            "\x1b[4:3m",
            "\x1b[58:2::1:2:3m",
            "\x1b[;m",
            "\x1b[00007m",
            "\x1b[99999999999m",
            "\x1b[m",
            "\x1b[3b",
            "\x1b[2;3H",
            "\x1b[K",
            "\x1b[4h",
            "\x1b[4l",
            "\x1b[1 q",
            "\x1b[?1049h",
            "\x1b[?1;25l",
            "\x1b[?h",
            "\x1b[?1?h",
            "\x1b[>1u",
            "\x1b[?1J",
            "\x1b[1:2:3H",
            "\x1b[1\x07m",
            "\x1b[1\x1b[4m",
            "\x1b(0",
            "\x1b(B",
            "\x1b]8;;x:y\x1b\\",
            "\x1b[1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;7;1m",
        ])
    }

    proptest! {
        #[test]
        fn output_may_be_cut_anywhere(pieces in proptest::collection::vec(piece(), 0..60)) {
            let output = pieces.concat();
            let screen = |pieces: &mut dyn Iterator<Item = &[u8]>| {
                let mut screen = Screen::new(Winsize::cells(20, 5), 10);
                pieces.for_each(|piece| screen.feed(piece));
                screen.snapshot(usize::MAX)
            };
            let (whole, cut) =
                (screen(&mut [output.as_bytes()].into_iter()), screen(&mut output.as_bytes().chunks(1)));
            prop_assert_eq!((whole.output, whole.unfinished_bytes), (cut.output, cut.unfinished_bytes));
        }
    }
}
