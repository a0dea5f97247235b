//! A session's output log: bytes at absolute offsets, of which a bounded tail is kept, and the sizes that the terminal had.
//!
//! One [`LogWriter`] reads output into it; any number of [`LogReader`]s are cursors on the same bytes. What is new goes to
//! viewers as ready data frames, by reference, not by copy; who is far behind gets frames that are made for it. A size comes between
//! the bytes that were read before it took effect and those that were read after it. A reader that has fallen behind the tail, or
//! behind the sizes that are kept, is told so.
//!
//! * [`sizes`] knows which sizes took effect where.
//! * [`ring`] holds the bytes, in [`memory`] that outlives the server.
//! * [`recent`] holds the frames that readers have yet to get.
//! * [`state`] is these two and the cursors, under one lock.

pub(crate) mod memory;
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
use limpet_shared::{Header, OutputOffset, Resume, Winsize, limits::OUTPUT_FRAME};
use tokio::sync::Notify;

pub use self::sizes::Position;
pub(crate) use self::sizes::{SizeAt, Sizes};
use self::{
    memory::{Mapped, Words},
    recent::Recent,
    ring::Ring,
    state::{Cursor, State},
};

/// The least that a log keeps, in bytes; a smaller wish is raised to it. It leaves room for a writer that waits for its
/// readers to notice that it should.
pub const MIN_TAIL: usize = 512 * 1024;

/// Output that is kept beside the tail, in bytes, for the screen, which follows behind, and for what has been read and not
/// published yet.
pub const SPARE: usize = 5 * 1024 * 1024;

/// Makes the memory of a log that keeps `tail` bytes.
///
/// # Errors
/// When the system has none.
pub fn memory(tail: usize) -> io::Result<OwnedFd> {
    memory::create(tail.max(MIN_TAIL) + SPARE)
}

/// A log that somebody else writes; makes readers.
#[derive(Clone, Debug)]
pub struct Log {
    shared: Arc<Shared>,
}

/// The one who appends. When it is dropped the log is complete.
#[derive(Debug)]
pub struct LogWriter {
    shared: Arc<Shared>,
}

/// A cursor: the place up to which somebody has been given the log.
#[derive(Debug)]
pub struct LogReader {
    shared: Arc<Shared>,
    id: u64,
    cursor: Position,
}

/// What a reader gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// A data frame: header, then output from the cursor on.
    Frame(Bytes),
    /// From here on the terminal has this size, the last of so many changes.
    Size {
        /// The size.
        size: Winsize,
        /// How many size changes there have been with this one.
        resizes: u64,
    },
    /// What comes after the cursor is no longer kept.
    Lost,
    /// Nothing at the moment.
    Dry,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Whoever follows the log with a screen notes in these words what outlives the server.
    screen: Words,
    /// Wakes readers when there is more, or there never will be.
    grown: Notify,
    /// Wakes the writer when readers have come nearer, or gone.
    consumed: Notify,
}

/// What a reader may expect of the writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Nothing: it is never waited for.
    None,
    /// To be waited for when no other reader is nearer to the end.
    Fastest,
    /// To be waited for also when it is about to be overtaken, as long as it keeps up with the others.
    All,
}

/// The rank of a reader. The session decides by it whether the writer waits for the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    /// Reads for a guest, who was invited by a pass.
    Guest,
    /// Reads for an owner, or for the server itself.
    Owner,
}

/// Where the readers stand whom the writer may have to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The end of the log.
    pub end: OutputOffset,
    /// How many bytes before the end a reader is overtaken.
    pub tail: usize,
    /// The one who is nearest to the end.
    pub fastest: Option<OutputOffset>,
    /// Of those who are to get all, and are believed to keep up, the one who is furthest from the end.
    pub slowest: Option<OutputOffset>,
}

/// A log in this memory, which goes on where another one has stopped, if there was one; and the words of the session's input. Its sizes
/// are kept elsewhere, and are to be [set](LogWriter::set_sizes).
///
/// # Errors
/// When the memory cannot be mapped, or is something else.
pub(crate) fn log(memory: BorrowedFd<'_>) -> io::Result<(LogWriter, Log, Words)> {
    let Mapped { ring, screen, input, circle } = memory::map(memory)?;
    let ring = Ring::open(ring, circle);
    let (tail, published) = (ring.capacity().saturating_sub(SPARE), ring.end());
    let (recent, cursors) = (Recent::default(), Vec::new());
    let (sizes, forgotten) = (Sizes::new(Winsize::default()), OutputOffset::ZERO);
    let is_complete = false;
    let state = State { ring, recent, sizes, tail, forgotten, published, is_complete, cursors, next_id: 0 };
    let (state, grown, consumed) = (Mutex::new(state), Notify::new(), Notify::new());
    let shared = Arc::new(Shared { state, screen, grown, consumed });
    Ok((LogWriter { shared: Arc::clone(&shared) }, Log { shared }, input))
}

