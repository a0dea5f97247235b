//! The output log of a session: bytes at absolute offsets, of which a bounded tail is kept, and the
//! sizes of the terminal.
//!
//! The log knows neither who reads it nor why. Each reader has a *label*, a value that the log
//! keeps for the owner of the log, who decides by the labels whether the writer has to wait. This
//! crate may know the frames and offsets of `limpet-shared` and the memory of `limpet-sys`.
//!
//! One [`LogWriter`] appends output, and any number of [`LogReader`]s are cursors on the same
//! bytes. New output goes to viewers as complete data frames, by reference and not by copy; a
//! reader that is far behind gets frames of its own. A size comes between the bytes that were read
//! before it took effect and those that were read after it. A reader that has fallen behind the
//! tail, or behind the sizes that are kept, is told so.
//!
//! * [`sizes`] records the sizes and the offsets at which they took effect.
//! * [`ring`] holds the bytes, in [`memory`](mod@memory) that outlives the server.
//! * [`recent`] holds the frames that readers have yet to get.
//! * [`state`] combines these three with the cursors, under one lock.

#![forbid(unsafe_code)]

mod memory;
mod recent;
mod ring;
mod sizes;
mod state;
#[cfg(test)]
mod tests;

use std::{
    io,
    os::fd::{BorrowedFd, OwnedFd},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use limpet_shared::{Header, OutputOffset, Resume, Winsize, limits::MAX_FRAME_PAYLOAD_BYTES};
use tokio::sync::Notify;

use self::{
    memory::Mapped,
    recent::RecentFrames,
    ring::Ring,
    state::{Cursor, State},
};
pub use self::{
    memory::{INPUT_WORDS, Words},
    sizes::{Position, SizeAt, Sizes},
};

/// Minimum tail of a log, in bytes; a smaller request is raised to it. It leaves enough room for a
/// writer to notice that it has to wait for its readers.
pub const MIN_TAIL_BYTES: usize = 512 * 1024;

/// Number of bytes that are kept beside the tail: for the screen, which follows behind, and for
/// output that has been read but not published yet.
pub const SPARE_BYTES: usize = 5 * 1024 * 1024;

/// Creates the memory of a log that keeps `tail` bytes.
///
/// # Errors
/// Returns an error if the system has no memory.
pub fn create_memory(tail: usize) -> io::Result<OwnedFd> {
    memory::create(tail.max(MIN_TAIL_BYTES) + SPARE_BYTES)
}

/// A handle on a log that another owner writes. It creates readers.
#[derive(Clone, Debug)]
pub struct Log<L> {
    shared: Arc<Shared<L>>,
}

/// The only writer of a log. The log is complete when the writer is dropped.
#[derive(Debug)]
pub struct LogWriter<L> {
    shared: Arc<Shared<L>>,
}

/// A cursor: the position up to which a reader has been given the log.
#[derive(Debug)]
pub struct LogReader<L> {
    shared: Arc<Shared<L>>,
    id: u64,
    cursor: Position,
}

/// The next item for a reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// A data frame: header, then output from the cursor on.
    Frame(Bytes),
    /// From here on the terminal has this size.
    Size {
        /// The new size.
        size: Winsize,
        /// Number of size changes so far, including this one.
        resizes: u64,
    },
    /// The output or a size after the cursor is no longer kept.
    Lost,
    /// There is nothing new at the moment.
    Empty,
}

#[derive(Debug)]
struct Shared<L> {
    state: Mutex<State<L>>,
    /// Words in which the screen that follows the log stores state that outlives the server.
    screen: Words,
    /// Wakes readers when the log has new output, a new size or a new start, or is complete.
    log_changed: Notify,
    /// Wakes the writer when readers have advanced or gone.
    reader_moved: Notify,
}

/// The readers of a log at one moment.
#[derive(Debug)]
pub struct Readers<'a, L> {
    /// The end of the log.
    pub end: OutputOffset,
    /// Distance from the end at which a reader is overtaken, in bytes.
    pub tail: usize,
    cursors: &'a mut [Cursor<L>],
}

impl<L> Readers<'_, L> {
    /// Returns the offset up to which each reader has been given the log, and its label.
    pub fn iter(&self) -> impl Iterator<Item = (OutputOffset, &L)> {
        self.cursors.iter().map(|cursor| (cursor.at, &cursor.label))
    }

    /// Like [`iter`](Self::iter), with labels that can be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (OutputOffset, &mut L)> {
        self.cursors.iter_mut().map(|cursor| (cursor.at, &mut cursor.label))
    }
}

