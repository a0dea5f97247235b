//! Small streams, each of which once gave another result after a snapshot. They are cut at every
//! offset.

use limpet_screen::Screen;
use limpet_shared::Winsize;

use crate::{
    cut,
    oracle::Oracle,
    stream::{Step, Stream},
};

/// The initial size and the output; `<10x4>` is another size.
const CASES: [(u16, u16, &[u8]); 59] = [
    // The next character wraps, but the last column has other content by then.
    (10, 4, b"\x1b[2;1Habc\x1b[1;1H0123456789\x1b[S"),
    (10, 4, b"\x1b[2;1Habc\x1b[1;1H0123456789\x1b[Sx"),
    (10, 4, b"abc\x1b[3;1H0123456789\x1b[Tx"),
    (10, 4, b"abc\r\n0123456789\x1b[44m\x1b[ @x"),
    (10, 4, b"abc\r\n0123456789\x1b[2'~x"),
    (10, 4, b"abc\r\n0123456789\x1b[2'}x"),
    (10, 4, b"abc\r\n0123456789\x1b[1Kx"),
    (10, 4, b"abc\r\n0123456789\x1b[45m\x1b[2Kx"),
    (10, 4, b"abc\r\n0123456789\x1b[2Jx"),
    (10, 4, b"abc\r\n\x1b[?47h\x1b[2;1H0123456789\x1b[?47lx"),
    (10, 4, b"abc\r\n0123456789\x1b[?1049hx\x1b[5;1H0123456789\x1b[S"),
    (10, 4, b"\x1b[?1049habc\r\ndef\r\n0123456789\x1b[Sx"),
    (10, 4, b"\x1b[?1049habc\r\n0123456789\x1b[1Kx"),
    // A wide character at the new margin.
    (10, 4, "\x1b[?1049h日日日日日\r\nab\r\ncd\r\nef<9x4>".as_bytes()),
    (10, 4, "\x1b[?1049h日日日日日\r\nab\r\ncd\r\nef<9x4>x".as_bytes()),
    (10, 4, "\x1b[?1049h日日日日日\x1b[H\x1b[3@<9x4>x".as_bytes()),
    (10, 4, "日日日日日<9x4>x".as_bytes()),
    (10, 4, "日日日日日<3x4>日".as_bytes()),
    // Cells that were beyond the margin.
    (20, 3, b"\x1b[?1049habcdefghijklmnopqrst<10x3>"),
    (20, 3, b"\x1b[?1049habcdefghijklmnopqrst<10x3>\x1b[1;5H\x1b[Px\x1b[Ky"),
    (20, 3, b"abcdefghijklmnopqrst<10x3>\x1b[1;5H\x1b[Px\x1b[Ky"),
    (20, 3, b"abcdefghijklmnopqrst<10x3>\r\nnext<8x3>"),
    (20, 3, b"abcdefghijklmnopqrstuvwx<10x3>x"),
    // ED 1 with scrollback.
    (10, 4, b"0123456789abc\r\n\r\n\r\n\r\n\r\n\x1b[1;10H\x1b[1J<20x4>"),
    (10, 4, b"0123456789abc\r\n\r\n\r\n\r\n\r\n\x1b[1;10H\x1b[?1J<20x4>"),
    (10, 4, b"a\r\n0123456789abc\r\n\r\n\r\n0123456789abcdef\x1b[A\x1b[10G\x1b[1J<20x4>"),
    // The cursor on half a character.
    (20, 5, "日本日<6x5>x".as_bytes()),
    (20, 5, "日本日<5x5>x".as_bytes()),
    (20, 5, "日本日<6x5>\u{301}".as_bytes()),
    (20, 5, "日本日<6x5>\x1b[3b".as_bytes()),
    // No autowrap.
    (10, 3, "\x1b[?7l\x1b[1;9H日x".as_bytes()),
    (10, 3, "\x1b[?7l\x1b[1;9H日xy日z".as_bytes()),
    (10, 3, "\x1b[?7l0123456789日\u{301}x".as_bytes()),
    (10, 3, "\x1b[?7l日日日日日日日x日".as_bytes()),
    (10, 3, "\x1b[?7l\x1b[4habc日日日\x1b[3G日日日日日x".as_bytes()),
    (10, 3, "\x1b[?7l\x1b[?2027h012345678❤\u{fe0f}\u{301}x".as_bytes()),
    // Half a character where cells are inserted and deleted.
    (10, 4, "日本語\x1b[1;2H\x1b[@".as_bytes()),
    (10, 4, "日本語\x1b[1;4H\x1b[3@x".as_bytes()),
    (10, 4, "日本語日日\x1b[1;4H\x1b[8@x".as_bytes()),
    (10, 4, "日本語\r\n日本語\x1b[2G\x1b[2'}x".as_bytes()),
    (10, 4, "日本語\r\n日本語\x1b[2G\x1b['~x".as_bytes()),
    (10, 4, "日本語\x1b[1;2H\x1b[4hab".as_bytes()),
    // The saved cursor's style.
    (20, 3, b"\x1b7\x1b]8;;http://a\x1b\\lnk\x1b8\x1b[mtext"),
    (20, 3, b"\x1b]8;;http://a\x1b\\\x1b7lnk\x1b]8;;\x1b\\\x1b8text"),
    (20, 3, b"\x1b[4:3;58;5;1m\x1b7\x1b[4:2mx\x1b8y\x1b[24mz"),
    (20, 3, b"\x1b[4:3m\x1b7\x1b[mx\x1b8y\x1b[24mz\x1b[!p\x1b8u"),
    (20, 3, b"\x1b[4mx\x1b8y"),
    // Repetitions.
    (10, 3, b"q\x1b[99b"),
    (10, 3, "日\x1b[99b".as_bytes()),
    (10, 3, "e\u{301}\x1b[12bx".as_bytes()),
    (10, 3, "e\x1b[m\u{301}\x1b[3bx".as_bytes()),
    // Marks, and the characters that they join.
    (10, 3, "01234567日<9x3>\u{301}x".as_bytes()),
    (10, 3, "ab\x1b[2Dx\x1b[31m\u{301}\x1b[5G\u{301}y\r\u{301}z".as_bytes()),
    // Widths, and the mode in which clusters count.
    (20, 3, "❤\u{fe0f}|👩\u{200d}👧|🇩🇪|👍🏽|1\u{fe0f}\u{20e3}|क\u{93f}|각".as_bytes()),
    (20, 3, "\x1b[?2027h❤\u{fe0f}|👩\u{200d}👧|🇩🇪\x1b[?2027l❤\u{fe0f}|🇩🇪|".as_bytes()),
    (20, 3, "\x1b[?2027h❤\u{fe0f}\x1b[!p❤\u{fe0f}\x1b[?2027h\x1bc❤\u{fe0f}".as_bytes()),
    // Invalid UTF-8.
    (10, 3, b"caf\xe9\r\n\xe2\x82x\xf0\x9f\x98\xffy\xc2"),
    (10, 3, b"\xed\xa0\x80\x9b1m\xc3\x1b[31mx\xe2\x1b]2;t\xffi\x07y"),
    (10, 3, b"01234567\xf5\xc0\x80\xc2\x9b2mx"),
];

