//! The keeper's main loop: it starts servers and makes sure that one is always running.
//!
//! ```text
//!              ┌────────── it was killed ──────────┐
//!              ▼                                   │
//!  start ─▶ greeted ─▶ serving ──────────────────▶ ended ─▶ the end, if it asked for that
//!                         │ upgrade                ▲
//!                         ▼                        │
//!                      another one is started ─▶ greeted: the old one is asked to leave
//! ```

mod crashes;
mod upgrade;

use std::{
    io,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::process::ExitStatusExt,
    },
    path::Path,
    process::ExitStatus,
    time::{Duration, Instant},
};

use limpet_sys::clock::uptime;
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        signal::{SigSet, Signal},
        signalfd::{SfdFlags, SignalFd},
    },
};
use sd_notify::NotifyState;

use self::{
    crashes::Crashes,
    upgrade::{Stage, TAKEOVER_TIMEOUT, Upgrade},
};
use super::{
    binary::{Binary, Server, ServerStage},
    control::{self, Command, Control, ControlRequest, Outcome},
    keep::Keeper,
    orphans,
    socket::{self, ReceiveBuffer},
    store,
    wire::{Envelope, Launch, Request, WIRE_FORMAT},
};

/// Minimum run time after which a server that has served is restarted at once.
const STABLE_AFTER: Duration = Duration::from_secs(1);

/// First pause before a server that keeps ending is started again, and the maximum, up to which the
/// pause doubles. The first restart does not wait.
const FIRST_RESTART_PAUSE: Duration = Duration::from_millis(5);
const MAX_RESTART_PAUSE: Duration = Duration::from_secs(1);

/// Pause before poll(2) is called again after it has failed for lack of memory, in milliseconds.
const POLL_PAUSE_MS: u8 = 10;

/// Maximum time that a server may be silent after it was asked to end.
const END_TIMEOUT: Duration = Duration::from_secs(10);

/// Minimum time that a server must have worked on one thing for a `SIGKILL` to be blamed on it.
const MIN_SUSPECT_TIME: Duration = Duration::from_millis(500);

/// Exit code if the sessions did not end in good order and no other code explains why.
const EXIT_FAILURE: u8 = 1;

/// The keeper's process: its sessions and its servers.
pub(super) struct Supervisor {
    keeper: Keeper,
    binary: Binary,
    /// Token that the user has chosen, which servers are told.
    token: Option<String>,
    server: Option<Server>,
    /// Version that the server has reported.
    version: String,
    upgrade: Option<Upgrade>,
    /// Time at which a server is started again.
    restart_at: Option<Instant>,
    failures: u32,
    crashes: Crashes,
    /// Uptime before which the last server must have begun the work that may have killed it.
    suspect_before: Duration,
    /// True if somebody has asked limpet to end.
    is_ending: bool,
    receive_buffer: ReceiveBuffer,
}

/// An event that the main loop handles.
enum Event {
    Signal(Signal),
    /// The server has sent a message or has ended.
    Server,
    /// The server that is to replace it has sent a message or has ended.
    NewServer,
    /// Something is ready that each turn of the loop looks at anyway, such as a control client.
    Other,
}

impl Supervisor {
    pub(super) fn new(mut keeper: Keeper, path: &Path, token: Option<String>) -> io::Result<Self> {
        if let Some(mut old) = keeper.take_old_server() {
            // This server has lost its keeper and is about to end by itself. Two servers at a time
            // would both own the sessions.
            old.kill()?;
            old.wait()?;
        }
        let binary = Binary::at(path)?;
        let server = binary.start(Launch { token: token.clone(), ..Launch::default() })?;
        keeper.store_server(server.pidfd.as_fd());
        Ok(Self {
            keeper,
            binary,
            token,
            server: Some(server),
            version: String::new(),
            upgrade: None,
            restart_at: None,
            failures: 0,
            crashes: Crashes::default(),
            suspect_before: Duration::ZERO,
            is_ending: false,
            receive_buffer: ReceiveBuffer::default(),
        })
    }

