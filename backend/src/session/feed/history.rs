//! The recent events of the feed, and the sessions as of the last one.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use limpet_shared::{
    Role, SessionId,
    api::SessionInfo,
    events::{SessionChange, SessionRemoval},
};
use limpet_sys::random;
use serde::Serialize;
use tokio::time::Instant;

/// Number of events that are kept. A listener that lacks older ones gets a snapshot.
const MAX_EVENTS: usize = 256;

/// Number of random bytes in an epoch.
const EPOCH_BYTES: usize = 8;

/// The history of the feed.
#[derive(Debug, Default)]
pub(super) struct History {
    /// Tells versions of this history from those of others.
    epoch: String,
    /// Version of the last event.
    version: u64,
    events: VecDeque<Arc<Event>>,
    /// All sessions as of the last event.
    sessions: BTreeMap<SessionId, KnownSession>,
    /// Number of sessions that have been known.
    sessions_seen: u64,
    listeners: usize,
    /// The time since when nobody has listened.
    unused_since: Option<Instant>,
}

#[derive(Debug)]
struct KnownSession {
    /// Sorts sessions by age.
    number: u64,
    /// The session as an owner sees it.
    info: Arc<SessionInfo>,
}

/// An event, with its text for owners and guests.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) session: SessionId,
    name: &'static str,
    content: Content,
}

#[derive(Debug)]
enum Content {
    /// The session, as an owner sees it.
    Created(Arc<SessionInfo>),
    /// The change as owners see it, and as guests do if they may see any of it.
    Changed {
        for_owners: String,
        for_guests: Option<String>,
    },
    Removed,
}

/// The result of looking for the event after a version.
#[derive(Debug)]
pub(super) enum Next {
    Event(Arc<Event>),
    /// There is none yet.
    Nothing,
    /// It is not kept any more.
    Lost,
}

impl Event {
    /// Returns the name and the data of the event for a client with this role. `None` if such a
    /// client may not see it.
    pub(super) fn text(&self, role: Role) -> Option<(&'static str, String)> {
        let data = match &self.content {
            Content::Created(info) => json(&SessionInfo::clone(info).seen_by(role)),
            Content::Changed { for_owners, .. } if role == Role::Owner => for_owners.clone(),
            Content::Changed { for_guests, .. } => for_guests.clone()?,
            Content::Removed => json(&SessionRemoval { id: self.session.clone() }),
        };
        Some((self.name, data))
    }
}

impl History {
    /// Begins a new history with these sessions, the oldest first.
    pub(super) fn restart(&mut self, sessions: impl Iterator<Item = SessionInfo>) {
        *self = Self { epoch: hex::encode(random::bytes::<EPOCH_BYTES>()), ..Self::default() };
        for info in sessions {
            self.insert(Arc::new(info));
        }
    }

    pub(super) fn add_listener(&mut self) {
        self.listeners += 1;
        self.unused_since = None;
    }

    pub(super) fn remove_listener(&mut self) {
        self.listeners -= 1;
        self.unused_since = (self.listeners == 0).then(Instant::now);
    }

    pub(super) fn has_listeners(&self) -> bool {
        self.listeners > 0
    }

    pub(super) fn unused_since(&self) -> Option<Instant> {
        self.unused_since
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// Returns the id of the event with this version.
    pub(super) fn id_of(&self, version: u64) -> String {
        format!("{}-{version}", self.epoch)
    }

    /// Returns the version of the event with this id, if it belongs to this history.
    pub(super) fn version_of(&self, id: &str) -> Option<u64> {
        let version = id.rsplit_once('-')?.1.parse().ok()?;
        (self.id_of(version) == id).then_some(version)
    }

    /// Returns the first event after `version`.
    pub(super) fn next_after(&self, version: u64) -> Next {
        let missing = self.version.checked_sub(version).and_then(|missing| usize::try_from(missing).ok());
        let Some(at) = missing.and_then(|missing| self.events.len().checked_sub(missing)) else {
            return Next::Lost;
        };
        self.events.get(at).map_or(Next::Nothing, |event| Next::Event(Arc::clone(event)))
    }

    /// Returns all sessions as an owner sees them, the oldest first.
    pub(super) fn sessions(&self) -> Vec<Arc<SessionInfo>> {
        let mut sessions: Vec<&KnownSession> = self.sessions.values().collect();
        sessions.sort_unstable_by_key(|session| session.number);
        sessions.into_iter().map(|session| Arc::clone(&session.info)).collect()
    }

    /// Records the present state of a session, as an owner sees it; `None` if it is gone.
    pub(super) fn record(&mut self, session: SessionId, info: Option<SessionInfo>) {
        let before = self.sessions.get(&session).map(|known| Arc::clone(&known.info));
        let (name, content) = match (before, info) {
            (None, None) => return,
            (None, Some(info)) => {
                let info = Arc::new(info);
                self.insert(Arc::clone(&info));
                ("created", Content::Created(info))
            }
            (Some(_), None) => {
                self.sessions.remove(&session);
                ("removed", Content::Removed)
            }
            (Some(before), Some(info)) => {
                let Some(change) = SessionChange::between(&before, &info) else { return };
                let for_guest = |info: &SessionInfo| info.clone().seen_by(Role::Reader);
                let for_guests = SessionChange::between(&for_guest(&before), &for_guest(&info));
                let has_ended = before.state.exit.is_none() && info.state.exit.is_some();
                if let Some(known) = self.sessions.get_mut(&session) {
                    known.info = Arc::new(info);
                }
                let (for_owners, for_guests) = (json(&change), for_guests.as_ref().map(json));
                let name = if has_ended { "ended" } else { "changed" };
                (name, Content::Changed { for_owners, for_guests })
            }
        };
        self.version += 1;
        self.events.push_back(Arc::new(Event { session, name, content }));
        if self.events.len() > MAX_EVENTS {
            self.events.pop_front();
        }
    }

    fn insert(&mut self, info: Arc<SessionInfo>) {
        self.sessions_seen += 1;
        self.sessions.insert(info.id.clone(), KnownSession { number: self.sessions_seen, info });
    }
}

pub(super) fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
