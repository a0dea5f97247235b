//! What a keeper keeps of one session.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use limpet_shared::{ExitStatus, SessionId, Winsize};
use nix::{
    fcntl::{OFlag, open},
    sys::stat::Mode,
};

use super::{
    process::Process,
    socket,
    store::{Found, Part, Shelf},
    wire::{Kept, Numbered, Report},
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
    /// Starts a program. What is kept is put on the shelf as well.
    pub(super) fn start(
        (session, record, mut shelf): (SessionId, String, Shelf),
        (program, login): (&Program, &Login),
        size: Winsize,
        tail: usize,
    ) -> Result<Self, SpawnError> {
        let memory = log::memory(tail).map_err(SpawnError::Open)?;
        let pipe = pipe().map_err(SpawnError::Open)?;
        let Started { master, child } = pty::start(program, size, login)?;
        let pid = child.id().cast_signed();
        let process = Process::Own(child);
        let kept = Kept { session, record, pid, exit: None, is_reaped: false, has_checkpoint: false };
        if shelf.is_there() {
            shelf.put(Part::Memory, memory.as_fd());
            shelf.put(Part::Master, master.as_fd());
            shelf.put(Part::Pipe, pipe.as_fd());
            shelf.put(Part::Program, process.pidfd().map_err(SpawnError::Open)?.as_fd());
        }
        let life = Some(Life { process, master, pipe });
        let mut keep = Self { life, memory, checkpoint: None, kept, shelf };
        keep.note().map_err(SpawnError::Open)?;
        Ok(keep)
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

    /// Keeps this text for the next server.
    pub(super) fn set_record(&mut self, record: String) -> io::Result<()> {
        self.kept.record = record;
        self.note()
    }

    /// Keeps how the screen looks.
    pub(super) fn set_checkpoint(&mut self, checkpoint: Option<OwnedFd>) {
        if let Some(checkpoint) = &checkpoint {
            self.shelf.put(Part::Screen, checkpoint.as_fd());
        }
        self.kept.has_checkpoint = checkpoint.is_some();
        self.checkpoint = checkpoint;
    }

    fn note(&mut self) -> io::Result<()> {
        if self.shelf.is_there() {
            self.shelf.put_text(Part::Note, &serde_json::to_string(&self.kept)?)?;
        }
        Ok(())
    }

    /// Calls `send` with what a server needs of a session that has just been started.
    pub(super) fn lend<T>(&self, send: impl FnOnce(&[BorrowedFd<'_>]) -> io::Result<T>) -> io::Result<T> {
        let life = self.life.as_ref().ok_or(io::ErrorKind::NotFound)?;
        let pidfd = life.process.pidfd()?;
        send(&[life.master.as_fd(), pidfd.as_fd(), self.memory.as_fd(), life.pipe.as_fd()])
    }

    /// Tells a new server of it.
    pub(super) fn tell(&self, server: BorrowedFd<'_>) -> io::Result<()> {
        let pidfd = self.life.as_ref().map(|life| life.process.pidfd()).transpose()?;
        let mut descriptors = vec![self.memory.as_fd()];
        if let (Some(life), Some(pidfd)) = (&self.life, &pidfd) {
            descriptors.extend([life.master.as_fd(), pidfd.as_fd(), life.pipe.as_fd()]);
        }
        descriptors.extend(self.checkpoint.as_ref().map(AsFd::as_fd));
        socket::send(server, &Numbered { number: 0, what: Report::Kept(self.kept.clone()) }, &descriptors)
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
