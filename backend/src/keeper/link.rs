//! The server's side: what it asks of its keeper.

use std::{
    collections::HashMap,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use limpet_shared::{ExitStatus, SessionId, Winsize};
use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    poll::{PollFd, PollFlags, PollTimeout, poll},
    unistd::Pid,
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    sync::oneshot,
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::{
    child::Child,
    keep::Keeper,
    socket::{self, Room},
    wire::{Answer, FORMAT, Kept, Numbered, Order, Report},
};
use crate::pty::{Program, Pty, SpawnError, sys::watch};

/// A connection to the keeper. Clones stand for the same one.
#[derive(Clone, Debug)]
pub struct Link(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    socket: Arc<AsyncFd<OwnedFd>>,
    next: AtomicU64,
    waiting: Arc<Mutex<Waiting>>,
    /// The server is to make room for another one.
    leave: CancellationToken,
    /// There is no keeper any more.
    lost: CancellationToken,
    listener: JoinHandle<()>,
}

/// Who waits for an answer, and for what comes with it.
type Asker = oneshot::Sender<(Answer, Vec<OwnedFd>)>;

/// Who waits for which answer. None when there will be no more answers.
#[derive(Debug)]
struct Waiting(Option<HashMap<u64, Asker>>);

/// A session that was started, or that an earlier server has left.
#[derive(Debug)]
pub struct Held {
    /// The terminal and the program on it, until that is reaped.
    pub life: Option<Life>,
    /// The memory of its log and of its input.
    pub memory: OwnedFd,
}

/// A program on its terminal.
#[derive(Debug)]
pub struct Life {
    /// The terminal.
    pub pty: Pty,
    /// The program.
    pub child: Child,
    /// Where input waits for the terminal.
    pub pipe: OwnedFd,
}

/// What a server begins with.
#[derive(Debug)]
pub struct Connected {
    /// The connection.
    pub link: Link,
    /// What there is to go on with.
    pub estate: Option<Estate>,
    /// Whether what is kept outlives the keeper.
    pub is_stored: bool,
}

/// What an earlier server has left.
#[derive(Debug)]
pub struct Estate {
    /// What it wanted the next one to know.
    pub record: String,
    /// Where it listened.
    pub listener: Option<OwnedFd>,
    /// Its sessions.
    pub sessions: Vec<Left>,
}

/// A session that an earlier server has left.
#[derive(Debug)]
pub struct Left {
    /// Its name.
    pub session: SessionId,
    /// What it wanted the next one to know of it.
    pub record: String,
    /// How its program ended, if it has been reaped.
    pub exit: Option<ExitStatus>,
    /// The session.
    pub held: Held,
    /// How its screen looked.
    pub checkpoint: Option<OwnedFd>,
}

impl Link {
    /// A keeper on a thread of this process, for tests: what is started by it ends with the last clone.
    ///
    /// # Errors
    /// When the system has no socket or no thread for it.
    pub fn in_process() -> io::Result<Self> {
        let (ours, theirs) = socket::pair()?;
        thread::Builder::new().name("keeper".into()).spawn(move || keep(&theirs))?;
        Self::begin(ours, |_| {})
    }

    /// Says hello to the keeper at the other end of `socket`, and takes over what is kept. To be called within the runtime.
    ///
    /// # Errors
    /// When the keeper is gone, or does not understand.
    pub async fn connect(socket: OwnedFd) -> io::Result<Connected> {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let keep = {
            let kept = Arc::clone(&kept);
            move |session| kept.lock().unwrap_or_else(PoisonError::into_inner).push(session)
        };
        let link = Self::begin(socket, keep)?;
        let hello = Order::Hello { format: FORMAT, version: env!("CARGO_PKG_VERSION").to_owned() };
        let (answer, descriptors) = link.ask(hello).await?;
        let Answer::Welcome { record, is_stored, .. } = answer else { return Err(unexpected(&answer)) };
        let sessions = std::mem::take(&mut *kept.lock().unwrap_or_else(PoisonError::into_inner));
        let sessions =
            sessions.into_iter().map(|(kept, fds)| link.left(kept, fds)).collect::<io::Result<_>>()?;
        let listener = descriptors.into_iter().next();
        let estate = record.map(|record| Estate { record, listener, sessions });
        Ok(Connected { link, estate, is_stored })
    }

    fn begin(socket: OwnedFd, kept: impl Fn((Kept, Vec<OwnedFd>)) + Send + 'static) -> io::Result<Self> {
        let flags = OFlag::from_bits_retain(fcntl(&socket, FcntlArg::F_GETFL)?);
        fcntl(&socket, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        let socket = Arc::new(watch(socket, Interest::READABLE | Interest::WRITABLE)?);
        let waiting = Arc::new(Mutex::new(Waiting(Some(HashMap::new()))));
        let (leave, lost) = (CancellationToken::new(), CancellationToken::new());
        let listening =
            listen(Arc::clone(&socket), Arc::clone(&waiting), kept, (leave.clone(), lost.clone()));
        let listener = tokio::spawn(listening);
        Ok(Self(Arc::new(Inner { socket, next: AtomicU64::new(1), waiting, leave, lost, listener })))
    }

    fn left(&self, kept: Kept, descriptors: Vec<OwnedFd>) -> io::Result<Left> {
        let Kept { session, record, pid, exit, is_reaped, has_checkpoint } = kept;
        let mut descriptors = descriptors.into_iter();
        let memory = next(&mut descriptors)?;
        let life = if is_reaped { None } else { Some(self.life(session.clone(), pid, &mut descriptors)?) };
        let checkpoint = if has_checkpoint { Some(next(&mut descriptors)?) } else { None };
        Ok(Left { session, record, exit, held: Held { life, memory }, checkpoint })
    }

    fn life(
        &self,
        session: SessionId,
        pid: i32,
        descriptors: &mut impl Iterator<Item = OwnedFd>,
    ) -> io::Result<Life> {
        let pty = Pty::own(next(descriptors)?)?;
        let child = Child::adopt(self.clone(), session, Pid::from_raw(pid), next(descriptors)?)?;
        Ok(Life { pty, child, pipe: next(descriptors)? })
    }

    /// Starts a program on a terminal, and has the keeper keep a text of its session's from the first moment on.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn start(
        &self,
        session: &SessionId,
        program: &Program,
        size: Winsize,
        tail: usize,
        record: String,
    ) -> Result<Held, SpawnError> {
        let start = Order::Start { session: session.clone(), program: program.into(), size, tail, record };
        match self.ask(start).await.map_err(SpawnError::Open)? {
            (Answer::Started { pid }, mut descriptors) => {
                // The memory stands between what belongs to the program.
                let held = (|| {
                    let memory = (descriptors.len() == 4).then(|| descriptors.remove(2));
                    let life = self.life(session.clone(), pid, &mut descriptors.into_iter())?;
                    Ok(Held { life: Some(life), memory: memory.ok_or(io::ErrorKind::InvalidData)? })
                })();
                held.map_err(SpawnError::Open)
            }
            (Answer::NotStarted(failure), _) => Err(failure.into_error(program)),
            (answer, _) => Err(SpawnError::Open(unexpected(&answer))),
        }
    }

    /// Has a program reaped that has ended. None if that has not come about yet.
    pub(super) async fn reap(&self, session: &SessionId) -> io::Result<Option<ExitStatus>> {
        match self.ask(Order::Reap { session: session.clone() }).await? {
            (Answer::Reaped { exit }, _) => Ok(exit),
            (answer, _) => Err(unexpected(&answer)),
        }
    }

    /// Has the keeper keep a text of the server's own, that of its link, and its listening socket, and waits until it does.
    ///
    /// # Errors
    /// When the keeper is gone.
    pub async fn serving(&self, record: String, link: String, listener: BorrowedFd<'_>) -> io::Result<()> {
        match self.ask_with(Order::Serving { record, link }, &[listener]).await? {
            (Answer::Kept, _) => Ok(()),
            (answer, _) => Err(unexpected(&answer)),
        }
    }

    /// Has the keeper keep a text of a session's.
    ///
    /// # Errors
    /// When the keeper is gone.
    pub async fn record(&self, session: &SessionId, record: String) -> io::Result<()> {
        self.order(Order::Record { session: session.clone(), record }, &[]).await
    }

    /// Has the keeper keep how a session's screen looks.
    ///
    /// # Errors
    /// When the keeper is gone, or there is no memory.
    pub async fn checkpoint(&self, session: &SessionId, checkpoint: &[&[u8]]) -> io::Result<()> {
        let file = super::memory("limpet-screen", checkpoint)?;
        self.order(Order::Checkpoint { session: session.clone() }, &[file.as_fd()]).await
    }

    /// Has the keeper close all that it keeps of a session.
    pub async fn forget(&self, session: &SessionId) {
        // When the keeper is gone, so is what it kept.
        let _ = self.order(Order::Forget { session: session.clone() }, &[]).await;
    }

    /// Has everything end with this server.
    pub async fn end(&self) {
        // When the keeper is gone, everything is over.
        let _ = self.order(Order::End, &[]).await;
    }

    /// Waits until the server is to make room for another one.
    pub async fn leave(&self) {
        self.0.leave.cancelled().await;
    }

    /// Waits until there is no keeper any more.
    pub async fn lost(&self) {
        self.0.lost.cancelled().await;
    }

    async fn order(&self, order: Order, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        self.send(&Numbered { number: 0, what: order }, descriptors).await
    }

    async fn ask(&self, order: Order) -> io::Result<(Answer, Vec<OwnedFd>)> {
        self.ask_with(order, &[]).await
    }

    async fn ask_with(
        &self,
        order: Order,
        descriptors: &[BorrowedFd<'_>],
    ) -> io::Result<(Answer, Vec<OwnedFd>)> {
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
        answer.await.map_err(|_| gone())
    }

    async fn send(&self, message: &Numbered<Order>, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let write = |socket: &OwnedFd| socket::send(socket.as_fd(), message, descriptors);
        self.0.socket.async_io(Interest::WRITABLE, write).await
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// Takes in what the keeper says, until it is gone.
async fn listen(
    socket: Arc<AsyncFd<OwnedFd>>,
    waiting: Arc<Mutex<Waiting>>,
    kept: impl Fn((Kept, Vec<OwnedFd>)),
    (leave, lost): (CancellationToken, CancellationToken),
) {
    let mut room = Room::new();
    loop {
        let read = |socket: &OwnedFd| socket::receive::<Numbered<Report>>(socket.as_fd(), &mut room);
        match socket.async_io(Interest::READABLE, read).await {
            Ok(Some((Numbered { number, what: Report::Answer(answer) }, descriptors))) => {
                let asker = lock(&waiting).0.as_mut().and_then(|waiting| waiting.remove(&number));
                // Who does not wait any more lets go of what it would have got.
                drop(asker.map(|asker| asker.send((answer, descriptors))));
            }
            Ok(Some((Numbered { what: Report::Kept(session), .. }, descriptors))) => {
                kept((session, descriptors));
            }
            Ok(Some((Numbered { what: Report::Leave, .. }, _))) => leave.cancel(),
            Ok(None) => break,
            Err(error) => {
                tracing::error!(%error, "could not understand the keeper");
                break;
            }
        }
    }
    lock(&waiting).0 = None;
    lost.cancel();
}

/// A keeper that serves one server, and ends with it.
fn keep(server: &OwnedFd) {
    let (mut keeper, mut room) = (Keeper::default(), Room::new());
    loop {
        let mut fds: Vec<_> = std::iter::once(server.as_fd()).chain(keeper.dying()).map(readable).collect();
        let speaks = poll(&mut fds, PollTimeout::NONE).is_ok() && fds[0].any().unwrap_or(false);
        keeper.reap_dying();
        if speaks {
            let Ok(Some((message, descriptors))) = socket::receive(server.as_fd(), &mut room) else { break };
            if let Err(error) = keeper.obey(message, descriptors, server.as_fd()) {
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
    // Nothing under this lock panics half-way through a change.
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

fn next(descriptors: &mut impl Iterator<Item = OwnedFd>) -> io::Result<OwnedFd> {
    descriptors
        .next()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the keeper left out a descriptor"))
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the process that keeps sessions is gone")
}

fn unexpected(answer: &Answer) -> io::Error {
    io::Error::other(format!("the process that keeps sessions answered {answer:?}"))
}
