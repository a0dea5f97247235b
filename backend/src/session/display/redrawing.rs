//! A screen as snapshot frames.

use bytes::Bytes;
use limpet_shared::{Header, Kind, OutputOffset, limits::OUTPUT_FRAME};

use crate::screen::Screen;

/// Longer control strings than this are not shown from their beginning by a snapshot.
pub(super) const UNFINISHED: usize = 64 * 1024;

/// SOS begins a control string that means nothing.
pub(super) const NOTHING: &[u8] = b"\x1bX";

/// A screen as frames.
#[derive(Clone, Debug)]
pub(in super::super) struct Redrawing {
    /// Snapshot frames.
    pub(in super::super) frames: Vec<Bytes>,
    /// Where data goes on after them.
    pub(in super::super) output: OutputOffset,
    /// How many rows of scrollback they leave out.
    pub(in super::super) earlier: usize,
}

pub(super) fn redrawing(screen: &Screen, parsed: OutputOffset, history: usize) -> Redrawing {
    let (snapshot, output, earlier) = snapshot(screen, parsed, history);
    let header = Header { kind: Kind::Snapshot, offset: output.get() }.encode();
    let frames = snapshot.chunks(OUTPUT_FRAME).map(|part| Bytes::from([&header[..], part].concat()));
    Redrawing { frames: frames.collect(), output, earlier }
}

/// A screen that has parsed output up to here, as output; where data goes on; and how many rows of scrollback are left out.
pub(super) fn snapshot(
    screen: &Screen,
    parsed: OutputOffset,
    history: usize,
) -> (Vec<u8>, OutputOffset, usize) {
    let mut snapshot = screen.snapshot(history);
    if snapshot.unfinished > UNFINISHED {
        snapshot.output.extend_from_slice(NOTHING);
        snapshot.unfinished = 0;
    }
    (snapshot.output, parsed.before(snapshot.unfinished), snapshot.left_out)
}
