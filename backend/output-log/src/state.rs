//! The state that a log's writer and readers share.

use bytes::{Bytes, BytesMut};
use limpet_shared::{Header, OutputOffset, limits::MAX_FRAME_PAYLOAD_BYTES};

use super::{
    Next,
    recent::RecentFrames,
    ring::Ring,
    sizes::{Position, Sizes},
};

#[derive(Debug)]
pub(super) struct State<L> {
    pub(super) ring: Ring,
    pub(super) recent: RecentFrames,
    pub(super) sizes: Sizes,
    /// Number of published bytes that are kept for readers.
    pub(super) tail: usize,
    /// Offset before which output is kept for nobody.
    pub(super) forgotten: OutputOffset,
    /// End of the output that readers know of.
    pub(super) published: OutputOffset,
    /// True if the log is complete: nothing will be appended any more.
    pub(super) is_complete: bool,
    pub(super) cursors: Vec<Cursor<L>>,
    pub(super) next_id: u64,
}

/// A reader, as the writer knows it.
#[derive(Debug)]
pub(super) struct Cursor<L> {
    pub(super) id: u64,
    /// Offset up to which the reader has been given the log.
    pub(super) at: OutputOffset,
    pub(super) label: L,
}

impl<L> State<L> {
    pub(super) fn start(&self) -> OutputOffset {
        self.published.before(self.tail).max(self.forgotten)
    }

    /// Makes the output before `end` available to readers. Builds frames only if a reader waits for
    /// them.
    pub(super) fn publish(&mut self, end: OutputOffset) {
        let has_waiting_reader =
            self.cursors.iter().any(|cursor| cursor.at == self.published || self.recent.covers(cursor.at));
        if has_waiting_reader {
            let mut at = self.published;
            while at < end {
                let next = end.min(at.advanced(MAX_FRAME_PAYLOAD_BYTES));
                self.recent.push(at, frame(&self.ring, at, next));
                at = next;
            }
        } else {
            self.recent.clear();
        }
        self.published = end;
    }

    /// Reports whether the output or a size at this position is no longer kept.
    pub(super) fn is_lost(&self, cursor: Position) -> bool {
        let has_all_sizes = cursor.resizes == self.sizes.count();
        cursor.output < self.start() || !(has_all_sizes || self.sizes.covers(cursor))
    }

    /// Returns the size that follows at this position, or a frame of at most `max` bytes of output.
    pub(super) fn read(&self, cursor: Position, max: usize) -> Next {
        if self.is_lost(cursor) {
            return Next::Lost;
        }
        let Position { output: start, resizes } = cursor;
        let mut end = self.published.min(start.advanced(max.min(MAX_FRAME_PAYLOAD_BYTES)));
        // Shared frames end where a size took effect, too, because sizes change only between two
        // publications.
        if resizes < self.sizes.count()
            && let Some((from, size)) = self.sizes.get(resizes + 1)
        {
            if from <= start {
                return Next::Size { size, resizes: resizes + 1 };
            }
            end = end.min(from);
        }
        if start >= end {
            return Next::Empty;
        }
        match self.recent.starting_at(start) {
            Some(frame) if frame.len() - Header::LEN <= max => Next::Frame(frame),
            _ => Next::Frame(frame(&self.ring, start, end)),
        }
    }

    pub(super) fn cursor(&mut self, id: u64) -> Option<&mut Cursor<L>> {
        self.cursors.iter_mut().find(|cursor| cursor.id == id)
    }

    pub(super) fn move_cursor(&mut self, id: u64, to: OutputOffset) {
        if let Some(cursor) = self.cursor(id) {
            cursor.at = to;
        }
        self.forget_frames();
    }

    /// Drops frames that no reader waits for any more.
    pub(super) fn forget_frames(&mut self) {
        let slowest = self.cursors.iter().map(|cursor| cursor.at).min();
        self.recent.forget_before(slowest.unwrap_or(self.published));
    }
}

/// Builds a data frame of the output from `start` to `end`.
fn frame(ring: &Ring, start: OutputOffset, end: OutputOffset) -> Bytes {
    let output = ring.read(start, end);
    let mut frame = BytesMut::with_capacity(Header::LEN + output.len());
    frame.extend_from_slice(&Header::data(start.get()).encode());
    frame.extend_from_slice(output);
    frame.freeze()
}
