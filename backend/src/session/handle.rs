//! What everybody but the actor has of a session.

use std::sync::Arc;

use bytes::Bytes;
use limpet_shared::{
    Epoch, Hello, InputOffset, Role, SessionId, ViewerId, Welcome, Winsize,
    api::{SessionDetails, SessionInfo},
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task,
};

use super::{AttachmentId, Progress, Status, actor::Request};
use crate::{
    log::{Log, LogReader, Next},
    pty::{Onlooker, Program},
};

/// One session. Clones stand for the same one.
#[derive(Clone, Debug)]
pub struct SessionHandle(Arc<Shared>);

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) id: SessionId,
    pub(super) epoch: Epoch,
    pub(super) program: Program,
    /// Milliseconds since the Unix epoch.
    pub(super) created: u64,
    pub(super) onlooker: Onlooker,
    pub(super) log: Log,
    pub(super) status: watch::Sender<Status>,
    pub(super) requests: mpsc::Sender<Request>,
}

/// A viewer's place at a session. Dropping it detaches.
#[derive(Debug)]
pub struct Attached {
    session: SessionHandle,
    id: AttachmentId,
    viewer: ViewerId,
    role: Role,
}

/// What an attachment begins with.
#[derive(Debug)]
pub struct Beginning {
    /// The server's first message.
    pub welcome: Welcome,
    /// That the viewer's terminal has to be cleared, and how many bytes it misses.
    pub reset: Option<u64>,
    /// The cursor in the log.
    pub output: LogReader,
    /// How far the viewer's input has come; `None` if it can type nothing, as a reader or since the program has ended.
    /// When the channel closes while the program runs, the viewer has attached anew elsewhere.
    pub input: Option<watch::Receiver<Progress>>,
    /// The session's state.
    pub status: watch::Receiver<Status>,
}

impl SessionHandle {
    pub(super) fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }

    /// Its name in URLs.
    #[must_use]
    pub fn id(&self) -> &SessionId {
        &self.0.id
    }

    /// What lists show of it.
    #[must_use]
    pub fn info(&self) -> SessionInfo {
        let status = self.0.status.borrow();
        SessionInfo {
            id: self.0.id.clone(),
            title: status.title().to_owned(),
            command: self.0.program.words(),
            cols: status.size.cols,
            rows: status.size.rows,
            created: self.0.created,
            viewers: status.viewers(),
            exit: status.exit,
        }
    }

    /// What its own address shows of it: the same, and the programs that run in it.
    pub async fn details(&self) -> SessionDetails {
        let info = self.info();
        let (onlooker, with_leader) = (self.0.onlooker, !self.0.program.is_interactive_shell());
        let running = match info.exit {
            Some(_) => Vec::new(),
            None => task::spawn_blocking(move || onlooker.running(with_leader)).await.unwrap_or_default(),
        };
        SessionDetails { info, running }
    }

    /// Pins a title that the program's own ones do not replace; an empty one lets the program name itself again.
    pub fn set_title(&self, title: &str) {
        self.0.status.send_if_modified(|status| status.pin_title(title));
    }

    /// Attaches a viewer. What it misses and what comes from now on are one stream: nothing is between them.
    pub async fn attach(&self, hello: &Hello, role: Role) -> (Attached, Beginning) {
        let resume = hello.resume.as_ref();
        let known = resume.filter(|resume| resume.epoch == self.0.epoch).map(|resume| resume.output);
        let known = known.filter(|&output| output <= self.0.log.end());
        let (attached, alone) = self.enter(hello.viewer, role, known.is_some());
        // A connection that is taken up again by itself must not resize what somebody else works in.
        let size = Some(hello.size).filter(|_| alone || known.is_none());
        let registered = if role.may_write() { attached.register(size).await } else { None };
        let (taken, input) = registered.map_or_else(Default::default, |(taken, input)| (taken, Some(input)));
        let mut output = self.0.log.reader(known);
        let reset = match output.next(0) {
            Next::Skipped { skipped, .. } => Some(skipped),
            _ => (resume.is_some() && known.is_none()).then_some(0),
        };
        let status = self.0.status.subscribe();
        let welcome = {
            let status = status.borrow();
            Welcome {
                session: self.0.id.clone(),
                epoch: self.0.epoch.clone(),
                role,
                output: output.cursor(),
                live: self.0.log.end(),
                input: taken,
                size: status.size,
                title: status.title().to_owned(),
                server: env!("CARGO_PKG_VERSION").to_owned(),
            }
        };
        (attached, Beginning { welcome, reset, output, input, status })
    }

    fn enter(&self, viewer: ViewerId, role: Role, resumes: bool) -> (Attached, bool) {
        let (mut id, mut alone) = (AttachmentId::new(0), false);
        self.0.status.send_modify(|status| {
            id = status.enter(role, resumes);
            alone = status.viewers() == 1;
        });
        (Attached { session: self.clone(), id, viewer, role }, alone)
    }

    /// Ends the program and everything on its terminal, and waits until that is done.
    pub async fn end(&self) {
        // An error says that it has ended already.
        let _ = self.0.requests.send(Request::End).await;
        self.0.requests.closed().await;
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.0
    }
}

impl Attached {
    /// Tells this attachment from others of the session.
    #[must_use]
    pub fn id(&self) -> AttachmentId {
        self.id
    }

    /// What the viewer may do.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// Passes on input that starts at `offset` of this viewer's input. What becomes of it is seen in [`Progress`].
    pub async fn input(&self, offset: u64, bytes: Bytes) {
        let (viewer, attachment) = (self.viewer, self.id);
        self.request(Request::Input { viewer, attachment, offset, bytes }).await;
    }

    /// Asks for a size.
    pub async fn resize(&self, size: Winsize) {
        let (viewer, attachment) = (self.viewer, self.id);
        self.request(Request::Resize { viewer, attachment, size }).await;
    }

    async fn register(&self, size: Option<Winsize>) -> Option<(InputOffset, watch::Receiver<Progress>)> {
        let (reply, registered) = oneshot::channel();
        let (viewer, attachment) = (self.viewer, self.id);
        self.request(Request::Attach { viewer, attachment, size, reply }).await;
        registered.await.ok()
    }

    async fn request(&self, request: Request) {
        // An error says that the program has ended, and that is told to the viewer by other means.
        let _ = self.session.0.requests.send(request).await;
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.session.0.status.send_modify(|status| status.leave(self.id));
    }
}
