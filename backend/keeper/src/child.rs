//! The program on a terminal, and the obligation to have it reaped.

use std::{
    future::poll_fn,
    io,
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

use limpet_pty::{EndMode, Pty, RunningPrograms, process_session};
use limpet_shared::{ExitStatus, SessionId};
use limpet_sys::{exhausted, process::pidfd_signal, reactor::watch};
use nix::{sys::signal::Signal, unistd::Pid};
use tokio::{
    io::{Interest, unix::AsyncFd},
    time::sleep,
};

use super::KeeperClient;

/// Maximum number of times that the keeper is asked again for the exit status of a program that
/// another process reaps, and the pause before each.
const MAX_REAP_RETRIES: u32 = 250;
const REAP_RETRY_PAUSE: Duration = Duration::from_millis(20);

/// The program that leads a terminal's process session. It is the only owner, in the server, of the
/// obligation to have the program reaped.
///
/// The program is the keeper's child, and the keeper reaps it on request. Until then the process id
/// stays its own, even if it is a zombie, so signals cannot hit another process.
/// [`reap`](Self::reap) consumes the value. If it is dropped before that, the program is killed,
/// and is reaped when the keeper forgets its session.
#[derive(Debug)]
pub struct Child {
    keeper: KeeperClient,
    session: SessionId,
    pid: Pid,
    /// `None` once reaped.
    pidfd: Option<AsyncFd<OwnedFd>>,
}

/// A program on its terminal that no runtime watches yet. Dropping it affects neither, because the
/// keeper holds both.
#[derive(Debug)]
pub struct UnwatchedProgram {
    keeper: KeeperClient,
    session: SessionId,
    pid: Pid,
    master: OwnedFd,
    pidfd: OwnedFd,
}

impl UnwatchedProgram {
    pub(super) fn new(
        (keeper, session): (KeeperClient, SessionId),
        pid: Pid,
        master: OwnedFd,
        pidfd: OwnedFd,
    ) -> Self {
        Self { keeper, session, pid, master, pidfd }
    }

    /// Registers both with the current runtime and takes over the obligations. Must be called
    /// within a runtime.
    ///
    /// # Errors
    /// Returns the errors of the runtime's reactor. The program is not affected by them.
    pub fn watch(self) -> io::Result<(Pty, Child)> {
        let Self { keeper, session, pid, master, pidfd } = self;
        let pty = Pty::new(master)?;
        Ok((pty, Child { keeper, session, pid, pidfd: Some(watch(pidfd, Interest::READABLE)?) }))
    }
}

impl Child {
    /// Waits until the program has ended, without reaping it. Cancel safe. If several tasks wait,
    /// only the last one is woken.
    ///
    /// # Errors
    /// Returns the errors of the runtime's reactor, such as its shutdown.
    pub async fn ended(&self) -> io::Result<()> {
        match &self.pidfd {
            // `AsyncFd::readable` would add 150 bytes to the future of every session.
            Some(pidfd) => poll_fn(|context| pidfd.poll_read_ready(context)).await.map(drop),
            None => Ok(()),
        }
    }

    /// Reaps the program. Must be called after it has [`ended`](Self::ended).
    ///
    /// # Errors
    /// Returns an error if the keeper is gone, or if the program still runs.
    pub async fn reap(mut self) -> io::Result<ExitStatus> {
        let mut exit = self.keeper.reap(&self.session).await;
        for _ in 0..MAX_REAP_RETRIES {
            match &exit {
                // The program was the child of an earlier keeper. It is init's child now, and init
                // may take a while.
                Ok(None) => sleep(REAP_RETRY_PAUSE).await,
                // The system is short of a resource.
                Err(error) if exhausted::is_exhausted(error) => sleep(REAP_RETRY_PAUSE).await,
                _ => break,
            }
            exit = self.keeper.reap(&self.session).await;
        }
        self.pidfd = None;
        exit?.ok_or_else(|| io::Error::new(io::ErrorKind::TimedOut, "its parent did not reap it in time"))
    }

    /// Ends the program, and all other processes of its process session if `mode` says so. Starts
    /// with `SIGHUP` and ends with `SIGKILL`, which takes at most a few seconds. Does not reap the
    /// program.
    ///
    /// A separate task does the work, so it is completed even if the caller stops waiting.
    ///
    /// # Errors
    /// Returns an error if that task has panicked.
    pub async fn end(&self, mode: EndMode) -> io::Result<()> {
        let leader = self.pid;
        let ending = async move {
            match mode {
                EndMode::All => process_session::end(&[leader]).await,
                EndMode::HangUp => process_session::hang_up(leader).await,
            }
        };
        tokio::task::spawn(ending).await.map_err(io::Error::other)
    }

    /// Returns a read-only view of the processes on the terminal.
    #[must_use]
    pub fn inspector(&self) -> ProcessInspector {
        ProcessInspector { leader: self.pid }
    }
}

/// A read-only view of a terminal's processes. It holds no resources, so its answers may be
/// outdated at once.
#[derive(Clone, Copy, Debug)]
pub struct ProcessInspector {
    leader: Pid,
}

impl ProcessInspector {
    /// Returns the names of the programs on the terminal, including the leader if `with_leader` is
    /// set. Reads `/proc`, which takes milliseconds on a machine with thousands of processes.
    #[must_use]
    pub fn running(self, with_leader: bool) -> RunningPrograms {
        process_session::running(self.leader, with_leader)
    }

    /// Reports whether the program that was started, under this name, is alone in the terminal's
    /// foreground: no job of a shell is there, and the program has not executed another one in its
    /// place. Returns false if the system does not tell.
    #[must_use]
    pub fn is_alone_in_foreground(self, name: &str) -> bool {
        process_session::is_alone_in_foreground(self.leader, name)
    }

    /// Returns the current working directory of the program.
    #[must_use]
    pub fn directory(self) -> Option<std::path::PathBuf> {
        std::fs::read_link(format!("/proc/{}/cwd", self.leader)).ok()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let Some(pidfd) = self.pidfd.take() else { return };
        if let Err(error) = pidfd_signal(pidfd.get_ref().as_fd(), Signal::SIGKILL) {
            tracing::error!(pid = self.pid.as_raw(), %error, "could not kill an abandoned program");
        }
    }
}
