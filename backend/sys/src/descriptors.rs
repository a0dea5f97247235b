//! Descriptors that other processes pass to this one.
#![expect(unsafe_code, reason = "descriptors arrive as numbers, and become owned here")]

use std::{
    collections::VecDeque,
    io,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
    ptr,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use nix::{errno::Errno, libc};

/// Maximum number of descriptors in a packet.
pub const MAX_DESCRIPTORS: usize = 8;

/// A buffer for the descriptors of a packet, as recvmsg(2) writes them.
#[repr(C, align(8))]
struct ControlBuffer([u8; 128]);

const _: () = assert!(
    size_of::<libc::cmsghdr>() + MAX_DESCRIPTORS * size_of::<RawFd>() <= size_of::<ControlBuffer>(),
    "it holds the descriptors of a packet"
);

/// A packet that has arrived, besides its bytes.
#[derive(Debug)]
pub struct Received {
    /// Number of bytes. 0 if the other end is closed.
    pub len: usize,
    /// The descriptors that came with it, in the order in which they were sent.
    pub descriptors: VecDeque<OwnedFd>,
    /// True if some descriptors were lost because this process could not have more of them.
    pub is_truncated: bool,
}

/// Receives a packet into `packet`, with at most [`MAX_DESCRIPTORS`] descriptors, all of them
/// close-on-exec.
///
/// The wrapper of nix loses descriptors that have arrived when others have not.
///
/// # Errors
/// Returns the errors of recvmsg(2).
pub fn receive(socket: BorrowedFd<'_>, packet: &mut [u8]) -> io::Result<Received> {
    let mut control = ControlBuffer([0; 128]);
    let mut slice = libc::iovec { iov_base: packet.as_mut_ptr().cast(), iov_len: packet.len() };
    // SAFETY: the struct consists of integers and pointers, all of which may be zero.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = &raw mut slice;
    header.msg_iovlen = 1;
    header.msg_control = (&raw mut control).cast();
    header.msg_controllen = size_of::<ControlBuffer>() as _;
    // SAFETY: the descriptor is open for the call, and the header names memory that is ours alone,
    // with its lengths.
    let len =
        Errno::result(unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, libc::MSG_CMSG_CLOEXEC) })?;
    let is_truncated = header.msg_flags & libc::MSG_CTRUNC != 0;
    let mut descriptors = VecDeque::new();
    // SAFETY: the kernel has filled in the header, and the memory that it names lives as long as
    // this function.
    let mut part = unsafe { libc::CMSG_FIRSTHDR(&raw const header) };
    while let Some(found) = ptr::NonNull::new(part) {
        // SAFETY: the kernel has written this part, aligned as the buffer is.
        let (level, kind, len) = unsafe {
            ((*found.as_ptr()).cmsg_level, (*found.as_ptr()).cmsg_type, (*found.as_ptr()).cmsg_len)
        };
        if (level, kind) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
            // SAFETY: as above.
            let (start, overhead) = unsafe { (libc::CMSG_DATA(part), libc::CMSG_LEN(0)) };
            for index in 0..len.saturating_sub(overhead as usize) / size_of::<RawFd>() {
                // SAFETY: the length of the part, which the kernel wrote, covers this number.
                let number =
                    unsafe { start.add(index * size_of::<RawFd>()).cast::<RawFd>().read_unaligned() };
                // SAFETY: the kernel has just created this descriptor for us, and nobody else knows
                // of it.
                descriptors.push_back(unsafe { OwnedFd::from_raw_fd(number) });
            }
        }
        // SAFETY: as for the first part.
        part = unsafe { libc::CMSG_NXTHDR(&raw const header, part) };
    }
    Ok(Received { len: len.cast_unsigned(), descriptors, is_truncated })
}

/// True if the inherited descriptors have been taken.
static ARE_INHERITED_TAKEN: AtomicBool = AtomicBool::new(false);

/// Returns the descriptors that a service manager has passed to this process (`sd_listen_fds(3)`),
/// with their names. Must be called before this process has opened any. Later calls return none, so
/// each descriptor has one owner.
///
/// # Errors
/// Returns an error if the service manager's variables are malformed.
pub fn take_inherited() -> io::Result<Vec<(String, OwnedFd)>> {
    if ARE_INHERITED_TAKEN.swap(true, Relaxed) {
        return Ok(Vec::new());
    }
    let inherited = sd_notify::listen_fds_with_names()?;
    // SAFETY: the service manager tells this process, and no other one, that these are open and
    // belong to it. Nothing else in this process knows of them, since only the first call gets
    // here.
    Ok(inherited.map(|(number, name)| (name, unsafe { OwnedFd::from_raw_fd(number) })).collect())
}
