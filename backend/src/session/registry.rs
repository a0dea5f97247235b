//! The registry of all sessions of a server.

use std::{
    collections::BTreeMap,
    io,
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, atomic::AtomicBool},
    thread,
    time::Duration,
};

use futures_util::{StreamExt as _, future::join_all, stream};
use limpet_keeper::{Child, KeeperClient, OrphanedSession, SessionHandles};
use limpet_output_log::{self as output_log, Sizes};
use limpet_pty::{EndMode, Program, Pty, SpawnError};
use limpet_shared::{Epoch, SessionId, api::CreateSession};
use limpet_sys::{background, exhausted, random};
use tokio::{
    runtime::Handle,
    sync::{Notify, mpsc, watch},
    time::sleep,
};
use tokio_util::{
    sync::CancellationToken,
    task::{AbortOnDropHandle, TaskTracker},
};

use super::{
    SessionHandle, Status,
    actor::Actor,
    departures::Departures,
    display::Display,
    ended::EndedSession,
    feed::{Feed, Listener},
    flow::{Log, LogWriter},
    guest_snapshots::GuestSnapshots,
    handle::{SessionShared, attach_rate},
    handoff::{Handoff, HandoffRecord},
    input::{Input, InputJournal},
    parse_guard::ParsePolicy,
    plan::{CreateError, SessionPlan, SpawnDefaults},
    request::MAX_WAITING_REQUESTS,
    saving::SessionSaver,
    status_publisher::StatusPublisher,
};
use crate::runtimes::{Placement, Runtimes};

/// Time to wait before the server tries again to take over sessions for which the system had no
/// descriptors or memory.
const TAKE_OVER_RETRY_DELAY: Duration = Duration::from_secs(1);

/// Time for which a session that has ended can still be looked at, unless it is closed before.
const RETENTION: Duration = Duration::from_hours(1);

/// Limits on the sessions.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Maximum number of sessions, including those that have ended and are not forgotten.
    pub sessions: usize,
    /// The limit of open files that `sessions` follows from, if it does.
    pub open_files: Option<usize>,
    /// Bytes of output that each session's log keeps; at least [`output_log::MIN_TAIL_BYTES`].
    pub tail: usize,
    /// Rows of scrollback that each session's screen keeps.
    pub scrollback: usize,
}

/// The registry of sessions. Clones refer to the same one.
#[derive(Clone, Debug)]
pub struct Sessions(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limits: Limits,
    defaults: SpawnDefaults,
    keeper: KeeperClient,
    runtimes: Runtimes,
    entries: Mutex<Entries>,
    /// Owns the sessions' tasks.
    tasks: TaskTracker,
    shutdown: CancellationToken,
    /// Notified when saved state of a session has changed, or a session has been added or removed.
    unsaved: Arc<Notify>,
    feed: Feed,
    /// Cancelled once everything has been saved for the last time, if it is saved at all.
    saved: OnceLock<CancellationToken>,
}

#[derive(Debug, Default)]
struct Entries {
    by_id: BTreeMap<SessionId, Entry>,
    /// Number of sessions that have ever been opened.
    opened: u64,
    /// Number of sessions that are being opened.
    opening: usize,
}

/// Reserves room for a session that is being opened.
struct OpeningSlot(Sessions);

impl Drop for OpeningSlot {
    fn drop(&mut self) {
        self.0.entries().opening -= 1;
    }
}

impl Entries {
    fn oldest_ended(&self) -> Option<SessionHandle> {
        let unused = self.by_id.values().filter(|entry| entry.session.is_unused());
        let oldest = unused.min_by_key(|entry| entry.number);
        oldest.map(|entry| entry.session.clone())
    }
}

/// The handles of a running program that its actor owns.
struct ProgramHandles {
    pty: Pty,
    child: Child,
    journal: InputJournal,
}

/// The parts of a session, once this server uses them.
struct OpenedSession {
    handles: Option<ProgramHandles>,
    writer: LogWriter,
    log: Log,
    checkpoint: Option<OwnedFd>,
}

