//! Replaces the server that serves by a new one.
//!
//! The new server is started beside the old one, and the old one is asked to leave only after the
//! new one has said hello. So a binary that cannot run does no harm, and after one that fails later
//! the previous binary is started again.

use std::{
    io,
    os::{fd::AsFd, unix::net::UnixStream},
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;

use super::Supervisor;
use crate::{
    binary::{Binary, Server, ServerStage},
    control::{self, Outcome},
    socket,
    wire::{Envelope, KeeperMessage, Launch, Request},
};

/// Maximum time until a new server says hello, and until an old one has left.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
const LEAVE_TIMEOUT: Duration = Duration::from_secs(3);

/// Maximum time that a server may be silent while it takes over from its predecessor, until it has
/// answered a request.
pub(super) const TAKEOVER_TIMEOUT: Duration = Duration::from_secs(30);

/// An upgrade that is under way.
pub(super) struct Upgrade {
    pub(super) binary: Binary,
    pub(super) stage: Stage,
    /// Time at which the stage has taken too long, unless the server itself has a deadline.
    pub(super) deadline: Option<Instant>,
    /// Client that waits for the result.
    pub(super) requester: Option<UnixStream>,
}

/// The stage that an upgrade has reached.
pub(super) enum Stage {
    /// The new server has been started.
    Started(Server),
    /// The new server has said hello, and the old one has been asked to leave.
    Leaving { new: Server, number: u64, version: String },
    /// The new server serves, but has not answered a request yet.
    TakingOver { version: String },
}

impl Upgrade {
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Returns the new server until it is the one that serves.
    pub(super) fn new_server(&self) -> Option<&Server> {
        match &self.stage {
            Stage::Started(new) | Stage::Leaving { new, .. } => Some(new),
            Stage::TakingOver { .. } => None,
        }
    }
}

impl Supervisor {
    pub(super) fn begin_upgrade(&mut self, requester: Option<UnixStream>) {
        let refuse = |requester: Option<UnixStream>, message: String| {
            tracing::error!("{message}");
            if let Some(stream) = requester {
                control::answer(stream, &Outcome::refused(message));
            }
        };
        if self.upgrade.is_some() || self.is_ending {
            return refuse(requester, "limpet is already being upgraded or stopped; try again later".into());
        }
        let path = self.binary.path().to_owned();
        // The new server may have screens, even if its predecessors crashed.
        let launch = Launch { token: self.token.clone(), ..Launch::default() };
        let started = Binary::at(&path).and_then(|binary| binary.start(launch).map(|new| (binary, new)));
        match started {
            Ok((binary, new)) => {
                let deadline = Some(Instant::now() + HELLO_TIMEOUT);
                self.upgrade = Some(Upgrade { binary, stage: Stage::Started(new), deadline, requester });
            }
            Err(error) => refuse(requester, format!("could not start {}: {error}", path.display())),
        }
    }

    pub(super) fn fail_upgrade(&mut self, why: &str) {
        let Some(Upgrade { requester, .. }) = self.upgrade.take() else { return };
        let message = format!("{why}; limpet continues as {}", self.version);
        tracing::error!("{message}");
        if let Some(stream) = requester {
            control::answer(stream, &Outcome::refused(message));
        }
    }

    /// Completes the upgrade if the new server has answered a request.
    pub(super) fn finish_upgrade(&mut self) {
        if self.server.as_ref().is_none_or(|server| server.stage != ServerStage::Answered) {
            return;
        }
        let is_taking_over = |upgrade: &mut Upgrade| matches!(upgrade.stage, Stage::TakingOver { .. });
        if let Some(Upgrade { binary, stage: Stage::TakingOver { version }, requester, .. }) =
            self.upgrade.take_if(is_taking_over)
        {
            (self.binary, self.version) = (binary, version);
            let sessions = match self.keeper.session_count() {
                1 => "1 session".to_owned(),
                count => format!("{count} sessions"),
            };
            let message = format!("limpet now runs as {}, with {sessions}", self.version);
            tracing::info!("{message}");
            if let Some(stream) = requester {
                control::answer(stream, &Outcome { is_done: true, message });
            }
        }
    }

    pub(super) fn handle_new_server_message(&mut self) {
        let Some(Upgrade { stage: Stage::Started(new), .. }) = &mut self.upgrade else { return };
        let received = socket::receive::<Envelope<Request>>(new.socket.as_fd(), &mut self.receive_buffer);
        if received.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::ConnectionReset) {
            // The new server has ended without reading everything that it was sent. Its own last
            // messages still arrive.
            return;
        }
        let Ok(Some((Envelope { number, body: Request::Hello { version, .. } }, _))) = received else {
            let status = new.try_wait().map(|status| format!(": {status}")).unwrap_or_default();
            return self.fail_upgrade(&format!("the new server ended before it was ready{status}"));
        };
        let Some(Upgrade { binary, stage: Stage::Started(new), requester, .. }) = self.upgrade.take() else {
            return;
        };
        let stage = Stage::Leaving { new, number, version };
        let deadline = Some(Instant::now() + LEAVE_TIMEOUT);
        self.upgrade = Some(Upgrade { binary, stage, deadline, requester });
        match &self.server {
            Some(server) => {
                let leave = Envelope { number: 0, body: KeeperMessage::Leave };
                if let Err(error) = socket::send(server.socket.as_fd(), &leave, &[]) {
                    tracing::error!(%error, "could not ask the server to leave");
                    server.signal(Signal::SIGKILL);
                }
            }
            None => self.take_over(),
        }
    }

    /// Makes the new server take over after the old one has ended.
    pub(super) fn take_over(&mut self) {
        let Some(Upgrade { binary, stage: Stage::Leaving { new, number, version }, requester, .. }) =
            self.upgrade.take()
        else {
            return;
        };
        let welcomed = self.keeper.welcome((new.socket.as_fd(), number), self.suspect_before, true);
        if let Err(error) = welcomed {
            tracing::error!(%error, "could not hand the sessions to the new server");
            new.signal(Signal::SIGKILL);
        }
        self.set_server(new);
        self.restart_at = None;
        let stage = Stage::TakingOver { version };
        self.upgrade = Some(Upgrade { binary, stage, deadline: None, requester });
    }
}
