//! Randomly generated output.

use limpet_shared::Winsize;

use crate::stream::{Step, Stream};

/// Pseudorandom numbers that a seed reproduces (`SplitMix64`).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).unwrap()
    }

    fn pick<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        choices[self.below(choices.len())]
    }
}

/// The content of a stream.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Output that programs write, in any order.
    Usual,
    /// Output that no program writes, but any could.
    Odd,
    /// Output that programs write, with text of all widths, invalid bytes, and windows that become
    /// narrow and wide again.
    Uneven,
}

impl Kind {
    /// Returns the pieces to choose from. The odd ones are the last of a list.
    fn of<'a>(self, pieces: &'a [&'a str], odd_count: usize) -> &'a [&'a str] {
        match self {
            Self::Usual | Self::Uneven => &pieces[..pieces.len() - odd_count],
            Self::Odd => pieces,
        }
    }
}

const WORDS: [&str; 15] = [
    "hello",
    "a",
    "x y z",
    "日本語",
    "漢",
    "e\u{301}",
    "🇩🇪",
    "👩\u{200d}👧",
    "❤\u{fe0f}",
    "각",
    "━━",
    "\x1b]8;;http://a/\x07link\x1b]8;;\x07",
    "0123456789abcdefghij",
    "\u{ad}",
    "\u{301}",
];
const ODD_WORD_COUNT: usize = 2;

/// Text whose columns are counted in two ways, bytes that are not UTF-8, and sequences that matter
/// for both.
const UNEVEN_PIECES: [&[u8]; 28] = [
    "❤\u{fe0f}".as_bytes(),
    "👩\u{200d}👩\u{200d}👧".as_bytes(),
    "👍🏽".as_bytes(),
    "🇩🇪🇫".as_bytes(),
    "1\u{fe0f}\u{20e3}".as_bytes(),
    "क\u{93f}\u{94d}".as_bytes(),
    "\u{1100}\u{1161}\u{11a8}".as_bytes(),
    "\u{301}".as_bytes(),
    "\u{200b}".as_bytes(),
    "\u{feff}".as_bytes(),
    "䷀".as_bytes(),
    "日本語".as_bytes(),
    b"\xff",
    b"\xe2\x82",
    b"\xf0\x9f\x98",
    b"\xc2",
    b"\xed\xa0\x80",
    b"\x80\x9b1m",
    b"\x1b[?2027h",
    b"\x1b[?2027l",
    b"\x1b[?2027h",
    b"\x1b[3b",
    b"\x1b[?7l",
    b"\x1b[?7h",
    b"\x1b[99G",
    b"\x1b[@",
    b"\x1b[P",
    b"\x1b[4:3m\x1b7\x1b[m",
];

/// Sequences with one or two numbers, for which `#` stands.
const SEQUENCES: [&str; 40] = [
    "\x1b[#A",
    "\x1b[#B",
    "\x1b[#C",
    "\x1b[#D",
    "\x1b[#E",
    "\x1b[#F",
    "\x1b[#G",
    "\x1b[#;#H",
    "\x1b[#d",
    "\x1b[#J",
    "\x1b[#K",
    "\x1b[#L",
    "\x1b[#M",
    "\x1b[#P",
    "\x1b[#@",
    "\x1b[#X",
    "\x1b[#S",
    "\x1b[#T",
    "\x1b[#;#r",
    "\x1b[#b",
    "\x1b[#I",
    "\x1b[#Z",
    "\x1b[#`",
    "\x1b[#a",
    "\x1b[#e",
    "\x1b[=#u",
    "\x1b[>#u",
    "\x1b[<#u",
    "\x1b[# q",
    "\x1b]2;t#\x07",
    "\x1b]4;#;rgb:12/34/56\x07",
    "\x1b[# @",
    "\x1b[# A",
    "\x1b[#'}",
    "\x1b[#'~",
    "\x1b[?#J",
    "\x1b[?#K",
    "\x1b[#\"q",
    "\x1b[#^",
    "\x1b[#g",
];
const ODD_SEQUENCE_COUNT: usize = 9;

const CONTROLS: [&str; 25] = [
    "\r\n",
    "\r\n",
    "\r\n",
    "\n",
    "\r",
    "\x08",
    "\t",
    "\x1b7",
    "\x1b[m\x1b8",
    "\x1bM",
    "\x1bD",
    "\x1bE",
    "\x1b(0",
    "\x1b(B",
    "\x1b=",
    "\x1b>",
    "\x07",
    "\x1b]8;;http://a/\x07",
    "\x0e",
    "\x0f",
    "\x1b)0",
    "\x1bH",
    "\x1b[!p",
    "\x1b#8",
    "\x1b8",
];
const ODD_CONTROL_COUNT: usize = 8;

const MODES: [&str; 20] = [
    "1", "7", "25", "1049", "1000", "1002", "1003", "1004", "1006", "2004", "2026", "66", "2031", "6", "45",
    "47", "1047", "1048", "9", "1016",
];
const ODD_MODE_COUNT: usize = 7;

const STYLES: [&str; 26] = [
    "0",
    "1",
    "2",
    "3",
    "4",
    "4:3",
    "5",
    "7",
    "8",
    "9",
    "21",
    "22",
    "24",
    "27",
    "31",
    "44",
    "39",
    "49",
    "97",
    "105",
    "38;5;123",
    "48;2;1;2;3",
    "38:2::9:8:7",
    "58;5;7",
    "53",
    "1;31;42",
];

const RARE: [&str; 7] = ["\x1b[4h", "\x1b[4l", "\x1bc", "\x1b[22;2t", "\x1b[23;2t", "\x1b[20h", "\x1b[20l"];
const ODD_RARE_COUNT: usize = 2;

/// Generates a stream of some dozens of pieces on a small terminal, whose size changes
/// occasionally.
pub(crate) fn stream(random: &mut Random, kind: Kind) -> Stream {
    let size = size(random);
    let mut steps = Vec::new();
    let mut output = Vec::new();
    for _ in 0..10 + random.below(80) {
        if kind == Kind::Uneven {
            match random.below(20) {
                0..8 => {
                    output.extend_from_slice(UNEVEN_PIECES[random.below(UNEVEN_PIECES.len())]);
                    continue;
                }
                8 => {
                    steps.push(Step::Output(std::mem::take(&mut output)));
                    steps.push(Step::Resize(self::size(random)));
                    continue;
                }
                _ => {}
            }
        }
        let mut piece = String::new();
        match random.below(100) {
            0..40 => piece.push_str(random.pick(kind.of(&WORDS, ODD_WORD_COUNT))),
            40..60 => piece.push_str(random.pick(kind.of(&CONTROLS, ODD_CONTROL_COUNT))),
            60..78 => push_numbered_sequence(random, kind, &mut piece),
            78..90 => {
                piece.push_str("\x1b[");
                piece.push_str(random.pick(&STYLES));
                piece.push('m');
            }
            90..97 => {
                let (mode, set) = (random.pick(kind.of(&MODES, ODD_MODE_COUNT)), random.pick(&["h", "l"]));
                piece.extend(["\x1b[?", mode, set]);
            }
            97 => piece.push_str(random.pick(kind.of(&RARE, ODD_RARE_COUNT))),
            _ => {
                steps.push(Step::Output(std::mem::take(&mut output)));
                steps.push(Step::Resize(self::size(random)));
            }
        }
        output.extend_from_slice(piece.as_bytes());
    }
    steps.push(Step::Output(output));
    steps.retain(|step| !matches!(step, Step::Output(bytes) if bytes.is_empty()));
    Stream { size, steps }
}

pub(crate) fn size(random: &mut Random) -> Winsize {
    let number = |random: &mut Random, from, below| u16::try_from(from + random.below(below)).unwrap();
    Winsize::cells(number(random, 4, 30), number(random, 2, 12))
}

fn push_numbered_sequence(random: &mut Random, kind: Kind, output: &mut String) {
    for char in random.pick(kind.of(&SEQUENCES, ODD_SEQUENCE_COUNT)).chars() {
        match char {
            '#' => output.push_str(&random.below(12).to_string()),
            char => output.push(char),
        }
    }
}
