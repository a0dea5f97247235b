//! Server processes.

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

use limpet_sys::{
    process::{pidfd_open, pidfd_signal},
    signals::unblock_signals,
};
use nix::{
    fcntl::{OFlag, open},
    sys::{signal::Signal, stat::Mode},
    unistd::Pid,
};

use super::{
    SERVER_VARIABLE, socket,
    wire::{Envelope, KeeperMessage, Launch},
};

/// An executable file that stays the same even if another one is put in its place.
#[derive(Debug)]
pub(super) struct Binary {
    file: OwnedFd,
    path: PathBuf,
}

impl Binary {
    /// Opens the file that is at this path now.
    pub(super) fn at(path: &Path) -> io::Result<Self> {
        let file = open(path, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?;
        Ok(Self { file, path: path.to_owned() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Starts the file as a server, with the arguments of this process. The server's standard input
    /// is its end of the connection, and `launch` is already waiting there.
    pub(super) fn start(&self, launch: Launch) -> io::Result<Server> {
        let (ours, theirs) = socket::pair()?;
        socket::send(ours.as_fd(), &Envelope { number: 0, body: KeeperMessage::Launch(launch) }, &[])?;
        let mut args = std::env::args_os();
        let mut command = Command::new(format!("/proc/self/fd/{}", self.file.as_raw_fd()));
        command.arg0(args.next().unwrap_or_else(|| "limpet".into())).args(args);
        // The server is in a process group of its own, so that an interrupt key reaches only the
        // keeper, which passes the signal on.
        command.env(SERVER_VARIABLE, "1").stdin(Stdio::from(theirs)).process_group(0);
        unblock_signals(&mut command);
        let mut child = command.spawn()?;
        // The command holds the server's end of the connection, which has to be closed when the
        // server ends.
        drop(command);
        match pidfd_open(Pid::from_raw(child.id().cast_signed())) {
            Ok(pidfd) => Ok(Server {
                child,
                pidfd,
                socket: ours,
                started_at: Instant::now(),
                stage: ServerStage::Started,
                silence_limit: None,
                has_announced_end: false,
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

/// The stage that a server has reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ServerStage {
    Started,
    /// It has reported that it serves.
    Serving,
    /// It has answered a request since it took over.
    Answered,
}

/// The silence that is allowed to a server, and the time at which it is exceeded.
#[derive(Clone, Copy, Debug)]
struct SilenceLimit {
    limit: Duration,
    deadline: Instant,
}

/// A server that runs, or has not been reaped yet.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    pub(super) pidfd: OwnedFd,
    pub(super) socket: OwnedFd,
    pub(super) started_at: Instant,
    pub(super) stage: ServerStage,
    /// The silence that is allowed while the server is expected to do something.
    silence_limit: Option<SilenceLimit>,
    /// True if the server has announced that everything ends with it.
    pub(super) has_announced_end: bool,
    /// True if the server has closed the connection, and so is about to end.
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

    /// Records that the server has closed the connection. A server that continues without a
    /// connection is of no use, so it is killed.
    pub(super) fn on_hang_up(&mut self) {
        self.has_hung_up = true;
        if !self.has_announced_end {
            self.signal(Signal::SIGKILL);
        }
    }

    /// Expects the server to do something: it is overdue after `limit` without a message. An
    /// earlier expectation stays as it is.
    pub(super) fn expect_within(&mut self, limit: Duration) {
        self.silence_limit.get_or_insert_with(|| SilenceLimit { limit, deadline: Instant::now() + limit });
    }

    /// Records a message of the server, which proves that it is at work.
    pub(super) fn on_message(&mut self) {
        if let Some(SilenceLimit { limit, deadline }) = &mut self.silence_limit {
            *deadline = Instant::now() + *limit;
        }
    }

    /// Records that the server has done what was expected.
    pub(super) fn clear_deadline(&mut self) {
        self.silence_limit = None;
    }

    /// Returns the time at which the server is overdue.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.silence_limit.map(|silence| silence.deadline)
    }

    /// Returns the exit status if the server has ended.
    pub(super) fn try_wait(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A server that has ended is reaped already; then these calls do nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
