//! Servers, as processes.

use std::{
    io,
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use nix::{
    fcntl::{OFlag, open},
    sys::{signal::Signal, stat::Mode},
    unistd::Pid,
};

use super::{
    KEPT, socket,
    wire::{Launch, Numbered, Report},
};
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

    /// Starts it as a server, with the arguments of this process. Its end of the connection is its standard input, where `launch`
    /// already waits for it.
    pub(super) fn start(&self, launch: Launch) -> io::Result<Server> {
        let (ours, theirs) = socket::pair()?;
        socket::send(ours.as_fd(), &Numbered { number: 0, what: Report::Launch(launch) }, &[])?;
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
                reached: Reached::Started,
                patience: None,
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

/// How far a server has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reached {
    Started,
    /// It has said that it serves.
    Serving,
    /// It has served a request since it took over.
    Answered,
}

/// A server that runs, or has not been reaped yet.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    pub(super) pidfd: OwnedFd,
    pub(super) socket: OwnedFd,
    pub(super) since: Instant,
    pub(super) reached: Reached,
    /// How long it may be silent, and until when, while something is expected of it.
    patience: Option<(Duration, Instant)>,
    /// Whether it has said that everything is to end with it.
    pub(super) ends: bool,
    /// Whether it has closed the connection, and so is about to end.
    pub(super) has_hung_up: bool,
}

impl Server {
    pub(super) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

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

    /// Expects something of it: it is overdue when it says nothing for so long. What is expected already stays as it is.
    pub(super) fn expect_within(&mut self, patience: Duration) {
        self.patience.get_or_insert_with(|| (patience, Instant::now() + patience));
    }

    /// It has said something, and so is at work.
    pub(super) fn heard(&mut self) {
        if let Some((patience, until)) = &mut self.patience {
            *until = Instant::now() + *patience;
        }
    }

    /// It has done what was expected.
    pub(super) fn done(&mut self) {
        self.patience = None;
    }

    /// When it is overdue.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.patience.map(|(_, until)| until)
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
