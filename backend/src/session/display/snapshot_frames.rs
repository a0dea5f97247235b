//! A screen as snapshot frames.

use bytes::Bytes;
use limpet_output_log::Position;
use limpet_screen::Screen;
use limpet_shared::{Header, Kind, Winsize, limits::MAX_FRAME_PAYLOAD_BYTES};

/// A snapshot of a screen as frames.
#[derive(Clone, Debug)]
pub(in super::super) struct FramedSnapshot {
    /// Snapshot frames.
    pub(in super::super) frames: Vec<Bytes>,
    /// Size of the terminal that they are for.
    pub(in super::super) size: Winsize,
    /// Position from which data and sizes continue after them.
    pub(in super::super) position: Position,
    /// Number of rows of scrollback that they leave out.
    pub(in super::super) omitted_rows: usize,
}

/// Writes a snapshot of a screen of this size that has parsed everything before `position`, with at
/// most `history` rows of scrollback.
pub(super) fn framed_snapshot(
    screen: &Screen,
    (size, position): (Winsize, Position),
    history: usize,
) -> FramedSnapshot {
    let snapshot = screen.snapshot(history);
    let header = Header { kind: Kind::Snapshot, offset: position.output.get() }.encode();
    let frames =
        snapshot.output.chunks(MAX_FRAME_PAYLOAD_BYTES).map(|part| Bytes::from([&header[..], part].concat()));
    FramedSnapshot { frames: frames.collect(), size, position, omitted_rows: snapshot.omitted_rows }
}
