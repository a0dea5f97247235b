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

use limpet_pty::{Program, SpawnError};
use limpet_shared::{ExitStatus, SessionId, Winsize};
use limpet_sys::reactor::watch;
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
    socket::{self, Descriptors, MAX_REQUEST_BYTES, ReceiveBuffer},
    wire::{Answer, Envelope, KeeperMessage, Request, SessionReport, WIRE_FORMAT},
};

/// Pause before the keeper is asked again after a transient failure, and the maximum number of
/// attempts.
const RETRY_PAUSE: Duration = Duration::from_millis(10);
const MAX_ATTEMPTS: usize = 20;

/// Interval at which an ending server reports progress, well below the time that the keeper waits
/// for it.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);

/// A connection to the keeper. Clones share it.
#[derive(Clone, Debug)]
pub struct KeeperClient(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    socket: Arc<AsyncFd<OwnedFd>>,
    next_number: AtomicU64,
    pending: Arc<Mutex<PendingRequests>>,
    /// Cancelled when the server has to make room for another one.
    leave_requested: CancellationToken,
    /// True if sessions have screens.
    draws_screens: bool,
    /// Uptime before which the last server must have begun the work that may have killed it.
    suspect_before: OnceLock<Duration>,
    /// Cancelled when the keeper is gone.
    keeper_lost: CancellationToken,
    listen_task: JoinHandle<()>,
}

/// The channel to a task that waits for an answer and its descriptors.
type AnswerSender = oneshot::Sender<io::Result<(Answer, Descriptors)>>;

/// The tasks that wait for answers, by the numbers of their requests. `None` when there will be no
/// more answers.
#[derive(Debug)]
struct PendingRequests(Option<HashMap<u64, AnswerSender>>);

/// The resources of a session, either new or left by an earlier server.
#[derive(Debug)]
pub struct SessionHandles {
    /// The memory of its output log and of its input.
    pub memory: OwnedFd,
    /// The program and its terminal, until the program is reaped.
    pub program: Option<ProgramHandles>,
    /// The checkpoint of its screen.
    pub checkpoint: Option<OwnedFd>,
}

/// A program on its terminal.
#[derive(Debug)]
pub struct ProgramHandles {
    /// The program and the terminal.
    pub program: UnwatchedProgram,
    /// The pipe that holds input on its way to the terminal.
    pub pipe: OwnedFd,
}

/// The result of [`KeeperClient::connect`].
#[derive(Debug)]
pub struct KeeperConnection {
    /// The connection.
    pub client: KeeperClient,
    /// The state that an earlier server has left, if there was one.
    pub predecessor: Option<PredecessorState>,
    /// True if the sessions outlive the keeper.
    pub is_stored: bool,
}

/// The state that an earlier server has left.
#[derive(Debug)]
pub struct PredecessorState {
    /// The earlier server's record for its successor.
    pub record: String,
    /// Its listening socket.
    pub listener: OwnedFd,
    /// Its sessions.
    pub sessions: Vec<OrphanedSession>,
    /// True if another server continues if this one cannot take over all sessions.
    pub has_fallback: bool,
}

/// The description of a session that an earlier server has left.
#[derive(Debug)]
pub struct OrphanedSession {
    /// The session's id.
    pub session: SessionId,
    /// The session's record for the next server.
    pub record: String,
    /// The exit status of its program, if that has been reaped.
    pub exit: Option<ExitStatus>,
    pid: i32,
}

impl KeeperClient {
    /// Starts a keeper on a thread of this process, for tests. Its programs end with the last
    /// clone.
    ///
    /// # Errors
    /// Returns an error if the system has no socket or no thread for it.
    pub fn in_process() -> io::Result<Self> {
        let (ours, theirs) = socket::pair()?;
        thread::Builder::new().name("keeper".into()).spawn(move || run_keeper(&theirs))?;
        Self::from_socket(ours, true)
    }