impl OpenedSession {
    /// Opens a session's resources. If this fails, the program is unaffected.
    fn open(
        SessionHandles { memory, program, checkpoint }: SessionHandles,
        sizes: Sizes,
    ) -> io::Result<Self> {
        let (mut writer, log, input) = output_log::open(memory.as_fd())?;
        writer.set_sizes(sizes);
        let handles = program.map(|handles| {
            let journal = InputJournal::open(input, handles.pipe)?;
            let (pty, child) = handles.program.watch()?;
            Ok::<_, io::Error>(ProgramHandles { pty, child, journal })
        });
        Ok(Self { handles: handles.transpose()?, writer, log, checkpoint })
    }
}

/// Guards a session that is about to be made known. Unless that happens, the keeper is
/// told to forget it.
struct ForgetUnlessKnown {
    keeper: KeeperClient,
    session: Option<SessionId>,
}

impl ForgetUnlessKnown {
    fn make_known(mut self) {
        self.session = None;
    }
}

impl Drop for ForgetUnlessKnown {
    fn drop(&mut self) {
        let Some(session) = self.session.take() else { return };
        let keeper = self.keeper.clone();
        // The requester may be gone, so the runtime owns this task. If the keeper is gone, the task
        // ends with the server.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move { keeper.forget(&session).await });
        }
    }
}

/// A session of an earlier server that is ready to be opened.
struct PreparedSession {
    known: (SessionId, Epoch),
    state: (Program, Status),
    handles: Option<ProgramHandles>,
    screen: ((LogWriter, Log), Display, Handoff),
}

/// The owner of a session's state: of a running program, or of what an ended one has left.
enum SessionOwner {
    Actor(Box<Actor>),
    Ended(Box<EndedSession>),
}

#[derive(Clone, Debug)]
struct Entry {
    session: SessionHandle,
    /// Sorts sessions by age.
    number: u64,
    forgotten: CancellationToken,
}

impl Sessions {
    /// Creates an empty registry for sessions that `keeper` holds.
    #[must_use]
    pub fn new(limits: Limits, defaults: SpawnDefaults, keeper: KeeperClient, runtimes: Runtimes) -> Self {
        Self(Arc::new(Inner {
            limits,
            defaults,
            keeper,
            runtimes,
            entries: Mutex::default(),
            tasks: TaskTracker::new(),
            shutdown: CancellationToken::new(),
            unsaved: Arc::default(),
            feed: Feed::default(),
            saved: OnceLock::new(),
        }))
    }

    /// Starts a program in a new session.
    ///
    /// # Errors
    /// If the request is invalid, if there is no room, or if the program cannot be started.
    pub async fn create(&self, request: CreateSession) -> Result<SessionHandle, CreateError> {
        let like = match &request.like {
            Some(id) => Some(self.get(id).ok_or(CreateError::NoTemplate)?),
            None => None,
        };
        let keep_output = request.keep_output;
        let plan = SessionPlan::new(request, &self.0.defaults, like.as_ref())?;
        let before = match like.filter(|_| keep_output) {
            Some(like) => self.last_output(&like, plan.size).await,
            None => Vec::new(),
        };
        let sessions = self.clone();
        // A terminal is registered with the reactor of the runtime that opens it.
        let begun = self.0.runtimes.interactive.spawn(async move {
            sessions.start(SessionId::from_random(random::bytes()), plan, before).await
        });
        // An error means that the server is ending.
        AbortOnDropHandle::new(begun).await.unwrap_or(Err(CreateError::ShuttingDown))
    }

    /// Starts a program in a new session. To be called on the quick runtime. `before` is output to
    /// show before the plan's note and the program's own output.
    pub(super) async fn start(
        &self,
        id: SessionId,
        SessionPlan { program, size, spec, note }: SessionPlan,
        before: Vec<u8>,
    ) -> Result<SessionHandle, CreateError> {
        let slot = self.reserve_slot().await?;
        let status = Status::new(&program.name(), size, spec);
        let epoch = Epoch::from_random(random::bytes());
        let record = HandoffRecord::first(&epoch, &program, &status);
        let record = serde_json::to_string(&record).map_err(|error| SpawnError::Open(error.into()))?;
        let forget_guard = ForgetUnlessKnown { keeper: self.0.keeper.clone(), session: Some(id.clone()) };
        let held = self.0.keeper.start(&id, &program, size, self.0.limits.tail, record).await?;
        let OpenedSession { handles, mut writer, log, .. } =
            OpenedSession::open(held, Sizes::new(size)).map_err(SpawnError::opening)?;
        let (mut display, handoff) = (
            Display::new((size, self.0.limits.scrollback), log.clone(), ParsePolicy::of(&self.0.keeper)),
            Handoff::new(self.0.keeper.clone(), id.clone(), self.0.limits.tail),
        );
        writer.append(&[before, note].concat(), |output| display.take(output, false));
        let session = self.open((id, epoch), (program, status), handles, ((writer, log), display, handoff));
        forget_guard.make_known();
        drop(slot);
        tracing::info!(session = %session.id(), program = %session.shared().program.name(), "opened");
        Ok(session)
    }