impl Log {
    /// The offset after the last byte.
    #[must_use]
    pub fn end(&self) -> OutputOffset {
        self.shared.lock().published
    }

    /// The offset of the first byte that is still kept.
    #[must_use]
    pub fn start(&self) -> OutputOffset {
        self.shared.lock().start()
    }

    /// A reader from `start` on, which is no further than the end.
    #[must_use]
    pub fn reader(&self, start: Position, rank: Rank, claim: Claim) -> LogReader {
        let mut state = self.shared.lock();
        let at = start.output.min(state.published);
        let id = state.next_id;
        state.next_id += 1;
        state.cursors.push(Cursor { id, at, rank, claim, trusted_from: at });
        let cursor = Position { output: at, ..start };
        LogReader { shared: Arc::clone(&self.shared), id, cursor }
    }

    /// Where whoever has received so much goes on. `None` if what it lacks is not kept, or if it is ahead of the log.
    pub(crate) fn resume(&self, &Resume { output, resizes, .. }: &Resume) -> Option<Position> {
        let state = self.shared.lock();
        if output < state.start() || output > state.published {
            return None;
        }
        match resizes {
            Some(resizes) => {
                Some(Position { output, resizes }).filter(|&place| state.sizes.reach_back_to(place))
            }
            None => state.sizes.place_at(output),
        }
    }

    /// Where a terminal begins that has shown nothing, if all of the output is kept.
    pub(crate) fn first(&self) -> Option<Position> {
        let state = self.shared.lock();
        if state.start() > OutputOffset::ZERO {
            return None;
        }
        state.sizes.start()
    }

    /// The size that is in force after so many changes, or now if that is not known any more.
    pub(crate) fn size(&self, resizes: u64) -> Winsize {
        let state = self.shared.lock();
        state.sizes.get(resizes).map_or(state.sizes.last(), |(_, size)| size)
    }

    /// The sizes that are known.
    pub(crate) fn sizes(&self) -> Sizes {
        self.shared.lock().sizes.clone()
    }

    /// Forgets the output before this offset, which is overwritten. Readers that have yet to read it have lost it.
    pub(crate) fn forget_before(&self, start: OutputOffset) {
        let mut state = self.shared.lock();
        let (before, now) = (state.forgotten, state.forgotten.max(start.min(state.published)));
        state.forgotten = now;
        state.recent.clear();
        state.ring.wipe(before, now);
        drop(state);
        self.shared.grown.notify_waiters();
    }

    /// The words in which whoever follows the log with a screen notes what outlives the server.
    pub(crate) fn screen_words(&self) -> &Words {
        &self.shared.screen
    }

    /// Has `look` look at the output from `start` on, up to the log's end, `most` bytes of it at most. None if it is not kept. Nobody gets
    /// at the log meanwhile.
    pub fn look<T>(&self, start: OutputOffset, most: usize, look: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let state = self.shared.lock();
        let kept = state.ring.end().since(start) <= state.ring.capacity() as u64;
        (kept && start <= state.published)
            .then(|| look(state.ring.read(start, state.published.min(start.advanced(most)))))
    }
}

impl LogWriter {
    /// The offset after the last byte that readers know of.
    #[must_use]
    pub fn end(&self) -> OutputOffset {
        self.shared.lock().published
    }

    /// Has `read` put at most `most` bytes at the log's end, and say how many. Readers know nothing of them yet.
    pub fn fill<T>(&mut self, most: usize, read: impl FnOnce(&mut [u8]) -> (usize, T)) -> T {
        self.shared.lock().ring.fill(most, read)
    }

    /// From the end of what readers know of on, the terminal has another size.
    pub(crate) fn resize(&mut self, size: Winsize) {
        {
            let mut state = self.shared.lock();
            let (start, end) = (state.start(), state.published);
            state.sizes.forget_before(start);
            state.sizes.push(end, size);
        }
        self.shared.grown.notify_waiters();
    }

    /// Sets the sizes that there have been so far.
    pub(crate) fn set_sizes(&mut self, sizes: Sizes) {
        self.shared.lock().sizes = sizes;
    }

