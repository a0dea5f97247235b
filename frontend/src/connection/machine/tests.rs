use limpet_shared::{
    Epoch, ErrorCode, Header, InputOffset, OutputOffset, Resume, ServerMessage, SessionId, ViewerInfo,
    Welcome,
};

use super::*;
use crate::connection::event::Effect as E;

mod life;
mod said;
mod simulation;

/// A state machine with a simulated clock.
struct Rig {
    machine: Machine,
    now_ms: f64,
    /// Total time that the computer has slept, in milliseconds.
    asleep_ms: f64,
}

impl Rig {
    fn new() -> Self {
        let viewer = ViewerId::from_random([7; 16]);
        Self { machine: Machine::new(viewer, Winsize::cells(80, 24)), now_ms: 1000.0, asleep_ms: 0.0 }
    }

    fn attached() -> Self {
        let mut rig = Self::new();
        rig.on(Event::Start);
        rig.on(Event::Opened(""));
        rig.say(&ServerMessage::Welcome(welcome(0)));
        rig
    }

    fn on(&mut self, event: Event<'_>) -> Vec<Effect> {
        let wall_ms = 1e12 + self.now_ms + self.asleep_ms;
        self.machine.handle(event, Moment { now_ms: self.now_ms, wall_ms, jitter: 0.0 })
    }

    fn say(&mut self, message: &ServerMessage) -> Vec<Effect> {
        self.on(Event::Text(&message.to_json()))
    }

    fn after(&mut self, ms: f64) -> &mut Self {
        self.now_ms += ms;
        self
    }

    /// Lets the computer sleep for `ms` milliseconds, unnoticed by timers.
    fn asleep(&mut self, ms: f64) -> &mut Self {
        self.asleep_ms += ms;
        self
    }

    fn phase(&self) -> Option<Phase> {
        self.machine.published_phase
    }
}

fn welcome(output: u64) -> Welcome {
    Welcome {
        session: SessionId::from_random([1; 8]),
        epoch: Epoch::from_random([2; 8]),
        role: Role::Owner,
        id: 7,
        output: OutputOffset::new(output),
        live: OutputOffset::new(output),
        input: InputOffset::ZERO,
        size: Winsize::cells(80, 24),
        resizes: 0,
        by: None,
        title: "bash".into(),
        server: env!("CARGO_PKG_VERSION").into(),
    }
}

fn data(offset: u64, payload: &[u8]) -> Vec<u8> {
    [&Header::data(offset).encode(), payload].concat()
}

fn frame(message: &[u8]) -> Event<'_> {
    Event::Frame { head: &message[..message.len().min(Header::LEN)], len: message.len() }
}

fn sent(effects: &[Effect]) -> Vec<ClientMessage> {
    let text = |effect: &Effect| match effect {
        E::SendText(text) => Some(ClientMessage::parse(text).unwrap()),
        _ => None,
    };
    effects.iter().filter_map(text).collect()
}

fn notices(effects: &[Effect]) -> usize {
    effects.iter().filter(|effect| matches!(effect, E::Notify(Notification::Notice(_)))).count()
}
