//! The part of a flood of output that need not be parsed.
//!
//! Text that has scrolled out of the scrollback leaves no trace. If lines scroll in the primary
//! screen, without a scroll region, only the last ones matter, with the style in which they are
//! printed. So when [`plain`](super::plain) output holds more lines than screen and scrollback
//! together, the first lines are skipped, and the result is the same to the last cell.

use memchr::{memchr, memrchr_iter};

use super::plain::sgr_length;

/// The rows of a line are counted if it is at least this many times as long as the screen is wide.
const MIN_COUNTED_WIDTHS: usize = 4;

/// The skipped part of the output, from its start.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SkippablePrefix {
    /// Number of bytes. A line begins after them.
    pub(super) len: usize,
    /// The control sequences in the skipped part that affect the rest: SGR since the last reset.
    pub(super) styles: Vec<u8>,
}

/// Finds the part of plain output that can be skipped if only its last `rows` rows can be seen.
/// Lines of more than `columns` characters take several rows.
pub(super) fn find(plain: &[u8], rows: usize, columns: usize) -> Option<SkippablePrefix> {
    let end = line_end(plain, rows, columns)?;
    // Without a carriage return the next line begins in the middle of the row.
    if end == 0 || plain[end - 1] != b'\r' {
        return None;
    }
    Some(SkippablePrefix { len: end + 1, styles: styles(&plain[..=end])? })
}

/// Maximum number of bytes of control sequences that affect the rest, which are parsed at once.
/// With more of them nothing is skipped.
const MAX_STYLE_BYTES: usize = 16 * 1024;

/// Maximum number of control sequences that are skipped to count rows of long lines. Each takes
/// about ten nanoseconds. Any further line with control sequences counts as one row.
const MAX_COUNTED_SEQUENCES: usize = 64 * 1024;

/// Returns the end of the last line that is followed by at least `rows` rows.
fn line_end(plain: &[u8], rows: usize, columns: usize) -> Option<usize> {
    let mut ends = memrchr_iter(b'\n', plain);
    let (mut next, mut seen) = (ends.next()?, 0);
    let mut sequences_left = MAX_COUNTED_SEQUENCES;
    ends.find(|&end| {
        let line = &plain[end + 1..next];
        // Counting takes longer than parsing a few rows more.
        seen += if line.len() < columns.saturating_mul(MIN_COUNTED_WIDTHS) {
            1
        } else {
            min_rows(line, columns, &mut sequences_left)
        };
        next = end;
        seen >= rows
    })
}

/// Returns the minimum number of rows that a line takes. Skips at most `sequences_left` control
/// sequences, and reduces that number by those it has skipped.
fn min_rows(line: &[u8], columns: usize, sequences_left: &mut usize) -> usize {
    let mut rest = line.strip_suffix(b"\r").unwrap_or(line);
    let mut printed = 0;
    loop {
        let text = memchr(0x1b, rest).map_or(rest, |sequence| &rest[..sequence]);
        let Some(text_columns) = min_columns(text) else { return 1 };
        printed += text_columns;
        rest = &rest[text.len()..];
        if rest.is_empty() {
            return (printed / columns).max(1);
        }
        let Some(left) = sequences_left.checked_sub(1) else { return 1 };
        *sequences_left = left;
        rest = &rest[sgr_length(rest).unwrap_or(1)..];
    }
}

/// Returns the minimum number of columns that text takes, or `None` if it contains control
/// characters, which may move the cursor back or far. The compiler vectorizes both inner loops.
fn min_columns(text: &[u8]) -> Option<usize> {
    /// As many as a `u8` can count.
    const CHUNK: usize = 255;
    let mut columns = 0;
    for chunk in text.chunks(CHUNK) {
        if chunk.iter().map(|&byte| u8::from(byte < 0x20)).sum::<u8>() > 0 {
            return None;
        }
        // Other characters may not take a column of their own.
        columns += usize::from(chunk.iter().map(|byte| u8::from(matches!(byte, 0x20..0x7f))).sum::<u8>());
    }
    Some(columns)
}

/// Returns the SGR sequences since the last complete reset, or `None` if there are too many.
fn styles(plain: &[u8]) -> Option<Vec<u8>> {
    let (mut sequences, mut bytes) = (Vec::new(), 0);
    for at in memrchr_iter(0x1b, plain) {
        let Some(length) = sgr_length(&plain[at..]) else { continue };
        let sequence = &plain[at..at + length];
        bytes += length;
        if bytes > MAX_STYLE_BYTES {
            return None;
        }
        sequences.push(sequence);
        if matches!(sequence, b"\x1b[m" | [0x1b, b'[', b'0', b'm' | b';', ..]) {
            break;
        }
    }
    sequences.reverse();
    Some(sequences.concat())
}

#[cfg(test)]
mod tests {
    use limpet_shared::Winsize;
    use proptest::prelude::*;

