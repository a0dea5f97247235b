//! The resources of one session that the keeper holds.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use limpet_shared::{ExitStatus, SessionId, Winsize};
use nix::{
    fcntl::{OFlag, open},
    sys::stat::Mode,
    unistd::Pid,
};

use super::{
    process::Process,
    store::{Found, Part, Shelf},
    wire::{Answer, Kept},
};
use crate::{
    log,
    pty::{self, Login, Program, SpawnError, Started},
};

/// The resources of one session.
#[derive(Debug)]
pub(super) struct Keep {
    /// The program and its terminal, until the program is reaped.
    life: Option<Life>,
    memory: OwnedFd,
    checkpoint: Option<OwnedFd>,
    /// The session as it is reported to a server.
    kept: Kept,
    shelf: Shelf,
}

/// A program on its terminal.
#[derive(Debug)]
struct Life {
    process: Process,
    /// Keeps the terminal open. The server has a descriptor of its own for it.
    master: OwnedFd,
    /// Input on its way to the terminal: accepted by the server, but not yet written to the pty.
    pipe: OwnedFd,
}

impl Keep {
    /// Starts a program. The caller has to [store](Self::store) the result.
    pub(super) fn start(
        (session, record, shelf): (SessionId, String, Shelf),
        (program, login): (&Program, &Login),
        size: Winsize,
        tail: usize,
    ) -> Result<Self, SpawnError> {
        let memory = log::memory(tail).map_err(SpawnError::opening)?;
        let pipe = pipe().map_err(SpawnError::opening)?;
        let Started { master, child } = pty::start(program, size, login)?;
        let pid = child.id().cast_signed();
        let kept = Kept { session, record, pid, exit: None, is_reaped: false, has_checkpoint: false };
        let life = Some(Life { process: Process::Own(child), master, pipe });
        Ok(Self { life, memory, checkpoint: None, kept, shelf })
    }

    /// Puts copies of the descriptors into the store, if there is one.
    pub(super) fn store(&mut self) -> io::Result<()> {
        if let Some(life) = self.life.as_ref().filter(|_| self.shelf.is_there()) {
            let pidfd = life.process.pidfd()?;
            self.shelf.put(Part::Memory, self.memory.as_fd());
            self.shelf.put(Part::Master, life.master.as_fd());
            self.shelf.put(Part::Pipe, life.pipe.as_fd());
            self.shelf.put(Part::Program, pidfd.as_fd());
        }
        self.note()
    }

    /// Takes over a session that an earlier keeper has stored.
    ///
    /// # Errors
    /// Returns an error if a part of it is missing.
    pub(super) fn adopt(found: &mut Found) -> io::Result<Self> {
        let mut take = |part| found.take(part).ok_or(io::ErrorKind::NotFound);
        let memory = take(Part::Memory)?;
        let life = match (take(Part::Master), take(Part::Pipe), take(Part::Program)) {
            (Ok(master), Ok(pipe), Ok(pidfd)) => {
                Some(Life { process: Process::Adopted(pidfd), master, pipe })
            }
            _ => None,
        };
        let checkpoint = take(Part::Screen).ok();
        let mut kept: Kept = serde_json::from_str(&found.take_text(Part::Note)?)?;
        (kept.is_reaped, kept.has_checkpoint) = (life.is_none(), checkpoint.is_some());
        Ok(Self { life, memory, checkpoint, kept, shelf: found.take_shelf() })
    }

    pub(super) fn session(&self) -> &SessionId {
        &self.kept.session
    }

    pub(super) fn pid(&self) -> i32 {
        self.kept.pid
    }

    /// Reports whether the session's program is the child of this process with this pid.
    pub(super) fn is_parent_of(&self, pid: Pid) -> bool {
        self.life.as_ref().is_some_and(|life| life.process.is_child(pid))
    }

    /// Returns the leader of the terminal's process session until it is reaped.
    pub(super) fn leader(&self) -> Option<Pid> {
        self.life.as_ref().map(|_| Pid::from_raw(self.kept.pid))
    }

    /// Stores the session's record for the next server.
    pub(super) fn set_record(&mut self, record: String) -> io::Result<()> {
        self.kept.record = record;
        self.note()
    }

    /// Replaces the checkpoint.
    pub(super) fn set_checkpoint(&mut self, checkpoint: OwnedFd) {
        self.shelf.put(Part::Screen, checkpoint.as_fd());
        self.kept.has_checkpoint = true;
        self.checkpoint = Some(checkpoint);
    }

    fn note(&mut self) -> io::Result<()> {
        if self.shelf.is_there() {
            self.shelf.put_text(Part::Note, &serde_json::to_string(&self.kept)?)?;
        }
        Ok(())
    }

    /// Passes the descriptors that a server needs: memory; then master side, pidfd and pipe unless
    /// the program has been reaped; finally the checkpoint if there is one.
    pub(super) fn lend(&self, pass: impl FnOnce(&[BorrowedFd<'_>]) -> io::Result<()>) -> io::Result<()> {
        let pidfd = self.life.as_ref().map(|life| life.process.pidfd()).transpose()?;
        let mut descriptors = vec![self.memory.as_fd()];
        if let (Some(life), Some(pidfd)) = (&self.life, &pidfd) {
            descriptors.extend([life.master.as_fd(), pidfd.as_fd(), life.pipe.as_fd()]);
        }
        descriptors.extend(self.checkpoint.as_ref().map(AsFd::as_fd));
        pass(&descriptors)
    }

    /// Returns the answer that goes with the descriptors of [`lend`](Self::lend).
    pub(super) fn lent(&self) -> Answer {
        Answer::Lent { is_reaped: self.life.is_none(), has_checkpoint: self.checkpoint.is_some() }
    }

    /// Returns the description of the session for a new server.
    pub(super) fn told(&self) -> Kept {
        self.kept.clone()
    }

    /// Reaps the program if it has ended, and then closes the terminal. Returns the exit status,
    /// also on later calls.
    pub(super) fn reap(&mut self) -> Option<ExitStatus> {
        let ended = self.life.as_mut().map(|life| life.process.reap());
        if let Some(Ok(Some(exit))) = ended {
            (self.kept.exit, self.kept.is_reaped) = (Some(exit), true);
            self.life = None;
            if let Err(error) = self.note() {
                tracing::error!(%error, "could not store how a program has ended");
            }
            for part in [Part::Master, Part::Pipe, Part::Program] {
                self.shelf.remove(part);
            }
        }
        self.kept.exit
    }

    /// Closes everything. If the program is yet to be reaped, kills and returns it.
    pub(super) fn forget(mut self) -> Option<Process> {
        self.shelf.clear();
        let mut process = self.life?.process;
        match process.has_ended() {
            Ok(false) => {
                // The call fails if the program has just ended.
                let _ = process.kill();
                Some(process)
            }
            Ok(true) | Err(_) => None,
        }
    }
}

/// Creates a pipe whose two ends share one descriptor, which halves the number of descriptors.
pub(crate) fn pipe() -> io::Result<OwnedFd> {
    let (read, _write) = io::pipe()?;
    let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&read));
    Ok(open(path.as_str(), OFlag::O_RDWR | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC, Mode::empty())?)
}
