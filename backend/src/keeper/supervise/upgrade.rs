//! Another server takes the place of the one that serves.
//!
//! It is started beside the old one, and only when it has said hello is the old one asked to leave. So a binary that cannot run harms
//! nobody, and one that fails later is followed by the one that served before.

use std::{
    os::{fd::AsFd, unix::net::UnixStream},
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;

use super::Supervisor;
use crate::keeper::{
    binary::{Binary, Server},
    control::{self, Outcome},
    socket,
    wire::{Numbered, Order, Report},
};

/// How long a new server may take until it says that it is there, and an old one until it has left.
const GREETING: Duration = Duration::from_secs(10);
const LEAVING: Duration = Duration::from_secs(3);

/// How long a server may take to go on with what an earlier one has left.
const TAKING_OVER: Duration = Duration::from_secs(30);

/// Another server is to take the place of the one that serves.
pub(super) struct Upgrade {
    pub(super) binary: Binary,
    pub(super) stage: Stage,
    pub(super) deadline: Instant,
    /// Who wants to know what comes of it.
    pub(super) asked_by: Option<UnixStream>,
}

/// How far an upgrade has come.
pub(super) enum Stage {
    /// The new server was started.
    Started(Server),
    /// It has said hello, and the old one was asked to leave.
    Leaving { new: Server, number: u64, version: String },
    /// The new one is the server, but does not serve yet.
    TakingOver { version: String },
}

impl Supervisor {
    pub(super) fn begin_upgrade(&mut self, asked_by: Option<UnixStream>) {
        let refuse = |asked_by: Option<UnixStream>, message: String| {
            tracing::error!("{message}");
            if let Some(stream) = asked_by {
                control::answer(stream, &Outcome::refused(message));
            }
        };
        if self.upgrade.is_some() || self.is_ending {
            return refuse(asked_by, "limpet is being upgraded or ended already; try again later".into());
        }
        let path = self.binary.path().to_owned();
        let started = Binary::at(&path).and_then(|binary| binary.start().map(|new| (binary, new)));
        match started {
            Ok((binary, new)) => {
                let deadline = Instant::now() + GREETING;
                self.upgrade = Some(Upgrade { binary, stage: Stage::Started(new), deadline, asked_by });
            }
            Err(error) => refuse(asked_by, format!("could not start {}: {error}", path.display())),
        }
    }

    pub(super) fn fail_upgrade(&mut self, why: &str) {
        let Some(Upgrade { asked_by, .. }) = self.upgrade.take() else { return };
        let message = format!("{why}; limpet goes on as {}", self.version);
        tracing::error!("{message}");
        if let Some(stream) = asked_by {
            control::answer(stream, &Outcome::refused(message));
        }
    }

    /// The upgrade is done when the new server serves.
    pub(super) fn finish_upgrade(&mut self) {
        if !self.server.as_ref().is_some_and(|server| server.is_serving) {
            return;
        }
        let is_taking_over = |upgrade: &mut Upgrade| matches!(upgrade.stage, Stage::TakingOver { .. });
        if let Some(Upgrade { binary, stage: Stage::TakingOver { version }, asked_by, .. }) =
            self.upgrade.take_if(is_taking_over)
        {
            (self.binary, self.version) = (binary, version);
            let sessions = match self.keeper.sessions() {
                1 => "1 session".to_owned(),
                count => format!("{count} sessions"),
            };
            let message = format!("limpet goes on as {}, with {sessions}", self.version);
            tracing::info!("{message}");
            if let Some(stream) = asked_by {
                control::answer(stream, &Outcome { is_done: true, message });
            }
        }
    }

    pub(super) fn hear_new(&mut self) {
        let Some(Upgrade { stage: Stage::Started(new), .. }) = &mut self.upgrade else { return };
        let said = socket::receive::<Numbered<Order>>(new.socket.as_fd(), &mut self.room);
        let Ok(Some((Numbered { number, what: Order::Hello { version, .. } }, _))) = said else {
            let status = new.ended().map(|status| format!(": {status}")).unwrap_or_default();
            return self.fail_upgrade(&format!("the new server ended before it was ready{status}"));
        };
        let Some(Upgrade { binary, stage: Stage::Started(new), asked_by, .. }) = self.upgrade.take() else {
            return;
        };
        let (stage, deadline) = (Stage::Leaving { new, number, version }, Instant::now() + LEAVING);
        self.upgrade = Some(Upgrade { binary, stage, deadline, asked_by });
        match &self.server {
            Some(server) => {
                let leave = Numbered { number: 0, what: Report::Leave };
                if let Err(error) = socket::send(server.socket.as_fd(), &leave, &[]) {
                    tracing::error!(%error, "could not ask the server to leave");
                    server.signal(Signal::SIGKILL);
                }
            }
            None => self.take_over(),
        }
    }

    /// The new server goes on where the old one was.
    pub(super) fn take_over(&mut self) {
        let Some(Upgrade { binary, stage: Stage::Leaving { new, number, version }, asked_by, .. }) =
            self.upgrade.take()
        else {
            return;
        };
        if let Err(error) = self.keeper.welcome(number, new.socket.as_fd()) {
            tracing::error!(%error, "could not tell the new server what is kept");
            new.signal(Signal::SIGKILL);
        }
        self.serve_by(new);
        self.again_at = None;
        let (stage, deadline) = (Stage::TakingOver { version }, Instant::now() + TAKING_OVER);
        self.upgrade = Some(Upgrade { binary, stage, deadline, asked_by });
    }
}
