//! Servers, as processes.

use std::{
    io,
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Instant,
};

use nix::{
    fcntl::{OFlag, open},
    sys::{signal::Signal, stat::Mode},
    unistd::Pid,
};

use super::{KEPT, socket};
use crate::pty::sys::{pidfd_open, pidfd_signal, unblock_signals};

/// A program file that stays the same one whatever is put in its place.
#[derive(Debug)]
pub(super) struct Binary {
    file: OwnedFd,
    path: PathBuf,
}

impl Binary {
    /// What is at this path now.
    pub(super) fn at(path: &Path) -> io::Result<Self> {
        let file = open(path, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?;
        Ok(Self { file, path: path.to_owned() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Starts it as a server, with the arguments of this process. Its end of the connection is its standard input.
    pub(super) fn start(&self) -> io::Result<Server> {
        let (ours, theirs) = socket::pair()?;
        let mut words = std::env::args_os();
        let mut command = Command::new(format!("/proc/self/fd/{}", self.file.as_raw_fd()));
        command.arg0(words.next().unwrap_or_else(|| "limpet".into())).args(words);
        // Keys that interrupt are for the keeper, which passes them on.
        command.env(KEPT, "1").stdin(Stdio::from(theirs)).process_group(0);
        unblock_signals(&mut command);
        let mut child = command.spawn()?;
        // The command holds their end, which is to be closed when they end.
        drop(command);
        match pidfd_open(Pid::from_raw(child.id().cast_signed())) {
            Ok(pidfd) => Ok(Server {
                child,
                pidfd,
                socket: ours,
                since: Instant::now(),
                is_serving: false,
                ends: false,
                has_hung_up: false,
            }),
            Err(error) => {
                child.kill()?;
                child.wait()?;
                Err(error)
            }
        }
    }
}

/// A server that runs, or has not been reaped yet.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    pub(super) pidfd: OwnedFd,
    pub(super) socket: OwnedFd,
    pub(super) since: Instant,
    /// Whether it has said that it serves.
    pub(super) is_serving: bool,
    /// Whether it has said that everything is to end with it.
    pub(super) ends: bool,
    /// Whether it has closed the connection, and so is about to end.
    pub(super) has_hung_up: bool,
}

impl Server {
    pub(super) fn signal(&self, signal: Signal) {
        if let Err(error) = pidfd_signal(self.pidfd.as_fd(), signal) {
            tracing::error!(%signal, %error, "could not signal the server");
        }
    }

    /// It has closed the connection. One that goes on all the same is of no use.
    pub(super) fn hung_up(&mut self) {
        self.has_hung_up = true;
        if !self.ends {
            self.signal(Signal::SIGKILL);
        }
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended is reaped already, and these do nothing then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
