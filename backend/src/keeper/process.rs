//! A program on a terminal, as a process.

use std::{
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::process::ExitStatusExt,
    },
    process::{self, Child},
};

use limpet_shared::ExitStatus;
use nix::{
    libc::SIGKILL,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::signal::Signal,
    unistd::Pid,
};

use crate::pty::sys::{pidfd_exit, pidfd_open, pidfd_signal};

/// A program that was started, and is to be reaped.
#[derive(Debug)]
pub(super) enum Process {
    /// A child of this process, which has to reap it. Until then its number is its own.
    Own(Child),
    /// One that an earlier keeper has started: init's child now, and init reaps it. Only its pidfd is sure to stand for it.
    Adopted(OwnedFd),
}

impl Process {
    /// Whether it is the child of this process with that number.
    pub(super) fn is_child(&self, pid: Pid) -> bool {
        matches!(self, Self::Own(child) if child.id().cast_signed() == pid.as_raw())
    }

    /// A descriptor that stands for it.
    pub(super) fn pidfd(&self) -> io::Result<OwnedFd> {
        match self {
            Self::Own(child) => pidfd_open(Pid::from_raw(child.id().cast_signed())),
            Self::Adopted(pidfd) => pidfd.try_clone(),
        }
    }

    /// Reaps it if it has ended, and tells how; none as long as that cannot be told. Does not wait: a program may be where not even a
    /// kill reaches it.
    pub(super) fn reap(&mut self) -> io::Result<Option<ExitStatus>> {
        match self {
            Self::Own(child) => Ok(child.try_wait()?.map(exit_status)),
            Self::Adopted(pidfd) if has_ended(pidfd)? => Ok(exit_of_another(pidfd)),
            Self::Adopted(_) => Ok(None),
        }
    }

    /// Whether it has ended, and is or will be reaped.
    pub(super) fn is_over(&mut self) -> io::Result<bool> {
        match self {
            Self::Own(child) => Ok(child.try_wait()?.is_some()),
            Self::Adopted(pidfd) => has_ended(pidfd),
        }
    }

    /// One that has ended already is no error.
    pub(super) fn kill(&mut self) -> io::Result<()> {
        match self {
            Self::Own(child) => child.kill(),
            Self::Adopted(pidfd) => pidfd_signal(pidfd.as_fd(), Signal::SIGKILL),
        }
    }

    /// Waits until it has ended.
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

/// How a process has ended that is somebody else's child. Linux tells since 6.15, once its parent has reaped it; before 6.15, nobody
/// knows.
fn exit_of_another(pidfd: &OwnedFd) -> Option<ExitStatus> {
    match pidfd_exit(pidfd.as_fd()) {
        Ok(status) => status.map(|status| exit_status(process::ExitStatus::from_raw(status))),
        Err(error) => {
            tracing::warn!(%error, "this system does not tell how a program has ended that was taken over");
            Some(ExitStatus::Signal(SIGKILL))
        }
    }
}

/// As wait(2) tells it.
fn exit_status(status: process::ExitStatus) -> ExitStatus {
    let signal = || ExitStatus::Signal(status.signal().unwrap_or(SIGKILL));
    status.code().map_or_else(signal, ExitStatus::Code)
}
