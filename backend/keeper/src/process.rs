//! The process of a program on a terminal.

use std::{
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::process::ExitStatusExt,
    },
    process::{self, Child},
};

use limpet_shared::ExitStatus;
use limpet_sys::process::{pidfd_exit, pidfd_open, pidfd_signal};
use nix::{
    libc::SIGKILL,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::signal::Signal,
    unistd::Pid,
};

/// A program that has been started and is yet to be reaped.
#[derive(Debug)]
pub(super) enum Process {
    /// A child of this process, which has to reap it. Until then the pid stays its own.
    Own(Child),
    /// A program that an earlier keeper has started. It is init's child now, and init reaps it, so
    /// only the pidfd identifies it reliably.
    Adopted(OwnedFd),
}

impl Process {
    /// Reports whether it is the child of this process with this pid.
    pub(super) fn is_child(&self, pid: Pid) -> bool {
        matches!(self, Self::Own(child) if child.id().cast_signed() == pid.as_raw())
    }

    /// Returns a pidfd of the process.
    pub(super) fn pidfd(&self) -> io::Result<OwnedFd> {
        match self {
            Self::Own(child) => pidfd_open(Pid::from_raw(child.id().cast_signed())),
            Self::Adopted(pidfd) => pidfd.try_clone(),
        }
    }

    /// Reaps the process if it has ended, and returns its exit status. Returns `None` as long as
    /// the status is unknown. Does not wait, since a program may be in a state in which not even
    /// `SIGKILL` reaches it.
    pub(super) fn reap(&mut self) -> io::Result<Option<ExitStatus>> {
        match self {
            Self::Own(child) => Ok(child.try_wait()?.map(exit_status)),
            Self::Adopted(pidfd) if has_ended(pidfd)? => Ok(adopted_exit_status(pidfd)),
            Self::Adopted(_) => Ok(None),
        }
    }

    /// Reports whether the process has ended. It has been reaped then, or will be.
    pub(super) fn has_ended(&mut self) -> io::Result<bool> {
        match self {
            Self::Own(child) => Ok(child.try_wait()?.is_some()),
            Self::Adopted(pidfd) => has_ended(pidfd),
        }
    }

    /// Kills the process. It is no error if it has ended already.
    pub(super) fn kill(&mut self) -> io::Result<()> {
        match self {
            Self::Own(child) => child.kill(),
            Self::Adopted(pidfd) => pidfd_signal(pidfd.as_fd(), Signal::SIGKILL),
        }
    }

    /// Waits until the process has ended.
    pub(super) fn wait(&mut self) -> io::Result<()> {
        match self {
            Self::Own(child) => child.wait().map(drop),
            Self::Adopted(pidfd) => {
                poll(&mut [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)], PollTimeout::NONE)?;
                Ok(())
            }
        }
    }
}

fn has_ended(pidfd: &OwnedFd) -> io::Result<bool> {
    let mut fds = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
    Ok(poll(&mut fds, PollTimeout::ZERO)? == 1)
}

/// Returns the exit status of a process that is not a child of this one. Linux reports it since
/// 6.15, once the parent has reaped the process. An older kernel does not, and the program counts
/// as killed.
fn adopted_exit_status(pidfd: &OwnedFd) -> Option<ExitStatus> {
    match pidfd_exit(pidfd.as_fd()) {
        Ok(status) => status.map(|status| exit_status(process::ExitStatus::from_raw(status))),
        Err(error) => {
            tracing::warn!(%error, "this kernel does not report the exit status of a program that was taken over");
            Some(ExitStatus::Signal(SIGKILL))
        }
    }
}

/// Converts an exit status of wait(2).
fn exit_status(status: process::ExitStatus) -> ExitStatus {
    let signal = || ExitStatus::Signal(status.signal().unwrap_or(SIGKILL));
    status.code().map_or_else(signal, ExitStatus::Code)
}
