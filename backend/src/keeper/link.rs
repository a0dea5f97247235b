//! The server's connection to its keeper.

use std::{
    collections::HashMap,
    convert::Infallible,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use limpet_shared::{ExitStatus, SessionId, Winsize};
use nix::{
    errno::Errno,
    fcntl::{FcntlArg, OFlag, fcntl},
    poll::{PollFd, PollFlags, PollTimeout, poll},
    unistd::Pid,
};
use serde::{Deserialize, de::IgnoredAny};
use tokio::{
    io::{Interest, unix::AsyncFd},
    sync::oneshot,
    task::JoinHandle,
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use super::{
    child::UnwatchedProgram,
    keep::Keeper,
    socket::{self, Descriptors, MAX_ORDER_BYTES, Room},
    wire::{Answer, FORMAT, Kept, Numbered, Order, Report},
};
use crate::pty::{Program, SpawnError, sys::watch};

/// Pause before the keeper is asked again after a transient failure, and the maximum number of
/// attempts.
const RETRY_PAUSE: Duration = Duration::from_millis(10);
const TRIES: usize = 20;

/// Interval at which an ending server reports progress, well below the time that the keeper waits
/// for it.
const SIGN_OF_WORK: Duration = Duration::from_secs(2);

/// A connection to the keeper. Clones share it.
#[derive(Clone, Debug)]
pub struct Link(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    socket: Arc<AsyncFd<OwnedFd>>,
    next: AtomicU64,
    waiting: Arc<Mutex<Waiting>>,
    /// Cancelled when the server has to make room for another one.
    leave: CancellationToken,
    /// Whether sessions have screens.
    draws_screens: bool,
    /// Uptime before which the last server must have begun the work that may have killed it.
    suspect_before: OnceLock<Duration>,
    /// Cancelled when the keeper is gone.
    lost: CancellationToken,
    listener: JoinHandle<()>,
}

/// The channel to a task that waits for an answer and its descriptors.
type Asker = oneshot::Sender<io::Result<(Answer, Descriptors)>>;

/// The tasks that wait for answers, by the numbers of their requests. `None` when there will be no
/// more answers.
#[derive(Debug)]
struct Waiting(Option<HashMap<u64, Asker>>);

/// The resources of a session, either new or left by an earlier server.
#[derive(Debug)]
pub struct Held {
    /// The memory of its output log and of its input.
    pub memory: OwnedFd,
    /// The program and its terminal, until the program is reaped.
    pub life: Option<Life>,
    /// The checkpoint of its screen.
    pub checkpoint: Option<OwnedFd>,
}

/// A program on its terminal.
#[derive(Debug)]
pub struct Life {
    /// The program and the terminal.
    pub program: UnwatchedProgram,
    /// The pipe that holds input on its way to the terminal.
    pub pipe: OwnedFd,
}

/// The result of [`Link::connect`].
#[derive(Debug)]
pub struct Connected {
    /// The connection.
    pub link: Link,
    /// The state that an earlier server has left, if there was one.
    pub estate: Option<Estate>,
    /// Whether the sessions outlive the keeper.
    pub is_stored: bool,
}

/// The state that an earlier server has left.
#[derive(Debug)]
pub struct Estate {
    /// The earlier server's record for its successor.
    pub record: String,
    /// Its listening socket.
    pub listener: OwnedFd,
    /// Its sessions.
    pub sessions: Vec<Left>,
    /// Whether another server continues if this one cannot take over all sessions.
    pub has_fallback: bool,
}

/// The description of a session that an earlier server has left.
#[derive(Debug)]
pub struct Left {
    /// The session's id.
    pub session: SessionId,
    /// The session's record for the next server.
    pub record: String,
    /// The exit status of its program, if that has been reaped.
    pub exit: Option<ExitStatus>,
    pid: i32,
}

impl Link {
    /// Starts a keeper on a thread of this process, for tests. Its programs end with the last
    /// clone.
    ///
    /// # Errors
    /// Returns an error if the system has no socket or no thread for it.
    pub fn in_process() -> io::Result<Self> {
        let (ours, theirs) = socket::pair()?;
        thread::Builder::new().name("keeper".into()).spawn(move || keep(&theirs))?;
        Self::begin(ours, true)
    }

    /// Says hello to the keeper at the other end of `socket`, and receives what an earlier server
    /// has left. `draws_screens` comes from the launch message. Must be called within the runtime.
    ///
    /// # Errors
    /// Returns an error if the keeper is gone or does not understand the message.
    pub async fn connect(socket: OwnedFd, draws_screens: bool) -> io::Result<Connected> {
        let link = Self::begin(socket, draws_screens)?;
        let hello = Order::Hello { format: FORMAT, version: env!("CARGO_PKG_VERSION").to_owned() };
        let (answer, mut descriptors) = link.ask(hello).await?;
        let Answer::Welcome { record, is_stored, suspect_before, has_fallback, .. } = answer else {
            return Err(unexpected(&answer));
        };
        // There is only one welcome, so the value is not set yet.
        let _ = link.0.suspect_before.set(Duration::from_millis(suspect_before));
        let Some(record) = record else { return Ok(Connected { link, estate: None, is_stored }) };
        let listener = descriptors.next()?;
        let sessions = link.left().await?;
        Ok(Connected { link, estate: Some(Estate { record, listener, sessions, has_fallback }), is_stored })
    }

    fn begin(socket: OwnedFd, draws_screens: bool) -> io::Result<Self> {
        let flags = OFlag::from_bits_retain(fcntl(&socket, FcntlArg::F_GETFL)?);
        fcntl(&socket, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        let socket = Arc::new(watch(socket, Interest::READABLE | Interest::WRITABLE)?);
        let waiting = Arc::new(Mutex::new(Waiting(Some(HashMap::new()))));
        let (leave, lost) = (CancellationToken::new(), CancellationToken::new());
        let listening = listen(Arc::clone(&socket), Arc::clone(&waiting), (leave.clone(), lost.clone()));
        let listener = tokio::spawn(listening);
        let next = AtomicU64::new(1);
        Ok(Self(Arc::new(Inner {
            socket,
            next,
            waiting,
            leave,
            draws_screens,
            suspect_before: OnceLock::new(),
            lost,
            listener,
        })))
    }

    /// Returns the sessions that an earlier server has left.
    async fn left(&self) -> io::Result<Vec<Left>> {
        let mut sessions: Vec<Left> = Vec::new();
        loop {
            let after = sessions.last().map(|last| last.session.clone());
            match self.ask_patiently(|| Order::NextSession { after: after.clone() }, &[]).await? {
                (Answer::Session(Kept { session, record, pid, exit, .. }), _) => {
                    sessions.push(Left { session, record, exit, pid });
                }
                (Answer::NoSession, _) => return Ok(sessions),
                (answer, _) => return Err(unexpected(&answer)),
            }
        }
    }

    /// Returns the resources of a session that an earlier server has left. The keeper holds them as
    /// well, whatever happens here.
    ///
    /// # Errors
    /// Returns an error if the system lacks descriptors for them after several attempts, or if
    /// there is no such session.
    pub async fn borrow(&self, Left { session, pid, .. }: &Left) -> io::Result<Held> {
        match self.ask_patiently(|| Order::Lend { session: session.clone() }, &[]).await? {
            (Answer::Lent { is_reaped, has_checkpoint }, descriptors) => {
                self.held((session, *pid), (is_reaped, has_checkpoint), descriptors)
            }
            (answer, _) => Err(unexpected(&answer)),
        }
    }

    fn held(
        &self,
        (session, pid): (&SessionId, i32),
        (is_reaped, has_checkpoint): (bool, bool),
        mut descriptors: Descriptors,
    ) -> io::Result<Held> {
        let memory = descriptors.next()?;
        let life = if is_reaped {
            None
        } else {
            let (master, pidfd, pipe) = (descriptors.next()?, descriptors.next()?, descriptors.next()?);
            let owner = (self.clone(), session.clone());
            let program = UnwatchedProgram::new(owner, Pid::from_raw(pid), master, pidfd);
            Some(Life { program, pipe })
        };
        let checkpoint = has_checkpoint.then(|| descriptors.next()).transpose()?;
        Ok(Held { memory, life, checkpoint })
    }

    /// Starts a program on a terminal, and has the keeper store the session's record from the first
    /// moment on. A caller that does not use the result, or gets an error, has to
    /// [forget](Self::forget) the session.
    ///
    /// # Errors
    /// Returns an error if the program cannot be started.
    pub async fn start(
        &self,
        session: &SessionId,
        program: &Program,
        size: Winsize,
        tail: usize,
        record: String,
    ) -> Result<Held, SpawnError> {
        let start = Order::Start { session: session.clone(), program: program.into(), size, tail, record };
        let started =
            self.ask(start).await.map_err(|error| match error.raw_os_error().map(Errno::from_raw) {
                Some(Errno::EMSGSIZE) => SpawnError::TooLarge,
                _ => SpawnError::opening(error),
            });
        match started? {
            (Answer::Started { pid }, descriptors) => {
                self.held((session, pid), (false, false), descriptors).map_err(SpawnError::opening)
            }
            (Answer::NotStarted(failure), _) => Err(failure.into_error(program)),
            (answer, _) => Err(SpawnError::opening(unexpected(&answer))),
        }
    }

    /// Asks the keeper to reap a program that has ended. Returns `None` if it has not been reaped
    /// yet.
    pub(super) async fn reap(&self, session: &SessionId) -> io::Result<Option<ExitStatus>> {
        match self.ask(Order::Reap { session: session.clone() }).await? {
            (Answer::Reaped { exit }, _) => Ok(exit),
            (answer, _) => Err(unexpected(&answer)),
        }
    }

    /// Stores the server's record, the text for `limpet link` and the listening socket with the
    /// keeper, and waits until that is done.
    ///
    /// # Errors
    /// Returns an error if the keeper is gone, or cannot store them after several attempts.
    pub async fn serving(&self, record: &str, link: &str, listener: BorrowedFd<'_>) -> io::Result<()> {
        self.keep_serving(record, link, &[listener]).await
    }

    /// Replaces the server's record with the keeper, and waits until that is done.
    ///
    /// # Errors
    /// As for [`serving`](Self::serving).
    pub async fn serving_still(&self, record: &str) -> io::Result<()> {
        self.keep_serving(record, "", &[]).await
    }

    async fn keep_serving(&self, record: &str, link: &str, listener: &[BorrowedFd<'_>]) -> io::Result<()> {
        let order = || Order::Serving { record: record.to_owned(), link: link.to_owned() };
        match self.ask_patiently(order, listener).await? {
            (Answer::Kept, _) => Ok(()),
            (answer, _) => Err(unexpected(&answer)),
        }
    }

    /// Replaces the record of a session.
    ///
    /// # Errors
    /// Returns an error if the keeper is gone.
    pub async fn record(&self, session: &SessionId, record: String) -> io::Result<()> {
        self.order(Order::Record { session: session.clone(), record }, &[]).await
    }

    /// Stores a checkpoint of a session with the keeper, and waits until that is done.
    ///
    /// # Errors
    /// Returns an error if the keeper is gone, or if there is no memory for the checkpoint.
    pub async fn checkpoint(&self, session: &SessionId, checkpoint: &[&[u8]]) -> io::Result<()> {
        let file = super::create_memory_file("limpet-screen", checkpoint)?;
        match self.ask_with(Order::Checkpoint { session: session.clone() }, &[file.as_fd()]).await? {
            (Answer::Kept, _) => Ok(()),
            (answer, _) => Err(unexpected(&answer)),
        }
    }

    /// Asks the keeper to close all resources of a session.
    pub async fn forget(&self, session: &SessionId) {
        self.order_patiently(|| Order::Forget { session: session.clone() }).await;
    }

    /// Reports to the keeper that this server is at work on its current task.
    pub async fn progress(&self) {
        // When the keeper is gone, nobody waits for this message.
        let _ = self.order(Order::Progress, &[]).await;
    }

    /// Reports progress to the keeper again and again.
    pub async fn keep_showing_progress(&self) -> Infallible {
        loop {
            self.progress().await;
            sleep(SIGN_OF_WORK).await;
        }
    }

    /// Reports to the keeper that this server has answered a request.
    pub async fn answered(&self) {
        // When the keeper is gone, nobody waits for this message.
        let _ = self.order(Order::Answered, &[]).await;
    }

    /// Reports whether sessions have screens. Repeated crashes of servers turn them off.
    #[must_use]
    pub fn draws_screens(&self) -> bool {
        self.0.draws_screens
    }

    /// Returns the [`uptime`](super::uptime) before which the last server must have begun the work
    /// that may have killed it.
    #[must_use]
    pub fn suspect_before(&self) -> Duration {
        self.0.suspect_before.get().copied().unwrap_or_default()
    }

    /// Announces to the keeper that everything ends with this server.
    pub async fn end(&self) {
        self.order_patiently(|| Order::End).await;
    }

    /// Waits until the server has to make room for another one.
    pub async fn leave(&self) {
        self.0.leave.cancelled().await;
    }

    /// Waits until the keeper is gone.
    pub async fn lost(&self) {
        self.0.lost.cancelled().await;
    }

    async fn order(&self, order: Order, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        self.send(&Numbered { number: 0, what: order }, descriptors).await
    }

    /// Sends a request that has to be carried out, and retries after transient errors. When the
    /// keeper is gone, so are the session's resources.
    async fn order_patiently(&self, order: impl Fn() -> Order) {
        while let Err(error) = self.order(order(), &[]).await {
            if !socket::is_transient(&error) {
                break;
            }
            sleep(RETRY_PAUSE).await;
        }
    }

    /// Sends a request and returns the answer. Retries a limited number of times after transient
    /// errors.
    async fn ask_patiently(
        &self,
        order: impl Fn() -> Order,
        descriptors: &[BorrowedFd<'_>],
    ) -> io::Result<(Answer, Descriptors)> {
        for _ in 1..TRIES {
            match self.ask_with(order(), descriptors).await {
                Err(error) if socket::is_transient(&error) => {}
                answered => return answered,
            }
            sleep(RETRY_PAUSE).await;
        }
        self.ask_with(order(), descriptors).await
    }

    async fn ask(&self, order: Order) -> io::Result<(Answer, Descriptors)> {
        self.ask_with(order, &[]).await
    }

    /// Sends a request and returns the answer. A failure, or an answer whose descriptors were lost,
    /// is returned as an error.
    async fn ask_with(
        &self,
        order: Order,
        descriptors: &[BorrowedFd<'_>],
    ) -> io::Result<(Answer, Descriptors)> {
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        match &mut lock(&self.0.waiting).0 {
            Some(waiting) => waiting.insert(number, sender),
            None => return Err(gone()),
        };
        let sent = self.send(&Numbered { number, what: order }, descriptors).await;
        if let (Err(error), Some(waiting)) = (sent, &mut lock(&self.0.waiting).0) {
            waiting.remove(&number);
            return Err(error);
        }
        let (answer, descriptors) = answer.await.map_err(|_| gone())??;
        descriptors.check()?;
        match answer {
            Answer::Failed { errno: Some(errno), .. } => Err(io::Error::from_raw_os_error(errno)),
            Answer::Failed { errno: None, message } => Err(io::Error::other(message)),
            answer => Ok((answer, descriptors)),
        }
    }

    async fn send(&self, message: &Numbered<Order>, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let text = serde_json::to_vec(message)?;
        if text.len() > MAX_ORDER_BYTES {
            return Err(Errno::EMSGSIZE.into());
        }
        let write = |socket: &OwnedFd| socket::send_text(socket.as_fd(), &text, descriptors);
        self.0.socket.async_io(Interest::WRITABLE, write).await
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// Receives the keeper's messages until it is gone. A message that cannot be received or understood
/// fails only the request that it answers.
async fn listen(
    socket: Arc<AsyncFd<OwnedFd>>,
    waiting: Arc<Mutex<Waiting>>,
    (leave, lost): (CancellationToken, CancellationToken),
) {
    let mut room = Room::new();
    let answered = |number, answer| {
        let asker = lock(&waiting).0.as_mut().and_then(|waiting| waiting.remove(&number));
        // If the task does not wait any more, the descriptors are closed here.
        drop(asker.map(|asker| asker.send(answer)));
    };
    loop {
        let read = |socket: &OwnedFd| socket::receive::<Numbered<Understood>>(socket.as_fd(), &mut room);
        match socket.async_io(Interest::READABLE, read).await {
            Ok(Some((Numbered { number, what }, descriptors))) => match what {
                Understood::Report(Report::Answer(answer)) => answered(number, Ok((answer, descriptors))),
                Understood::Report(Report::Leave) => leave.cancel(),
                // The launch message was handled at the start.
                Understood::Report(Report::Launch(_)) => {}
                Understood::Other(_) => {
                    tracing::error!(number, "could not understand the keeper");
                    answered(number, Err(io::ErrorKind::InvalidData.into()));
                }
            },
            Ok(None) => break,
            Err(error) if error.kind() == io::ErrorKind::InvalidData || socket::is_transient(&error) => {
                tracing::error!(%error, "could not receive what the keeper says");
                sleep(RETRY_PAUSE).await;
            }
            Err(error) => {
                tracing::error!(%error, "lost the connection to the keeper");
                break;
            }
        }
    }
    lock(&waiting).0 = None;
    lost.cancel();
}

/// A message from the keeper, or one that this version does not know.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Understood {
    Report(Report),
    Other(IgnoredAny),
}

/// Runs a keeper that serves one server and ends with it.
fn keep(server: &OwnedFd) {
    let (mut keeper, mut room) = (Keeper::default(), Room::new());
    loop {
        let mut fds: Vec<_> = std::iter::once(server.as_fd()).chain(keeper.dying()).map(readable).collect();
        let speaks = poll(&mut fds, PollTimeout::NONE).is_ok() && fds[0].any().unwrap_or(false);
        keeper.reap_dying();
        if speaks {
            let heard = match socket::receive(server.as_fd(), &mut room) {
                Ok(Some((message, descriptors))) => keeper.obey(message, descriptors, server.as_fd()),
                Ok(None) => break,
                Err(error) => Err(error),
            };
            if let Err(error) = heard {
                tracing::error!(%error, "could not answer the server");
            }
        }
    }
    keeper.end();
}

fn readable(fd: BorrowedFd<'_>) -> PollFd<'_> {
    PollFd::new(fd, PollFlags::POLLIN)
}

fn lock(waiting: &Mutex<Waiting>) -> std::sync::MutexGuard<'_, Waiting> {
    // No code panics under this lock while a change is incomplete.
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the process that keeps sessions is gone")
}

fn unexpected(answer: &Answer) -> io::Error {
    io::Error::other(format!("the process that keeps sessions answered {answer:?}"))
}
