//! All sessions of a server.

use std::{
    collections::BTreeMap,
    io,
    os::fd::AsFd,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, atomic::AtomicBool},
    thread,
    time::Duration,
};

use futures_util::{StreamExt as _, future::join_all, stream};
use limpet_shared::{Epoch, Role, SessionId, Winsize, api::CreateSession};
use tokio::{
    runtime::Handle,
    sync::{Notify, mpsc, watch},
    task,
    time::sleep,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    SessionHandle, Status,
    actor::Actor,
    display::Display,
    handle::{Shared, now},
    inlet::Inlet,
    input::Input,
    keeping::{Keeping, Record},
    plan::{CreateError, Plan, SpawnDefaults},
    request::REQUESTS,
    saving::Saving,
};
use crate::{
    keeper::{Child, Left, Life, Link},
    log::{self, Log, LogWriter, memory::Words},
    pty::{Program, Pty, SpawnError},
    random,
    threads::Lane,
};

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
    keeper: Link,
    /// Where sessions run whose output floods.
    floods: Option<Handle>,
    entries: Mutex<Entries>,
    /// Owns the sessions' tasks.
    tasks: TaskTracker,
    shutdown: CancellationToken,
    /// Something of a session has changed that is saved, or there is another one, or one less.
    changed: Arc<Notify>,
    /// Cancelled when all is saved for the last time, if it is saved at all.
    saved: OnceLock<CancellationToken>,
}

#[derive(Debug, Default)]
struct Entries {
    by_id: BTreeMap<SessionId, Entry>,
    /// How many there have ever been.
    opened: u64,
    /// How many are being opened.
    opening: usize,
}

/// Room for a session that is being opened.
struct Room(Sessions);

impl Drop for Room {
    fn drop(&mut self) {
        self.0.entries().opening -= 1;
    }
}

impl Entries {
    fn oldest_that_is_over(&self) -> Option<SessionHandle> {
        let over = |entry: &&Entry| {
            let info = entry.session.info(Role::Owner);
            info.exit.is_some() && info.viewers == 0
        };
        let oldest = self.by_id.values().filter(over).min_by_key(|entry| entry.number);
        oldest.map(|entry| entry.session.clone())
    }
}

/// What an actor owns of a program that runs.
struct Living {
    pty: Pty,
    child: Child,
    inlet: Inlet,
}

impl Living {
    fn new(life: Option<Life>, input: Words) -> io::Result<Option<Self>> {
        let living = |Life { pty, child, pipe }| Ok(Self { pty, child, inlet: Inlet::open(input, pipe)? });
        life.map(living).transpose()
    }
}

/// A session that an earlier server has left, ready to be opened.
struct Prepared {
    known: (SessionId, Epoch, u64),
    state: (Program, Status),
    living: Option<Living>,
    screen: ((LogWriter, Log), Display, Keeping),
}

#[derive(Clone, Debug)]
struct Entry {
    session: SessionHandle,
    /// Sorts sessions by age.
    number: u64,
    forgotten: CancellationToken,
}

impl Sessions {
    /// An empty registry, of sessions that `keeper` keeps. They run elsewhere while their output floods, if there is another place.
    #[must_use]
    pub fn new(limits: Limits, defaults: SpawnDefaults, keeper: Link, floods: Option<Handle>) -> Self {
        let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
        let (entries, changed, saved) = (Mutex::default(), Arc::default(), OnceLock::new());
        Self(Arc::new(Inner { limits, defaults, keeper, floods, entries, tasks, shutdown, changed, saved }))
    }

    /// Starts a program in a session of its own. To be called within the runtime.
    ///
    /// # Errors
    /// When the request makes no sense, when there is no room, or when the program cannot be started.
    pub async fn create(&self, request: CreateSession) -> Result<SessionHandle, CreateError> {
        let like = match &request.like {
            Some(id) => Some(self.get(id).ok_or(CreateError::NothingLikeIt)?),
            None => None,
        };
        let plan = Plan::new(request, &self.0.defaults, like.as_ref())?;
        self.begin((SessionId::from_random(random::bytes()), now()), plan, Vec::new()).await
    }

