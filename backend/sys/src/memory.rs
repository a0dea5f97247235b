//! Memory that outlives the process which uses it.
//!
//! It is an anonymous file (`memfd_create(2)`) that one process holds open and another one maps. A
//! process that is killed leaves in it everything that it has written, up to the last instruction
//! that it executed.
//!
//! ```text
//! 0        SECTION_BYTES                      SECTION_BYTES + capacity
//! ├─ words ┼─ ring of bytes ──────────────────┤
//! ```
//!
//! Only one process uses the memory at a time, and maps it once. Within it, each part of the
//! mapping has an owner, so that the compiler knows who may write.
#![expect(unsafe_code, reason = "mapping memory is a matter between us and the kernel")]

use std::{
    io,
    num::NonZeroUsize,
    ops::Range,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    ptr::NonNull,
    slice,
    sync::{Arc, atomic::AtomicU64},
};

use nix::{
    fcntl::{FcntlArg, SealFlag, fcntl},
    sys::{
        memfd::{MFdFlags, memfd_create},
        mman::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap},
        stat::fstat,
    },
    unistd::ftruncate,
};

/// Size of the section of words before the ring, and the unit of the ring's capacity. It is a
/// multiple of the page size of every machine. Unused space takes no memory.
pub const SECTION_BYTES: usize = 64 * 1024;

/// Number of words in the section before the ring.
pub const WORDS: usize = SECTION_BYTES / size_of::<AtomicU64>();

/// Creates the memory for a ring of `capacity` bytes, rounded up, under a name that debuggers show.
/// It is zeroed and close-on-exec, and its size is sealed.
///
/// # Errors
/// Returns the errors of `memfd_create(2)` and `ftruncate(2)`.
pub fn create(name: &str, capacity: usize) -> io::Result<OwnedFd> {
    let file = memfd_create(name, MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?;
    let size = SECTION_BYTES + capacity.next_multiple_of(SECTION_BYTES);
    ftruncate(&file, i64::try_from(size).map_err(io::Error::other)?)?;
    let fixed = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL;
    fcntl(&file, FcntlArg::F_ADD_SEALS(fixed))?;
    Ok(file)
}

/// Returns the capacity of the ring in memory made by [`create`], in bytes.
fn capacity(file: BorrowedFd<'_>) -> io::Result<usize> {
    let size = usize::try_from(fstat(file)?.st_size).map_err(io::Error::other)?;
    let sealed = fcntl(file, FcntlArg::F_GET_SEALS)? & SealFlag::F_SEAL_SHRINK.bits() != 0;
    let ring =
        size.checked_sub(SECTION_BYTES).filter(|ring| sealed && *ring > 0 && ring % SECTION_BYTES == 0);
    ring.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "this is not the memory of a session"))
}

/// Maps memory made by [`create`].
///
/// # Errors
/// Returns the errors of `mmap(2)`, and an error if this is other memory.
pub fn map(file: BorrowedFd<'_>) -> io::Result<(Words, MirroredRing)> {
    let capacity = capacity(file)?;
    let mapping = Mapping::reserve(SECTION_BYTES + 2 * capacity)?;
    mapping.map_file(file, 0, SECTION_BYTES + capacity, 0)?;
    mapping.map_file(file, SECTION_BYTES + capacity, capacity, SECTION_BYTES)?;
    let mapping = Arc::new(mapping);
    let words = Words { mapping: Arc::clone(&mapping), range: 0..WORDS };
    Ok((words, MirroredRing { mapping, capacity }))
}

/// A range of 64-bit words that are read and written atomically.
#[derive(Debug)]
pub struct Words {
    mapping: Arc<Mapping>,
    range: Range<usize>,
}

impl Words {
    /// Returns a part of these words, counted from the first one of them.
    ///
    /// # Panics
    /// Panics if there are fewer words.
    #[must_use]
    pub fn part(&self, range: Range<usize>) -> Self {
        assert!(range.end <= self.range.len(), "there are {} words", self.range.len());
        let range = self.range.start + range.start..self.range.start + range.end;
        Self { mapping: Arc::clone(&self.mapping), range }
    }

    /// Returns one of the words.
    ///
    /// # Panics
    /// Panics if there are fewer words.
    #[must_use]
    pub fn get(&self, index: usize) -> &AtomicU64 {
        assert!(index < self.range.len(), "there are {} words", self.range.len());
        let at = self.range.start + index;
        // SAFETY: the word lies within the first section of the mapping, which lives as long as
        // `self` and, because the file is sealed, is backed by it. It is aligned, since a mapping
        // starts at a page, and it is only ever used as an atomic.
        unsafe { self.mapping.base.cast::<AtomicU64>().add(at).as_ref() }
    }
}

/// A ring of bytes, mapped twice in a row, so that every part of it is contiguous, even across its
/// end.
#[derive(Debug)]
pub struct MirroredRing {
    mapping: Arc<Mapping>,
    capacity: usize,
}

