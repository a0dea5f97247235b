//! Cutting a stream: a [`Screen`] parses the part before the cut, and its snapshot has to replace
//! that part.

use limpet_screen::Screen;

use crate::{
    oracle::{Difference, Oracle},
    stream::{Step, Stream},
};

/// Rows of scrollback: few, so that streams fill it.
pub(crate) const SCROLLBACK_ROWS: usize = 50;

/// CAN and RIS, which the page writes before a snapshot to clear the terminal.
const CLEAR_SEQUENCE: &[u8] = b"\x18\x1bc";

/// Compares a terminal that got the whole stream with one that got a snapshot, taken after `offset`
/// bytes of output, and the rest. Returns the differences.
pub(crate) fn compare(oracle: &mut Oracle, stream: &Stream, offset: usize) -> Vec<Difference> {
    compare_with(SCROLLBACK_ROWS, oracle, stream, offset)
}

/// Compares like [`compare`], with another scrollback.
pub(crate) fn compare_with(
    scrollback: usize,
    oracle: &mut Oracle,
    stream: &Stream,
    offset: usize,
) -> Vec<Difference> {
    let mut screen = Screen::new(stream.size, scrollback);
    let (mut size, mut bytes_left) = (stream.size, offset);
    let mut rest = Vec::new();
    for step in &stream.steps {
        match step {
            Step::Output(bytes) if bytes_left > 0 => {
                let (before, after) = bytes.split_at(bytes.len().min(bytes_left));
                screen.feed(before);
                bytes_left -= before.len();
                if !after.is_empty() {
                    rest.push(Step::Output(after.to_vec()));
                }
            }
            Step::Resize(to) if bytes_left > 0 => {
                size = *to;
                screen.resize(size);
            }
            step => rest.push(step.clone()),
        }
    }
    let snapshot = [CLEAR_SEQUENCE, &screen.snapshot(usize::MAX).output].concat();
    // The first snapshot fed to a terminal must not leave anything that changes the effect of a
    // second one.
    let right = [Step::Output(snapshot.clone()), Step::Output(snapshot)];
    oracle.compare(stream.size, scrollback, &stream.steps, size, &[&right, &rest[..]].concat())
}
