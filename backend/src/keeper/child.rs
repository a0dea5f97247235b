//! The program on a terminal, and the duty to have it reaped.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

use limpet_shared::{ExitStatus, SessionId};
use nix::{sys::signal::Signal, unistd::Pid};
use tokio::{
    io::{Interest, unix::AsyncFd},
    time::sleep,
};

use super::Link;
use crate::{
    exhausted,
    pty::{EndMode, Pty, Running, process_session, sys},
};

/// How often it is asked, and with which pause, how a program has ended that somebody else reaps.
const LOOKS: u32 = 250;
const PAUSE: Duration = Duration::from_millis(20);

/// The program that leads a terminal's process session; the server's one owner of the duty to have it reaped.
///
/// It is the keeper's child, and the keeper reaps it when it is told to. Until then its process id belongs to it, be it a zombie,
/// so signals cannot hit a stranger. It is reaped by [`reap`](Self::reap) or [`end`](Self::end); if it is dropped before, it is
/// killed, and reaped when the keeper forgets its session.
#[derive(Debug)]
pub struct Child {
    keeper: Link,
    session: SessionId,
    pid: Pid,
    /// `None` once reaped.
    pidfd: Option<AsyncFd<OwnedFd>>,
}

/// A program on its terminal that is not watched yet. Nothing happens to either when this is dropped: the keeper holds both.
#[derive(Debug)]
pub struct UnwatchedProgram {
    keeper: Link,
    session: SessionId,
    pid: Pid,
    master: OwnedFd,
    pidfd: OwnedFd,
}

impl UnwatchedProgram {
    pub(super) fn new(
        (keeper, session): (Link, SessionId),
        pid: Pid,
        master: OwnedFd,
        pidfd: OwnedFd,
    ) -> Self {
        Self { keeper, session, pid, master, pidfd }
    }

    /// Has the runtime watch both, and takes on the duties. To be called within it.
    ///
    /// # Errors
    /// Those of the runtime's reactor. Nothing has happened to the program then.
    pub fn watch(self) -> io::Result<(Pty, Child)> {
        let Self { keeper, session, pid, master, pidfd } = self;
        let pty = Pty::own(master)?;
        Ok((pty, Child { keeper, session, pid, pidfd: Some(sys::watch(pidfd, Interest::READABLE)?) }))
    }
}

impl Child {
    /// Waits until the program has ended, without reaping it. Cancel safe.
    ///
    /// # Errors
    /// Those of the runtime's reactor, as when it has been shut down.
    pub async fn ended(&self) -> io::Result<()> {
        match &self.pidfd {
            Some(pidfd) => pidfd.readable().await.map(drop),
            None => Ok(()),
        }
    }

    /// Reaps the program. To be called when it has [`ended`](Self::ended).
    ///
    /// # Errors
    /// When the keeper is gone, and when the program still runs.
    pub async fn reap(mut self) -> io::Result<ExitStatus> {
        let mut exit = self.keeper.reap(&self.session).await;
        for _ in 0..LOOKS {
            match &exit {
                // It was an earlier keeper's child, and is init's now, which takes its time.
                Ok(None) => sleep(PAUSE).await,
                // The system is short of something.
                Err(error) if exhausted::is_exhausted(error) => sleep(PAUSE).await,
                _ => break,
            }
            exit = self.keeper.reap(&self.session).await;
        }
        self.pidfd = None;
        exit?.ok_or_else(|| io::Error::new(io::ErrorKind::TimedOut, "nobody has reaped it"))
    }

    /// Ends the program, and all other processes of its process session if `mode` says so, by hang-up first and by `SIGKILL` last. Takes
    /// at most some seconds. The program is yet to be reaped.
    ///
    /// A task of its own does that, whether or not the caller still waits.
    ///
    /// # Errors
    /// When the work has panicked.
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

    /// A way to look at what runs on the terminal, and no more than to look.
    #[must_use]
    pub fn onlooker(&self) -> Onlooker {
        Onlooker { leader: self.pid }
    }
}

/// Sees the processes of a terminal. It holds nothing, so what it sees may be over at once.
#[derive(Clone, Copy, Debug)]
pub struct Onlooker {
    leader: Pid,
}

impl Onlooker {
    /// The names of the programs on the terminal, its leader's own among them if `with_leader`. Reads `/proc`, which
    /// takes milliseconds on a machine with thousands of processes.
    #[must_use]
    pub fn running(self, with_leader: bool) -> Running {
        process_session::running(self.leader, with_leader)
    }

    /// Whether the program that was started, under this name, is in the terminal's foreground alone: no job of a shell is, and it has
    /// not executed another program in its place. False if the system does not tell.
    #[must_use]
    pub fn is_alone_in_front(self, name: &str) -> bool {
        process_session::is_alone_in_front(self.leader, name)
    }

    /// The directory that the program works in now.
    #[must_use]
    pub fn directory(self) -> Option<std::path::PathBuf> {
        std::fs::read_link(format!("/proc/{}/cwd", self.leader)).ok()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let Some(pidfd) = self.pidfd.take() else { return };
        if let Err(error) = sys::pidfd_signal(pidfd.get_ref().as_fd(), Signal::SIGKILL) {
            tracing::error!(pid = self.pid.as_raw(), %error, "could not kill a program that was let go");
        }
    }
}