    /// Starts a program in a session of its own. `before` is output that is shown before the program's.
    pub(super) async fn begin(
        &self,
        (id, created): (SessionId, u64),
        Plan { program, size, title, rules }: Plan,
        before: Vec<u8>,
    ) -> Result<SessionHandle, CreateError> {
        let room = self.make_room().await?;
        let mut status = Status::new(program.name(), size, rules);
        status.pin_title(title.as_deref().unwrap_or_default());
        let epoch = Epoch::from_random(random::bytes());
        let record = Record::first((&epoch, created), &program, &status);
        let record = serde_json::to_string(&record).map_err(|error| SpawnError::Open(error.into()))?;
        let held = self.0.keeper.start(&id, &program, size, self.0.limits.tail, record).await?;
        let (mut writer, log, input) = log::log(held.memory.as_fd()).map_err(SpawnError::Open)?;
        let (mut display, keeping) = (
            Display::new(size, self.0.limits.scrollback, log.clone()),
            Keeping::new(self.0.keeper.clone(), id.clone(), size, self.0.limits.tail),
        );
        writer.append(&before, |output| display.take(output, false));
        let known = (id, epoch, created);
        let living = Living::new(held.life, input).map_err(SpawnError::Open)?;
        let session = self.open(known, (program, status), living, ((writer, log), display, keeping));
        let session = session.map_err(SpawnError::Open)?;
        drop(room);
        tracing::info!(session = %session.id(), program = %session.shared().program.name(), "opened");
        Ok(session)
    }

    /// Goes on with the sessions that an earlier server has left. Gives those with which that cannot be done. To be called within
    /// the runtime.
    #[must_use]
    pub async fn take_over(&self, left: Vec<Left>) -> Vec<SessionId> {
        let mut unknown = Vec::new();
        let mut known: Vec<(Record, Left)> = Vec::new();
        for left in left {
            match serde_json::from_str(&left.record) {
                Ok(record) => known.push((record, left)),
                Err(error) => {
                    tracing::error!(session = %left.session, %error, "could not read what was kept of a session");
                    unknown.push(left.session);
                }
            }
        }
        known.sort_by_key(|(record, _)| record.created);
        // Screens are drawn on as many threads as there are cores.
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let mut prepared = stream::iter(known)
            .map(async |(record, left)| (left.session.clone(), self.prepare(record, left).await))
            .buffered(cores);
        while let Some((session, prepared)) = prepared.next().await {
            if let Err(error) = prepared.and_then(|prepared| self.go_on(prepared)) {
                tracing::error!(%session, %error, "could not go on with a session");
                unknown.push(session);
            }
        }
        unknown
    }

    async fn prepare(&self, record: Record, left: Left) -> io::Result<Prepared> {
        let Left { session: id, exit, held, checkpoint, .. } = left;
        let Limits { tail, scrollback, .. } = self.0.limits;
        let (writer, log, input) = log::log(held.memory.as_fd())?;
        let program = record.program.clone().into_program(None);
        let size = record.sizes.last().map_or_else(Winsize::default, |&(_, size)| size);
        let mut status = Status::new(program.name(), size, (record.sizing, record.flow));
        status.pin_title(record.title.as_deref().unwrap_or_default());
        let mut status = Status::left((size, record.size_by), record.pen, status);
        let (epoch, created) = (record.epoch.clone(), record.created);
        let living = Living::new(held.life, input)?;
        let owed = living.as_ref().and_then(|living| living.inlet.owed());
        let (keeping, display) = {
            let (keeper, id, log) = (self.0.keeper.clone(), id.clone(), log.clone());
            let draw = move || {
                Keeping::take_over(keeper, id, (&record, checkpoint), (&log, owed), (tail, scrollback))
            };
            task::spawn_blocking(draw).await.map_err(io::Error::other)?
        };
        status.set_program_title(display.title());
        status.exit = exit;
        Ok(Prepared {
            known: (id, epoch, created),
            state: (program, status),
            living,
            screen: ((writer, log), display, keeping),
        })
    }

    fn go_on(&self, Prepared { known, state, living, screen }: Prepared) -> io::Result<()> {
        let session = self.open(known, state, living, screen)?;
        tracing::info!(session = %session.id(), "taken over");
        Ok(())
    }