/// Opens the log in this memory and continues where its last writer stopped, if there was one. Also
/// returns the words of the session's input. The sizes are not in this memory; the caller has to
/// [set](LogWriter::set_sizes) them.
///
/// # Errors
/// Returns an error if the memory cannot be mapped, or is not a session's.
pub fn open<L>(memory: BorrowedFd<'_>) -> io::Result<(LogWriter<L>, Log<L>, Words)> {
    let Mapped { ring, screen, input, ring_bytes } = memory::map(memory)?;
    let ring = Ring::open(ring, ring_bytes);
    let (tail, published) = (ring.capacity().saturating_sub(SPARE_BYTES), ring.end());
    let (recent, cursors) = (RecentFrames::default(), Vec::new());
    let (sizes, forgotten) = (Sizes::new(Winsize::default()), OutputOffset::ZERO);
    let is_complete = false;
    let state = State { ring, recent, sizes, tail, forgotten, published, is_complete, cursors, next_id: 0 };
    let (state, log_changed, reader_moved) = (Mutex::new(state), Notify::new(), Notify::new());
    let shared = Arc::new(Shared { state, screen, log_changed, reader_moved });
    Ok((LogWriter { shared: Arc::clone(&shared) }, Log { shared }, input))
}

impl<L> Log<L> {
    /// Returns the offset after the last byte.
    #[must_use]
    pub fn end(&self) -> OutputOffset {
        self.shared.lock().published
    }

    /// Returns the offset of the first byte that is still kept.
    #[must_use]
    pub fn start(&self) -> OutputOffset {
        self.shared.lock().start()
    }

    /// Returns a reader with this label that starts at `start`, or at the end if `start` is beyond
    /// it.
    #[must_use]
    pub fn reader(&self, start: Position, label: L) -> LogReader<L> {
        let mut state = self.shared.lock();
        let at = start.output.min(state.published);
        let id = state.next_id;
        state.next_id += 1;
        state.cursors.push(Cursor { id, at, label });
        let cursor = Position { output: at, ..start };
        LogReader { shared: Arc::clone(&self.shared), id, cursor }
    }

    /// Returns the position from which a viewer resumes. `None` if output or sizes that it lacks
    /// are not kept, or if it is ahead of the log.
    #[must_use]
    pub fn resume_position(&self, &Resume { output, resizes, .. }: &Resume) -> Option<Position> {
        let state = self.shared.lock();
        if output < state.start() || output > state.published {
            return None;
        }
        match resizes {
            Some(resizes) => {
                Some(Position { output, resizes }).filter(|&position| state.sizes.covers(position))
            }
            None => state.sizes.position_at(output),
        }
    }

    /// Returns the position at which a terminal starts that has shown nothing, if all of the output
    /// is kept.
    #[must_use]
    pub fn start_position(&self) -> Option<Position> {
        let state = self.shared.lock();
        if state.start() > OutputOffset::ZERO {
            return None;
        }
        state.sizes.start()
    }

    /// Returns the size after this number of changes, or the current size if that one is no longer
    /// known.
    #[must_use]
    pub fn size(&self, resizes: u64) -> Winsize {
        let state = self.shared.lock();
        state.sizes.get(resizes).map_or(state.sizes.last(), |(_, size)| size)
    }

    /// Returns the sizes that are known.
    #[must_use]
    pub fn sizes(&self) -> Sizes {
        self.shared.lock().sizes.clone()
    }

    /// Drops and overwrites the output before this offset. Readers that have yet to read it have
    /// lost it.
    pub fn forget_before(&self, start: OutputOffset) {
        let mut state = self.shared.lock();
        let (before, now) = (state.forgotten, state.forgotten.max(start.min(state.published)));
        state.forgotten = now;
        state.recent.clear();
        state.ring.wipe(before, now);
        drop(state);
        self.shared.log_changed.notify_waiters();
    }

    /// Returns the words in which the screen that follows the log stores state that outlives the
    /// server.
    #[must_use]
    pub fn screen_words(&self) -> &Words {
        &self.shared.screen
    }

    /// Calls `inspect` with the output from `start` on, up to the end of the log and at most `max`
    /// bytes. Returns `None` if that output is not kept. The log is locked meanwhile.
    pub fn with_output<T>(
        &self,
        start: OutputOffset,
        max: usize,
        inspect: impl FnOnce(&[u8]) -> T,
    ) -> Option<T> {
        let state = self.shared.lock();
        let kept = state.ring.end().since(start) <= state.ring.capacity() as u64;
        (kept && start <= state.published)
            .then(|| inspect(state.ring.read(start, state.published.min(start.advanced(max)))))
    }
}

impl<L> LogWriter<L> {
    /// Returns the offset after the last byte that is published to readers.
    #[must_use]
    pub fn end(&self) -> OutputOffset {
        self.shared.lock().published
    }

    /// Has `read` put at most `max` bytes at the end of the log and return their number. They are
    /// not published yet.
    pub fn fill<T>(&mut self, max: usize, read: impl FnOnce(&mut [u8]) -> (usize, T)) -> T {
        self.shared.lock().ring.fill(max, read)
    }

