//! A bound on the memory of snapshots that were made for guests and have not been received.
//!
//! A snapshot for a viewer that does not read its socket stays in the server's memory. Small
//! snapshots are part of the memory that each viewer may use. Of large ones, a session keeps a few
//! for all of its guests. Until these are received, other guests get snapshots with little
//! scrollback, or get them a moment later.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use bytes::Bytes;

use super::{display::FramedSnapshot, flow::Rank};

/// Bytes of large snapshots above which a session's guests get no further ones until
/// some are received.
const MAX_PENDING_SNAPSHOT_BYTES: usize = 16 * 1024 * 1024;

/// Largest snapshot that counts as small and is always made, in bytes.
const MAX_SMALL_SNAPSHOT_BYTES: usize = 256 * 1024;

/// Rows of scrollback in a guest's snapshot while there is no room for a large one.
const SCARCE_ROWS: usize = 50;

/// Size of the large snapshots that guests of one session have yet to receive. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct GuestSnapshots(Arc<AtomicUsize>);

/// The frames of a snapshot. They count against the bound until this is dropped.
#[derive(Debug, Default)]
pub struct SnapshotFrames {
    frames: Vec<Bytes>,
    _reservation: Option<SnapshotReservation>,
}

#[derive(Debug)]
struct SnapshotReservation {
    all: GuestSnapshots,
    bytes: usize,
}

impl GuestSnapshots {
    /// Returns whether a viewer of this rank may get a large snapshot.
    pub(super) fn has_room(&self, rank: Rank) -> bool {
        rank == Rank::Owner || self.0.load(Relaxed) < MAX_PENDING_SNAPSHOT_BYTES
    }

    /// Returns how many of `wanted` rows of scrollback a snapshot for a viewer of this
    /// rank may have now.
    pub(super) fn rows(&self, rank: Rank, wanted: usize) -> usize {
        if self.has_room(rank) { wanted } else { wanted.min(SCARCE_ROWS) }
    }

    /// Counts a snapshot against the bound until the viewer has received it. Returns `None` and
    /// drops the snapshot if there is no room; the viewer gets another one later.
    pub(super) fn reserve(&self, rank: Rank, snapshot: &mut FramedSnapshot) -> Option<SnapshotFrames> {
        let frames = std::mem::take(&mut snapshot.frames);
        let bytes = frames.iter().map(Bytes::len).sum();
        if rank == Rank::Owner || bytes <= MAX_SMALL_SNAPSHOT_BYTES {
            return Some(SnapshotFrames { frames, _reservation: None });
        }
        self.has_room(rank).then(|| {
            self.0.fetch_add(bytes, Relaxed);
            SnapshotFrames { frames, _reservation: Some(SnapshotReservation { all: self.clone(), bytes }) }
        })
    }
}

impl SnapshotFrames {
    /// Returns the size of the frames in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.frames.iter().map(Bytes::len).sum()
    }

    /// Returns the number of frames.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.frames.len() as u64
    }

    /// Takes the frames out, one after the other.
    pub fn drain(&mut self) -> impl Iterator<Item = Bytes> {
        self.frames.drain(..)
    }
}

impl Drop for SnapshotReservation {
    fn drop(&mut self) {
        self.all.0.fetch_sub(self.bytes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use limpet_output_log::Position;
    use limpet_shared::Winsize;

    use super::*;

    fn framed(bytes: usize) -> FramedSnapshot {
        let frames = vec![Bytes::from(vec![0; bytes])];
        FramedSnapshot { frames, size: Winsize::default(), position: Position::START, omitted_rows: 0 }
    }

    #[test]
    fn guests_share_a_bound_and_owners_have_none() {
        let snapshots = GuestSnapshots::default();
        let draw = |rank, bytes| snapshots.reserve(rank, &mut framed(bytes));
        let mut held: Vec<_> = std::iter::from_fn(|| draw(Rank::Guest, 3 * 1024 * 1024)).collect();
        assert_eq!(held.len(), 6, "the last one may exceed the bound");
        assert_eq!(snapshots.rows(Rank::Guest, usize::MAX), SCARCE_ROWS);
        assert!(
            draw(Rank::Guest, MAX_SMALL_SNAPSHOT_BYTES).is_some()
                && draw(Rank::Guest, MAX_SMALL_SNAPSHOT_BYTES + 1).is_none()
        );
        assert!(draw(Rank::Owner, MAX_PENDING_SNAPSHOT_BYTES).is_some());
        assert_eq!(snapshots.rows(Rank::Owner, usize::MAX), usize::MAX);
        held.pop();
        assert!(snapshots.has_room(Rank::Guest));
        held.clear();
        assert_eq!(snapshots.0.load(Relaxed), 0);
    }
}