    /// Says hello to the keeper at the other end of `socket`, and receives what an earlier server
    /// has left. `draws_screens` comes from the launch message. Must be called within the runtime.
    ///
    /// # Errors
    /// Returns an error if the keeper is gone or does not understand the message.
    pub async fn connect(socket: OwnedFd, draws_screens: bool) -> io::Result<KeeperConnection> {
        let client = Self::from_socket(socket, draws_screens)?;
        let hello = Request::Hello { format: WIRE_FORMAT, version: env!("CARGO_PKG_VERSION").to_owned() };
        let (answer, mut descriptors) = client.request(hello).await?;
        let Answer::Welcome { record, is_stored, suspect_before, has_fallback, .. } = answer else {
            return Err(unexpected_answer(&answer));
        };
        // There is only one welcome, so the value is not set yet.
        let _ = client.0.suspect_before.set(Duration::from_millis(suspect_before));
        let Some(record) = record else {
            return Ok(KeeperConnection { client, predecessor: None, is_stored });
        };
        let listener = descriptors.next()?;
        let sessions = client.orphaned_sessions().await?;
        Ok(KeeperConnection {
            client,
            predecessor: Some(PredecessorState { record, listener, sessions, has_fallback }),
            is_stored,
        })
    }

    fn from_socket(socket: OwnedFd, draws_screens: bool) -> io::Result<Self> {
        let flags = OFlag::from_bits_retain(fcntl(&socket, FcntlArg::F_GETFL)?);
        fcntl(&socket, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        let socket = Arc::new(watch(socket, Interest::READABLE | Interest::WRITABLE)?);
        let pending = Arc::new(Mutex::new(PendingRequests(Some(HashMap::new()))));
        let (leave_requested, keeper_lost) = (CancellationToken::new(), CancellationToken::new());
        let listening =
            listen(Arc::clone(&socket), Arc::clone(&pending), leave_requested.clone(), keeper_lost.clone());
        let listen_task = tokio::spawn(listening);
        let next_number = AtomicU64::new(1);
        Ok(Self(Arc::new(Inner {
            socket,
            next_number,
            pending,
            leave_requested,
            draws_screens,
            suspect_before: OnceLock::new(),
            keeper_lost,
            listen_task,
        })))
    }

    /// Returns the sessions that an earlier server has left.
    async fn orphaned_sessions(&self) -> io::Result<Vec<OrphanedSession>> {
        let mut sessions: Vec<OrphanedSession> = Vec::new();
        loop {
            let after = sessions.last().map(|last| last.session.clone());
            match self.request_with_retries(|| Request::NextSession { after: after.clone() }, &[]).await? {
                (Answer::Session(SessionReport { session, record, pid, exit, .. }), _) => {
                    sessions.push(OrphanedSession { session, record, exit, pid });
                }
                (Answer::NoSession, _) => return Ok(sessions),
                (answer, _) => return Err(unexpected_answer(&answer)),
            }
        }
    }

    /// Returns the resources of a session that an earlier server has left. The keeper holds them as
    /// well, whatever happens here.
    ///
    /// # Errors
    /// Returns an error if the system lacks descriptors for them after several attempts, or if
    /// there is no such session.
    pub async fn borrow(
        &self,
        OrphanedSession { session, pid, .. }: &OrphanedSession,
    ) -> io::Result<SessionHandles> {
        match self.request_with_retries(|| Request::GetResources { session: session.clone() }, &[]).await? {
            (Answer::Resources { is_reaped, has_checkpoint }, descriptors) => {
                self.unpack_resources(session, *pid, is_reaped, has_checkpoint, descriptors)
            }
            (answer, _) => Err(unexpected_answer(&answer)),
        }
    }

    /// Takes the resources of a session out of the `descriptors` of an answer.
    fn unpack_resources(
        &self,
        session: &SessionId,
        pid: i32,
        is_reaped: bool,
        has_checkpoint: bool,
        mut descriptors: Descriptors,
    ) -> io::Result<SessionHandles> {
        let memory = descriptors.next()?;
        let program = if is_reaped {
            None
        } else {
            let (master, pidfd, pipe) = (descriptors.next()?, descriptors.next()?, descriptors.next()?);
            let owner = (self.clone(), session.clone());
            let program = UnwatchedProgram::new(owner, Pid::from_raw(pid), master, pidfd);
            Some(ProgramHandles { program, pipe })
        };
        let checkpoint = has_checkpoint.then(|| descriptors.next()).transpose()?;
        Ok(SessionHandles { memory, program, checkpoint })
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
    ) -> Result<SessionHandles, SpawnError> {
        let start = Request::Start { session: session.clone(), program: program.into(), size, tail, record };
        let started =
            self.request(start).await.map_err(|error| match error.raw_os_error().map(Errno::from_raw) {
                Some(Errno::EMSGSIZE) => SpawnError::TooLarge,
                _ => SpawnError::opening(error),
            });
        match started? {
            (Answer::Started { pid }, descriptors) => {
                self.unpack_resources(session, pid, false, false, descriptors).map_err(SpawnError::opening)
            }
            (Answer::NotStarted(failure), _) => Err(failure.into_error(program)),
            (answer, _) => Err(SpawnError::opening(unexpected_answer(&answer))),
        }
    }

    /// Asks the keeper to reap a program that has ended. Returns `None` if it has not been reaped
    /// yet.
    pub(super) async fn reap(&self, session: &SessionId) -> io::Result<Option<ExitStatus>> {
        match self.request(Request::Reap { session: session.clone() }).await? {
            (Answer::Reaped { exit }, _) => Ok(exit),
            (answer, _) => Err(unexpected_answer(&answer)),
        }
    }

    /// Stores the server's record, the text for `limpet link` and the listening socket with the
    /// keeper, and waits until that is done.
    ///
    /// # Errors
    /// Returns an error if the keeper is gone, or cannot store them after several attempts.
    pub async fn register_server(
        &self,
        record: &str,
        link: &str,
        listener: BorrowedFd<'_>,
    ) -> io::Result<()> {
        self.store_server_record(record, link, &[listener]).await
    }

    /// Replaces the server's record with the keeper, and waits until that is done.
    ///
    /// # Errors
    /// As for [`register_server`](Self::register_server).
    pub async fn update_server_record(&self, record: &str) -> io::Result<()> {
        self.store_server_record(record, "", &[]).await
    }

    async fn store_server_record(
        &self,
        record: &str,
        link: &str,
        listener: &[BorrowedFd<'_>],
    ) -> io::Result<()> {
        let request = || Request::Serving { record: record.to_owned(), link: link.to_owned() };
        match self.request_with_retries(request, listener).await? {
            (Answer::Stored, _) => Ok(()),
            (answer, _) => Err(unexpected_answer(&answer)),
        }
    }

    /// Replaces the record of a session.
    ///
    /// # Errors
    /// Returns an error if the keeper is gone.
    pub async fn record(&self, session: &SessionId, record: String) -> io::Result<()> {
        self.send_request(Request::Record { session: session.clone(), record }, &[]).await
    }

    /// Stores a checkpoint of a session with the keeper, and waits until that is done.
    ///
    /// # Errors
    /// Returns an error if the keeper is gone, or if there is no memory for the checkpoint.
    pub async fn checkpoint(&self, session: &SessionId, checkpoint: &[&[u8]]) -> io::Result<()> {
        let file = super::create_memory_file("limpet-screen", checkpoint)?;
        let request = Request::Checkpoint { session: session.clone() };
        match self.request_with_descriptors(request, &[file.as_fd()]).await? {
            (Answer::Stored, _) => Ok(()),
            (answer, _) => Err(unexpected_answer(&answer)),
        }
    }

    /// Asks the keeper to close all resources of a session.
    pub async fn forget(&self, session: &SessionId) {
        self.send_request_with_retries(|| Request::Forget { session: session.clone() }).await;
    }

    /// Reports to the keeper that this server is at work on its current task.
    pub async fn report_progress(&self) {
        // When the keeper is gone, nobody waits for this message.
        let _ = self.send_request(Request::Progress, &[]).await;
    }

    /// Reports progress to the keeper again and again.
    pub async fn keep_showing_progress(&self) -> Infallible {
        loop {
            self.report_progress().await;
            sleep(PROGRESS_INTERVAL).await;
        }
    }

    /// Reports to the keeper that this server has answered a request.
    pub async fn report_answered(&self) {
        // When the keeper is gone, nobody waits for this message.
        let _ = self.send_request(Request::Answered, &[]).await;
    }

    /// Reports whether sessions have screens. Repeated crashes of servers turn them off.
    #[must_use]
    pub fn draws_screens(&self) -> bool {
        self.0.draws_screens
    }

    /// Returns the [`uptime`](limpet_sys::clock::uptime) before which the last server must have
    /// begun the work that may have killed it.
    #[must_use]
    pub fn suspect_before(&self) -> Duration {
        self.0.suspect_before.get().copied().unwrap_or_default()
    }

    /// Announces to the keeper that everything ends with this server.
    pub async fn announce_end(&self) {
        self.send_request_with_retries(|| Request::End).await;
    }

    /// Waits until the server has to make room for another one.
    pub async fn leave_requested(&self) {
        self.0.leave_requested.cancelled().await;
    }

    /// Waits until the keeper is gone.
    pub async fn lost(&self) {
        self.0.keeper_lost.cancelled().await;
    }

    async fn send_request(&self, request: Request, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        self.send(&Envelope { number: 0, body: request }, descriptors).await
    }

    /// Sends a request that has to be carried out, and retries after transient errors. When the
    /// keeper is gone, so are the session's resources.
    async fn send_request_with_retries(&self, request: impl Fn() -> Request) {
        while let Err(error) = self.send_request(request(), &[]).await {
            if !socket::is_transient(&error) {
                break;
            }
            sleep(RETRY_PAUSE).await;
        }
    }

    /// Sends a request and returns the answer. Retries a limited number of times after transient
    /// errors.
    async fn request_with_retries(
        &self,
        request: impl Fn() -> Request,
        descriptors: &[BorrowedFd<'_>],
    ) -> io::Result<(Answer, Descriptors)> {
        for _ in 1..MAX_ATTEMPTS {
            match self.request_with_descriptors(request(), descriptors).await {
                Err(error) if socket::is_transient(&error) => {}
                answered => return answered,
            }
            sleep(RETRY_PAUSE).await;
        }
        self.request_with_descriptors(request(), descriptors).await
    }

    async fn request(&self, request: Request) -> io::Result<(Answer, Descriptors)> {
        self.request_with_descriptors(request, &[]).await
    }

    /// Sends a request and returns the answer. A failure, or an answer whose descriptors were lost,
    /// is returned as an error.
    async fn request_with_descriptors(
        &self,
        request: Request,
        descriptors: &[BorrowedFd<'_>],
    ) -> io::Result<(Answer, Descriptors)> {
        let number = self.0.next_number.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        match &mut lock(&self.0.pending).0 {
            Some(pending) => pending.insert(number, sender),
            None => return Err(keeper_gone()),
        };
        let sent = self.send(&Envelope { number, body: request }, descriptors).await;
        if let (Err(error), Some(pending)) = (sent, &mut lock(&self.0.pending).0) {
            pending.remove(&number);
            return Err(error);
        }
        let (answer, descriptors) = answer.await.map_err(|_| keeper_gone())??;
        descriptors.check()?;
        match answer {
            Answer::Failed { errno: Some(errno), .. } => Err(io::Error::from_raw_os_error(errno)),
            Answer::Failed { errno: None, message } => Err(io::Error::other(message)),
            answer => Ok((answer, descriptors)),
        }
    }

    async fn send(&self, message: &Envelope<Request>, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let text = serde_json::to_vec(message)?;
        if text.len() > MAX_REQUEST_BYTES {
            return Err(Errno::EMSGSIZE.into());
        }
        let write = |socket: &OwnedFd| socket::send_text(socket.as_fd(), &text, descriptors);
        self.0.socket.async_io(Interest::WRITABLE, write).await
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.listen_task.abort();
    }
}

/// Receives the keeper's messages until it is gone. A message that cannot be received or understood
/// fails only the request that it answers.
async fn listen(
    socket: Arc<AsyncFd<OwnedFd>>,
    pending: Arc<Mutex<PendingRequests>>,
    leave_requested: CancellationToken,
    keeper_lost: CancellationToken,
) {
    let mut buffer = ReceiveBuffer::default();
    let pass_on = |number, answer| {
        let sender = lock(&pending).0.as_mut().and_then(|pending| pending.remove(&number));
        // If the task does not wait any more, the descriptors are closed here.
        drop(sender.map(|sender| sender.send(answer)));
    };
    loop {
        let read =
            |socket: &OwnedFd| socket::receive::<Envelope<ReceivedMessage>>(socket.as_fd(), &mut buffer);
        match socket.async_io(Interest::READABLE, read).await {
            Ok(Some((Envelope { number, body }, descriptors))) => match body {
                ReceivedMessage::Known(KeeperMessage::Answer(answer)) => {
                    pass_on(number, Ok((answer, descriptors)));
                }
                ReceivedMessage::Known(KeeperMessage::Leave) => leave_requested.cancel(),
                // The launch message was handled at the start.
                ReceivedMessage::Known(KeeperMessage::Launch(_)) => {}
                ReceivedMessage::Unknown(_) => {
                    tracing::error!(number, "received an invalid message from the keeper");
                    pass_on(number, Err(io::ErrorKind::InvalidData.into()));
                }
            },
            Ok(None) => break,
            Err(error) if error.kind() == io::ErrorKind::InvalidData || socket::is_transient(&error) => {
                tracing::error!(%error, "could not receive a message from the keeper");
                sleep(RETRY_PAUSE).await;
            }
            Err(error) => {
                tracing::error!(%error, "lost the connection to the keeper");
                break;
            }
        }
    }
    lock(&pending).0 = None;
    keeper_lost.cancel();
}

/// A message from the keeper, or one that this version does not know.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum ReceivedMessage {
    Known(KeeperMessage),
    Unknown(IgnoredAny),
}

/// Runs a keeper that serves one server and ends with it.
fn run_keeper(server: &OwnedFd) {
    let (mut keeper, mut buffer) = (Keeper::default(), ReceiveBuffer::default());
    loop {
        let mut fds: Vec<_> =
            std::iter::once(server.as_fd()).chain(keeper.dying_pidfds()).map(readable).collect();
        let has_message = poll(&mut fds, PollTimeout::NONE).is_ok() && fds[0].any().unwrap_or(false);
        keeper.reap_dying();
        if has_message {
            let handled = match socket::receive(server.as_fd(), &mut buffer) {
                Ok(Some((message, descriptors))) => {
                    keeper.handle_request(message, descriptors, server.as_fd())
                }
                Ok(None) => break,
                Err(error) => Err(error),
            };
            if let Err(error) = handled {
                tracing::error!(%error, "could not answer the server");
            }
        }
    }
    keeper.end();
}

fn readable(fd: BorrowedFd<'_>) -> PollFd<'_> {
    PollFd::new(fd, PollFlags::POLLIN)
}

fn lock(pending: &Mutex<PendingRequests>) -> std::sync::MutexGuard<'_, PendingRequests> {
    // No code panics under this lock while a change is incomplete.
    pending.lock().unwrap_or_else(PoisonError::into_inner)
}

fn keeper_gone() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the keeper is gone")
}

fn unexpected_answer(answer: &Answer) -> io::Error {
    io::Error::other(format!("unexpected answer from the keeper: {answer:?}"))
}