    /// Runs until all sessions have ended, and returns the exit code.
    pub(super) fn run(mut self, signals: SigSet) -> io::Result<u8> {
        let signals = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        let mut control = Control::listen();
        loop {
            for event in self.wait(&signals, &control)? {
                match event {
                    Event::Signal(Signal::SIGUSR2) => self.begin_upgrade(None),
                    // Ended children are reaped below.
                    Event::Signal(Signal::SIGCHLD) => {}
                    Event::Signal(signal) => self.ask_to_end(signal),
                    Event::Server => self.handle_server_message(),
                    Event::NewServer => self.handle_new_server_message(),
                    Event::Other => self.keeper.reap_dying(),
                }
            }
            for request in control.poll_requests() {
                self.handle_control_request(request);
            }
            self.handle_deadlines();
            if let Some(status) = self.server_exit_status()
                && let Some(code) = self.on_server_end(status)
            {
                self.server = None;
                self.upgrade = None;
                self.keeper.end();
                return Ok(code);
            }
            self.reap_orphans();
        }
    }

    fn wait(&self, signals: &SignalFd, control: &Control) -> io::Result<Vec<Event>> {
        let mut sources: Vec<(BorrowedFd<'_>, fn() -> Event)> = vec![(signals.as_fd(), || Event::Other)];
        sources.extend(control.sources().map(|fd| (fd, (|| Event::Other) as fn() -> Event)));
        if let Some(server) = &self.server {
            if !server.has_hung_up {
                sources.push((server.socket.as_fd(), || Event::Server));
            }
            sources.push((server.pidfd.as_fd(), || Event::Other));
        }
        if let Some(Stage::Started(new)) = self.upgrade.as_ref().map(|upgrade| &upgrade.stage) {
            sources.push((new.socket.as_fd(), || Event::NewServer));
        }
        sources.extend(self.keeper.dying_pidfds().map(|pidfd| (pidfd, (|| Event::Other) as fn() -> Event)));
        let mut fds: Vec<PollFd<'_>> =
            sources.iter().map(|(fd, _)| PollFd::new(*fd, PollFlags::POLLIN)).collect();
        match poll(&mut fds, self.timeout(control)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(Errno::ENOMEM | Errno::EAGAIN) => {
                // The kernel is short of memory. The sessions are alive, so the keeper asks again.
                // This call only passes time and needs no memory; if it fails, the pause is
                // shorter.
                let _ = poll(&mut [], PollTimeout::from(POLL_PAUSE_MS));
            }
            Err(error) => return Err(error.into()),
        }
        let ready = fds.iter().zip(&sources).filter(|(fd, _)| fd.any().unwrap_or(true));
        let mut events: Vec<Event> = ready.map(|(_, (_, event))| event()).collect();
        while let Ok(Some(info)) = signals.read_signal() {
            let number = i32::try_from(info.ssi_signo).unwrap_or_default();
            events.extend(Signal::try_from(number).ok().map(Event::Signal));
        }
        Ok(events)
    }

    /// Returns the time until the next deadline.
    fn timeout(&self, control: &Control) -> PollTimeout {
        let upgrade = self.upgrade.as_ref().and_then(Upgrade::deadline);
        let server = self.server.as_ref().and_then(Server::deadline);
        let deadlines = [self.restart_at, upgrade, server, control.deadline()];
        let Some(next) = deadlines.into_iter().flatten().min() else { return PollTimeout::NONE };
        let left = next.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
        PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
    }

    /// Makes `server` the one that serves. It is expected to take over what its predecessor has
    /// left.
    fn set_server(&mut self, mut server: Server) {
        server.expect_within(TAKEOVER_TIMEOUT);
        self.keeper.store_server(server.pidfd.as_fd());
        self.server = Some(server);
    }

    /// Returns the launch message for a server that is started now.
    fn launch_message(&self) -> Launch {
        Launch { token: self.token.clone(), is_without_screens: self.crashes.exceed_limit(Instant::now()) }
    }

    fn ask_to_end(&mut self, signal: Signal) {
        store::notify(&NotifyState::Stopping);
        if self.upgrade.as_ref().is_some_and(|upgrade| matches!(upgrade.stage, Stage::Started(_))) {
            self.fail_upgrade("limpet is being stopped");
        }
        match &mut self.server {
            Some(server) => {
                if !self.is_ending {
                    // Earlier expectations no longer count.
                    server.clear_deadline();
                    server.expect_within(END_TIMEOUT);
                }
                server.signal(if signal == Signal::SIGHUP { Signal::SIGTERM } else { signal });
            }
            None => {
                tracing::error!("no server is running to end the sessions; the keeper ends them");
            }
        }
        self.is_ending = true;
    }

    /// Reaps processes that nobody else reaps.
    fn reap_orphans(&self) {
        let new = self.upgrade.as_ref().and_then(Upgrade::new_server);
        let servers = [self.server.as_ref(), new];
        orphans::reap(|pid| {
            self.keeper.is_parent_of(pid) || servers.iter().flatten().any(|server| server.pid() == pid)
        });
    }

    fn handle_control_request(
        &mut self,
        ControlRequest { command, stream, is_from_session }: ControlRequest,
    ) {
        match command {
            Command::Upgrade => self.begin_upgrade(Some(stream)),
            Command::Link if is_from_session => control::answer(
                stream,
                &Outcome::refused(
                    "the link cannot be printed in one of limpet's own terminals: every guest who can type \
                     there would become an owner. Run this in another terminal",
                ),
            ),
            Command::Link => control::answer(
                stream,
                &self.keeper.link().map_or_else(
                    || Outcome::refused("limpet is still starting; try again"),
                    |link| Outcome { is_done: true, message: link.to_owned() },
                ),
            ),
        }
    }

    fn handle_server_message(&mut self) {
        let Some(server) = &mut self.server else { return };
        match socket::receive::<Envelope<Request>>(server.socket.as_fd(), &mut self.receive_buffer) {
            Ok(Some((message, descriptors))) => {
                let number = message.number;
                server.on_message();
                let handled = match &message.body {
                    Request::Hello { format, version } => {
                        self.version.clone_from(version);
                        if *format > WIRE_FORMAT {
                            tracing::warn!(format, ours = WIRE_FORMAT, "the server is newer than its keeper");
                        }
                        self.keeper.welcome((server.socket.as_fd(), number), self.suspect_before, false)
                    }
                    Request::End => {
                        server.has_announced_end = true;
                        Ok(())
                    }
                    Request::Progress => Ok(()),
                    Request::Answered => {
                        server.stage = ServerStage::Answered;
                        if !self.is_ending {
                            server.clear_deadline();
                        }
                        Ok(())
                    }
                    Request::Serving { .. } => {
                        server.stage = ServerStage::Serving;
                        store::notify(&NotifyState::Ready);
                        self.keeper.handle_request(message, descriptors, server.socket.as_fd())
                    }
                    _ => self.keeper.handle_request(message, descriptors, server.socket.as_fd()),
                };
                if let Err(error) = handled {
                    tracing::error!(%error, "could not answer the server");
                }
            }
            Ok(None) => server.on_hang_up(),
            // The server has ended without reading everything that it was sent. Its own last
            // messages still arrive.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
            Err(error) => tracing::error!(%error, "received an invalid message from the server"),
        }
        self.finish_upgrade();
    }

    fn handle_deadlines(&mut self) {
        let now = Instant::now();
        if self.upgrade.as_ref().and_then(Upgrade::deadline).is_some_and(|deadline| now >= deadline) {
            match self.upgrade.as_ref().map(|upgrade| &upgrade.stage) {
                Some(Stage::Started(_)) => self.fail_upgrade("the new server did not respond in time"),
                _ => self.kill_server("the old server did not stop in time"),
            }
        }
        if self.server.as_ref().and_then(Server::deadline).is_some_and(|deadline| now >= deadline) {
            self.kill_server("the server does not respond");
        }
        if self.server.is_none() && !self.is_ending && self.restart_at.is_some_and(|at| now >= at) {
            self.restart_at = None;
            match self.binary.start(self.launch_message()) {
                Ok(server) => self.set_server(server),
                Err(error) => {
                    tracing::error!(%error, "could not restart the server");
                    self.schedule_restart();
                }
            }
        }
    }

    fn kill_server(&mut self, why: &str) {
        if let Some(server) = &mut self.server {
            tracing::error!("{why}; killing it");
            server.signal(Signal::SIGKILL);
            // The server is killed only once.
            server.clear_deadline();
        }
        if let Some(upgrade) = &mut self.upgrade {
            upgrade.deadline = None;
        }
    }

    fn schedule_restart(&mut self) {
        let pause = if self.failures == 0 {
            Duration::ZERO
        } else {
            FIRST_RESTART_PAUSE * (1 << (self.failures - 1).min(10))
        };
        self.failures += 1;
        self.restart_at = Some(Instant::now() + pause.min(MAX_RESTART_PAUSE));
    }

    fn server_exit_status(&mut self) -> Option<ExitStatus> {
        if self.server.is_none() && self.is_ending {
            return Some(ExitStatus::default());
        }
        // Messages that the server sent before it ended still count.
        let status = self.server.as_mut()?.try_wait()?;
        while self.server.as_ref().is_some_and(|server| has_message(server.socket.as_fd())) {
            self.handle_server_message();
        }
        Some(status)
    }

    /// Decides what follows the end of the server. Returns the exit code if everything is over.
    fn on_server_end(&mut self, status: ExitStatus) -> Option<u8> {
        let server = self.server.take();
        let has_announced_end = server.as_ref().is_some_and(|server| server.has_announced_end);
        // A server that ends before it has ever served leaves nothing to continue with, and has
        // reported the reason itself.
        if has_announced_end || self.is_ending || !self.keeper.has_served() {
            if !has_announced_end && let Some(signal) = status.signal() {
                tracing::error!(signal, "the server was killed before all sessions had ended");
            }
            return Some(exit_code(has_announced_end, status));
        }
        self.suspect_before = suspect_before(status);
        if self.upgrade.as_ref().is_some_and(|upgrade| matches!(upgrade.stage, Stage::Leaving { .. })) {
            self.take_over();
            return None;
        }
        if self.upgrade.as_ref().is_some_and(|upgrade| matches!(upgrade.stage, Stage::TakingOver { .. })) {
            self.fail_upgrade(&format!("the new server could not take over: {status}"));
        } else {
            tracing::error!(
                %status,
                sessions = self.keeper.session_count(),
                "the server ended unexpectedly; restarting it"
            );
        }
        if let Some(server) = server {
            self.record_death(&server, status);
        }
        self.schedule_restart();
        None
    }

    fn record_death(&mut self, server: &Server, status: ExitStatus) {
        if server.stage >= ServerStage::Serving && server.started_at.elapsed() >= STABLE_AFTER {
            self.failures = 0;
        }
        let now = Instant::now();
        // A server that served and was killed from outside is not to blame, as far as the keeper
        // can tell.
        if server.stage < ServerStage::Serving || status.signal() != Some(Signal::SIGKILL as i32) {
            self.crashes.record(now);
        }
        if self.crashes.exceed_limit(now) {
            tracing::error!(
                "the server keeps crashing; the next one runs without screens. Output continues, and \
                 `limpet upgrade` turns screens on again"
            );
        }
    }
}

/// Returns the uptime before which a server must have begun the work that may have killed it. A
/// server that was killed from outside may have hung or run out of memory, but not because of work
/// that it had hardly begun.
fn suspect_before(status: ExitStatus) -> Duration {
    match (status.code(), status.signal()) {
        (Some(0), _) => Duration::ZERO,
        (_, Some(signal)) if signal == Signal::SIGKILL as i32 => uptime().saturating_sub(MIN_SUSPECT_TIME),
        _ => Duration::MAX,
    }
}

/// Returns the exit code after the last server has ended: the server's own code if it reports an
/// error, and 0 only if everything has ended in good order because somebody asked for it. The code
/// does not depend on the order in which the events were noticed.
fn exit_code(has_announced_end: bool, status: ExitStatus) -> u8 {
    match status.code() {
        Some(0) if has_announced_end => 0,
        Some(code @ 1..) => u8::try_from(code).unwrap_or(EXIT_FAILURE),
        _ => EXIT_FAILURE,
    }
}

fn has_message(socket: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::new(socket, PollFlags::POLLIN)];
    matches!(poll(&mut fds, PollTimeout::ZERO), Ok(1))
        && fds[0].revents().is_some_and(|events| events.contains(PollFlags::POLLIN))
        && !is_at_end(socket)
}

/// Reports whether no message is left before the end of the connection.
fn is_at_end(socket: BorrowedFd<'_>) -> bool {
    use nix::sys::socket::{MsgFlags, recv};
    use std::os::fd::AsRawFd;
    let peek = || recv(socket.as_raw_fd(), &mut [0], MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT);
    // The kernel reports once that the other end has not read everything, and then delivers what
    // the other end has sent.
    let peeked = peek().or_else(|error| if error == Errno::ECONNRESET { peek() } else { Err(error) });
    !matches!(peeked, Ok(1..))
}
