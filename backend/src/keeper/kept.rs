//! What a keeper keeps of one session.

use std::{
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::process::ExitStatusExt,
    },
    process::{self, Child},
};

use limpet_shared::{ExitStatus, SessionId, Winsize};
use nix::{
    fcntl::{OFlag, open},
    libc::SIGKILL,
    sys::stat::Mode,
    unistd::Pid,
};

use super::{
    socket,
    wire::{Kept, Numbered, Report},
};
use crate::{
    log,
    pty::{self, Program, SpawnError, Started, sys::pidfd_open},
};

/// One session.
#[derive(Debug)]
pub(super) struct Keep {
    /// Until the program is reaped.
    life: Option<Life>,
    exit: Option<ExitStatus>,
    pid: i32,
    memory: OwnedFd,
    pub(super) record: String,
    pub(super) checkpoint: Option<OwnedFd>,
}

/// A program on its terminal.
#[derive(Debug)]
struct Life {
    child: Child,
    /// The terminal lives as long as this is open. The server has a descriptor of its own for the same one.
    master: OwnedFd,
    /// Input on its way to the terminal: what is in it has been taken, and not been written.
    pipe: OwnedFd,
}

impl Keep {
    /// Starts a program.
    pub(super) fn start(program: &Program, size: Winsize, tail: usize) -> Result<Self, SpawnError> {
        let memory = log::memory(tail).map_err(SpawnError::Open)?;
        let pipe = pipe().map_err(SpawnError::Open)?;
        let Started { master, child } = pty::start(program, size)?;
        let pid = child.id().cast_signed();
        let life = Some(Life { child, master, pipe });
        Ok(Self { life, exit: None, pid, memory, record: String::new(), checkpoint: None })
    }

    pub(super) fn pid(&self) -> i32 {
        self.pid
    }

    /// Calls `send` with what a server needs of a session that has just been started.
    pub(super) fn lend<T>(&self, send: impl FnOnce(&[BorrowedFd<'_>]) -> io::Result<T>) -> io::Result<T> {
        let life = self.life.as_ref().ok_or(io::ErrorKind::NotFound)?;
        let pidfd = pidfd_open(Pid::from_raw(self.pid))?;
        send(&[life.master.as_fd(), pidfd.as_fd(), self.memory.as_fd(), life.pipe.as_fd()])
    }

    /// Tells a new server of it.
    pub(super) fn tell(&self, session: &SessionId, server: BorrowedFd<'_>) -> io::Result<()> {
        let pidfd = self.life.as_ref().map(|_| pidfd_open(Pid::from_raw(self.pid))).transpose()?;
        let mut descriptors = vec![self.memory.as_fd()];
        if let (Some(life), Some(pidfd)) = (&self.life, &pidfd) {
            descriptors.extend([life.master.as_fd(), pidfd.as_fd(), life.pipe.as_fd()]);
        }
        descriptors.extend(self.checkpoint.as_ref().map(AsFd::as_fd));
        let kept = Kept {
            session: session.clone(),
            record: self.record.clone(),
            pid: self.pid,
            exit: self.exit,
            is_reaped: self.life.is_none(),
            has_checkpoint: self.checkpoint.is_some(),
        };
        socket::send(server, &Numbered { number: 0, what: Report::Kept(kept) }, &descriptors)
    }

    /// Reaps the program if it has ended, and closes the terminal then. Tells how it ended, however often it is asked. The keeper
    /// waits for no program: one may be where not even a kill reaches it.
    pub(super) fn reap(&mut self) -> Option<ExitStatus> {
        let ended = self.life.as_mut().map(|life| life.child.try_wait());
        if let Some(Ok(Some(status))) = ended {
            self.exit = Some(exit_status(status));
            self.life = None;
        }
        self.exit
    }

    /// Closes everything. Gives the program if it is yet to be reaped; it has been killed.
    pub(super) fn forget(self) -> Option<Child> {
        let mut child = self.life?.child;
        match child.try_wait() {
            Ok(None) => {
                // It fails if the program has ended just now.
                let _ = child.kill();
                Some(child)
            }
            Ok(Some(_)) | Err(_) => None,
        }
    }
}

/// A pipe whose two ends are one descriptor, so that half as many are needed.
pub(crate) fn pipe() -> io::Result<OwnedFd> {
    let (read, _write) = io::pipe()?;
    let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&read));
    Ok(open(path.as_str(), OFlag::O_RDWR | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC, Mode::empty())?)
}

/// As wait(2) tells it.
pub(super) fn exit_status(status: process::ExitStatus) -> ExitStatus {
    let signal = || ExitStatus::Signal(status.signal().unwrap_or(SIGKILL));
    status.code().map_or_else(signal, ExitStatus::Code)
}