/// Parses a stream in the notation above.
fn stream(cols: u16, rows: u16, mut text: &[u8]) -> Stream {
    let mut steps = Vec::new();
    while let Some((at, end, size)) = next_size(text) {
        steps.push(Step::Output(text[..at].to_vec()));
        steps.push(Step::Resize(size));
        text = &text[end..];
    }
    steps.push(Step::Output(text.to_vec()));
    steps.retain(|step| !matches!(step, Step::Output(bytes) if bytes.is_empty()));
    Stream { size: Winsize::cells(cols, rows), steps }
}

fn next_size(text: &[u8]) -> Option<(usize, usize, Winsize)> {
    let at = text.iter().position(|&byte| byte == b'<')?;
    let end = at + text[at..].iter().position(|&byte| byte == b'>')?;
    let (cols, rows) = std::str::from_utf8(&text[at + 1..end]).unwrap().split_once('x').unwrap();
    Some((at, end + 1, Winsize::cells(cols.parse().unwrap(), rows.parse().unwrap())))
}

#[test]
fn named_cases_are_equal_wherever_they_are_cut() {
    let mut oracle = Oracle::start();
    let mut bad = Vec::new();
    for (cols, rows, text) in CASES {
        let stream = stream(cols, rows, text);
        for at in 0..=stream.len() {
            let compare = |scrollback| cut::compare_with(scrollback, &mut oracle, &stream, at);
            if let Some(difference) = [cut::SCROLLBACK_ROWS, 3].into_iter().flat_map(compare).next() {
                bad.push(format!("{}: cut at {at}: {difference:?}", text.escape_ascii()));
                break;
            }
        }
        let mut screen = Screen::new(stream.size, 50);
        for step in &stream.steps {
            match step {
                Step::Output(bytes) => screen.feed(bytes),
                Step::Resize(size) => screen.resize(*size),
            }
        }
        let (here, (there, _)) = (screen.text().lines, oracle.text(&stream, 50));
        if here != there {
            bad.push(format!("{}: {here:?} on the server, {there:?} in the page", text.escape_ascii()));
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

/// Returns the rows on the screen after a stream.
fn screen_text(cols: u16, rows: u16, text: &[u8]) -> Vec<String> {
    let stream = stream(cols, rows, text);
    Oracle::start().text(&stream, 50).0
}

#[test]
fn what_is_beyond_the_margin_comes_back() {
    let line = b"START-mmmmmmmmmmmmmmmmmmmm-END<12x4><30x4>";
    assert_eq!(screen_text(30, 4, line)[0], "START-mmmmmmmmmmmmmmmmmmmm-END");
    let next = b"START-mmmmmmmmmmmmmmmmmmmm-END<12x4>\r\nnext<30x4>";
    assert_eq!(screen_text(30, 4, next)[..2], ["START-mmmmmmmmmmmmmmmmmmmm-END", "next"]);
    let narrower = b"START-mmmmmmmmmmmmmmmmmmmm-END<12x4>\r\nnext<10x4>";
    assert_eq!(screen_text(30, 4, narrower)[..4], ["START-mmmm", "mmmmmmmmmm", "mmmmmm-END", "next"]);
    let written = b"START-mmmmmmmmmmmmmmmmmmmm-END<12x4>\r\x1b[Kbash<30x4>";
    assert_eq!(screen_text(30, 4, written)[0], "bash");
    let alternate = "\x1b[?1049h日日日日日\r\nabcdefghij<9x4><10x4>";
    assert_eq!(screen_text(10, 4, alternate.as_bytes())[..2], ["日日日日日", "abcdefghij"]);
    let two_rows = b"0123456789abcdefghij<6x4><10x4>";
    assert_eq!(screen_text(10, 4, two_rows)[..2], ["0123456789", "abcdefghij"]);
}

#[test]
fn the_rule_of_widths_is_told() {
    let mut oracle = Oracle::start();
    for (text, told) in [("", 2), ("\x1b[?2027h", 1), ("\x1b[?2027h\x1b[!p", 2), ("\x1b[?2027h\x1bc", 2)] {
        let output = format!("{text}\x1b[?2027$p");
        let mut screen = Screen::new(Winsize::cells(10, 3), 0);
        screen.set_answering(true);
        screen.feed(output.as_bytes());
        let answer = format!("\x1b[?2027;{told}$y");
        assert_eq!(String::from_utf8(screen.take_answers()).unwrap(), answer);
        assert_eq!(oracle.answers(&stream(10, 3, output.as_bytes())), answer);
    }
}

#[test]
fn a_colour_that_is_set_and_asked_for_at_once_is_the_new_one() {
    let answer = |output: &[u8]| {
        let mut screen = Screen::new(Winsize::cells(10, 3), 0);
        screen.set_answering(true);
        screen.feed(output);
        String::from_utf8(screen.take_answers()).unwrap()
    };
    assert_eq!(answer(b"\x1b]4;1;#123456;1;?\x1b\\"), "\x1b]4;1;rgb:1212/3434/5656\x1b\\");
    assert!(!answer(b"\x1b]4;1;?;1;#123456\x1b\\").contains("3434"), "it was asked for before");
    assert_eq!(answer(b"\x1b]10;#123456;?\x1b\\\x1b]10;?\x1b\\").matches("3434").count(), 1);
}

#[test]
fn a_repeat_that_is_cut_ends_in_the_same_column() {
    for (glyph, width, count) in [("q", 1, 99), ("q", 1, 2_147_483_640), ("日", 2, 98), ("e\u{301}", 1, 99)]
    {
        for columns in [10, 11] {
            let mut screen = Screen::new(Winsize::cells(columns, 3), 3);
            screen.feed(format!("abc\r\n{glyph}\x1b[{count}b").as_bytes());
            let per_row = usize::from(columns) / width;
            // The cursor is behind the last glyph of a full row.
            let column = width * (count % per_row + 1);
            assert_eq!(screen.text().cursor.0, column.min(usize::from(columns) - 1), "{glyph} in {columns}");
            let is_full = screen.text().lines.iter().all(|line| line.starts_with(glyph));
            assert!(is_full || glyph.chars().count() > 1, "the screen is full of {glyph}");
        }
    }
}

/// Tests all code points, each behind other text, so that each is measured by itself.
#[test]
fn every_character_is_as_wide_in_the_page() {
    let mut oracle = Oracle::start();
    for mode in ["\x1b[?2027l", "\x1b[?2027h"] {
        for first in (0x20..0x2_0000_u32).chain(0xe_0000..0xe_0200).step_by(0x400) {
            let chars = (first..first + 0x400).filter_map(char::from_u32).filter(|char| !char.is_control());
            // Each character follows an `x`, and the cursor is moved after it, so that the next one
            // does not join it.
            let text = chars.map(|char| format!("x{char}\x1b[C")).collect::<Vec<_>>().concat();
            let size = Winsize::cells(100, 60);
            let stream = Stream { size, steps: vec![Step::Output(format!("{mode}{text}").into_bytes())] };
            let differences = cut::compare(&mut oracle, &stream, stream.len());
            assert!(differences.is_empty(), "{mode:?} from {first:x}: {:?}", differences.first());
        }
    }
}
