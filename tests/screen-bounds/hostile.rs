//! Output that a program might print to harm the server, and the properties that must hold for any
//! output.
//!
//! A case is bytes, so that a fuzzer can change it: the initial size, then output. Bytes that never
//! occur in text stand for a change of size, for a cut, and for a large amount of output that is
//! all different.

use std::borrow::Cow;

use limpet_screen::Screen;
use limpet_shared::Winsize;

use crate::memory;

/// Begins a change of size: columns and rows follow, a byte each. The byte never occurs in UTF-8.
pub(crate) const RESIZE: u8 = 0xff;

/// Cuts the output.
pub(crate) const CUT: u8 = 0xfe;

/// Begins a large amount of output: its kind and amount follow, a byte each.
pub(crate) const DISTINCT: u8 = 0xfd;

/// Maximum number of these per case, because each takes time.
const MAX_DISTINCT_BLOCKS: usize = 5;

/// Rows of scrollback: few, so that little output fills them.
const SCROLLBACK_ROWS: usize = 50;

/// Budget of each slice, in steps.
const SLICE_BUDGET_STEPS: u64 = 4096;

/// Maximum number of steps by which a slice may exceed its budget in a screen of any size: a run of
/// text, a control string, or other work that a control function does at once.
const MAX_EXCESS_STEPS: u64 = 320 * 1024;

/// Maximum number of bytes allocated per step.
const MAX_ALLOCATED_BYTES_PER_STEP: usize = 64;

/// An action on a screen.
#[derive(Debug, PartialEq, Eq)]
enum Action<'a> {
    Print(Cow<'a, [u8]>),
    Resize(Winsize),
}

/// Returns the size for two bytes: a small one, unless a byte is the largest value.
fn size(columns: u8, rows: u8) -> Winsize {
    let side = |byte: u8| 1 + u16::from(byte % 100);
    match (columns, rows) {
        (u8::MAX, u8::MAX) => Winsize::cells(400, 300),
        (u8::MAX, rows) => Winsize::cells(2000, side(rows)),
        (columns, u8::MAX) => Winsize::cells(side(columns), 2000),
        (columns, rows) => Winsize::cells(side(columns), side(rows)),
    }
}

fn parse_case(case: &[u8]) -> (Winsize, Vec<Action<'_>>) {
    let mut distinct_blocks = 0;
    let (&[columns, rows], mut rest) = case.split_first_chunk().unwrap_or((&[20, 5], &[]));
    let mut actions = Vec::new();
    while !rest.is_empty() {
        let end = rest.iter().position(|&byte| byte >= DISTINCT).unwrap_or(rest.len());
        let (output, next) = rest.split_at(end);
        actions.push(Action::Print(output.into()));
        rest = match next {
            [RESIZE, columns, rows, rest @ ..] => {
                actions.push(Action::Resize(size(*columns, *rows)));
                rest
            }
            [DISTINCT, kind, count, rest @ ..] if distinct_blocks < MAX_DISTINCT_BLOCKS => {
                distinct_blocks += 1;
                let first = u32::try_from(actions.len()).unwrap_or(0) << 14;
                actions.push(Action::Print(distinct_output(*kind, first, u32::from(*count)).into()));
                rest
            }
            [_, rest @ ..] => rest,
            [] => &[],
        };
    }
    (size(columns, rows), actions)
}

/// Returns clusters printed over each other, long hyperlinks, or styles, all of them different.
fn distinct_output(kind: u8, first: u32, count: u32) -> Vec<u8> {
    let output: String = match kind % 3 {
        0 => {
            let mark = |n: u32| char::from_u32(0x300 + n % 0x70).unwrap_or('x');
            let cluster = |n: u32| format!("\ro{}{}{}", mark(n), mark(n / 0x70), mark(n / 0x3100));
            (first..first + 64 * count).map(cluster).collect()
        }
        1 => {
            let path = "y".repeat(20_000);
            let link = |n: u32| format!("\x1b]8;;http://{n}/{path}\x07x");
            (first..first + count % 32).map(link).collect()
        }
        _ => {
            let style = |n: u32| {
                let [_, red, green, blue] = n.to_be_bytes();
                format!("\x1b[38;2;{red};{green};{blue}mx")
            };
            (first..first + 16 * count).map(style).collect()
        }
    };
    output.into_bytes()
}