    use super::*;
    use crate::{Screen, plain::PlainOutputScanner};

    #[test]
    fn only_what_nobody_could_see_is_left_out() {
        let skippable = |output, rows| find(output, rows, 4);
        assert_eq!(skippable(b"1\r\n2\r\n3\r\n", 3), None);
        assert_eq!(skippable(b"0\r\n1\r\n2\r\n3\r\n", 3), Some(SkippablePrefix { len: 3, styles: vec![] }));
        assert_eq!(skippable(b"0\n1\n2\n3\n", 3), None);
        assert_eq!(
            skippable(b"0\r\n1234\x1b[1m5678\x1b[m1234\r\n", 3).map(|prefix| prefix.len),
            Some(3),
            "three rows"
        );
        assert_eq!(skippable(b"0\r\n12345678123\r\n", 3), None, "it may be two");
        assert_eq!(skippable(b"0\r\n1234\r12341234\r\n", 2), None, "goes back");
        let prefix = skippable(b"\x1b[1mx\x1b[mx\x1b[0;31mx\x1b[4mx\x1b[32m\r\n1\r\n", 1).unwrap();
        assert_eq!(prefix.styles, b"\x1b[0;31m\x1b[4m\x1b[32m");
    }

    #[test]
    fn rows_of_many_long_lines_are_counted() {
        let plain_line = "letters ".repeat(500) + "\r\n";
        let coloured_line = "\x1b[31mletters\x1b[m of two colours, and more of them ".repeat(100) + "\r\n";
        for line in [plain_line, coloured_line] {
            let plain = line.repeat(3 * 1024 * 1024 / line.len());
            let prefix = find(plain.as_bytes(), 10_048, 80);
            assert!(prefix.is_some_and(|prefix| prefix.len > plain.len() / 4), "{line:.40}");
        }
        let only_sequences = "\x1b[31m".repeat(MAX_COUNTED_SEQUENCES + 1) + &"x".repeat(160) + "\r\n";
        assert_eq!(min_rows(only_sequences.as_bytes(), 80, &mut MAX_COUNTED_SEQUENCES.clone()), 1);
    }

    fn piece() -> impl Strategy<Value = &'static [u8]> {
        prop_oneof![
            8 => Just(&b"\r\n"[..]),
            2 => Just(&b"text"[..]),
            2 => Just("日本 é".as_bytes()),
            1 => Just(&b"a long line that wraps around the margin"[..]),
            2 => Just(&b"a line that wraps around the margin many times over, with \x1b[7mcolours\x1b[m and e\xcc\x81"[..]),
            1 => Just(&b"\r"[..]),
            1 => Just(&b"\x08\x08"[..]),
            2 => Just(&b"\x1b[31;44m"[..]),
            1 => Just(&b"\x1b[0m"[..]),
            1 => Just(&b"\x1b[0;1m"[..]),
            1 => Just(&b"\x1b[m"[..]),
            1 => Just(&b"\x1b[4:3m"[..]),
            1 => Just(&b"\t"[..]),
            1 => Just(&b"\n"[..]),
        ]
    }

    proptest! {
        #[test]
        fn the_screen_is_the_same(
            pieces in proptest::collection::vec(piece(), 0..400),
            before in prop_oneof!["[a-z\r\n]{0,80}", "[a-z\r\n]{0,80}\x1b7[a-z\r\n]{0,80}", "[a-z\r\n]{0,80}\x1b\\[\\?7l", "\x1b\\[4h"],
            after in prop_oneof![Just(&b"\x1b[2;5Hx"[..]), Just(&b"\x1b[?1049hx"[..]), Just(&b""[..])],
        ) {
            let flood = [&pieces.concat(), after].concat();
            let screen = || {
                let mut screen = Screen::new(Winsize::cells(20, 5), 10);
                screen.feed(before.as_bytes());
                screen
            };
            let (mut all, mut less) = (screen(), screen());
            all.feed(&flood);
            let mut plain = None;
            let mut scanner = PlainOutputScanner::new(0);
            scanner.scan(&flood, |stretch, _| { plain.get_or_insert(stretch.end); });
            let plain = usize::try_from(plain.unwrap_or(scanner.plain().end)).unwrap();
            if let Some((preview, rows)) = less.preview((&flood[..plain], b""), 2, u64::MAX) {
                let mut all = screen();
                all.feed(&flood[..plain]);
                let (all, preview) = (all.snapshot(2), preview.snapshot(2));
                prop_assert_eq!(all.output, preview.output);
                prop_assert_eq!((preview.omitted_rows, rows <= all.omitted_rows + 2), (0, true));
            }
            let left_out = less.skip_flood(&flood[..plain]);
            less.feed(&flood[left_out..]);
            prop_assert_eq!(all.snapshot(usize::MAX).output, less.snapshot(usize::MAX).output);
        }
    }
}
