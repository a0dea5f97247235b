//! All sessions of a server.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures_util::future::join_all;
use limpet_shared::{Epoch, SessionId, Winsize, WinsizeError, api::CreateSession};
use tokio::{
    sync::{mpsc, watch},
    time::sleep,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    SessionHandle, Status,
    actor::{Actor, REQUESTS},
    handle::Shared,
};
use crate::{
    log,
    pty::{self, Program, SpawnError},
    random,
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
}

/// What is started when nobody says otherwise, and how.
#[derive(Clone, Debug, Default)]
pub struct SpawnDefaults {
    /// The program and its arguments; the user's login shell when absent.
    pub command: Option<Vec<OsString>>,
    /// Its working directory; the server's own when absent.
    pub cwd: Option<PathBuf>,
    /// Soft and hard limit of open files for programs, where they are to differ from the server's own.
    pub nofile: Option<(u64, u64)>,
}

/// Why there is no new session.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// There are as many as there may be.
    #[error(
        "there are {limit} sessions, which is the limit; close one, or start limpet with a larger --max-sessions"
    )]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// No terminal has such a size.
    #[error(transparent)]
    BadSize(#[from] WinsizeError),
    /// The command has no program.
    #[error("a command is a program and its arguments; leave it out to get the default one")]
    EmptyCommand,
    /// A text that no program can be given.
    #[error("{0} holds a NUL character, which no program can be given")]
    NulCharacter(&'static str),
    /// A name that no variable can have.
    #[error("'{0}' is no name of an environment variable")]
    BadVariable(String),
    /// The program could not be started.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// The server is about to end.
    #[error("the server is ending; start it again")]
    ShuttingDown,
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
        let default = Winsize::default();
        let (cols, rows) = (request.cols.unwrap_or(default.cols), request.rows.unwrap_or(default.rows));
        let size = Winsize::cells(cols, rows).checked()?;
        let title = request.title.clone();
        let is_shell = request.command.is_none() && self.0.defaults.command.is_none();
        let program = self.program(request)?;

        let mut entries = self.entries();
        if self.0.shutdown.is_cancelled() {
            return Err(CreateError::ShuttingDown);
        }
        self.make_room(&mut entries)?;
        let (pty, child) = pty::spawn(&program, size)?;
        let (writer, log) = log::log(self.0.limits.tail);
        let (requests, receiver) = mpsc::channel(REQUESTS);
        let mut status = Status::new(program.name(), size);
        status.pin_title(title.as_deref().unwrap_or_default());
        let session = SessionHandle::new(Shared {
            id: SessionId::from_random(random::bytes()),
            epoch: Epoch::from_random(random::bytes()),
            command: program.words(),
            is_shell,
            created: now(),
            onlooker: child.onlooker(),
            log,
            status: watch::Sender::new(status),
            requests,
        });
        let actor = Actor::new((pty, child), writer, receiver, session.clone());
        entries.opened += 1;
        let forgotten = CancellationToken::new();
        let entry = Entry { session: session.clone(), number: entries.opened, forgotten };
        tracing::info!(session = %session.id(), program = %program.name(), "opened");
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
        tracing::info!(session = %session.id(), exit = ?session.info().exit, "ended");
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
            let info = entry.session.info();
            info.exit.is_some() && info.viewers == 0
        };
        let oldest = entries.by_id.values().filter(over).min_by_key(|entry| entry.number);
        let id = oldest.map(|entry| entry.session.id().clone()).ok_or(CreateError::TooMany { limit })?;
        if let Some(entry) = entries.by_id.remove(&id) {
            entry.forgotten.cancel();
        }
        Ok(())
    }

    fn program(&self, request: CreateSession) -> Result<Program, CreateError> {
        let CreateSession { command, cwd, env, .. } = request;
        let command = command.map(|words| words.into_iter().map(OsString::from).collect());
        let mut program = match command.or_else(|| self.0.defaults.command.clone()) {
            None => Program::login_shell(),
            Some(words) => {
                let mut words: std::vec::IntoIter<OsString> = words.into_iter();
                let file = words.next().filter(|file| !file.is_empty()).ok_or(CreateError::EmptyCommand)?;
                Program::new(file, words.collect())
            }
        };
        program.cwd = cwd.map(PathBuf::from).or_else(|| self.0.defaults.cwd.clone());
        program.env = env;
        program.nofile = self.0.defaults.nofile;
        check(&program)?;
        Ok(program)
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        // Nothing under this lock panics half-way through a change, so what a panic left behind is whole.
        self.0.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What comes from outside may hold what execve(2) and environ(7) cannot.
fn check(program: &Program) -> Result<(), CreateError> {
    let nul = |text: &OsString| text.as_encoded_bytes().contains(&0);
    if nul(&program.file) || program.args.iter().any(nul) {
        return Err(CreateError::NulCharacter("the command"));
    }
    if program.cwd.as_ref().is_some_and(|cwd| cwd.as_os_str().as_encoded_bytes().contains(&0)) {
        return Err(CreateError::NulCharacter("the working directory"));
    }
    for (name, value) in &program.env {
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(CreateError::BadVariable(name.escape_default().to_string()));
        }
        if value.contains('\0') {
            return Err(CreateError::NulCharacter("the environment"));
        }
    }
    Ok(())
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
