//! The feed of events about all sessions.
//!
//! The tasks of sessions only [mark](Feed::mark) that something has changed. One task compares each
//! marked session with what was last said about it, and appends the differences to a short history.
//! Each listener is a position in that history: it reads on when there is something new, and one
//! that has fallen behind begins again with a snapshot. While nobody listens, there is no history,
//! and a mark does nothing.

mod history;
mod listener;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use limpet_shared::{Role, SessionId};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep, sleep_until},
};

use self::history::History;
pub(crate) use self::listener::Listener;
use super::Sessions;

/// Minimum time between two comparisons. Changes that come meanwhile are told together.
const MIN_INTERVAL: Duration = Duration::from_millis(100);

/// Time for which the history is kept when nobody listens any more, so that a listener whose
/// connection broke can resume.
const UNUSED_LIFETIME: Duration = Duration::from_mins(1);

/// The feed. Clones refer to the same one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Feed(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Sessions that have to be compared, in the order of their marks; `None` while there is no
    /// history. Locked after `history` if both are.
    marks: Mutex<Option<BTreeMap<SessionId, usize>>>,
    history: Mutex<History>,
    /// Wakes the task that compares.
    wake: Notify,
    /// Tells listeners that there is something to send.
    ticks: watch::Sender<Tick>,
}

/// The progress of the feed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tick {
    /// Version of the last event.
    version: u64,
    /// Number of heartbeats so far.
    heartbeats: u64,
}

impl Feed {
    /// Marks a session as created, changed or removed.
    pub(super) fn mark(&self, session: &SessionId) {
        let mut marks = self.marks();
        let Some(marks) = marks.as_mut() else { return };
        let order = marks.len();
        marks.entry(session.clone()).or_insert(order);
        if order == 0 {
            self.0.wake.notify_one();
        }
    }

    /// Adds a listener that has received everything up to the event `last_id`, if it has been here
    /// before.
    pub(super) fn listen(&self, sessions: &Sessions, last_id: Option<&str>) -> Listener {
        let mut history = self.history();
        let is_new = self.marks().is_none();
        if is_new {
            // Whatever changes from here on is marked, so nothing is missed.
            *self.marks() = Some(BTreeMap::new());
            history.restart(sessions.list().iter().map(|session| session.info(Role::Owner)));
        }
        history.add_listener();
        let resumed = last_id.and_then(|id| history.version_of(id));
        drop(history);
        self.0.wake.notify_one();
        Listener::new(self.clone(), resumed, self.0.ticks.subscribe())
    }

    fn remove_listener(&self) {
        self.history().remove_listener();
        self.0.wake.notify_one();
    }

    /// Compares marked sessions, and sends all listeners a sign of life at this interval. While
    /// nothing is marked and nobody listens, this sleeps.
    pub(super) async fn run(self, sessions: Sessions, heartbeat: Duration) {
        let mut last_heartbeat = Instant::now();
        loop {
            let (is_heard, forget_at) = {
                let history = self.history();
                (history.has_listeners(), history.unused_since().map(|since| since + UNUSED_LIFETIME))
            };
            let timer = if is_heard { Some(last_heartbeat + heartbeat) } else { forget_at };
            tokio::select! {
                () = self.0.wake.notified() => {}
                () = sleep_until(timer.unwrap_or(last_heartbeat)), if timer.is_some() => {}
            }
            let now = Instant::now();
            if !is_heard {
                last_heartbeat = now;
            } else if last_heartbeat + heartbeat <= now {
                last_heartbeat = now;
                self.0.ticks.send_modify(|tick| tick.heartbeats += 1);
            }
            if self.compare(&sessions) {
                sleep(MIN_INTERVAL).await;
            }
            self.forget_unused(now);
        }
    }

    /// Appends to the history what has changed. Returns whether any session was marked.
    fn compare(&self, sessions: &Sessions) -> bool {
        let marked = self.marks().as_mut().map(std::mem::take).unwrap_or_default();
        if marked.is_empty() {
            return false;
        }
        let mut marked: Vec<(SessionId, usize)> = marked.into_iter().collect();
        marked.sort_unstable_by_key(|&(_, order)| order);
        for (session, _) in marked {
            let info = sessions.get(&session).map(|session| session.info(Role::Owner));
            self.history().record(session, info);
        }
        let version = self.history().version();
        self.0.ticks.send_if_modified(|tick| {
            let is_news = tick.version != version;
            tick.version = version;
            is_news
        });
        true
    }

    /// Drops the history if nobody has listened for a while.
    fn forget_unused(&self, now: Instant) {
        let mut history = self.history();
        if history.unused_since().is_some_and(|since| since + UNUSED_LIFETIME <= now) {
            *self.marks() = None;
            *history = History::default();
        }
    }

    fn marks(&self) -> MutexGuard<'_, Option<BTreeMap<SessionId, usize>>> {
        // No code under this lock panics half-way through a change.
        self.0.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn history(&self) -> MutexGuard<'_, History> {
        // The same holds here.
        self.0.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
