//! Tests that the server's screen does a bounded amount of work for each byte of any output, and
//! takes a bounded amount of memory.
//!
//! The fuzz target (`tests/fuzz`) makes the same checks. These tests are a separate binary because
//! of the allocator.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod hostile;
mod memory;

use limpet_screen::Screen;
use limpet_shared::Winsize;
use proptest::prelude::*;

use self::hostile::{CUT, DISTINCT, RESIZE, check};

#[global_allocator]
static COUNTING: memory::Counting = memory::Counting;

/// Generates output of one kind, repeated often enough to matter.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let number = prop_oneof![0..5_u32, 0..500_u32, Just(4096), Just(i32::MAX as u32)];
    let count = prop_oneof![1..4_usize, 1..40_usize];
    let function = proptest::sample::select(&b"@ABCDEFGHIJKLMPSTXZ`abdefgrstu"[..]);
    let odd = proptest::sample::select(vec![" @", " A", "'}", "'~", "?J", "?K", "\"q", " q"]);
    let text = proptest::sample::select(vec![
        "a",
        "x y z",
        "日本",
        "e\u{301}",
        "🇩🇪",
        "👩\u{200d}👧",
        "❤\u{fe0f}",
        "\u{1100}",
        "\u{301}",
        "\u{ad}",
        "━",
        "\t",
        "\r\n",
        "\n",
        "\u{200d}",
        "\x08",
    ]);
    let mode = proptest::sample::select(vec![
        "4", "20", "?7", "?6", "?45", "?47", "?1047", "?1049", "?2026", "?2027",
    ]);
    prop_oneof![
        4 => (text.clone(), 1..30_usize).prop_map(|(text, count)| text.repeat(count).into_bytes()),
        1 => (text, 30..3000_usize).prop_map(|(text, count)| text.repeat(count).into_bytes()),
        4 => (number.clone(), function, count.clone()).prop_map(|(number, function, count)| {
            format!("\x1b[{number}{}", char::from(function)).repeat(count).into_bytes()
        }),
        1 => (number.clone(), odd, count.clone()).prop_map(|(number, odd, count)| {
            let sequence = match odd.strip_prefix('?') {
                Some(last) => format!("\x1b[?{}{last}", number % 3),
                None => format!("\x1b[{number}{odd}"),
            };
            sequence.repeat(count).into_bytes()
        }),
        2 => (mode, any::<bool>()).prop_map(|(mode, on)| {
            format!("\x1b[{mode}{}", if on { 'h' } else { 'l' }).into_bytes()
        }),
        // Styles, clusters and links that are all different.
        1 => (any::<u32>(), 1..2000_u32).prop_map(|(first, count)| {
            let style = |n: u32| format!("\x1b[38;2;{};{};{}mx", n % 256, n / 256 % 256, n / 65536 % 256);
            (0..count).map(|n| style(first.wrapping_add(n))).collect::<String>().into_bytes()
        }),
        1 => (0..0x4000_u32, 1..2000_u32, "[a\r]").prop_map(|(first, count, before)| {
            let mark = |n: u32| char::from_u32(0x300 + n % 0x70).unwrap();
            let cluster = |n: u32| format!("{before}o{}{}{}", mark(n), mark(n / 0x70), mark(n / 0x3100));
            (0..count).map(|n| cluster(first + n)).collect::<String>().into_bytes()
        }),
        1 => (any::<u16>(), 1..60_u32, 0..3000_usize).prop_map(|(first, count, length)| {
            let link = |n| format!("\x1b]8;id={n};http://{n}/{}\x07x", "y".repeat(length));
            (0..count).map(|n| link(u32::from(first) + n)).collect::<String>().into_bytes()
        }),
        1 => (any::<u8>(), count).prop_map(|(n, count)| format!("\x1b]4;{n};#123456;{n};?\x07\x1b]2;{n}\x07\x1b[22t").repeat(count).into_bytes()),
        1 => proptest::collection::vec(any::<u8>().prop_map(|byte| byte.min(0xfc)), 1..40),
        1 => (0..300_u32, 1..20_u32, 0..3_u32).prop_map(|(column, count, up)| {
            format!("\r{}\r\x1b]7748;hold;0;{column};{count}\x1b\\\x1b]7748;beyond;{up}\x1b\\", "x".repeat(20)).into_bytes()
        }),
        1 => Just(b"\x1bc".to_vec()),
        1 => Just(b"\x1b#8\x1bM\x1bD\x1b7\x1b8\x1b(0".to_vec()),
        2 => (any::<u8>(), any::<u8>()).prop_map(|(columns, rows)| vec![RESIZE, columns, rows]),
        1 => Just(vec![CUT]),
        1 => (any::<u8>(), any::<u8>()).prop_map(|(kind, count)| vec![DISTINCT, kind, count]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(80))]
    #[test]
    fn work_and_memory_are_bounded(
        size in any::<[u8; 2]>(),
        pieces in proptest::collection::vec(piece(), 1..40),
    ) {
        check(&[&size[..], &pieces.concat()].concat());
    }
}

