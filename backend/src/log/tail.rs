//! The kept part of a log, as a data structure alone.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use limpet_shared::{Header, OutputOffset, limits::OUTPUT_FRAME};

use super::Next;

/// Chunks are merged while that makes none larger than this. A log of single keystrokes would otherwise be all
/// bookkeeping.
const MERGED: usize = 16 * 1024;

/// The last bytes of a log, as data frames in order and without a gap.
///
/// Memory is bounded by the capacity, one frame, and bookkeeping for one chunk per [`MERGED`] / 2 bytes.
#[derive(Debug)]
pub(super) struct Tail {
    chunks: VecDeque<Chunk>,
    /// Bytes of output in all chunks together.
    kept: usize,
    end: OutputOffset,
    capacity: usize,
}

#[derive(Debug)]
struct Chunk {
    start: OutputOffset,
    /// The header with `start`, then the output.
    frame: Bytes,
}

impl Chunk {
    fn output(&self) -> &[u8] {
        &self.frame[Header::LEN..]
    }

    fn len(&self) -> usize {
        self.frame.len() - Header::LEN
    }

    fn may_absorb(&self, next: &Self) -> bool {
        next.len() >= self.len() / 2 && self.len() + next.len() <= MERGED
    }

    fn absorb(&mut self, next: &Self) {
        let mut frame = BytesMut::with_capacity(self.frame.len() + next.len());
        frame.extend_from_slice(&self.frame);
        frame.extend_from_slice(next.output());
        self.frame = frame.freeze();
    }
}

impl Tail {
    pub(super) fn new(capacity: usize) -> Self {
        Self { chunks: VecDeque::new(), kept: 0, end: OutputOffset::ZERO, capacity }
    }

    pub(super) fn end(&self) -> OutputOffset {
        self.end
    }

    /// The first offset that is still kept.
    pub(super) fn start(&self) -> OutputOffset {
        self.chunks.front().map_or(self.end, |chunk| chunk.start)
    }

    pub(super) fn append(&mut self, frame: Bytes) {
        debug_assert_eq!(Header::split(&frame).map(|(header, _)| header), Ok(Header::data(self.end.get())));
        let chunk = Chunk { start: self.end, frame };
        self.kept += chunk.len();
        self.end = self.end.advanced(chunk.len());
        self.chunks.push_back(chunk);
        self.merge();
        while self.kept > self.capacity && self.chunks.len() > 1 {
            self.kept -= self.chunks.pop_front().map_or(0, |chunk| chunk.len());
        }
    }

    /// Merges the last chunks as long as the last is at least half as long as the one before: the lengths of small
    /// chunks at least halve from one to the next, so there are few, and each byte is copied only a few times.
    fn merge(&mut self) {
        while let Some(last) = self.chunks.pop_back() {
            match self.chunks.back_mut() {
                Some(before) if before.may_absorb(&last) => before.absorb(&last),
                _ => return self.chunks.push_back(last),
            }
        }
    }

    /// A frame of at most `max` bytes of output from `cursor` on.
    pub(super) fn read(&self, cursor: OutputOffset, max: usize) -> Next {
        if cursor < self.start() {
            return Next::Lost;
        }
        let after = self.chunks.partition_point(|chunk| chunk.start <= cursor);
        let Some(chunk) = after.checked_sub(1).map(|at| &self.chunks[at]) else { return Next::Dry };
        let max = max.min(OUTPUT_FRAME);
        if chunk.start == cursor && chunk.len() <= max {
            return Next::Frame(chunk.frame.clone());
        }
        let rest = usize::try_from(cursor.since(chunk.start)).map_or(&[][..], |from| &chunk.output()[from..]);
        let part = &rest[..rest.len().min(max)];
        if part.is_empty() {
            return Next::Dry;
        }
        let mut frame = BytesMut::with_capacity(Header::LEN + part.len());
        frame.extend_from_slice(&Header::data(cursor.get()).encode());
        frame.extend_from_slice(part);
        Next::Frame(frame.freeze())
    }
}