    /// Sets the size of the terminal from the end of the published output on.
    pub fn resize(&mut self, size: Winsize) {
        {
            let mut state = self.shared.lock();
            let (start, end) = (state.start(), state.published);
            state.sizes.forget_before(start);
            state.sizes.push(end, size);
        }
        self.shared.log_changed.notify_waiters();
    }

    /// Replaces the recorded sizes by those of an earlier server.
    pub fn set_sizes(&mut self, sizes: Sizes) {
        self.shared.lock().sizes = sizes;
    }

    /// Appends and publishes output that is already in memory. Passes it to `taker` first.
    pub fn append(&mut self, output: &[u8], mut taker: impl FnMut(&[u8])) {
        for piece in output.chunks(MAX_FRAME_PAYLOAD_BYTES) {
            self.fill(piece.len(), |target| {
                target.copy_from_slice(piece);
                (piece.len(), ())
            });
            self.publish(&mut taker);
        }
    }

    /// Returns the number of bytes that are not published yet.
    #[must_use]
    pub fn unpublished(&self) -> usize {
        let state = self.shared.lock();
        usize::try_from(state.ring.end().since(state.published)).unwrap_or(usize::MAX)
    }

    /// Publishes the appended output to readers. Passes it to `taker` first.
    pub fn publish(&mut self, taker: impl FnOnce(&[u8])) {
        {
            let mut state = self.shared.lock();
            let (start, end) = (state.published, state.ring.end());
            if start == end {
                return;
            }
            taker(state.ring.read(start, end));
            state.publish(end);
        }
        self.shared.log_changed.notify_waiters();
    }

    /// Calls `look` with the readers as they are now. The log is locked meanwhile.
    pub fn with_readers<T>(&self, look: impl FnOnce(Readers<'_, L>) -> T) -> T {
        let mut state = self.shared.lock();
        let State { published: end, tail, ref mut cursors, .. } = *state;
        look(Readers { end, tail, cursors })
    }

    /// Waits until a reader has moved or gone since the last call. Cancel safe.
    pub async fn consumed(&self) {
        self.shared.reader_moved.notified().await;
    }
}

impl<L> LogReader<L> {
    /// Returns the offset up to which this reader has been given the log.
    #[must_use]
    pub fn cursor(&self) -> OutputOffset {
        self.cursor.output
    }

    /// Returns the next output, at most `max` bytes of it, or the next size. Does not wait.
    pub fn next(&mut self, max: usize) -> Next {
        let mut state = self.shared.lock();
        let next = state.read(self.cursor, max);
        match &next {
            Next::Frame(frame) => self.cursor.output = self.cursor.output.advanced(frame.len() - Header::LEN),
            Next::Size { resizes, .. } => {
                self.cursor.resizes = *resizes;
                return next;
            }
            Next::Lost | Next::Empty => return next,
        }
        state.move_cursor(self.id, self.cursor.output);
        drop(state);
        self.shared.reader_moved.notify_one();
        next
    }

    /// Reports whether the output or a size after the cursor is no longer kept.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.shared.lock().is_lost(self.cursor)
    }

    /// Returns the offset of the end of the log.
    #[must_use]
    pub fn end(&self) -> OutputOffset {
        self.shared.lock().published
    }

    /// Has `change` change the reader's label, and wakes the writer, which may wait for the reader
    /// now or no longer. `change` also gets the reader's offset and the length of the tail.
    pub fn relabel(&self, change: impl FnOnce(&mut L, OutputOffset, usize)) {
        {
            let mut state = self.shared.lock();
            let tail = state.tail;
            if let Some(Cursor { at, label, .. }) = state.cursor(self.id) {
                change(label, *at, tail);
            }
        }
        self.shared.reader_moved.notify_one();
    }

    /// Waits until there is output or a size after the cursor. Returns false if the log is complete
    /// and nothing will follow. Cancel safe.
    pub async fn ready(&self) -> bool {
        loop {
            // The listener is created before the check, so that no change in between is missed.
            let log_changed = self.shared.log_changed.notified();
            {
                let state = self.shared.lock();
                let has_more =
                    state.published > self.cursor.output || state.sizes.count() > self.cursor.resizes;
                if has_more || state.is_complete {
                    return has_more;
                }
            }
            log_changed.await;
        }
    }
}

impl<L> Drop for LogWriter<L> {
    fn drop(&mut self) {
        self.shared.lock().is_complete = true;
        self.shared.log_changed.notify_waiters();
    }
}

impl<L> Drop for LogReader<L> {
    fn drop(&mut self) {
        {
            let mut state = self.shared.lock();
            state.cursors.retain(|cursor| cursor.id != self.id);
            state.forget_frames();
        }
        self.shared.reader_moved.notify_one();
    }
}

impl<L> Shared<L> {
    fn lock(&self) -> MutexGuard<'_, State<L>> {
        // No code panics under this lock while a change is incomplete, so the state is consistent
        // even after a panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
