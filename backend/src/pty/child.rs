//! The program on a terminal, and the duty to reap it.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    process, thread,
};

use limpet_shared::ExitStatus;
use nix::{sys::signal::Signal, unistd::Pid};
use tokio::{
    io::{Interest, unix::AsyncFd},
    task,
};

use super::{process_session, sys};

/// The program that leads a terminal's process session; the one owner of the duty to reap it.
///
/// Until it is reaped its process id belongs to it, be it a zombie, so signals cannot hit a stranger. It is reaped by
/// [`reap`](Self::reap) or [`end`](Self::end), and if it is dropped before, it is killed and reaped then.
#[derive(Debug)]
pub struct Child {
    pid: Pid,
    /// `None` once reaped.
    pidfd: Option<AsyncFd<OwnedFd>>,
}

impl Child {
    /// Takes on the duty to reap a child process that has just been started.
    pub(super) fn adopt(mut child: process::Child) -> io::Result<Self> {
        let pid = Pid::from_raw(child.id().cast_signed());
        match sys::pidfd_open(pid).and_then(|pidfd| sys::watch(pidfd, Interest::READABLE)) {
            Ok(pidfd) => Ok(Self { pid, pidfd: Some(pidfd) }),
            Err(error) => {
                child.kill()?;
                child.wait()?;
                Err(error)
            }
        }
    }

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

    /// Reaps the program. To be called when it has [`ended`](Self::ended); before that, it blocks until then.
    ///
    /// # Errors
    /// Those of waitid(2).
    pub fn reap(mut self) -> io::Result<ExitStatus> {
        match self.pidfd.take() {
            Some(pidfd) => sys::reap(pidfd.as_fd()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Ends every process of the terminal's process session, by hang-up first and by `SIGKILL` last, and reaps the
    /// program. Takes at most some seconds.
    ///
    /// The work is done on a thread of its own that owns the child, so it is done whether or not the caller still
    /// waits.
    ///
    /// # Errors
    /// Those of waitid(2), and the runtime's when it shuts down.
    pub async fn end(self) -> io::Result<ExitStatus> {
        let work = task::spawn_blocking(move || {
            process_session::end(self.pid);
            self.reap()
        });
        work.await.map_err(io::Error::other)?
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
    pub fn running(self, with_leader: bool) -> Vec<String> {
        process_session::names(self.leader, with_leader)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let Some(pidfd) = self.pidfd.take() else { return };
        let pidfd = pidfd.into_inner();
        if let Err(error) = sys::pidfd_signal(pidfd.as_fd(), Signal::SIGKILL) {
            tracing::error!(pid = self.pid.as_raw(), %error, "could not kill a program that was let go");
        }
        // A killed process may take its time to end, and a destructor must not wait for that.
        let reaper = thread::Builder::new().name("reaper".into()).spawn(move || sys::reap(pidfd.as_fd()));
        if let Err(error) = reaper {
            tracing::error!(pid = self.pid.as_raw(), %error, "could not reap a program that was let go");
        }
    }
}
