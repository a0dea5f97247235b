//! Frames of new output that readers have yet to get.

use std::collections::VecDeque;

use bytes::Bytes;
use limpet_shared::{Header, OutputOffset};

/// Maximum number of output bytes that are held as frames for slower readers. A reader that is
/// further behind gets frames of its own.
const MAX_RECENT_BYTES: usize = 512 * 1024;

/// Consecutive frames without gaps, each with its start offset.
#[derive(Debug, Default)]
pub(super) struct RecentFrames {
    frames: VecDeque<(OutputOffset, Bytes)>,
    len: usize,
}

impl RecentFrames {
    pub(super) fn push(&mut self, start: OutputOffset, frame: Bytes) {
        self.len += frame.len() - Header::LEN;
        self.frames.push_back((start, frame));
        while self.len > MAX_RECENT_BYTES {
            self.pop();
        }
    }

    fn pop(&mut self) {
        if let Some((_, frame)) = self.frames.pop_front() {
            self.len -= frame.len() - Header::LEN;
        }
    }

    /// Reports whether there are frames from `offset` on.
    pub(super) fn covers(&self, offset: OutputOffset) -> bool {
        self.frames.front().is_some_and(|(start, _)| *start <= offset)
    }

    /// Returns the frame that starts at this offset.
    pub(super) fn starting_at(&self, offset: OutputOffset) -> Option<Bytes> {
        let at = self.frames.binary_search_by_key(&offset, |(start, _)| *start).ok()?;
        self.frames.get(at).map(|(_, frame)| frame.clone())
    }

    /// Drops the frames that end at or before `offset`.
    pub(super) fn forget_before(&mut self, offset: OutputOffset) {
        while let Some((start, frame)) = self.frames.front()
            && start.advanced(frame.len() - Header::LEN) <= offset
        {
            self.pop();
        }
        if self.frames.is_empty() {
            self.clear();
        }
    }

    /// Drops all frames and releases their memory.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