    /// Makes a session known, and has it run if its program does.
    fn open(
        &self,
        (id, epoch, created): (SessionId, Epoch, u64),
        (program, status): (Program, Status),
        living: Option<Living>,
        ((writer, log), display, keeping): ((LogWriter, Log), Display, Keeping),
    ) -> io::Result<SessionHandle> {
        let (requests, receiver) = mpsc::channel(REQUESTS);
        let session = SessionHandle::new(Shared {
            id,
            epoch,
            created,
            onlooker: living.as_ref().map(|living| living.child.onlooker()),
            log,
            status: watch::Sender::new(status),
            requests,
            left: Notify::new(),
            lane: Arc::new(Lane::new(self.0.floods.clone())),
            program,
            last: OnceLock::new(),
            is_changed: AtomicBool::new(false),
            changed: Arc::clone(&self.0.changed),
        });
        session.touch();
        let actor = if let Some(Living { pty, child, inlet }) = living {
            pty.resize(session.size())?;
            let (life, log) = ((pty, child, Input::new(inlet)), (writer, display, keeping));
            Some(Box::new(Actor::new(life, log, receiver, session.clone())))
        } else {
            session.set_last(display.into_last_here());
            None
        };
        let forgotten = CancellationToken::new();
        let entry = {
            let mut entries = self.entries();
            entries.opened += 1;
            let entry = Entry { session: session.clone(), number: entries.opened, forgotten };
            entries.by_id.insert(session.id().clone(), entry.clone());
            entry
        };
        self.0.tasks.spawn(self.clone().keep(entry, actor));
        Ok(session)
    }

    /// Has sessions saved from now on, those that there are and those that will be; others that were are forgotten. To be called
    /// within the runtime.
    pub(crate) fn save(&self, saving: Saving) {
        let saved = CancellationToken::new();
        if self.0.saved.set(saved.clone()).is_ok() {
            let ends = (self.0.shutdown.clone(), saved);
            self.0.tasks.spawn(saving.run(self.clone(), Arc::clone(&self.0.changed), ends));
        }
    }

    pub(super) fn limits(&self) -> Limits {
        self.0.limits
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
        self.forget(&session).await;
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
        if let Some(saved) = self.0.saved.get() {
            // As they are now, not as they end.
            saved.cancelled().await;
        }
        join_all(sessions.iter().map(SessionHandle::end)).await;
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    /// Runs a session to its end, keeps what it left for a while, and forgets it.
    async fn keep(self, entry: Entry, actor: Option<Box<Actor>>) {
        let session = &entry.session;
        if let Some(actor) = actor {
            actor.run().await;
            tracing::info!(session = %session.id(), exit = ?session.exit(), "ended");
        }
        tokio::select! {
            () = sleep(RETENTION) => self.forget(session).await,
            () = entry.forgotten.cancelled() => {}
            () = self.0.shutdown.cancelled() => {}
        }
    }

    async fn forget(&self, session: &SessionHandle) {
        let entry = self.entries().by_id.remove(session.id());
        if let Some(entry) = entry {
            entry.forgotten.cancel();
            self.0.changed.notify_one();
            self.0.keeper.forget(session.id()).await;
            tracing::info!(session = %session.id(), "closed");
        }
    }

    /// Room for another session. If there is none otherwise, the oldest one that has ended and that nobody watches is forgotten.
    async fn make_room(&self) -> Result<Room, CreateError> {
        let (room, oldest) = {
            let mut entries = self.entries();
            if self.0.shutdown.is_cancelled() {
                return Err(CreateError::ShuttingDown);
            }
            let limit = self.0.limits.sessions;
            let oldest = if entries.by_id.len() + entries.opening < limit {
                None
            } else {
                Some(entries.oldest_that_is_over().ok_or(CreateError::TooMany { limit })?)
            };
            entries.opening += 1;
            (Room(self.clone()), oldest)
        };
        if let Some(oldest) = oldest {
            self.forget(&oldest).await;
        }
        Ok(room)
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        // Nothing under this lock panics half-way through a change, so what a panic left behind is whole.
        self.0.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
