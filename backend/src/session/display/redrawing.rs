//! A screen as snapshot frames.

use bytes::Bytes;
use limpet_shared::{Header, Kind, Winsize, limits::OUTPUT_FRAME};

use crate::{log::Position, screen::Screen};

/// A screen as frames.
#[derive(Clone, Debug)]
pub(in super::super) struct Redrawing {
    /// Snapshot frames.
    pub(in super::super) frames: Vec<Bytes>,
    /// The size of the terminal that they are for.
    pub(in super::super) size: Winsize,
    /// Where data and sizes go on after them.
    pub(in super::super) position: Position,
    /// How many rows of scrollback they leave out.
    pub(in super::super) earlier: usize,
}

/// Writes a screen of this size that has parsed everything before this place, with so many rows of scrollback at most.
pub(super) fn redrawing(screen: &Screen, (size, position): (Winsize, Position), history: usize) -> Redrawing {
    let snapshot = screen.snapshot(history);
    let header = Header { kind: Kind::Snapshot, offset: position.output.get() }.encode();
    let frames = snapshot.output.chunks(OUTPUT_FRAME).map(|part| Bytes::from([&header[..], part].concat()));
    Redrawing { frames: frames.collect(), size, position, earlier: snapshot.left_out }
}
