//! Memory of a session that outlives the process which uses it.
//!
//! It is a file without a name (`memfd_create(2)`) that the keeper holds open and the server maps. A server that is killed
//! leaves in it all that it had written there, to the last instruction that it carried out.
//!
//! ```text
//! 0             SECTION        2 SECTION                          2 SECTION + capacity
//! ├─ ring words ┼─ input words ┼─ ring of output ─────────────────┤
//! ```
//!
//! One process uses it at a time: the keeper hands it to the next one when the last one has ended. Within that process, what is
//! mapped here is owned, so that the compiler knows who may write.
#![expect(unsafe_code, reason = "mapping memory is a matter between us and the kernel")]

use std::{
    io,
    num::NonZeroUsize,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    ptr::NonNull,
    slice,
    sync::atomic::AtomicU64,
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

/// Sections are a multiple of every machine's pages. What of them is never written costs nothing.
const SECTION: usize = 64 * 1024;

/// How many words a section has.
pub(crate) const WORDS: usize = SECTION / size_of::<AtomicU64>();

/// Makes the memory for a ring of `capacity` bytes, rounded up, all zero and closed on exec. Its size cannot change.
///
/// # Errors
/// Those of `memfd_create(2)` and `ftruncate(2)`.
pub(crate) fn create(capacity: usize) -> io::Result<OwnedFd> {
    let file = memfd_create("limpet", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?;
    let size = 2 * SECTION + capacity.next_multiple_of(SECTION);
    ftruncate(&file, i64::try_from(size).map_err(io::Error::other)?)?;
    let fixed = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL;
    fcntl(&file, FcntlArg::F_ADD_SEALS(fixed))?;
    Ok(file)
}

/// The bytes of the ring in what [`create`] has made.
fn capacity(file: BorrowedFd<'_>) -> io::Result<usize> {
    let size = usize::try_from(fstat(file)?.st_size).map_err(io::Error::other)?;
    let sealed = fcntl(file, FcntlArg::F_GET_SEALS)? & SealFlag::F_SEAL_SHRINK.bits() != 0;
    let ring = size.checked_sub(2 * SECTION).filter(|ring| sealed && *ring > 0 && ring % SECTION == 0);
    ring.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "this is no session's memory"))
}

/// Numbers that are read and written one by one.
#[derive(Debug)]
pub(crate) struct Words(Mapping);

impl Words {
    /// Those of the ring.
    pub(super) fn of_ring(file: BorrowedFd<'_>) -> io::Result<Self> {
        Self::map(file, 0)
    }

    /// Those of the input.
    ///
    /// # Errors
    /// Those of mmap(2), and when this is no session's memory.
    pub(crate) fn of_input(file: BorrowedFd<'_>) -> io::Result<Self> {
        Self::map(file, SECTION)
    }

    fn map(file: BorrowedFd<'_>, from: usize) -> io::Result<Self> {
        capacity(file)?;
        let mapping = Mapping::set_aside(SECTION)?;
        mapping.put(file, 0, SECTION, from)?;
        Ok(Self(mapping))
    }

    /// One of them.
    pub(crate) fn get(&self, index: usize) -> &AtomicU64 {
        assert!(index < WORDS, "there are {WORDS} words");
        // SAFETY: it lies within the mapping, which lives as long as `self` and, the file being sealed, is backed by
        // it; it is aligned, since a mapping begins with a page; and it is only ever used as an atomic.
        unsafe { self.0.base.cast::<AtomicU64>().add(index).as_ref() }
    }
}

/// A ring of bytes, mapped twice in a row, so that any part of it, the one across its end too, is one run.
#[derive(Debug)]
pub(super) struct Circle {
    mapping: Mapping,
    capacity: usize,
}

