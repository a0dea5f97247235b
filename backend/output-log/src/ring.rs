//! The last output of a session, in memory that outlives the server.
//!
//! Output is read from the pty right into the ring, and only then counted. A server that is killed
//! between the two has read bytes that it never counted. So each place is cleared before the read,
//! and the next server finds out how much was read by looking for bytes that differ from
//! [`CLEAR_BYTE`]. Text in UTF-8 never ends in that byte. Output that does can lose its trailing
//! bytes, if the kill comes at that very moment.

use std::sync::atomic::Ordering::{Acquire, Release};

use limpet_shared::OutputOffset;
use limpet_sys::memory::MirroredRing;

use super::memory::Words;

/// Value of the bytes at places that nothing has been read into yet.
const CLEAR_BYTE: u8 = 0xff;

/// Index of the word that holds the end of the counted output.
const END_WORD: usize = 0;

/// Index of the word that holds the end of the cleared place.
const CLEARED_WORD: usize = 1;

/// The last bytes of a stream, and the offset of its end.
#[derive(Debug)]
pub(super) struct Ring {
    words: Words,
    memory: MirroredRing,
    /// Offset up to which this process has cleared the place of future output.
    cleared_to: u64,
}

impl Ring {
    /// Opens a ring and continues where its last writer stopped, if there was one.
    pub(super) fn open(words: Words, memory: MirroredRing) -> Self {
        let mut ring = Self { words, memory, cleared_to: 0 };
        let (counted, cleared) = (ring.load(END_WORD), ring.load(CLEARED_WORD));
        let len = usize::try_from(cleared.saturating_sub(counted)).unwrap_or(usize::MAX);
        let place = ring.memory.read(counted, len.min(ring.capacity()));
        let read = place.iter().rposition(|&byte| byte != CLEAR_BYTE).map_or(0, |last| last + 1);
        ring.cleared_to = counted + read as u64;
        ring.store(END_WORD, ring.cleared_to);
        ring
    }

    fn load(&self, word: usize) -> u64 {
        self.words.get(word).load(Acquire)
    }

    fn store(&self, word: usize, offset: u64) {
        self.words.get(word).store(offset, Release);
    }

    pub(super) fn capacity(&self) -> usize {
        self.memory.capacity()
    }

    /// Returns the offset after the last byte.
    pub(super) fn end(&self) -> OutputOffset {
        OutputOffset::new(self.load(END_WORD))
    }

    /// Has `read` put at most `max` bytes into the ring, in the place of the oldest ones, and
    /// return their number.
    pub(super) fn fill<T>(&mut self, max: usize, read: impl FnOnce(&mut [u8]) -> (usize, T)) -> T {
        let end = self.load(END_WORD);
        let place = self.memory.write(end, max);
        // This process clears the place itself, even if an earlier process has already done so:
        // read(2) must not be the first access to a page. When the process is being killed, the
        // kernel gives up on the page fault, and the bytes that it has taken from the pty are lost.
        let clear_len = usize::try_from(self.cleared_to - end).unwrap_or(usize::MAX).min(max);
        place[clear_len..].fill(CLEAR_BYTE);
        self.cleared_to = self.cleared_to.max(end + max as u64);
        self.words.get(CLEARED_WORD).store(self.cleared_to, Release);
        let (count, result) = read(place);
        self.store(END_WORD, end + count.min(max) as u64);
        result
    }

    /// Overwrites the output from `start` to `end` as far as it is kept. `end` is not beyond
    /// [`end`](Self::end).
    pub(super) fn wipe(&mut self, start: OutputOffset, end: OutputOffset) {
        // Older output has been overwritten, at the latest when the place of future output was
        // cleared.
        let oldest = self.load(END_WORD).max(self.cleared_to).saturating_sub(self.capacity() as u64);
        let start = start.get().max(oldest);
        let len = usize::try_from(end.get().saturating_sub(start)).unwrap_or(0);
        self.memory.write(start, len.min(self.capacity())).fill(0);
    }

    /// Returns the output from `start` to `end`, at most as much as the capacity. `end` is not
    /// beyond [`end`](Self::end).
    pub(super) fn read(&self, start: OutputOffset, end: OutputOffset) -> &[u8] {
        let len = usize::try_from(end.since(start)).unwrap_or(usize::MAX);
        self.memory.read(start.get(), len.min(self.capacity()))
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::{AsFd, OwnedFd};

    use limpet_shared::OutputOffset;

    use super::*;
    use crate::memory::{self, Mapped};

    fn open(file: &OwnedFd) -> Ring {
        let Mapped { ring, ring_bytes, .. } = memory::map(file.as_fd()).unwrap();
        Ring::open(ring, ring_bytes)
    }

    fn fill(ring: &mut Ring, max: usize, output: &[u8]) {
        ring.fill(max, |place| {
            place[..output.len()].copy_from_slice(output);
            (output.len(), ())
        });
    }

    #[test]
    fn what_was_read_and_not_counted_is_found() {
        let file = memory::create(1).unwrap();
        let mut ring = open(&file);
        for round in 0..100_u64 {
            fill(&mut ring, 4096, &[b'a'; 3000]);
            fill(&mut ring, 4096, b"");
            let before = ring.end();
            assert_eq!(before.get() % 3006, 3000, "{round}");
            // The server is killed before it can count the output.
            ring.memory.write(before.get(), 6).copy_from_slice(b"b\xff\0\xffz!");
            drop(ring);
            ring = open(&file);
            assert_eq!(ring.read(before.before(1), ring.end()), b"ab\xff\0\xffz!");
        }
    }

    #[test]
    fn what_is_wiped_is_nowhere_in_the_memory() {
        let file = memory::create(1).unwrap();
        let mut ring = open(&file);
        for _ in 0..ring.capacity() / 4096 + 3 {
            fill(&mut ring, 4096, &[b's'; 4096]);
        }
        let start = ring.end();
        fill(&mut ring, 4096, b"kept");
        ring.wipe(OutputOffset::ZERO, start);
        assert_eq!(ring.read(start, ring.end()), b"kept");
        let all = ring.memory.read(start.get(), ring.capacity());
        assert!(!all.contains(&b's'));
        ring.wipe(start, start);
        ring.wipe(OutputOffset::ZERO, OutputOffset::ZERO);
        assert_eq!(ring.read(start, ring.end()), b"kept");
    }

    #[test]
    fn nothing_is_found_that_was_not_read() {
        let file = memory::create(1).unwrap();
        let mut ring = open(&file);
        for _ in 0..100 {
            fill(&mut ring, 4096, &[b'x'; 4000]);
        }
        let end = ring.end();
        drop(ring);
        assert_eq!(open(&file).end(), end);
    }
}
