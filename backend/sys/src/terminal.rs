//! Terminals: the slave side of a pty, its size, and the program that leads it.
#![expect(unsafe_code, reason = "system calls without a safe wrapper; each block says why it holds")]

use std::{
    io,
    os::{
        fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
        unix::process::CommandExt,
    },
    process::Command,
};

use nix::{
    errno::Errno,
    libc,
    sys::{
        resource::{Resource, rlim_t, setrlimit},
        signal::SigSet,
    },
    unistd,
};

use crate::signals;

/// Opens the slave side of `master` without a path, close-on-exec from the start (`TIOCGPTPEER`,
/// `ioctl_tty(2)`).
///
/// # Errors
/// Returns the errors of `TIOCGPTPEER`.
pub fn open_slave(master: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: the descriptor is open for the call, and the third argument is a plain integer.
    let fd = Errno::result(unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, flags) })?;
    // SAFETY: the kernel has just created this descriptor for us, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sets the size of a terminal (`TIOCSWINSZ`, `ioctl_tty(2)`).
///
/// # Errors
/// Returns the errors of `TIOCSWINSZ`.
pub fn set_winsize(fd: BorrowedFd<'_>, size: libc::winsize) -> io::Result<()> {
    // SAFETY: the descriptor is open for the call, and the kernel only reads the struct that the
    // pointer names.
    Errno::result(unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) })?;
    Ok(())
}

/// Makes `command`, between fork and exec, the leader of a new process session on the terminal that
/// is its standard input. It inherits nothing else of limpet: no blocked or ignored signal, no
/// descriptor, and the limits of open files that limpet was started with.
pub fn lead_terminal(command: &mut Command, nofile: Option<(rlim_t, rlim_t)>) {
    let prepare = move || {
        signals::restore_defaults();
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
