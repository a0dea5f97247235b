//! The system calls that neither the standard library nor nix wraps; the only unsafe code of the pty.
#![expect(unsafe_code, reason = "system calls without a safe wrapper; each block says why it holds")]

use std::{
    io,
    os::{
        fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
        unix::process::CommandExt,
    },
    process::Command,
};

use limpet_shared::Winsize;
use nix::{
    errno::Errno,
    libc,
    sys::{
        resource::{Resource, rlim_t, setrlimit},
        signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction},
    },
    unistd::{self, Pid},
};
use tokio::io::{
    Interest,
    unix::{AsyncFd, AsyncFdRegisterError},
};

/// Has the runtime watch a descriptor. To be called within it.
pub(crate) fn watch(fd: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    try_watch(fd, interest).map_err(|(_, error)| error)
}

/// The same, and gives the descriptor back if it cannot be watched.
pub(crate) fn try_watch(fd: OwnedFd, interest: Interest) -> Result<AsyncFd<OwnedFd>, (OwnedFd, io::Error)> {
    // SAFETY: an `OwnedFd` is open for as long as it lives, always the same, and it lives in the `AsyncFd` from here on.
    unsafe { AsyncFd::register_with_interest(fd, interest) }.map_err(AsyncFdRegisterError::into_parts)
}

/// Opens the slave side of `master` without going by its name, close-on-exec from the start (`TIOCGPTPEER`,
/// `ioctl_tty(2)`).
pub(super) fn open_slave(master: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: the descriptor is open for the call, and the third argument is a plain integer.
    let fd = Errno::result(unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, flags) })?;
    // SAFETY: the kernel has just made this descriptor for us, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// `TIOCSWINSZ`, `ioctl_tty(2)`.
pub(super) fn set_winsize(fd: BorrowedFd<'_>, size: Winsize) -> io::Result<()> {
    let Winsize { cols, rows, xpixel, ypixel } = size;
    let winsize = libc::winsize { ws_row: rows, ws_col: cols, ws_xpixel: xpixel, ws_ypixel: ypixel };
    // SAFETY: the descriptor is open for the call, and the kernel only reads the struct that the pointer names.
    Errno::result(unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCSWINSZ, &raw const winsize) })?;
    Ok(())
}

/// How many bytes wait in a pipe (`FIONREAD`, pipe(7)).
pub(crate) fn waiting_in(pipe: BorrowedFd<'_>) -> io::Result<usize> {
    let mut count: libc::c_int = 0;
    // SAFETY: the descriptor is open for the call, and the kernel writes one int to the pointer.
    Errno::result(unsafe { libc::ioctl(pipe.as_raw_fd(), libc::FIONREAD, &raw mut count) })?;
    usize::try_from(count).map_err(io::Error::other)
}

/// A descriptor that stands for the process `pid`, close-on-exec (`pidfd_open(2)`).
pub(crate) fn pidfd_open(pid: Pid) -> io::Result<OwnedFd> {
    // SAFETY: the call takes two integers.
    let fd = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) })?;
    let fd = i32::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: the kernel has just made this descriptor for us, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Signals exactly the process that `pidfd` stands for (`pidfd_send_signal(2)`); one that has ended is no error.