/// Checks the seeds of the fuzz target.
#[test]
fn known_attacks_are_harmless() {
    let seeds = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/seeds/screen");
    let mut count = 0;
    for seed in std::fs::read_dir(seeds).unwrap() {
        check(&std::fs::read(seed.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count > 5, "there are seeds");
}

/// Lets a screen parse output, and returns the steps taken and the memory used afterwards.
fn cost(size: Winsize, scrollback: usize, output: &[u8]) -> (u64, usize) {
    let before = memory::live();
    let mut screen = Screen::new(size, scrollback);
    screen.feed(output);
    (screen.steps(), memory::live() - before)
}

const SIZE: Winsize = Winsize::cells(80, 24);

#[test]
fn a_repeat_fills_the_screen_once() {
    let (one, _) = cost(SIZE, 1000, b"x\x1b[2147483647b");
    let (marks, memory) =
        cost(SIZE, 1000, &["a", &"\u{301}".repeat(1000), "\x1b[2147483647b"].concat().into_bytes());
    assert!(one < 40 * 1920 && marks < 200 * 1920, "{one}, {marks}");
    assert!(memory < 1024 * 1024, "{memory}");
    let (many, _) = cost(SIZE, 1000, &b"x\x1b[2147483647b".repeat(300));
    assert!(many < 300 * 10 * 1920, "{many}");
}

#[test]
fn a_cell_holds_a_bounded_number_of_marks() {
    let marks = |count| cost(SIZE, 1000, format!("a{}", "\u{301}".repeat(count)).as_bytes());
    let ((few, _), (many, memory)) = (marks(1000), marks(100_000));
    assert!(many <= 101 * few && memory < 256 * 1024, "{many} steps, {memory} bytes");
}

#[test]
fn repetitions_of_clusters_take_bounded_work() {
    for (columns, rows, count) in [(20_u8, 3_u8, 30), (99, 1, 49), (79, 23, 960)] {
        for glyph in ["o\u{301}", "o\u{301}\u{302}", "❤\u{fe0f}"] {
            let attack = format!("{glyph}\x1b[{count}b").repeat(300);
            check(&[&[columns, rows], attack.as_bytes()].concat());
        }
    }
}

#[test]
fn no_control_function_takes_longer_in_a_large_screen() {
    let functions = [
        "\x1b[2J",
        "\x1b[?2J",
        "\x1b[H\x1b[J",
        "\x1b[4096;1H\x1b[1J",
        "\x1b#8",
        "\x1b[H\x1b[4096L",
        "\x1b[H\x1b[4096M",
        "\x1b[4096S",
        "\x1b[4096T",
        "\x1b[ @",
        "\x1b[ A",
        "\x1b['}",
        "\x1b['~",
        "\x1b[?1049h",
        "\x1b[?1049l",
        "\x1b[4096@",
        "\x1b[4096P",
        "\x1b[4096X",
        "\x1b[4096I",
        "\x1b[4096Z",
        "x\x1b[4hx\x1b[4096b\x1b[4l",
        "\x1bc",
    ];
    for (columns, rows) in [(4096, 128), (128, 4096)] {
        let mut screen = Screen::new(Winsize::cells(columns, rows), 0);
        screen.feed(b"\x1b[?1049h");
        for function in functions {
            let output = format!("\x1b[41m{function}");
            let mut rest = output.as_bytes();
            while !rest.is_empty() || screen.is_unfinished() {
                let before = screen.steps();
                rest = &rest[screen.feed_within(rest, 1)..];
                let steps = screen.steps() - before;
                assert!(steps < 64 * 1024, "{function:?}: {steps} steps in one go");
            }
        }
    }
}

#[test]
fn lines_are_inserted_at_once() {
    let size = Winsize::cells(128, 4096);
    let (one, many) = (cost(size, 1000, b"\x1b[1L").0, cost(size, 1000, b"\x1b[4096L").0);
    assert!(many <= 3 * one, "{many}, {one}");
}

#[test]
fn hyperlinks_take_a_bounded_amount() {
    let links = |count: usize, length: usize| -> Vec<u8> {
        let link = |n| format!("\x1b]8;;http://{n}/{}\x1b\\{n} ", "x".repeat(length));
        (0..count).map(link).collect::<String>().into_bytes()
    };
    for (count, length) in [(300, 60_000), (9000, 2000)] {
        let mut screen = Screen::new(SIZE, 10_000);
        let before = memory::live();
        screen.feed(&links(count, length));
        let (memory, snapshot) = (memory::live() - before, screen.snapshot(usize::MAX).output.len());
        assert!(memory < 24 << 20 && snapshot < 10 << 20, "{length}: {memory} bytes, drawn in {snapshot}");
    }
    let mut screen = Screen::new(SIZE, 100);
    screen.feed(&links(6000, 2000));
    screen.feed(&b"\r\n".repeat(200));
    screen.feed(b"\x1b]8;;http://new\x1b\\new");
    let snapshot = String::from_utf8(screen.snapshot(usize::MAX).output).unwrap();
    assert!(snapshot.contains("http://new"), "when the others are gone there is room for it");
}

#[test]
fn what_is_printed_over_is_forgotten() {
    let mark = |n: u32| char::from_u32(0x300 + n % 0x70).unwrap();
    let cluster = |n: u32| format!("\ro{}{}{}", mark(n), mark(n / 0x70), mark(n / 0x3100));
    let memory = |clusters| cost(SIZE, 1000, (0..clusters).map(cluster).collect::<String>().as_bytes()).1;
    let (few, many) = (memory(10_000), memory(400_000));
    assert!(many < 2 * few + 256 * 1024, "{many}, {few}");
}

#[test]
fn what_the_scrollback_shares_is_bounded() {
    let mut screen = Screen::new(SIZE, 100_000);
    let before = memory::live();
    for n in 0..600_000_u32 {
        let [_, red, green, blue] = n.to_be_bytes();
        screen.feed(format!("\x1b[38;2;{red};{green};{blue}mx").as_bytes());
    }
    let memory = memory::live() - before;
    assert!(memory < 80 << 20, "{memory}");
}
