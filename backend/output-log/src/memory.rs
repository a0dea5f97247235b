//! The layout of a session's memory, which the keeper holds open and one server after the other
//! maps.
//!
//! ```text
//! ├─ version ┼─ ring ┼─ screen ┼─ input ─┼─ bytes of the ring ─┤
//! ```
//!
//! The first section consists of [`Words`]. Each part of it, and the bytes, have one owner.

use std::{
    fs::File,
    io,
    ops::Range,
    os::{
        fd::{BorrowedFd, OwnedFd},
        unix::fs::FileExt,
    },
    sync::atomic::Ordering::Relaxed,
};

pub use limpet_sys::memory::Words;
use limpet_sys::memory::{self, MirroredRing, WORDS};

/// Version of the layout, and the index of the word that holds it.
const LAYOUT_VERSION: u64 = 1;
const LAYOUT_WORD: usize = 0;

/// Word ranges of the ring, the screen and the input.
const RING_RANGE: Range<usize> = 1..3;
const SCREEN_RANGE: Range<usize> = 3..8;
const INPUT_RANGE: Range<usize> = 8..WORDS;

/// Number of words for the input.
pub const INPUT_WORDS: usize = INPUT_RANGE.end - INPUT_RANGE.start;

/// Creates the memory for a ring of `capacity` bytes, rounded up.
pub(super) fn create(capacity: usize) -> io::Result<OwnedFd> {
    let file = File::from(memory::create("limpet", capacity)?);
    file.write_all_at(&LAYOUT_VERSION.to_ne_bytes(), 0)?;
    Ok(file.into())
}

/// The mapped parts of a session's memory.
#[derive(Debug)]
pub(super) struct Mapped {
    /// The ring's words.
    pub(super) ring: Words,
    /// The words of the screen that follows the log.
    pub(super) screen: Words,
    /// The words of the session's input.
    pub(super) input: Words,
    /// The ring.
    pub(super) ring_bytes: MirroredRing,
}

/// Maps the memory of a session. Returns an error if this is other memory, or has another layout.
pub(super) fn map(file: BorrowedFd<'_>) -> io::Result<Mapped> {
    let (words, ring_bytes) = memory::map(file)?;
    if words.get(LAYOUT_WORD).load(Relaxed) != LAYOUT_VERSION {
        let message = "the session's memory was created by an incompatible version of limpet; stop that version and start limpet again";
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    let (ring, screen, input) = (words.part(RING_RANGE), words.part(SCREEN_RANGE), words.part(INPUT_RANGE));
    Ok(Mapped { ring, screen, input, ring_bytes })
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use super::*;

    #[test]
    fn each_part_is_found_where_it_was_left() {
        let file = create(1).unwrap();
        let Mapped { ring, screen, input, ring_bytes } = map(file.as_fd()).unwrap();
        ring.get(RING_RANGE.len() - 1).store(41, Relaxed);
        screen.get(SCREEN_RANGE.len() - 1).store(44, Relaxed);
        input.get(0).store(42, Relaxed);
        input.get(INPUT_WORDS - 1).store(43, Relaxed);
        drop((ring, screen, input, ring_bytes));
        let Mapped { ring, screen, input, .. } = map(file.as_fd()).unwrap();
        let last =
            [ring.get(RING_RANGE.len() - 1), screen.get(SCREEN_RANGE.len() - 1), input.get(INPUT_WORDS - 1)];
        assert_eq!(last.map(|word| word.load(Relaxed)), [41, 44, 43]);
        assert_eq!(input.get(0).load(Relaxed), 42);
    }

    #[test]
    fn the_memory_of_another_version_is_refused() {
        let file = File::from(create(1).unwrap());
        file.write_all_at(&(LAYOUT_VERSION + 1).to_ne_bytes(), 0).unwrap();
        assert!(map(file.as_fd()).is_err());
    }
}