    /// Puts output at the log's end that is at hand already, and makes it known to readers. Gives it to `taker` first.
    pub fn append(&mut self, output: &[u8], mut taker: impl FnMut(&[u8])) {
        for piece in output.chunks(OUTPUT_FRAME) {
            self.fill(piece.len(), |place| {
                place.copy_from_slice(piece);
                (piece.len(), ())
            });
            self.publish(&mut taker);
        }
    }

    /// How many bytes readers know nothing of yet.
    #[must_use]
    pub fn unpublished(&self) -> usize {
        let state = self.shared.lock();
        usize::try_from(state.ring.end().since(state.published)).unwrap_or(usize::MAX)
    }

    /// Makes what has been put into the log known to readers, and gives it to `taker` first.
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
        self.shared.grown.notify_waiters();
    }

    /// Where those readers stand that are waited for: of these ranks, and with a claim.
    #[must_use]
    pub fn standing(&self, counts: impl Fn(Rank) -> bool) -> Standing {
        let state = self.shared.lock();
        let counted = || state.cursors.iter().filter(|cursor| counts(cursor.rank));
        let claims = |cursor: &&Cursor| cursor.claim != Claim::None;
        Standing {
            end: state.published,
            tail: state.tail,
            fastest: counted().filter(claims).map(|cursor| cursor.at).max(),
            slowest: counted().filter(|cursor| cursor.is_to_get_all()).map(|cursor| cursor.at).min(),
        }
    }

    /// Who is no further than this has been waited for in vain. It is not believed to keep up before it has read a whole tail without
    /// being overtaken.
    pub fn leave_behind(&self, at: OutputOffset) {
        let mut state = self.shared.lock();
        let tail = state.tail;
        state.cursors.iter_mut().filter(|cursor| cursor.at <= at).for_each(|cursor| cursor.distrust(tail));
    }

    /// Waits until a reader has moved or gone since this was last waited for. Cancel safe.
    pub async fn consumed(&self) {
        self.shared.consumed.notified().await;
    }
}

impl LogReader {
    /// The offset up to which this reader has been given the log.
    #[must_use]
    pub fn cursor(&self) -> OutputOffset {
        self.cursor.output
    }

    /// The next output, `max` bytes of it at most, or the next size, without waiting.
    pub fn next(&mut self, max: usize) -> Next {
        let mut state = self.shared.lock();
        let next = state.read(self.cursor, max);
        match &next {
            Next::Frame(frame) => self.cursor.output = self.cursor.output.advanced(frame.len() - Header::LEN),
            Next::Size { resizes, .. } => {
                self.cursor.resizes = *resizes;
                return next;
            }
            Next::Lost | Next::Dry => return next,
        }
        state.move_cursor(self.id, self.cursor.output);
        drop(state);
        self.shared.consumed.notify_one();
        next
    }

    /// Whether what comes after the cursor is no longer kept.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.shared.lock().is_lost(self.cursor)
    }

    /// The end of the log.
    #[must_use]
    pub fn end(&self) -> OutputOffset {
        self.shared.lock().published
    }

    /// What this reader may expect of the writer.
    pub fn set_claim(&self, claim: Claim) {
        if let Some(cursor) = self.shared.lock().cursor(self.id) {
            cursor.claim = claim;
        }
        self.shared.consumed.notify_one();
    }

    /// This reader takes the place of one that was overtaken: it has to show first that it keeps up.
    pub fn distrust(&self) {
        let mut state = self.shared.lock();
        let tail = state.tail;
        if let Some(cursor) = state.cursor(self.id) {
            cursor.distrust(tail);
        }
    }

    /// Waits until there is output or a size after the cursor. False if the log is complete and there never will be. Cancel
    /// safe.
    pub async fn ready(&self) -> bool {
        loop {
            // From here on nothing is missed, so it comes before the look at what there is.
            let grown = self.shared.grown.notified();
            {
                let state = self.shared.lock();
                let is_more =
                    state.published > self.cursor.output || state.sizes.count() > self.cursor.resizes;
                if is_more || state.is_complete {
                    return is_more;
                }
            }
            grown.await;
        }
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        self.shared.lock().is_complete = true;
        self.shared.grown.notify_waiters();
    }
}

impl Drop for LogReader {
    fn drop(&mut self) {
        {
            let mut state = self.shared.lock();
            state.cursors.retain(|cursor| cursor.id != self.id);
            state.forget_frames();
        }
        self.shared.consumed.notify_one();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing under this lock panics half-way through a change, so what a panic left behind is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