pub(crate) fn pidfd_signal(pidfd: BorrowedFd<'_>, signal: Signal) -> io::Result<()> {
    // SAFETY: the descriptor is open for the call; a null `siginfo_t` asks for what kill(2) would send.
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

/// How a process has ended, as wait(2) tells it; none as long as its parent has not reaped it (`PIDFD_GET_INFO`, Linux 6.15).
pub(crate) fn pidfd_exit(pidfd: BorrowedFd<'_>) -> io::Result<Option<i32>> {
    // SAFETY: it is made of integers, all of which may be zero.
    let mut info: libc::pidfd_info = unsafe { std::mem::zeroed() };
    info.mask = u64::from(libc::PIDFD_INFO_EXIT);
    // SAFETY: the descriptor is open for the call, and the kernel writes one such struct, whose size the request names, to the pointer.
    Errno::result(unsafe { libc::ioctl(pidfd.as_raw_fd(), libc::PIDFD_GET_INFO, &raw mut info) })?;
    Ok((info.mask & u64::from(libc::PIDFD_INFO_EXIT) != 0).then_some(info.exit_code))
}

/// Has `command`, between fork and exec, become the leader of a process session of its own on the terminal that is
/// its standard input, with nothing of the server about it: no signal blocked or ignored, no descriptor, and the
/// limit of open files that the server itself was started with.
pub(super) fn lead_terminal(command: &mut Command, nofile: Option<(rlim_t, rlim_t)>) {
    let prepare = move || {
        default_signals();
        SigSet::empty().thread_set_mask()?;
        unistd::setsid()?;
        // SAFETY: descriptor 0 is the slave side, which the standard library has put there before.
        Errno::result(unsafe { libc::ioctl(0, libc::TIOCSCTTY, 0) })?;
        // Marks rather than closes: the standard library still has to report a failing exec over a pipe.
        // SAFETY: the call takes integers, and a flag set on a descriptor invalidates nobody's use of it.
        let marked = unsafe {
            libc::syscall(
                libc::SYS_close_range,
                3,
                libc::c_uint::MAX,
                libc::CLOSE_RANGE_CLOEXEC.cast_signed(),
            )
        };
        Errno::result(marked)?;
        if let Some((soft, hard)) = nofile {
            setrlimit(Resource::RLIMIT_NOFILE, soft, hard)?;
        }
        Ok(())
    };
    // SAFETY: the closure runs in the child of a threaded process, so it may only do what signal-safety(7) allows:
    // it makes system calls, allocates nothing and takes no lock.
    unsafe { command.pre_exec(prepare) };
}

/// Has `command` start with no signal blocked, whatever this process blocks.
pub(crate) fn unblock_signals(command: &mut Command) {
    // SAFETY: the closure makes one system call, as signal-safety(7) allows.
    unsafe { command.pre_exec(|| Ok(SigSet::empty().thread_set_mask()?)) };
}

/// Gives `SIGCHLD` its default disposition, whatever this process was started with.
pub(crate) fn default_child_signal() -> io::Result<()> {
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    // SAFETY: setting a default installs no handler.
    unsafe { sigaction(Signal::SIGCHLD, &default) }?;
    Ok(())
}

/// A child of this process that has ended and has not been reaped, if there is one (`WNOWAIT`, waitid(2)).
pub(crate) fn ended_child() -> io::Result<Option<Pid>> {
    wait_for(libc::P_ALL, 0, libc::WNOWAIT)
}

/// Reaps a child that has ended. Does not wait for it.
pub(crate) fn reap_child(pid: Pid) -> io::Result<()> {
    let number = libc::id_t::try_from(pid.as_raw()).map_err(io::Error::other)?;
    wait_for(libc::P_PID, number, 0).map(drop)
}

/// waitid(2), which tells the number of a child whatever signal it ended by.
fn wait_for(kind: libc::idtype_t, number: libc::id_t, flags: libc::c_int) -> io::Result<Option<Pid>> {
    // SAFETY: it is made of integers, all of which may be zero.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let flags = libc::WEXITED | libc::WNOHANG | flags;
    // SAFETY: the kernel writes one such struct to the pointer.
    Errno::result(unsafe { libc::waitid(kind, number, &raw mut info, flags) })?;
    // SAFETY: waitid fills in this field of the union, or leaves it zero if there is nothing to tell.
    let pid = unsafe { info.si_pid() };
    Ok((pid != 0).then(|| Pid::from_raw(pid)))
}

/// Gives every signal its default disposition: an ignored one would stay ignored across exec (signal(7)).
fn default_signals() {
    // The kernel's own form of it, since the C library's would pass over the two signals that it keeps for itself:
    // all zero is `SIG_DFL`, no flags, no restorer, an empty mask, whatever order they stand in.
    let default = [0_u64; 8];
    let mask_bytes = 8_usize;
    for signal in 1..=libc::SIGRTMAX() {
        // SAFETY: the kernel reads one `struct sigaction`, which is smaller than what the pointer names, and writes
        // nothing; setting a default installs no handler. It fails for KILL and STOP, which nobody can have changed.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                &raw const default,
                std::ptr::null::<()>(),
                mask_bytes,
            )
        };
    }
}