    /// Returns the defaults for new sessions.
    pub(super) fn defaults(&self) -> &SpawnDefaults {
        &self.0.defaults
    }

    /// Takes over the sessions of an earlier server. The keeper is told to forget those that cannot
    /// be continued. Sessions for which the system has no descriptors or memory at the moment are
    /// tried again until it has. Returns how many these are. To be called within the runtime.
    pub async fn take_over(&self, left: Vec<OrphanedSession>) -> usize {
        let mut known: Vec<(HandoffRecord, OrphanedSession)> = Vec::new();
        for left in left {
            match serde_json::from_str(&left.record) {
                Ok(record) => known.push((record, left)),
                Err(error) => {
                    tracing::error!(session = %left.session, %error, "could not read the hand-off record of a session");
                    self.0.keeper.forget(&left.session).await;
                }
            }
        }
        known.sort_by_key(|(record, _)| record.spec.created);
        let waiting = self.take_over_each(known).await;
        let count = waiting.len();
        if count > 0 {
            self.0.tasks.spawn(self.clone().retry_take_over(waiting));
        }
        count
    }

    /// Takes over sessions. Returns those that have to wait.
    async fn take_over_each(
        &self,
        known: Vec<(HandoffRecord, OrphanedSession)>,
    ) -> Vec<(HandoffRecord, OrphanedSession)> {
        // Screens are restored on as many threads as there are cores.
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let mut prepared = stream::iter(known)
            .map(async |(record, left)| (self.prepare(&record, &left).await, record, left))
            .buffered(cores);
        let mut waiting = Vec::new();
        while let Some((prepared, record, left)) = prepared.next().await {
            match prepared {
                Ok(prepared) => self.open_prepared(prepared),
                Err(error) if exhausted::is_exhausted(&error) => {
                    tracing::error!(session = %left.session, %error, "could not take over a session yet; trying again later");
                    waiting.push((record, left));
                }
                Err(error) => {
                    tracing::error!(session = %left.session, %error, "could not take over a session");
                    self.0.keeper.forget(&left.session).await;
                }
            }
            // Restoring the screens may take long, so the keeper is told of the progress.
            self.0.keeper.report_progress().await;
        }
        waiting
    }

    async fn retry_take_over(self, mut waiting: Vec<(HandoffRecord, OrphanedSession)>) {
        while !waiting.is_empty() {
            tokio::select! {
                () = self.0.shutdown.cancelled() => return,
                () = sleep(TAKE_OVER_RETRY_DELAY) => {}
            }
            waiting = self.take_over_each(waiting).await;
        }
    }

    async fn prepare(&self, record: &HandoffRecord, left: &OrphanedSession) -> io::Result<PreparedSession> {
        let (id, Limits { tail, scrollback, .. }) = (left.session.clone(), self.0.limits);
        let sizes = record.all_sizes();
        let size = sizes.last();
        let OpenedSession { handles, writer, log, checkpoint } =
            OpenedSession::open(self.0.keeper.borrow(left).await?, sizes)?;
        let program = record.program.clone().into_program(None);
        let status = Status::new(&program.name(), size, record.spec.clone());
        let mut status = Status::of_earlier_server((size, record.size_by), record.primary, status);
        let unanswered_from = handles.as_ref().and_then(|handles| handles.journal.unanswered_from());
        let (handoff, display) = {
            let (keeper, id, log) = (self.0.keeper.clone(), id.clone(), log.clone());
            let record = record.clone();
            let draw = move || {
                Handoff::take_over(
                    keeper,
                    id,
                    (&record, checkpoint),
                    (&log, unanswered_from),
                    (tail, scrollback),
                )
            };
            background::run(draw).await?
        };
        status.set_program_title(display.title());
        status.exit = left.exit;
        Ok(PreparedSession {
            known: (id, record.epoch.clone()),
            state: (program, status),
            handles,
            screen: ((writer, log), display, handoff),
        })
    }