/// Lets screens parse the output in slices and at once, and checks the properties that must hold.
pub(crate) fn check(case: &[u8]) {
    let (mut now, actions) = parse_case(case);
    let (mut largest, before) = (now, memory::live());
    memory::reset_peak();
    let mut screen = Screen::new(now, SCROLLBACK_ROWS);
    screen.set_answering(true);
    for action in &actions {
        match action {
            Action::Print(output) => {
                print(&mut screen, now, output);
            }
            Action::Resize(size) => {
                screen.resize(*size);
                now = *size;
                largest = Winsize::cells(largest.cols.max(now.cols), largest.rows.max(now.rows));
            }
        }
        // A resize needs twice the screen's memory for a moment.
        let (bound, peak) = (2 * Screen::memory_bound(largest, SCROLLBACK_ROWS), memory::peak() - before);
        assert!(peak <= bound, "{peak} bytes of memory at most, {bound} expected");
        let (bound, live) = (Screen::memory_bound(largest, SCROLLBACK_ROWS), memory::live() - before);
        assert!(live <= bound, "{live} bytes of memory, {bound} expected");
    }
    // Both screens give the same answers.
    let answers = screen.take_answers();
    let mut other = Screen::new(initial_size(case), SCROLLBACK_ROWS);
    other.set_answering(true);
    for action in &actions {
        match action {
            Action::Print(output) => other.feed(output),
            Action::Resize(size) => other.resize(*size),
        }
    }
    assert_eq!(answers, other.take_answers(), "answers do not depend on cuts");
    assert_same(&screen, &other);
    let mut third = Screen::new(now, SCROLLBACK_ROWS);
    let snapshot = screen.snapshot(usize::MAX).output;
    print(&mut third, now, &snapshot);
    assert!(third.take_answers().is_empty(), "a snapshot asks nothing");
    assert_eq!(third.title(), screen.title());
    assert_eq!(third.text().is_alternate, screen.text().is_alternate);
}

fn initial_size(case: &[u8]) -> Winsize {
    parse_case(case).0
}

/// Parses output slice by slice.
fn print(screen: &mut Screen, size: Winsize, mut output: &[u8]) {
    let per_byte = Screen::max_steps_per_byte(size);
    // A function that ends here may have begun before.
    let begun = screen.snapshot(0).unfinished_bytes as u64;
    let slice = SLICE_BUDGET_STEPS + MAX_EXCESS_STEPS;
    let (all, start, allocated) = (output.len() as u64, screen.steps(), memory::allocated());
    let mut swept = 0;
    while !output.is_empty() || screen.is_unfinished() {
        let before = screen.steps();
        if screen.is_sweep_due() {
            screen.sweep();
            swept += screen.steps() - before;
            continue;
        }
        let taken = screen.feed_within(output, SLICE_BUDGET_STEPS);
        assert!(taken > 0 || screen.steps() > before, "something is done each time");
        let steps = screen.steps() - before;
        assert!(steps <= slice, "{steps} steps in a slice, {slice} expected");
        output = &output[taken..];
    }
    let steps = screen.steps() - start;
    assert!(swept <= 2 * steps + 2 * per_byte, "{swept} of {steps} steps were sweeps");
    let bound = per_byte * (begun + all + 8);
    assert!(steps - swept <= bound, "{} steps for {all} bytes, {bound} expected", steps - swept);
    // The steps measure the work: memory is not touched without being counted.
    let allocated = memory::allocated() - allocated;
    let bound = MAX_ALLOCATED_BYTES_PER_STEP * usize::try_from(steps).unwrap_or(usize::MAX) + 1024 * 1024;
    assert!(allocated <= bound, "{allocated} bytes allocated in {steps} steps, {bound} expected");
}

fn assert_same(one: &Screen, other: &Screen) {
    let (one, other) = (one.snapshot(usize::MAX), other.snapshot(usize::MAX));
    let text = |output: &[u8]| String::from_utf8_lossy(output).into_owned();
    assert_eq!(text(&one.output), text(&other.output), "cuts change nothing");
    assert_eq!((one.unfinished_bytes, one.omitted_rows), (other.unfinished_bytes, other.omitted_rows));
}
