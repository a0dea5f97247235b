//! Memory of a session that outlives the process which uses it.
//!
//! It is an anonymous file (`memfd_create(2)`) that the keeper holds open and the server maps. A
//! server that is killed leaves in it everything that it has written, up to the last instruction
//! that it executed.
//!
//! ```text
//! 0        SECTION_BYTES                      SECTION_BYTES + capacity
//! ├─ words ┼─ ring of output ─────────────────┤
//! ```
//!
//! Only one process uses the memory at a time: the keeper passes it to the next server when the
//! last one has ended. Within a process, each part of the mapping has an owner, so that the
//! compiler knows who may write.
#![expect(unsafe_code, reason = "mapping memory is a matter between us and the kernel")]

use std::{
    io,
    num::NonZeroUsize,
    ops::Range,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    ptr::NonNull,
    slice,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use nix::{
    fcntl::{FcntlArg, SealFlag, fcntl},
    sys::{
        memfd::{MFdFlags, memfd_create},
        mman::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap},
        stat::fstat,
        uio::pwrite,
    },
    unistd::ftruncate,
};

/// Size of the section of words before the ring, and the unit of the ring's capacity. It is a
/// multiple of the page size of every machine. Unused space takes no memory.
const SECTION_BYTES: usize = 64 * 1024;

/// Version of the layout, and the index of the word that holds it.
const LAYOUT_VERSION: u64 = 1;
const LAYOUT_WORD: usize = 0;

/// Word ranges of the ring, the screen and the input.
const RING_RANGE: Range<usize> = 1..3;
const SCREEN_RANGE: Range<usize> = 3..8;
const INPUT_RANGE: Range<usize> = 8..SECTION_BYTES / size_of::<AtomicU64>();

/// Number of words for the input.
pub(crate) const INPUT_WORDS: usize = INPUT_RANGE.end - INPUT_RANGE.start;

/// Creates the memory for a ring of `capacity` bytes, rounded up. It is zeroed and close-on-exec,
/// and its size is sealed.
///
/// # Errors
/// Returns the errors of `memfd_create(2)` and `ftruncate(2)`.
pub(crate) fn create(capacity: usize) -> io::Result<OwnedFd> {
    let file = memfd_create("limpet", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?;
    let size = SECTION_BYTES + capacity.next_multiple_of(SECTION_BYTES);
    ftruncate(&file, i64::try_from(size).map_err(io::Error::other)?)?;
    pwrite(&file, &LAYOUT_VERSION.to_ne_bytes(), 0)?;
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

/// Maps the memory of a session.
///
/// # Errors
/// Returns the errors of `mmap(2)`, and an error if this is not a session's memory or has another
/// layout.
pub(super) fn map(file: BorrowedFd<'_>) -> io::Result<Mapped> {
    let capacity = capacity(file)?;
    let mapping = Mapping::reserve(SECTION_BYTES + 2 * capacity)?;
    mapping.map_file(file, 0, SECTION_BYTES + capacity, 0)?;
    mapping.map_file(file, SECTION_BYTES + capacity, capacity, SECTION_BYTES)?;
    let mapping = Arc::new(mapping);
    let words = |range| Words { mapping: Arc::clone(&mapping), range };
    if words(0..1).get(LAYOUT_WORD).load(Relaxed) != LAYOUT_VERSION {
        let message = "the session's memory was created by an incompatible version of limpet; stop that version and start limpet again";
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    let (ring, screen, input) = (words(RING_RANGE), words(SCREEN_RANGE), words(INPUT_RANGE));
    Ok(Mapped { ring, screen, input, ring_bytes: MirroredRing { mapping, capacity } })
}

/// A range of 64-bit words that are read and written atomically.
#[derive(Debug)]
pub(crate) struct Words {
    mapping: Arc<Mapping>,
    range: Range<usize>,
}

impl Words {
    /// Returns one of the words.
    pub(crate) fn get(&self, index: usize) -> &AtomicU64 {
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
pub(super) struct MirroredRing {
    mapping: Arc<Mapping>,
    capacity: usize,
}

impl MirroredRing {
    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Returns `len` bytes at `offset` of the stream.
    pub(super) fn read(&self, offset: u64, len: usize) -> &[u8] {
        // SAFETY: the bytes lie within the mapping, see `address`. Only `write` writes there, and
        // it borrows `self` exclusively.
        unsafe { slice::from_raw_parts(self.address(offset, len), len) }
    }

    /// Returns the same bytes for writing.
    pub(super) fn write(&mut self, offset: u64, len: usize) -> &mut [u8] {
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
            tracing::error!(%error, "could not unmap a session's memory");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_leaves_another_finds() {
        let file = create(SECTION_BYTES).unwrap();
        let Mapped { ring, screen, input, mut ring_bytes } = map(file.as_fd()).unwrap();
        let across = u64::try_from(ring_bytes.capacity()).unwrap() - 3;
        ring_bytes.write(across, 6).copy_from_slice(b"across");
        ring.get(RING_RANGE.len() - 1).store(41, Relaxed);
        screen.get(SCREEN_RANGE.len() - 1).store(44, Relaxed);
        input.get(0).store(42, Relaxed);
        input.get(INPUT_WORDS - 1).store(43, Relaxed);
        drop((ring, screen, input, ring_bytes));
        let Mapped { ring, screen, input, ring_bytes } = map(file.as_fd()).unwrap();
        assert_eq!(
            (ring_bytes.read(across, 6), ring_bytes.read(across + 3, 3)),
            (&b"across"[..], &b"oss"[..])
        );
        let last =
            [ring.get(RING_RANGE.len() - 1), screen.get(SCREEN_RANGE.len() - 1), input.get(INPUT_WORDS - 1)];
        assert_eq!(last.map(|word| word.load(Relaxed)), [41, 44, 43]);
        assert_eq!(input.get(0).load(Relaxed), 42);
        assert_eq!(ring_bytes.read(0, 3), b"oss", "and the words are not in the ring");
    }

    #[test]
    fn nothing_else_is_taken_for_it() {
        let file = memfd_create("other", MFdFlags::MFD_CLOEXEC).unwrap();
        assert!(map(file.as_fd()).is_err(), "it is empty");
        ftruncate(&file, i64::try_from(3 * SECTION_BYTES).unwrap()).unwrap();
        assert!(map(file.as_fd()).is_err(), "it might shrink");
        let file = create(SECTION_BYTES).unwrap();
        pwrite(&file, &(LAYOUT_VERSION + 1).to_ne_bytes(), 0).unwrap();
        assert!(map(file.as_fd()).is_err(), "it is of another version");
    }
}
