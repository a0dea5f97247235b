//! Processes: descriptors that identify them, and children that have ended.
#![expect(unsafe_code, reason = "system calls without a safe wrapper; each block says why it holds")]

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
};

use nix::{errno::Errno, libc, sys::signal::Signal, unistd::Pid};

/// Returns a descriptor of the process `pid`, close-on-exec (`pidfd_open(2)`).
///
/// # Errors
/// Returns the errors of `pidfd_open(2)`.
pub fn pidfd_open(pid: Pid) -> io::Result<OwnedFd> {
    // SAFETY: the call takes two integers.
    let fd = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) })?;
    let fd = i32::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: the kernel has just created this descriptor for us, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Signals exactly the process of `pidfd` (`pidfd_send_signal(2)`). It is no error if that has
/// ended.
///
/// # Errors
/// Returns the other errors of `pidfd_send_signal(2)`.
pub fn pidfd_signal(pidfd: BorrowedFd<'_>, signal: Signal) -> io::Result<()> {
    // SAFETY: the descriptor is open for the call, and a null `siginfo_t` asks for the signal that
    // kill(2) would send.
    let sent = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal as i32,
            std::ptr::null::<()>(),
            0,
        )
    };
    match Errno::result(sent) {
        Ok(_) | Err(Errno::ESRCH) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Returns the exit status of a process in the format of wait(2), or `None` as long as its parent
/// has not reaped it (`PIDFD_GET_INFO`, Linux 6.15).
///
/// # Errors
/// Returns an error if the kernel does not know this request.
pub fn pidfd_exit(pidfd: BorrowedFd<'_>) -> io::Result<Option<i32>> {
    // SAFETY: the struct consists of integers, all of which may be zero.
    let mut info: libc::pidfd_info = unsafe { std::mem::zeroed() };
    info.mask = u64::from(libc::PIDFD_INFO_EXIT);
    // SAFETY: the descriptor is open for the call, and the kernel writes one such struct, whose
    // size the request contains, to the pointer.
    Errno::result(unsafe { libc::ioctl(pidfd.as_raw_fd(), libc::PIDFD_GET_INFO, &raw mut info) })?;
    Ok((info.mask & u64::from(libc::PIDFD_INFO_EXIT) != 0).then_some(info.exit_code))
}

/// Returns a child of this process that has ended and has not been reaped, if there is one
/// (`WNOWAIT`, waitid(2)).
///
/// # Errors
/// Returns the errors of waitid(2); `ECHILD` if there are no children.
pub fn ended_child() -> io::Result<Option<Pid>> {
    wait_for(libc::P_ALL, 0, libc::WNOWAIT)
}

/// Reaps a child that has ended. Does not wait for it.
///
/// # Errors
/// Returns the errors of waitid(2).
pub fn reap_child(pid: Pid) -> io::Result<()> {
    let number = libc::id_t::try_from(pid.as_raw()).map_err(io::Error::other)?;
    wait_for(libc::P_PID, number, 0).map(drop)
}

/// Calls waitid(2), which returns the pid of a child whatever signal ended it.
fn wait_for(kind: libc::idtype_t, number: libc::id_t, flags: libc::c_int) -> io::Result<Option<Pid>> {
    // SAFETY: the struct consists of integers, all of which may be zero.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let flags = libc::WEXITED | libc::WNOHANG | flags;
    // SAFETY: the kernel writes one such struct to the pointer.
    Errno::result(unsafe { libc::waitid(kind, number, &raw mut info, flags) })?;
    // SAFETY: waitid(2) fills in this field of the union, or leaves it zero if no child has ended.
    let pid = unsafe { info.si_pid() };
    Ok((pid != 0).then(|| Pid::from_raw(pid)))
}
