//! Handling of the server's messages.

use limpet_shared::{ClientMessage, ErrorCode, Header, ServerMessage, Welcome, Winsize};
use serde::Deserialize;

use super::{Machine, State};
use crate::{
    connection::{
        GoneReason, Trouble,
        event::{Effect, Moment, Tell},
        pulse::Pulse,
    },
    json,
};

/// The reason why a message cannot be parsed.
enum Unread {
    /// This version does not know its type.
    UnknownType,
    /// It is not a message of the protocol.
    Malformed,
}

fn read(text: &str) -> Result<ServerMessage, Unread> {
    #[derive(Deserialize)]
    struct Tagged {
        r#type: String,
    }
    // Serde would also accept an array of the fields' values.
    if !text.trim_start().starts_with('{') {
        return Err(Unread::Malformed);
    }
    json::read(text).map_err(|_| match json::read(text) {
        Ok(Tagged { r#type }) if !ServerMessage::TYPES.contains(&r#type.as_str()) => Unread::UnknownType,
        _ => Unread::Malformed,
    })
}

impl Machine {
    pub(super) fn text(&mut self, text: &str, moment: Moment) {
        let message = match read(text) {
            Ok(message) => message,
            Err(Unread::UnknownType) => return,
            Err(Unread::Malformed) => return self.give_up(GoneReason::Protocol),
        };
        if let State::Attached { pulse, .. } = &mut self.state {
            pulse.heard(moment.now_ms);
        }
        match (&self.state, message) {
            (State::Greeting { told, .. }, ServerMessage::Welcome(welcome)) => {
                self.welcomed(welcome, *told, moment);
            }
            (_, ServerMessage::Error { code, message }) => self.error(code, message),
            (_, ServerMessage::Ping { t }) => self.send(&ClientMessage::Pong { t }),
            (State::Attached { .. }, message) => self.message(message, moment),
            (State::Ended | State::Gone(_), _) => {}
            _ => self.give_up(GoneReason::Protocol),
        }
    }

    fn welcomed(&mut self, welcome: Welcome, told: Winsize, moment: Moment) {
        let Moment { now_ms, .. } = moment;
        let (role, id) = (welcome.role, welcome.id);
        self.state = State::Attached { since_ms: now_ms, role, id, pulse: Pulse::new(now_ms) };
        self.set_trouble(None);
        let has_begun = self.inflow.has_begun();
        if !self.inflow.begin(&welcome) && has_begun {
            self.tell(Tell::Clear { skipped: 0, earlier: 0 });
        }
        self.tell(Tell::Role(welcome.role));
        self.tell(Tell::Size { size: welcome.size, own: welcome.by == Some(id) });
        self.tell(Tell::Title(welcome.title));
        self.greet_version(welcome.server);
        if self.outbox.restart(welcome.input) > 0 {
            self.notice("What you typed last may not have arrived: the server does not remember it.");
        }
        if !welcome.role.may_write() {
            self.outbox.clear();
        }
        if told != self.size {
            self.resized(self.size);
        }
        self.tell_colours();
        self.flush();
        self.watch_input(moment);
        self.beat(moment);
    }

    fn greet_version(&mut self, server: String) {
        if server != env!("CARGO_PKG_VERSION") && self.foreign_server.as_ref() != Some(&server) {
            self.foreign_server = Some(server);
            self.notice("A new version of limpet is here. Reload the page to use it.");
        }
    }

    fn message(&mut self, message: ServerMessage, moment: Moment) {
        match message {
            ServerMessage::Ack { input } => {
                self.outbox.acknowledge(input);
                self.flush();
                if let (State::Attached { pulse, .. }, true) = (&mut self.state, self.outbox.is_empty()) {
                    pulse.input_settled();
                }
            }
            ServerMessage::Resize { size, by, resizes } => {
                self.inflow.resized(resizes);
                let own = matches!(self.state, State::Attached { id, .. } if by == Some(id));
                self.tell(Tell::Size { size, own });
            }
            ServerMessage::Reset { output, skipped, earlier, bytes } => {
                self.inflow.skip_to(output, bytes);
                self.tell(Tell::Clear { skipped, earlier });
            }
            ServerMessage::Title { title } => self.tell(Tell::Title(title)),
            ServerMessage::Viewers { count, pen, list } => {
                self.tell(Tell::Pen(pen));
                self.tell(Tell::Viewers { count, list });
            }
            ServerMessage::Exit { status, closed, .. } => self.ended(status, closed),
            ServerMessage::Pong { t } => self.pong(t.as_f64(), moment),
            ServerMessage::Welcome(_) => self.give_up(GoneReason::Protocol),
            // These are handled in every state, by `text`.
            ServerMessage::Ping { .. } | ServerMessage::Error { .. } => {}
        }
    }

    pub(super) fn frame(&mut self, head: &[u8], len: usize, moment: Moment) {
        let State::Attached { pulse, .. } = &mut self.state else { return };
        pulse.heard(moment.now_ms);
        let pieces = Header::decode(head, len).ok().and_then(|header| self.inflow.receive(header, len).ok());
        match pieces {
            Some(pieces) => self.effects.extend(pieces.into_iter().flatten().map(Effect::Write)),
            None => self.give_up(GoneReason::Protocol),
        }
    }

    fn error(&mut self, code: ErrorCode, message: String) {
        match code {
            // The page itself explains to the user why access was refused.
            ErrorCode::UnknownType | ErrorCode::Unauthorized | ErrorCode::SessionNotFound => {}
            ErrorCode::ShuttingDown => self.set_trouble(Some(Trouble::Stopped)),
            ErrorCode::NoSuchViewer => self.notice("That window is no longer here."),
            ErrorCode::ReadOnly => self.notice("You can view this terminal, not change it."),
            _ => self.tell(Tell::Notice(message)),
        }
    }

    fn pong(&mut self, t_ms: Option<f64>, moment: Moment) {
        if let (State::Attached { pulse, .. }, Some(t_ms)) = (&mut self.state, t_ms) {
            pulse.answered(t_ms, moment.now_ms);
        }
        self.beat(moment);
    }
}
