//! System calls that neither the standard library nor nix wraps. This is the only unsafe code of
//! the pty.
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

/// Registers a descriptor with the current runtime. Must be called within a runtime.
pub(crate) fn watch(fd: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    try_watch(fd, interest).map_err(|(_, error)| error)
}

/// Like [`watch`], but returns the descriptor if it cannot be registered.
pub(crate) fn try_watch(fd: OwnedFd, interest: Interest) -> Result<AsyncFd<OwnedFd>, (OwnedFd, io::Error)> {
    // SAFETY: an `OwnedFd` is open and the same for as long as it lives, and from here on it lives
    // in the `AsyncFd`.
    unsafe { AsyncFd::register_with_interest(fd, interest) }.map_err(AsyncFdRegisterError::into_parts)
}

/// Opens the slave side of `master` without a path, close-on-exec from the start (`TIOCGPTPEER`,
/// `ioctl_tty(2)`).
pub(super) fn open_slave(master: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: the descriptor is open for the call, and the third argument is a plain integer.
    let fd = Errno::result(unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, flags) })?;
    // SAFETY: the kernel has just created this descriptor for us, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sets the size of a terminal (`TIOCSWINSZ`, `ioctl_tty(2)`).
pub(super) fn set_winsize(fd: BorrowedFd<'_>, size: Winsize) -> io::Result<()> {
    let Winsize { cols, rows, xpixel, ypixel } = size;
    let winsize = libc::winsize { ws_row: rows, ws_col: cols, ws_xpixel: xpixel, ws_ypixel: ypixel };
    // SAFETY: the descriptor is open for the call, and the kernel only reads the struct that the
    // pointer names.
    Errno::result(unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCSWINSZ, &raw const winsize) })?;
    Ok(())
}

/// Returns the number of bytes that wait in a pipe (`FIONREAD`, pipe(7)).
pub(crate) fn pipe_len(pipe: BorrowedFd<'_>) -> io::Result<usize> {
    let mut count: libc::c_int = 0;
    // SAFETY: the descriptor is open for the call, and the kernel writes one int to the pointer.
    Errno::result(unsafe { libc::ioctl(pipe.as_raw_fd(), libc::FIONREAD, &raw mut count) })?;
    usize::try_from(count).map_err(io::Error::other)
}

/// Returns a descriptor of the process `pid`, close-on-exec (`pidfd_open(2)`).
pub(crate) fn pidfd_open(pid: Pid) -> io::Result<OwnedFd> {
    // SAFETY: the call takes two integers.
    let fd = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) })?;
    let fd = i32::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: the kernel has just created this descriptor for us, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Signals exactly the process of `pidfd` (`pidfd_send_signal(2)`). It is no error if that has
/// ended.
pub(crate) fn pidfd_signal(pidfd: BorrowedFd<'_>, signal: Signal) -> io::Result<()> {
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
pub(crate) fn pidfd_exit(pidfd: BorrowedFd<'_>) -> io::Result<Option<i32>> {
    // SAFETY: the struct consists of integers, all of which may be zero.
    let mut info: libc::pidfd_info = unsafe { std::mem::zeroed() };
    info.mask = u64::from(libc::PIDFD_INFO_EXIT);
    // SAFETY: the descriptor is open for the call, and the kernel writes one such struct, whose
    // size the request contains, to the pointer.
    Errno::result(unsafe { libc::ioctl(pidfd.as_raw_fd(), libc::PIDFD_GET_INFO, &raw mut info) })?;
    Ok((info.mask & u64::from(libc::PIDFD_INFO_EXIT) != 0).then_some(info.exit_code))
}

/// Makes `command`, between fork and exec, the leader of a new process session on the terminal that
/// is its standard input. It inherits nothing else of limpet: no blocked or ignored signal, no
/// descriptor, and the limits of open files that limpet was started with.
pub(super) fn lead_terminal(command: &mut Command, nofile: Option<(rlim_t, rlim_t)>) {
    let prepare = move || {
        default_signals();
        SigSet::empty().thread_set_mask()?;
        unistd::setsid()?;
        // SAFETY: descriptor 0 is the slave side, which the standard library has put there before.
        Errno::result(unsafe { libc::ioctl(0, libc::TIOCSCTTY, 0) })?;
        // The descriptors are marked rather than closed: the standard library still has to report a
        // failing exec over a pipe.
        // SAFETY: the call takes integers, and a flag that is set on a descriptor invalidates
        // nobody's use of it.
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
    // SAFETY: the closure runs in the child of a threaded process, so it may only do what
    // signal-safety(7) allows. It makes system calls, allocates nothing and takes no lock.
    unsafe { command.pre_exec(prepare) };
}

/// Makes `command` start with no signal blocked, whatever this process blocks.
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

/// Returns a child of this process that has ended and has not been reaped, if there is one
/// (`WNOWAIT`, waitid(2)).
pub(crate) fn ended_child() -> io::Result<Option<Pid>> {
    wait_for(libc::P_ALL, 0, libc::WNOWAIT)
}

/// Reaps a child that has ended. Does not wait for it.
pub(crate) fn reap_child(pid: Pid) -> io::Result<()> {
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

/// Gives every signal its default disposition, because an ignored signal would stay ignored across
/// exec (signal(7)).
fn default_signals() {
    // Calls the kernel directly, since the C library skips the two signals that it reserves for
    // itself. All zeros mean `SIG_DFL`, no flags, no restorer and an empty mask, in whatever order
    // the fields stand.
    let default = [0_u64; 8];
    let mask_bytes = 8_usize;
    for signal in 1..=libc::SIGRTMAX() {
        // SAFETY: the kernel reads one `struct sigaction`, which is smaller than the buffer, and
        // writes nothing. Setting a default installs no handler. The call fails for `SIGKILL`
        // and `SIGSTOP`, which nobody can have changed.
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
