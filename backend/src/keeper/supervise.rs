//! The keeper as a process: it starts servers, and sees to it that there is always one.
//!
//! ```text
//!              ┌────────── it was killed ──────────┐
//!              ▼                                   │
//!  start ─▶ greeted ─▶ serving ──────────────────▶ ended ─▶ the end, if it said so
//!                         │ upgrade                ▲
//!                         ▼                        │
//!                      another one is started ─▶ greeted: the old one is asked to leave
//! ```

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

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        signal::{SigSet, Signal},
        signalfd::{SfdFlags, SignalFd},
    },
};
use sd_notify::NotifyState;

use self::upgrade::{Stage, Upgrade};
use super::{
    binary::{Binary, Server},
    control::{self, Command, Control, Outcome, Request},
    keep::Keeper,
    socket::{self, Room},
    store,
    wire::{FORMAT, Numbered, Order},
};

/// A server that served for so long is worth being started again at once.
const STABLE: Duration = Duration::from_secs(1);

/// The first pause before a server that keeps ending is started again; it doubles, up to the longest.
const PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The keeper's process.
pub(super) struct Supervisor {
    keeper: Keeper,
    binary: Binary,
    server: Option<Server>,
    /// The version that the server has told.
    version: String,
    upgrade: Option<Upgrade>,
    /// When to start a server again.
    again_at: Option<Instant>,
    failures: u32,
    /// Whether somebody has asked for the end.
    is_ending: bool,
    room: Room,
}

/// What there is to do.
enum Event {
    Signal(Signal),
    /// The server has something to say, or has ended.
    Server,
    /// The same of the one that is to take its place.
    New,
    /// Something that is looked at each time, as whoever wants something.
    Other,
}

impl Supervisor {
    pub(super) fn new(mut keeper: Keeper, path: &Path) -> io::Result<Self> {
        if let Some(mut old) = keeper.take_old_server() {
            // It has lost its keeper, and is about to end by itself. Two at a time would both own what is kept.
            old.kill()?;
            old.wait()?;
        }
        let binary = Binary::at(path)?;
        let server = binary.start()?;
        keeper.store_server(server.pidfd.as_fd());
        Ok(Self {
            keeper,
            binary,
            server: Some(server),
            version: String::new(),
            upgrade: None,
            again_at: None,
            failures: 0,
            is_ending: false,
            room: Room::new(),
        })
    }