    fn open_prepared(&self, PreparedSession { known, state, handles, screen }: PreparedSession) {
        let session = self.open(known, state, handles, screen);
        tracing::info!(session = %session.id(), "taken over");
    }

    /// Adds a session to the registry, and starts its actor if the program is running.
    fn open(
        &self,
        (id, epoch): (SessionId, Epoch),
        (program, status): (Program, Status),
        handles: Option<ProgramHandles>,
        ((writer, log), display, handoff): ((LogWriter, Log), Display, Handoff),
    ) -> SessionHandle {
        let (requests, receiver) = mpsc::channel(MAX_WAITING_REQUESTS);
        let (status_sender, status) = watch::channel(status);
        let session = SessionHandle::new(SessionShared {
            id,
            epoch,
            inspector: handles.as_ref().map(|handles| handles.child.inspector()),
            log,
            status,
            requests,
            departures: Departures::default(),
            feed: self.0.feed.clone(),
            viewers_changed: Notify::new(),
            placement: Arc::new(Placement::new(self.0.runtimes.clone())),
            program,
            attach_rate: attach_rate(),
            guest_snapshots: GuestSnapshots::default(),
            is_unsaved: AtomicBool::new(false),
            unsaved: Arc::clone(&self.0.unsaved),
        });
        session.mark_unsaved();
        let publisher = StatusPublisher::new(session.clone(), status_sender);
        let owner = if let Some(ProgramHandles { pty, child, journal }) = handles {
            if let Err(error) = pty.resize(session.size()) {
                tracing::warn!(session = %session.id(), %error, "could not set the size of a terminal");
            }
            let (terminal, screen) = ((pty, child, Input::new(journal)), (writer, display, handoff));
            SessionOwner::Actor(Box::new(Actor::new(terminal, screen, receiver, publisher)))
        } else {
            let ended = EndedSession::new(publisher, display.into_final_here(), receiver);
            SessionOwner::Ended(Box::new(ended))
        };
        let forgotten = CancellationToken::new();
        let entry = {
            let mut entries = self.entries();
            entries.opened += 1;
            let entry = Entry { session: session.clone(), number: entries.opened, forgotten };
            entries.by_id.insert(session.id().clone(), entry.clone());
            entry
        };
        self.0.feed.mark(session.id());
        self.0.tasks.spawn(self.clone().run_session(entry, owner));
        session
    }

    /// Starts the task that saves sessions. Files of sessions that no longer exist are removed. To
    /// be called within the runtime.
    pub(crate) fn save(&self, saving: SessionSaver) {
        let saved = CancellationToken::new();
        if self.0.saved.set(saved.clone()).is_ok() {
            let ends = (self.0.shutdown.clone(), saved);
            self.0.tasks.spawn(saving.run(self.clone(), Arc::clone(&self.0.unsaved), ends));
        }
    }

    /// Adds a listener to the feed. `last_id` is the id of the last event that it has received, if
    /// it has been here before.
    pub(crate) fn listen(&self, last_id: Option<&str>) -> Listener {
        self.0.feed.listen(self, last_id)
    }

    /// Serves the feed until the server ends. Listeners get a sign of life at this interval.
    pub(crate) async fn run_feed(self, heartbeat: Duration) {
        let feed = self.0.feed.clone();
        feed.run(self, heartbeat).await;
    }

    pub(super) fn limits(&self) -> Limits {
        self.0.limits
    }

    /// Returns the session with this name.
    #[must_use]
    pub fn get(&self, id: &SessionId) -> Option<SessionHandle> {
        self.entries().by_id.get(id).map(|entry| entry.session.clone())
    }

    /// Returns all sessions, the oldest first.
    #[must_use]
    pub fn list(&self) -> Vec<SessionHandle> {
        let mut entries: Vec<Entry> = self.entries().by_id.values().cloned().collect();
        entries.sort_unstable_by_key(|entry| entry.number);
        entries.into_iter().map(|entry| entry.session).collect()
    }

