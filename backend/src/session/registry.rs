//! All sessions of a server.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use futures_util::future::join_all;
use limpet_shared::{Epoch, Role, SessionId, api::CreateSession};
use tokio::{
    sync::{Notify, mpsc, watch},
    time::sleep,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    SessionHandle, Status,
    actor::{Actor, REQUESTS},
    display::Display,
    handle::{Shared, now},
    plan::{CreateError, Plan, SpawnDefaults},
};
use crate::{log, pty, random};

/// How long a session that has ended can still be looked at, if nobody closes it before.
const RETENTION: Duration = Duration::from_hours(1);

/// How much of everything.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Sessions at once, those that have ended and are still kept among them.
    pub sessions: usize,
    /// Bytes of output kept for each; [`log::MIN_TAIL`] at least.
    pub tail: usize,
    /// Rows of scrollback kept for each.
    pub scrollback: usize,
}

/// The registry of sessions. Clones stand for the same one.
#[derive(Clone, Debug)]
pub struct Sessions(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limits: Limits,
    defaults: SpawnDefaults,
    entries: Mutex<Entries>,
    /// Owns the sessions' tasks.
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

#[derive(Debug, Default)]
struct Entries {
    by_id: BTreeMap<SessionId, Entry>,
    /// How many there have ever been.
    opened: u64,
}

#[derive(Clone, Debug)]
struct Entry {
    session: SessionHandle,
    /// Sorts sessions by age.
    number: u64,
    forgotten: CancellationToken,
}

impl Sessions {
    /// An empty registry.
    #[must_use]
    pub fn new(limits: Limits, defaults: SpawnDefaults) -> Self {
        let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
        Self(Arc::new(Inner { limits, defaults, entries: Mutex::default(), tasks, shutdown }))
    }

    /// Starts a program in a session of its own. To be called within the runtime.
    ///
    /// # Errors
    /// When the request makes no sense, when there is no room, or when the program cannot be started.
    pub fn create(&self, request: CreateSession) -> Result<SessionHandle, CreateError> {
        let like = match &request.like {
            Some(id) => Some(self.get(id).ok_or(CreateError::NothingLikeIt)?),
            None => None,
        };
        let Plan { program, size, title, rules } = Plan::new(request, &self.0.defaults, like.as_ref())?;

        let mut entries = self.entries();
        if self.0.shutdown.is_cancelled() {
            return Err(CreateError::ShuttingDown);
        }
        self.make_room(&mut entries)?;
        let (pty, child) = pty::spawn(&program, size)?;
        let (writer, log) = log::log(self.0.limits.tail);
        let (requests, receiver) = mpsc::channel(REQUESTS);
        let mut status = Status::new(program.name(), size, rules);
        status.pin_title(title.as_deref().unwrap_or_default());
        let session = SessionHandle::new(Shared {
            id: SessionId::from_random(random::bytes()),
            epoch: Epoch::from_random(random::bytes()),
            created: now(),
            onlooker: child.onlooker(),
            log,
            status: watch::Sender::new(status),
            requests,
            left: Notify::new(),
            program,
            last: OnceLock::new(),
        });
        let display = Display::new(size, self.0.limits.scrollback);
        let actor = Actor::new((pty, child), (writer, display), receiver, session.clone());
        entries.opened += 1;
        let forgotten = CancellationToken::new();
        let entry = Entry { session: session.clone(), number: entries.opened, forgotten };
        tracing::info!(session = %session.id(), program = %session.shared().program.name(), "opened");
        entries.by_id.insert(session.id().clone(), entry.clone());
        self.0.tasks.spawn(self.clone().keep(entry, actor));
        Ok(session)
    }

    /// The session of that name.
    #[must_use]
    pub fn get(&self, id: &SessionId) -> Option<SessionHandle> {
        self.entries().by_id.get(id).map(|entry| entry.session.clone())
    }

    /// All sessions, the oldest first.
    #[must_use]
    pub fn list(&self) -> Vec<SessionHandle> {
        let mut entries: Vec<Entry> = self.entries().by_id.values().cloned().collect();
        entries.sort_unstable_by_key(|entry| entry.number);
        entries.into_iter().map(|entry| entry.session).collect()
    }

    /// Ends a session's program and forgets the session. False if there is no such session.
    pub async fn remove(&self, id: &SessionId) -> bool {
        let Some(session) = self.get(id) else { return false };
        session.end().await;
        self.forget(&session);
        true
    }

    /// Ends all sessions and takes no more.
    pub async fn shutdown(&self) {
        let sessions = {
            // Under the lock, so that none is made in between.
            let entries = self.entries();
            self.0.shutdown.cancel();
            entries.by_id.values().map(|entry| entry.session.clone()).collect::<Vec<_>>()
        };
        join_all(sessions.iter().map(SessionHandle::end)).await;
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    /// Runs a session to its end, keeps what it left for a while, and forgets it.
    async fn keep(self, entry: Entry, actor: Actor) {
        actor.run().await;
        let session = &entry.session;
        tracing::info!(session = %session.id(), exit = ?session.exit(), "ended");
        tokio::select! {
            () = sleep(RETENTION) => self.forget(session),
            () = entry.forgotten.cancelled() => {}
            () = self.0.shutdown.cancelled() => {}
        }
    }

    fn forget(&self, session: &SessionHandle) {
        if let Some(entry) = self.entries().by_id.remove(session.id()) {
            entry.forgotten.cancel();
            tracing::info!(session = %session.id(), "closed");
        }
    }

    /// Forgets the oldest session that has ended and that nobody watches, if there is no room otherwise.
    fn make_room(&self, entries: &mut Entries) -> Result<(), CreateError> {
        let limit = self.0.limits.sessions;
        if entries.by_id.len() < limit {
            return Ok(());
        }
        let over = |entry: &&Entry| {
            let info = entry.session.info(Role::Owner);
            info.exit.is_some() && info.viewers == 0
        };
        let oldest = entries.by_id.values().filter(over).min_by_key(|entry| entry.number);
        let id = oldest.map(|entry| entry.session.id().clone()).ok_or(CreateError::TooMany { limit })?;
        if let Some(entry) = entries.by_id.remove(&id) {
            entry.forgotten.cancel();
        }
        Ok(())
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        // Nothing under this lock panics half-way through a change, so what a panic left behind is whole.
        self.0.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