    /// Keeps until all is over, and gives the code to end with.
    pub(super) fn run(mut self, signals: SigSet) -> io::Result<u8> {
        let signals = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        let mut control = Control::listen();
        loop {
            for event in self.wait(&signals, &control)? {
                match event {
                    Event::Signal(Signal::SIGUSR2) => self.begin_upgrade(None),
                    Event::Signal(signal) => self.ask_to_end(signal),
                    Event::Server => self.hear_server(),
                    Event::New => self.hear_new(),
                    Event::Other => self.keeper.reap_dying(),
                }
            }
            for asked in control.hear() {
                self.answer(asked);
            }
            self.mind_the_time();
            if let Some(status) = self.server_ended()
                && let Some(code) = self.go_on(status)
            {
                self.server = None;
                self.keeper.end();
                return Ok(code);
            }
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
            sources.push((new.socket.as_fd(), || Event::New));
        }
        sources.extend(self.keeper.dying().map(|pidfd| (pidfd, (|| Event::Other) as fn() -> Event)));
        let mut fds: Vec<PollFd<'_>> =
            sources.iter().map(|(fd, _)| PollFd::new(*fd, PollFlags::POLLIN)).collect();
        match poll(&mut fds, self.timeout(control)) {
            Ok(_) | Err(Errno::EINTR) => {}
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

    /// How long nothing can happen by itself.
    fn timeout(&self, control: &Control) -> PollTimeout {
        let upgrade = self.upgrade.as_ref().map(|upgrade| upgrade.deadline);
        let deadlines = [self.again_at, upgrade, control.deadline()];
        let Some(next) = deadlines.into_iter().flatten().min() else { return PollTimeout::NONE };
        let left = next.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
        PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
    }

    /// It is the server from here on.
    fn serve_by(&mut self, server: Server) {
        self.keeper.store_server(server.pidfd.as_fd());
        self.server = Some(server);
    }

    fn ask_to_end(&mut self, signal: Signal) {
        self.is_ending = true;
        store::tell(&NotifyState::Stopping);
        match &self.server {
            Some(server) => server.signal(if signal == Signal::SIGHUP { Signal::SIGTERM } else { signal }),
            None => self.again_at = Some(Instant::now()),
        }
    }

    fn answer(&mut self, Request { command, stream, is_from_session }: Request) {
        match command {
            Command::Upgrade => self.begin_upgrade(Some(stream)),
            Command::Link if is_from_session => control::answer(
                stream,
                &Outcome::refused(
                    "limpet's own terminals cannot print its link, since it would make an owner of every guest who can type; run this in another terminal",
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

    fn hear_server(&mut self) {
        let Some(server) = &mut self.server else { return };
        match socket::receive::<Numbered<Order>>(server.socket.as_fd(), &mut self.room) {
            Ok(Some((message, descriptors))) => {
                let number = message.number;
                let heard = match &message.what {
                    Order::Hello { format, version } => {
                        self.version.clone_from(version);
                        if *format > FORMAT {
                            tracing::warn!(format, ours = FORMAT, "the server is newer than its keeper");
                        }
                        self.keeper.welcome(number, server.socket.as_fd())
                    }
                    Order::End => {
                        server.ends = true;
                        Ok(())
                    }
                    Order::Serving { .. } => {
                        server.is_serving = true;
                        store::tell(&NotifyState::Ready);
                        self.keeper.obey(message, descriptors, server.socket.as_fd())
                    }
                    _ => self.keeper.obey(message, descriptors, server.socket.as_fd()),
                };
                if let Err(error) = heard {
                    tracing::error!(%error, "could not answer the server");
                }
            }
            Ok(None) => server.hung_up(),
            Err(error) => tracing::error!(%error, "could not understand the server"),
        }
        self.finish_upgrade();
    }

    fn mind_the_time(&mut self) {
        let now = Instant::now();
        if let Some(upgrade) = self.upgrade.as_ref().filter(|upgrade| now >= upgrade.deadline) {
            match (&upgrade.stage, &self.server) {
                (Stage::Started(_), _) => self.fail_upgrade("the new server did not say that it is there"),
                (_, Some(server)) => server.signal(Signal::SIGKILL),
                _ => {}
            }
        }
        if self.server.is_none() && !self.is_ending && self.again_at.is_some_and(|at| now >= at) {
            self.again_at = None;
            match self.binary.start() {
                Ok(server) => self.serve_by(server),
                Err(error) => {
                    tracing::error!(%error, "could not start the server again");
                    self.pause();
                }
            }
        }
    }

    fn pause(&mut self) {
        let pause =
            if self.failures == 0 { Duration::ZERO } else { PAUSE * (1 << (self.failures - 1).min(10)) };
        self.failures += 1;
        self.again_at = Some(Instant::now() + pause.min(LONGEST_PAUSE));
    }

    fn server_ended(&mut self) -> Option<ExitStatus> {
        if self.server.is_none() && self.is_ending {
            return Some(ExitStatus::default());
        }
        // What it said before its end counts.
        let status = self.server.as_mut()?.ended()?;
        while self.server.as_ref().is_some_and(|server| has_more(server.socket.as_fd())) {
            self.hear_server();
        }
        Some(status)
    }

    /// The server has ended. Gives the code to end with, if all is over.
    fn go_on(&mut self, status: ExitStatus) -> Option<u8> {
        let server = self.server.take();
        let (is_over, was_serving) =
            server.as_ref().map_or((true, false), |server| (server.ends, server.is_serving));
        // Before it ever served there is nothing to hold on to, and it has said itself what is wrong.
        if is_over || self.is_ending || !self.keeper.has_served() {
            let signalled = || status.signal().map_or(1, |signal| 128 + signal);
            return Some(u8::try_from(status.code().unwrap_or_else(signalled)).unwrap_or(1));
        }
        if self.upgrade.as_ref().is_some_and(|upgrade| matches!(upgrade.stage, Stage::Leaving { .. })) {
            self.take_over();
            return None;
        }
        if self.upgrade.as_ref().is_some_and(|upgrade| matches!(upgrade.stage, Stage::TakingOver { .. })) {
            self.fail_upgrade(&format!("the new server could not take over: {status}"));
        } else {
            tracing::error!(%status, sessions = self.keeper.sessions(), "the server ended unasked; it is started again");
        }
        if was_serving && server.is_some_and(|server| server.since.elapsed() >= STABLE) {
            self.failures = 0;
        }
        self.pause();
        None
    }
}

fn has_more(socket: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::new(socket, PollFlags::POLLIN)];
    matches!(poll(&mut fds, PollTimeout::ZERO), Ok(1))
        && fds[0].revents().is_some_and(|events| events.contains(PollFlags::POLLIN))
        && !is_at_end(socket)
}

/// Nothing is left but the end.
fn is_at_end(socket: BorrowedFd<'_>) -> bool {
    use nix::sys::socket::{MsgFlags, recv};
    use std::os::fd::AsRawFd;
    let peeked = recv(socket.as_raw_fd(), &mut [0], MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT);
    !matches!(peeked, Ok(1..))
}
