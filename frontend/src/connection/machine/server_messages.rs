//! Handling of the server's messages.

use limpet_shared::{ClientMessage, ErrorCode, Header, ServerMessage, Welcome, Winsize};
use serde::Deserialize;

use super::{Machine, State};
use crate::{
    connection::{
        ConnectionProblem, GoneReason,
        event::{Effect, Moment, Notification},
        heartbeat::Heartbeat,
    },
    json,
};

/// The reason why a message cannot be parsed.
enum ParseError {
    /// This version does not know its type.
    UnknownType,
    /// It is not a message of the protocol.
    Malformed,
}

fn parse(text: &str) -> Result<ServerMessage, ParseError> {
    #[derive(Deserialize)]
    struct Tagged {
        r#type: String,
    }
    // Serde would also accept an array of the fields' values.
    if !text.trim_start().starts_with('{') {
        return Err(ParseError::Malformed);
    }
    json::read(text).map_err(|_| match json::read(text) {
        Ok(Tagged { r#type }) if !ServerMessage::TYPES.contains(&r#type.as_str()) => ParseError::UnknownType,
        _ => ParseError::Malformed,
    })
}

impl Machine {
    pub(super) fn on_text(&mut self, text: &str, moment: Moment) {
        let message = match parse(text) {
            Ok(message) => message,
            Err(ParseError::UnknownType) => return,
            Err(ParseError::Malformed) => return self.give_up(GoneReason::Protocol),
        };
        if let State::Attached { heartbeat, .. } = &mut self.state {
            heartbeat.on_message(moment.now_ms);
        }
        match (&self.state, message) {
            (State::Greeting { hello_size, .. }, ServerMessage::Welcome(welcome)) => {
                self.on_welcome(welcome, *hello_size, moment);
            }
            (_, ServerMessage::Error { code, message }) => self.on_error(code, message),
            (_, ServerMessage::Ping { t }) => self.send(&ClientMessage::Pong { t }),
            (State::Attached { .. }, message) => self.on_message(message, moment),
            (State::Ended | State::Gone(_), _) => {}
            _ => self.give_up(GoneReason::Protocol),
        }
    }

    fn on_welcome(&mut self, welcome: Welcome, hello_size: Winsize, moment: Moment) {
        let Moment { now_ms, .. } = moment;
        let (role, id) = (welcome.role, welcome.id);
        self.state = State::Attached { since_ms: now_ms, role, id, heartbeat: Heartbeat::new(now_ms) };
        self.set_trouble(None);
        let has_begun = self.inflow.has_begun();
        if !self.inflow.begin(&welcome) && has_begun {
            self.notify(Notification::Clear { skipped: 0, earlier: 0 });
        }
        self.notify(Notification::Role(welcome.role));
        self.notify(Notification::Size { size: welcome.size, own: welcome.by == Some(id) });
        self.notify(Notification::Title(welcome.title));
        self.check_server_version(welcome.server);
        if self.outbox.resume_at(welcome.input) > 0 {
            self.notice("Your last input may be lost: the server has no record of it.");
        }
        if !welcome.role.may_write() {
            self.outbox.clear();
        }
        if hello_size != self.size {
            self.on_pane_resized(self.size);
        }
        self.send_colours();
        self.flush();
        self.watch_input(moment);
        self.run_heartbeat(moment);
    }

    fn check_server_version(&mut self, server: String) {
        if server != env!("CARGO_PKG_VERSION") && self.other_server_version.as_ref() != Some(&server) {
            self.other_server_version = Some(server);
            self.notice("The server runs another version of limpet. Reload the page to use it.");
        }
    }

    fn on_message(&mut self, message: ServerMessage, moment: Moment) {
        match message {
            ServerMessage::Ack { input } => {
                self.outbox.acknowledge(input);
                self.flush();
                if let (State::Attached { heartbeat, .. }, true) = (&mut self.state, self.outbox.is_empty()) {
                    heartbeat.on_input_acknowledged();
                }
            }
            ServerMessage::Resize { size, by, resizes } => {
                self.inflow.on_resized(resizes);
                let own = matches!(self.state, State::Attached { id, .. } if by == Some(id));
                self.notify(Notification::Size { size, own });
            }
            ServerMessage::Reset { output, skipped, earlier, bytes } => {
                self.inflow.skip_to(output, bytes);
                self.notify(Notification::Clear { skipped, earlier });
            }
            ServerMessage::Title { title } => self.notify(Notification::Title(title)),
            ServerMessage::Viewers { count, primary, list } => {
                self.notify(Notification::Primary(primary));
                self.notify(Notification::Viewers { count, list });
            }
            ServerMessage::Exit { status, closed, .. } => self.on_exit(status, closed),
            ServerMessage::Pong { t } => self.on_pong(t.as_f64(), moment),
            ServerMessage::Welcome(_) => self.give_up(GoneReason::Protocol),
            // These are handled in every state, by `on_text`.
            ServerMessage::Ping { .. } | ServerMessage::Error { .. } => {}
        }
    }

    pub(super) fn on_frame(&mut self, head: &[u8], len: usize, moment: Moment) {
        let State::Attached { heartbeat, .. } = &mut self.state else { return };
        heartbeat.on_message(moment.now_ms);
        let pieces = Header::decode(head, len).ok().and_then(|header| self.inflow.receive(header, len).ok());
        match pieces {
            Some(pieces) => self.effects.extend(pieces.into_iter().flatten().map(Effect::Write)),
            None => self.give_up(GoneReason::Protocol),
        }
    }

    fn on_error(&mut self, code: ErrorCode, message: String) {
        match code {
            // The page itself explains to the user why access was refused.
            ErrorCode::UnknownType | ErrorCode::Unauthorized | ErrorCode::SessionNotFound => {}
            ErrorCode::ShuttingDown => self.set_trouble(Some(ConnectionProblem::Stopped)),
            ErrorCode::NoSuchViewer => self.notice("That viewer is no longer attached."),
            ErrorCode::ReadOnly => self.notice("You can view this terminal, not change it."),
            _ => self.notify(Notification::Notice(message)),
        }
    }

    fn on_pong(&mut self, t_ms: Option<f64>, moment: Moment) {
        if let (State::Attached { heartbeat, .. }, Some(t_ms)) = (&mut self.state, t_ms) {
            heartbeat.on_pong(t_ms, moment.now_ms);
        }
        self.run_heartbeat(moment);
    }
}