impl Circle {
    pub(super) fn map(file: BorrowedFd<'_>) -> io::Result<Self> {
        let capacity = capacity(file)?;
        let mapping = Mapping::set_aside(2 * capacity)?;
        mapping.put(file, 0, capacity, 2 * SECTION)?;
        mapping.put(file, capacity, capacity, 2 * SECTION)?;
        Ok(Self { mapping, capacity })
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    /// The `len` bytes at `offset` of the stream that goes round.
    pub(super) fn read(&self, offset: u64, len: usize) -> &[u8] {
        // SAFETY: it lies within the mapping, see `place`. Only `write` writes there, which needs `self` alone.
        unsafe { slice::from_raw_parts(self.place(offset, len), len) }
    }

    /// The same bytes, to be written.
    pub(super) fn write(&mut self, offset: u64, len: usize) -> &mut [u8] {
        // SAFETY: it lies within the mapping, see `place`, and is borrowed from `self` alone.
        unsafe { slice::from_raw_parts_mut(self.place(offset, len), len) }
    }

    fn place(&self, offset: u64, len: usize) -> *mut u8 {
        assert!(len <= self.capacity, "no more than the whole ring");
        let at = usize::try_from(offset % self.capacity as u64).unwrap_or_default();
        // SAFETY: `at` is less than the capacity, and twice as much is mapped.
        unsafe { self.mapping.base.as_ptr().add(at) }
    }
}

/// Addresses that are ours.
#[derive(Debug)]
struct Mapping {
    base: NonNull<u8>,
    len: NonZeroUsize,
}

// SAFETY: a mapping belongs to the process, not to a thread; who may use it follows from who owns this.
unsafe impl Send for Mapping {}
// SAFETY: as above; what is shared of it is atomics, and slices that nobody writes.
unsafe impl Sync for Mapping {}

impl Mapping {
    fn set_aside(len: usize) -> io::Result<Self> {
        let len = NonZeroUsize::new(len).ok_or(io::ErrorKind::InvalidInput)?;
        // SAFETY: an anonymous mapping at an address of the kernel's choice touches nothing that is in use.
        let base = unsafe { mmap_anonymous(None, len, ProtFlags::PROT_NONE, MapFlags::MAP_PRIVATE) }?;
        Ok(Self { base: base.cast(), len })
    }

    /// Maps `len` bytes of the file, `from` on, at `at` of what was set aside.
    fn put(&self, file: BorrowedFd<'_>, at: usize, len: usize, from: usize) -> io::Result<()> {
        assert!(at + len <= self.len.get(), "within what was set aside");
        let (place, len) = (NonZeroUsize::new(self.base.as_ptr().addr() + at), NonZeroUsize::new(len));
        let (protection, flags) =
            (ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, MapFlags::MAP_SHARED | MapFlags::MAP_FIXED);
        let from = i64::try_from(from).map_err(io::Error::other)?;
        // SAFETY: the place lies within what was set aside for this, and nothing has been borrowed from there yet.
        unsafe {
            mmap(place, len.ok_or(io::ErrorKind::InvalidInput)?, protection, flags, file.as_fd(), from)
        }?;
        Ok(())
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and what was borrowed from its owner has ended with that.
        if let Err(error) = unsafe { munmap(self.base.cast(), self.len.get()) } {
            tracing::error!(%error, "could not unmap a session's memory");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;

    #[test]
    fn what_one_leaves_another_finds() {
        let file = create(SECTION).unwrap();
        let mut one = Circle::map(file.as_fd()).unwrap();
        let across = u64::try_from(one.capacity()).unwrap() - 3;
        one.write(across, 6).copy_from_slice(b"across");
        Words::of_input(file.as_fd()).unwrap().get(WORDS - 1).store(42, Ordering::Relaxed);
        drop(one);
        let other = Circle::map(file.as_fd()).unwrap();
        assert_eq!((other.read(across, 6), other.read(across + 3, 3)), (&b"across"[..], &b"oss"[..]));
        assert_eq!(Words::of_input(file.as_fd()).unwrap().get(WORDS - 1).load(Ordering::Relaxed), 42);
        assert_eq!(Words::of_ring(file.as_fd()).unwrap().get(0).load(Ordering::Relaxed), 0);
    }

    #[test]
    fn nothing_else_is_taken_for_it() {
        let file = memfd_create("other", MFdFlags::MFD_CLOEXEC).unwrap();
        assert!(Circle::map(file.as_fd()).is_err(), "it is empty");
        ftruncate(&file, i64::try_from(3 * SECTION).unwrap()).unwrap();
        assert!(Words::of_input(file.as_fd()).is_err(), "it might shrink");
    }
}
