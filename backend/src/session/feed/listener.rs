//! One listener of the feed.

use std::{collections::VecDeque, fmt::Write as _, sync::Arc};

use limpet_shared::{Role, SessionId, api::SessionInfo};
use tokio::sync::watch;

use super::{
    Feed, Tick,
    history::{Next, json},
};

/// Length from which on text is sent before more is added, in bytes.
const PIECE_BYTES: usize = 16 * 1024;

/// A sign of life, which clients ignore (HTML Standard, 9.2.5: a line that begins with a colon).
const HEARTBEAT: &str = ":\n\n";

/// A listener. Dropping it removes it.
#[derive(Debug)]
pub(crate) struct Listener {
    feed: Feed,
    ticks: watch::Receiver<Tick>,
    position: Position,
    /// Number of heartbeats that this listener knows of.
    heartbeats: u64,
}

#[derive(Debug)]
enum Position {
    /// Behind: a snapshot comes next.
    Lost,
    /// In a snapshot, with these sessions left to send.
    Snapshot { version: u64, left: VecDeque<Arc<SessionInfo>> },
    /// After the event with this version.
    After(u64),
}

impl Listener {
    pub(super) fn new(feed: Feed, resumed: Option<u64>, ticks: watch::Receiver<Tick>) -> Self {
        let heartbeats = ticks.borrow().heartbeats;
        let position = resumed.map_or(Position::Lost, Position::After);
        Self { feed, ticks, position, heartbeats }
    }

    /// Waits for the next piece of the stream for a client with these roles. Cancel safe.
    pub(crate) async fn next(&mut self, role_at: impl Fn(&SessionId) -> Option<Role>) -> String {
        loop {
            let text = self.take_text(&role_at);
            if !text.is_empty() {
                return text;
            }
            // The feed exists as long as this listener.
            let _ = self.ticks.changed().await;
            let heartbeats = self.ticks.borrow_and_update().heartbeats;
            if heartbeats != self.heartbeats {
                self.heartbeats = heartbeats;
                return HEARTBEAT.to_owned();
            }
        }
    }

    /// Takes text that can be sent now, about [`PIECE_BYTES`] at most.
    fn take_text(&mut self, role_at: &impl Fn(&SessionId) -> Option<Role>) -> String {
        let mut text = String::new();
        while text.len() < PIECE_BYTES {
            let is_more = match &mut self.position {
                Position::Lost => self.begin_snapshot(&mut text, role_at),
                Position::Snapshot { version, left } => {
                    let is_more = continue_snapshot(&mut text, left, role_at);
                    if !is_more {
                        self.position = Position::After(*version);
                    }
                    true
                }
                &mut Position::After(version) => self.add_event(&mut text, version, role_at),
            };
            if !is_more {
                break;
            }
        }
        text
    }

    fn begin_snapshot(&mut self, text: &mut String, role_at: &impl Fn(&SessionId) -> Option<Role>) -> bool {
        let history = self.feed.history();
        let version = history.version();
        let mut left = VecDeque::from(history.sessions());
        let _ = write!(text, "event: snapshot\nid: {}\ndata: [", history.id_of(version));
        drop(history);
        left.retain(|session| role_at(&session.id).is_some());
        self.position = Position::Snapshot { version, left };
        true
    }

    /// Adds the event after `version`. Returns false if there is none.
    fn add_event(
        &mut self,
        text: &mut String,
        version: u64,
        role_at: &impl Fn(&SessionId) -> Option<Role>,
    ) -> bool {
        let history = self.feed.history();
        let event = match history.next_after(version) {
            Next::Event(event) => event,
            Next::Nothing => return false,
            Next::Lost => {
                drop(history);
                self.position = Position::Lost;
                return true;
            }
        };
        let id = history.id_of(version + 1);
        drop(history);
        self.position = Position::After(version + 1);
        if let Some((name, data)) = role_at(&event.session).and_then(|role| event.text(role)) {
            let _ = write!(text, "event: {name}\nid: {id}\ndata: {data}\n\n");
        }
        true
    }
}

/// Adds the next session of a snapshot, or the snapshot's end. Returns false after the end.
fn continue_snapshot(
    text: &mut String,
    left: &mut VecDeque<Arc<SessionInfo>>,
    role_at: &impl Fn(&SessionId) -> Option<Role>,
) -> bool {
    let Some(session) = left.pop_front() else {
        text.push_str("]\n\n");
        return false;
    };
    if let Some(role) = role_at(&session.id) {
        text.push_str(&json(&SessionInfo::clone(&session).seen_by(role)));
        text.push_str(if left.is_empty() { "" } else { "," });
    }
    true
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.feed.remove_listener();
    }
}
