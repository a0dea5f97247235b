//! The resources of one session that the keeper holds.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use limpet_pty::{Login, Program, SpawnError, Started};
use limpet_shared::{ExitStatus, SessionId, Winsize};
use limpet_sys::pipe;
use nix::unistd::Pid;

use super::{
    process::Process,
    store::{FdStoreSlot, Part, StoredParts},
    wire::{Answer, SessionReport},
};

/// The resources of one session.
#[derive(Debug)]
pub(super) struct SessionResources {
    /// The program and its terminal, until the program is reaped.
    program: Option<ProgramHandles>,
    memory: OwnedFd,
    checkpoint: Option<OwnedFd>,
    /// The session as it is reported to a server.
    report: SessionReport,
    store_slot: FdStoreSlot,
}

/// A program on its terminal.
#[derive(Debug)]
struct ProgramHandles {
    process: Process,
    /// Keeps the terminal open. The server has a descriptor of its own for it.
    master: OwnedFd,
    /// Input on its way to the terminal: accepted by the server, but not yet written to the pty.
    pipe: OwnedFd,
}

impl SessionResources {
    /// Starts a program. The caller has to [store](Self::store) the result.
    pub(super) fn start(
        session: SessionId,
        record: String,
        store_slot: FdStoreSlot,
        program: &Program,
        login: &Login,
        size: Winsize,
        tail: usize,
    ) -> Result<Self, SpawnError> {
        let memory = limpet_output_log::create_memory(tail).map_err(SpawnError::opening)?;
        let pipe = pipe::create().map_err(SpawnError::opening)?;
        let Started { master, child } = limpet_pty::start(program, size, login)?;
        let pid = child.id().cast_signed();
        let report =
            SessionReport { session, record, pid, exit: None, is_reaped: false, has_checkpoint: false };
        let program = Some(ProgramHandles { process: Process::Own(child), master, pipe });
        Ok(Self { program, memory, checkpoint: None, report, store_slot })
    }

    /// Puts copies of the descriptors into the store, if there is one.
    pub(super) fn store(&mut self) -> io::Result<()> {
        if let Some(program) = self.program.as_ref().filter(|_| self.store_slot.is_available()) {
            let pidfd = program.process.pidfd()?;
            self.store_slot.put(Part::Memory, self.memory.as_fd());
            self.store_slot.put(Part::Master, program.master.as_fd());
            self.store_slot.put(Part::Pipe, program.pipe.as_fd());
            self.store_slot.put(Part::Program, pidfd.as_fd());
        }
        self.store_report()
    }

    /// Takes over a session that an earlier keeper has stored.
    ///
    /// # Errors
    /// Returns an error if a part of it is missing.
    pub(super) fn adopt(parts: &mut StoredParts) -> io::Result<Self> {
        let mut take = |part| parts.take(part).ok_or(io::ErrorKind::NotFound);
        let memory = take(Part::Memory)?;
        let program = match (take(Part::Master), take(Part::Pipe), take(Part::Program)) {
            (Ok(master), Ok(pipe), Ok(pidfd)) => {
                Some(ProgramHandles { process: Process::Adopted(pidfd), master, pipe })
            }
            _ => None,
        };
        let checkpoint = take(Part::Screen).ok();
        let mut report: SessionReport = serde_json::from_str(&parts.take_text(Part::Report)?)?;
        (report.is_reaped, report.has_checkpoint) = (program.is_none(), checkpoint.is_some());
        Ok(Self { program, memory, checkpoint, report, store_slot: parts.take_slot() })
    }

    pub(super) fn session(&self) -> &SessionId {
        &self.report.session
    }

    pub(super) fn pid(&self) -> i32 {
        self.report.pid
    }

    /// Reports whether the session's program is the child of this process with this pid.
    pub(super) fn is_parent_of(&self, pid: Pid) -> bool {
        self.program.as_ref().is_some_and(|program| program.process.is_child(pid))
    }

    /// Returns the leader of the terminal's process session until it is reaped.
    pub(super) fn leader(&self) -> Option<Pid> {
        self.program.as_ref().map(|_| Pid::from_raw(self.report.pid))
    }

    /// Stores the session's record for the next server.
    pub(super) fn set_record(&mut self, record: String) -> io::Result<()> {
        self.report.record = record;
        self.store_report()
    }

    /// Replaces the checkpoint.
    pub(super) fn set_checkpoint(&mut self, checkpoint: OwnedFd) {
        self.store_slot.put(Part::Screen, checkpoint.as_fd());
        self.report.has_checkpoint = true;
        self.checkpoint = Some(checkpoint);
    }

    fn store_report(&mut self) -> io::Result<()> {
        if self.store_slot.is_available() {
            self.store_slot.put_text(Part::Report, &serde_json::to_string(&self.report)?)?;
        }
        Ok(())
    }

    /// Passes the descriptors that a server needs: memory; then master side, pidfd and pipe unless
    /// the program has been reaped; finally the checkpoint if there is one.
    pub(super) fn with_descriptors(
        &self,
        pass: impl FnOnce(&[BorrowedFd<'_>]) -> io::Result<()>,
    ) -> io::Result<()> {
        let pidfd = self.program.as_ref().map(|program| program.process.pidfd()).transpose()?;
        let mut descriptors = vec![self.memory.as_fd()];
        if let (Some(program), Some(pidfd)) = (&self.program, &pidfd) {
            descriptors.extend([program.master.as_fd(), pidfd.as_fd(), program.pipe.as_fd()]);
        }
        descriptors.extend(self.checkpoint.as_ref().map(AsFd::as_fd));
        pass(&descriptors)
    }

    /// Returns the answer that goes with the descriptors of
    /// [`with_descriptors`](Self::with_descriptors).
    pub(super) fn answer(&self) -> Answer {
        Answer::Resources { is_reaped: self.program.is_none(), has_checkpoint: self.checkpoint.is_some() }
    }

    /// Returns the report of the session for a new server.
    pub(super) fn report(&self) -> SessionReport {
        self.report.clone()
    }

    /// Reaps the program if it has ended, and then closes the terminal. Returns the exit status,
    /// also on later calls.
    pub(super) fn reap(&mut self) -> Option<ExitStatus> {
        let ended = self.program.as_mut().map(|program| program.process.reap());
        if let Some(Ok(Some(exit))) = ended {
            (self.report.exit, self.report.is_reaped) = (Some(exit), true);
            self.program = None;
            if let Err(error) = self.store_report() {
                tracing::error!(%error, "could not store how a program has ended");
            }
            for part in [Part::Master, Part::Pipe, Part::Program] {
                self.store_slot.remove(part);
            }
        }
        self.report.exit
    }

    /// Closes everything. If the program is yet to be reaped, kills and returns it.
    pub(super) fn forget(mut self) -> Option<Process> {
        self.store_slot.clear();
        let mut process = self.program?.process;
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