    /// Ends a session's program, and everything else that `mode` includes, and forgets the session.
    /// Returns false if there is no such session.
    pub async fn remove(&self, id: &SessionId, mode: EndMode) -> bool {
        let Some(session) = self.get(id) else { return false };
        session.end(mode).await;
        self.forget(&session).await;
        true
    }

    /// Ends all sessions and accepts no more.
    pub async fn shutdown(&self) {
        let sessions = {
            // The lock is held so that no session is added in between.
            let entries = self.entries();
            self.0.shutdown.cancel();
            entries.by_id.values().map(|entry| entry.session.clone()).collect::<Vec<_>>()
        };
        // The sessions are saved as they are now, and not as they are once they have ended.
        self.saved_for_shutdown().await;
        join_all(sessions.iter().map(|session| session.end(EndMode::All))).await;
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    /// Runs a session to its end, retains what it leaves for a while, and forgets it.
    async fn run_session(self, entry: Entry, owner: SessionOwner) {
        let ended = match owner {
            SessionOwner::Actor(actor) => {
                let ended = actor.run().await;
                let session = &entry.session;
                tracing::info!(session = %session.id(), exit = ?session.exit(), "ended");
                ended.map(Box::new)
            }
            SessionOwner::Ended(ended) => Some(ended),
        };
        // Boxed, because this future lives as long as the session.
        Box::pin(self.retain(&entry, ended)).await;
    }

    /// Retains what an ended session has left until it is old, or closed, or the server ends.
    async fn retain(&self, entry: &Entry, ended: Option<Box<EndedSession>>) {
        let forgotten = async {
            tokio::select! {
                () = sleep(RETENTION) => self.forget(&entry.session).await,
                () = entry.forgotten.cancelled() => {}
            }
        };
        let retained = async {
            match ended {
                Some(ended) => ended.serve(forgotten).await,
                None => forgotten.await,
            }
        };
        tokio::select! {
            () = retained => {}
            () = self.saved_for_shutdown() => {}
        }
    }

    /// Waits until the server is ending and nothing has to be saved any more.
    async fn saved_for_shutdown(&self) {
        self.0.shutdown.cancelled().await;
        if let Some(saved) = self.0.saved.get() {
            saved.cancelled().await;
        }
    }

    async fn forget(&self, session: &SessionHandle) {
        let entry = self.entries().by_id.remove(session.id());
        if let Some(entry) = entry {
            entry.forgotten.cancel();
            self.0.feed.mark(session.id());
            self.0.unsaved.notify_one();
            self.0.keeper.forget(session.id()).await;
            tracing::info!(session = %session.id(), "closed");
        }
    }

    /// Reserves room for another session. If there is none, forgets the oldest session that has
    /// ended and has no viewers.
    async fn reserve_slot(&self) -> Result<OpeningSlot, CreateError> {
        let (slot, oldest) = {
            let mut entries = self.entries();
            if self.0.shutdown.is_cancelled() {
                return Err(CreateError::ShuttingDown);
            }
            let Limits { sessions: limit, open_files, .. } = self.0.limits;
            let oldest = if entries.by_id.len() + entries.opening < limit {
                None
            } else {
                Some(entries.oldest_ended().ok_or(match open_files {
                    Some(open_files) => CreateError::TooManyForOpenFiles { limit, open_files },
                    None => CreateError::TooMany { limit },
                })?)
            };
            entries.opening += 1;
            (OpeningSlot(self.clone()), oldest)
        };
        if let Some(oldest) = oldest {
            self.forget(&oldest).await;
        }
        Ok(slot)
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        // Nothing under this lock panics half-way through a change, so a poisoned lock
        // still holds valid data.
        self.0.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::future_size::future_size;

    /// Maximum sizes of what every session has for all its life, in bytes: a little more than
    /// today. If one is exceeded, box a rare branch.
    const MAX_FUTURE_BYTES: usize = 640;
    const MAX_ACTOR_BYTES: usize = 1856;

    #[test]
    fn sessions_are_small() {
        type Arguments = (Sessions, Entry, SessionOwner);
        let future = future_size(|(sessions, entry, owner): Arguments| sessions.run_session(entry, owner));
        assert!(future <= MAX_FUTURE_BYTES, "the future has {future} bytes");
        let actor = size_of::<Actor>();
        assert!(actor <= MAX_ACTOR_BYTES, "the actor has {actor} bytes");
    }
}