impl MirroredRing {
    /// Returns the number of bytes in the ring.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Returns `len` bytes at `offset` of the stream.
    ///
    /// # Panics
    /// Panics if the ring is smaller.
    #[must_use]
    pub fn read(&self, offset: u64, len: usize) -> &[u8] {
        // SAFETY: the bytes lie within the mapping, see `address`. Only `write` writes there, and
        // it borrows `self` exclusively.
        unsafe { slice::from_raw_parts(self.address(offset, len), len) }
    }

    /// Returns the same bytes for writing.
    ///
    /// # Panics
    /// Panics if the ring is smaller.
    pub fn write(&mut self, offset: u64, len: usize) -> &mut [u8] {
        // SAFETY: the bytes lie within the mapping, see `address`, and `self` is borrowed
        // exclusively.
        unsafe { slice::from_raw_parts_mut(self.address(offset, len), len) }
    }

    fn address(&self, offset: u64, len: usize) -> *mut u8 {
        assert!(len <= self.capacity, "no more than the whole ring");
        let at = usize::try_from(offset % self.capacity as u64).unwrap_or_default();
        // SAFETY: `at` is less than the capacity, and twice the capacity is mapped behind the first
        // section.
        unsafe { self.mapping.base.as_ptr().add(SECTION_BYTES + at) }
    }
}

/// An address range that this process has mapped.
#[derive(Debug)]
struct Mapping {
    base: NonNull<u8>,
    len: NonZeroUsize,
}

// SAFETY: a mapping belongs to the process, not to a thread; its owner decides who may use it.
unsafe impl Send for Mapping {}
// SAFETY: as above; only atomics, and slices that nobody writes, are shared.
unsafe impl Sync for Mapping {}

impl Mapping {
    fn reserve(len: usize) -> io::Result<Self> {
        let len = NonZeroUsize::new(len).ok_or(io::ErrorKind::InvalidInput)?;
        // SAFETY: an anonymous mapping at an address that the kernel chooses does not touch memory
        // in use.
        let base = unsafe { mmap_anonymous(None, len, ProtFlags::PROT_NONE, MapFlags::MAP_PRIVATE) }?;
        Ok(Self { base: base.cast(), len })
    }

    /// Maps `len` bytes of the file, from offset `from` on, to offset `at` of the reserved range.
    fn map_file(&self, file: BorrowedFd<'_>, at: usize, len: usize, from: usize) -> io::Result<()> {
        assert!(at + len <= self.len.get(), "within what was set aside");
        let (target, len) = (NonZeroUsize::new(self.base.as_ptr().addr() + at), NonZeroUsize::new(len));
        let (protection, flags) =
            (ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, MapFlags::MAP_SHARED | MapFlags::MAP_FIXED);
        let from = i64::try_from(from).map_err(io::Error::other)?;
        // SAFETY: the target lies within the range reserved for this, and nothing has been borrowed
        // from there yet.
        unsafe {
            mmap(target, len.ok_or(io::ErrorKind::InvalidInput)?, protection, flags, file.as_fd(), from)
        }?;
        Ok(())
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and everything that was borrowed from its owner has ended
        // with the owner.
        if let Err(error) = unsafe { munmap(self.base.cast(), self.len.get()) } {
            tracing::error!(%error, "could not unmap shared memory");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering::Relaxed;

    use super::*;

    #[test]
    fn what_one_leaves_another_finds() {
        let file = create("test", SECTION_BYTES).unwrap();
        let (words, mut ring) = map(file.as_fd()).unwrap();
        let across = u64::try_from(ring.capacity()).unwrap() - 3;
        ring.write(across, 6).copy_from_slice(b"across");
        words.get(0).store(41, Relaxed);
        words.part(3..WORDS).part(1..2).get(0).store(42, Relaxed);
        words.get(WORDS - 1).store(43, Relaxed);
        drop((words, ring));
        let (words, ring) = map(file.as_fd()).unwrap();
        assert_eq!((ring.read(across, 6), ring.read(across + 3, 3)), (&b"across"[..], &b"oss"[..]));
        assert_eq!([0, 4, WORDS - 1].map(|index| words.get(index).load(Relaxed)), [41, 42, 43]);
        assert_eq!(ring.read(0, 3), b"oss", "and the words are not in the ring");
    }

    #[test]
    #[should_panic(expected = "there are 2 words")]
    fn a_part_has_no_words_of_its_neighbours() {
        let file = create("test", 1).unwrap();
        let _ = map(file.as_fd()).unwrap().0.part(3..5).get(2);
    }

    #[test]
    fn nothing_else_is_taken_for_it() {
        let file = memfd_create("other", MFdFlags::MFD_CLOEXEC).unwrap();
        assert!(map(file.as_fd()).is_err(), "it is empty");
        ftruncate(&file, i64::try_from(3 * SECTION_BYTES).unwrap()).unwrap();
        assert!(map(file.as_fd()).is_err(), "it might shrink");
    }
}
