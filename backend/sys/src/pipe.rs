//! Pipes that hold data on its way.
#![expect(unsafe_code, reason = "system calls without a safe wrapper; each block says why it holds")]

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd, OwnedFd},
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, open},
    libc,
    sys::stat::Mode,
};

/// Creates a pipe whose two ends share one descriptor, which halves the number of descriptors.
///
/// # Errors
/// Returns the errors of pipe(2) and open(2).
pub fn create() -> io::Result<OwnedFd> {
    let (read, _write) = io::pipe()?;
    let path = format!("/proc/self/fd/{}", read.as_raw_fd());
    Ok(open(path.as_str(), OFlag::O_RDWR | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC, Mode::empty())?)
}

/// Returns the number of bytes that wait in a pipe (`FIONREAD`, pipe(7)).
///
/// # Errors
/// Returns the errors of `FIONREAD`.
pub fn pipe_len(pipe: BorrowedFd<'_>) -> io::Result<usize> {
    let mut count: libc::c_int = 0;
    // SAFETY: the descriptor is open for the call, and the kernel writes one int to the pointer.
    Errno::result(unsafe { libc::ioctl(pipe.as_raw_fd(), libc::FIONREAD, &raw mut count) })?;
    usize::try_from(count).map_err(io::Error::other)
}
