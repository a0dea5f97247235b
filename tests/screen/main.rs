//! Compares the server's screen with the real xterm.js.
//!
//! Output is cut somewhere. A screen parses the part before the cut, and its snapshot, followed by
//! the rest, goes into one xterm.js; another one gets the output uncut. Both must arrive at the
//! same state, to the last cell.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, missing_docs)]

mod cases;
mod cut;
mod generate;
mod oracle;
mod recording;
mod shrink;
mod stream;

use limpet_screen::Screen;
use limpet_shared::Winsize;

use self::{
    generate::{Kind, Random},
    oracle::{Difference, Oracle},
    stream::{Step, Stream},
};

/// Cuts of each recording, at its end and elsewhere.
const CUTS_PER_RECORDING: usize = 20;

#[test]
fn recordings() {
    let mut oracle = Oracle::start();
    let mut random = Random::new(1);
    let mut bad = Vec::new();
    for (name, stream) in recording::all() {
        let cuts = (1..CUTS_PER_RECORDING).map(|_| random.below(stream.len())).chain([stream.len()]);
        for at in cuts.collect::<Vec<_>>() {
            if let Some(Difference(what, left, right)) =
                cut::compare(&mut oracle, &stream, at).into_iter().next()
            {
                bad.push(format!("{name} cut at {at}: {what}: {left} | {right}"));
            }
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

/// Number of streams with differences. docs/screen.md explains them; a change that reduces them
/// lowers the number.
const KNOWN_USUAL_DIFFERENCES: u64 = 1;
const KNOWN_ODD_DIFFERENCES: u64 = 5;
const KNOWN_UNEVEN_DIFFERENCES: u64 = 1;

#[test]
fn usual_streams() {
    assert_eq!(count_differences(Kind::Usual, 600), KNOWN_USUAL_DIFFERENCES);
}

#[test]
fn odd_streams() {
    assert_eq!(count_differences(Kind::Odd, 1000), KNOWN_ODD_DIFFERENCES);
}

#[test]
fn uneven_streams() {
    assert_eq!(count_differences(Kind::Uneven, 400), KNOWN_UNEVEN_DIFFERENCES);
}

/// Cuts `count` generated streams, prints those with differences, and returns their number.
fn count_differences(kind: Kind, count: u64) -> u64 {
    let mut oracle = Oracle::start();
    let number_from_env = |name| std::env::var(name).ok().and_then(|number| number.parse().ok());
    let first = number_from_env("SCREEN_SEED").unwrap_or(1);
    let mut different = 0;
    for seed in first..first + number_from_env("SCREEN_CASES").unwrap_or(count) {
        let mut random = Random::new(seed);
        let stream = generate::stream(&mut random, kind);
        let at = random.below(stream.len() + 1);
        if let Some(Difference(what, left, right)) = cut::compare(&mut oracle, &stream, at).into_iter().next()
        {
            different += 1;
            eprintln!("{seed}:{at} {what}: {left} | {right}");
        }
    }
    different
}

/// Output at the visible limits, where `|` stands for the cut. Size and scrollback are those of a
/// small terminal.
const OUTPUT_AT_LIMITS: [&str; 14] = [
    "x\x1b[2147483647b|y",
    "ab\x1b[30b\x1b[7m|y",
    "日\x1b[99b|y",
    "e\u{301}\u{302}\x1b[2147483647b|y",
    "\x1b[4habc\x1b[2G日\x1b[2147483647b|y",
    "\x1b[4habc\x1b[2G❤\u{fe0f}\x1b[99b|y",
    "\u{1100}\x1b[99b|y",
    "🇩🇪\x1b[9b|y",
    "\x1b[?7lx\x1b[99b|y",
    "aMARKS\u{302}|b",
    "aMARKSMARKS|MARKS\u{fe0f}\u{200d}❤b",
    "aMARKS\u{200d}|❤",
    "\x1b]8;;http://a\x1b\\a\x1b]8;;LONG\x1b\\b|c",
    "\x1b]8;id=LONG;http://a\x1b\\a\x1b]8;id=x;http://a\x1b\\b|c",
];

#[test]
fn output_at_limits() {
    let mut oracle = Oracle::start();
    for pattern in OUTPUT_AT_LIMITS {
        let output = pattern.replace("MARKS", &"\u{301}".repeat(20)).replace("LONG", &"x".repeat(2084));
        let at = output.find('|').unwrap();
        let output = output.replace('|', "").into_bytes();
        let stream = Stream { size: Winsize::cells(10, 4), steps: vec![Step::Output(output)] };
        let differences = cut::compare(&mut oracle, &stream, at);
        assert!(differences.is_empty(), "{pattern}: {:?}", differences.first());
    }
}

/// Beginnings of control strings and sequences, their possible contents …
const INTRODUCERS: [&str; 9] = [
    "\x1b]2;",
    "\x1b]1337;File=inline=1:",
    "\x1bPq",
    "\x1bP1;2$q",
    "\x1b_G",
    "\x1bX",
    "\x1b^",
    "\u{9d}8;;http://a/",
    "\x1b[?7;",
];
const CONTENTS: [&str; 4] = ["A", "日", "\n", "0"];

/// … and the output that may come next.
const ENDS: [&str; 7] = ["\x07", "\x1b\\", "\x18", "日", "\u{9c}", "m", "h"];

#[test]
fn control_functions_of_any_length_survive_a_cut() {
    let mut oracle = Oracle::start();
    for introducer in INTRODUCERS {
        for content in CONTENTS {
            for length in [0, 1, 70_000] {
                let before = ["before ", introducer, &content.repeat(length)].concat();
                for end in ENDS {
                    let output = [&before, content, end, "the next line"].concat().into_bytes();
                    let stream = Stream { size: Winsize::cells(10, 4), steps: vec![Step::Output(output)] };
                    let differences = cut::compare(&mut oracle, &stream, before.len());
                    assert!(
                        differences.is_empty(),
                        "{introducer:?}, {length} x {content:?}, {end:?}: {:?}",
                        differences.first()
                    );
                }
            }
        }
    }
}

/// All queries that do not depend on a page. `#` stands for the number of a mode.
const QUERIES: [&str; 17] = [
    "\x1b[c",
    "\x1b[0c",
    "\x1b[1c",
    "\x1b[>c",
    "\x1b[>q",
    "\x1b[5n",
    "\x1b[6n",
    "\x1b[?6n",
    "\x1b[18t",
    "\x1b[?u",
    "\x1bP$q\"q\x1b\\",
    "\x1bP$q\"p\x1b\\",
    "\x1bP$qr\x1b\\",
    "\x1bP$qm\x1b\\",
    "\x1bP$qx\x1b\\",
    "\x1b[#$p",
    "\x1b[?#$p",
];

const MODES: [u16; 29] = [
    1, 2, 3, 4, 6, 7, 8, 9, 12, 20, 25, 45, 47, 66, 67, 1000, 1002, 1003, 1004, 1005, 1006, 1015, 1016, 1047,
    1048, 1049, 2004, 2026, 2027,
];

#[test]
fn questions_are_answered_alike() {
    let mut oracle = Oracle::start();
    for seed in 1..=60 {
        let mut stream = generate::stream(&mut Random::new(seed), Kind::Usual);
        let modes = MODES.map(|mode| QUERIES.map(|query| query.replace('#', &mode.to_string())).concat());
        stream.steps.push(Step::Output(modes.concat().into_bytes()));
        let mut screen = Screen::new(stream.size, 50);
        screen.set_answering(true);
        for step in &stream.steps {
            match step {
                Step::Output(bytes) => screen.feed(bytes),
                Step::Resize(size) => screen.resize(*size),
            }
        }
        // The xterm.js that runs in Node.js does not know its own version.
        let versionless = |text: String| text.replace("(6.0.0)", "(6.1.0-beta.336)");
        assert_eq!(
            versionless(String::from_utf8(screen.take_answers()).unwrap()),
            versionless(oracle.answers(&stream))
        );
        screen.set_answering(false);
        screen.feed(b"\x1b[c\x1b[6n");
        assert_eq!(screen.take_answers(), b"", "nobody is asked");
    }
}

/// Debugging aid: shrinks streams as long as they still differ. `SCREEN_SHRINK` names them as
/// `seed:cut,…`, and `SCREEN_KIND` is `odd` or `uneven` if they are of that kind.
#[test]
#[ignore = "for debugging"]
fn shrunk() {
    let mut oracle = Oracle::start();
    let kind = match std::env::var("SCREEN_KIND").as_deref() {
        Ok("odd") => Kind::Odd,
        Ok("uneven") => Kind::Uneven,
        _ => Kind::Usual,
    };
    for which in std::env::var("SCREEN_SHRINK").unwrap().split(',') {
        let (seed, at) = which.split_once(':').unwrap();
        let stream = generate::stream(&mut Random::new(seed.parse().unwrap()), kind);
        let mut last = Vec::new();
        let differs = |stream: &_, at| {
            let differences = cut::compare(&mut oracle, stream, at);
            let differs = !differences.is_empty();
            if differs {
                last = differences;
            }
            differs
        };
        eprintln!("{which} {}", shrink::shrink(&stream, at.parse().unwrap(), differs));
        for Difference(what, left, right) in last {
            eprintln!("    {what}: {left} | {right}");
        }
    }
}
