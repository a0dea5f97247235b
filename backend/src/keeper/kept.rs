//! What a keeper keeps of one session.

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

/// One session.
#[derive(Debug)]
pub(super) struct Keep {
    /// Until the program is reaped.
    life: Option<Life>,
    memory: OwnedFd,
    checkpoint: Option<OwnedFd>,
    /// What else a server is told of it.
    kept: Kept,
    shelf: Shelf,
}

/// A program on its terminal.
#[derive(Debug)]
struct Life {
    process: Process,
    /// The terminal lives as long as this is open. The server has a descriptor of its own for the same one.
    master: OwnedFd,
    /// Input on its way to the terminal: what is in it has been taken, and not been written.
    pipe: OwnedFd,
}

impl Keep {
    /// Starts a program. It is yet to be [stored](Self::store).
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

    /// Puts what is kept on the shelf as well.
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

    /// Goes on with what an earlier keeper has stored.
    ///
    /// # Errors
    /// When something of it is missing.
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

    /// Whether its program is the child of this process with that number.
    pub(super) fn is_parent_of(&self, pid: Pid) -> bool {
        self.life.as_ref().is_some_and(|life| life.process.is_child(pid))
    }

    /// The leader of its terminal's processes, until that is reaped.
    pub(super) fn leader(&self) -> Option<Pid> {
        self.life.as_ref().map(|_| Pid::from_raw(self.kept.pid))
    }

    /// Keeps this text for the next server.
    pub(super) fn set_record(&mut self, record: String) -> io::Result<()> {
        self.kept.record = record;
        self.note()
    }

    /// Keeps how the screen looks.
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

    /// Passes what a server needs of it: memory, then, while the program is not reaped, master side, pidfd and pipe, and at the end
    /// the checkpoint if there is one.
    pub(super) fn lend(&self, pass: impl FnOnce(&[BorrowedFd<'_>]) -> io::Result<()>) -> io::Result<()> {
        let pidfd = self.life.as_ref().map(|life| life.process.pidfd()).transpose()?;
        let mut descriptors = vec![self.memory.as_fd()];
        if let (Some(life), Some(pidfd)) = (&self.life, &pidfd) {
            descriptors.extend([life.master.as_fd(), pidfd.as_fd(), life.pipe.as_fd()]);
        }
        descriptors.extend(self.checkpoint.as_ref().map(AsFd::as_fd));
        pass(&descriptors)
    }

    /// What a server is told that gets these descriptors.
    pub(super) fn lent(&self) -> Answer {
        Answer::Lent { is_reaped: self.life.is_none(), has_checkpoint: self.checkpoint.is_some() }
    }

    /// What a new server is told of it.
    pub(super) fn told(&self) -> Kept {
        self.kept.clone()
    }

    /// Reaps the program if it has ended, and closes the terminal then. Tells how it ended, however often it is asked.
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

    /// Closes everything. Gives the program if it is yet to be reaped; it has been killed.
    pub(super) fn forget(mut self) -> Option<Process> {
        self.shelf.clear();
        let mut process = self.life?.process;
        match process.is_over() {
            Ok(false) => {
                // It fails if the program has ended just now.
                let _ = process.kill();
                Some(process)
            }
            Ok(true) | Err(_) => None,
        }
    }
}

/// A pipe whose two ends are one descriptor, so that half as many are needed.
pub(crate) fn pipe() -> io::Result<OwnedFd> {
    let (read, _write) = io::pipe()?;
    let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&read));
    Ok(open(path.as_str(), OFlag::O_RDWR | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC, Mode::empty())?)
}
