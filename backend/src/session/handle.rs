//! The interface to a session for everybody but the task that owns it. A handle sends requests and
//! reads what that task publishes; it changes nothing itself.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use limpet_keeper::ProcessInspector;
use limpet_pty::{EndMode, Program, RunningPrograms};
use limpet_shared::{
    Epoch, ExitStatus, Hello, OutputOffset, Role, SessionId, ViewerId, Winsize, WinsizeError,
    api::{self, ScreenCursor, SessionDetails, SessionInfo, UpdateSession},
    theme::Colours,
};
use limpet_sys::background;
use tokio::{
    sync::{Notify, mpsc, oneshot, watch},
    time::Instant,
};

use super::{
    AttachingViewer, AttachmentId, AttachmentStart, GrantId, ResetSnapshot, Status,
    attach::ViewerSnapshot,
    departures::Departures,
    feed::Feed,
    flow::{Claim, FlowClass, Log, LogReader, Rank},
    guest_snapshots::GuestSnapshots,
    handoff::HandoffRecord,
    own_output::Purpose,
    request::{AttachRequest, Request, TypedInput},
};
use crate::{runtimes::Placement, session_files::SavedSession, token_bucket::KeyedBuckets};

/// Number of times per second that viewers with one guests' grant may attach to a
/// session in the long run.
const MAX_ATTACHES_PER_SECOND: u64 = 8;

/// Number of times that they may attach at once: a whole class reconnects when it
/// finds its server again.
const MAX_ATTACHES_AT_ONCE: u64 = 64;

/// Error for guests who attach too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many viewers attach to this session through the same link; try again in {} s", .wait.as_secs() + 1)]
pub struct TooManyAttaches {
    /// Time until the next attempt is allowed.
    pub wait: Duration,
}

/// Returns the limit on how often viewers with one guests' grant may attach to a session.
pub(super) fn attach_rate() -> KeyedBuckets<GrantId> {
    KeyedBuckets::new(MAX_ATTACHES_PER_SECOND, MAX_ATTACHES_AT_ONCE)
}

/// A session. Clones refer to the same one.
#[derive(Clone, Debug)]
pub struct SessionHandle(Arc<SessionShared>);

#[derive(Debug)]
pub(super) struct SessionShared {
    pub(super) id: SessionId,
    pub(super) epoch: Epoch,
    pub(super) program: Program,
    /// `None` once an earlier server has had the program reaped.
    pub(super) inspector: Option<ProcessInspector>,
    pub(super) log: Log,
    /// Status that the session's task publishes.
    pub(super) status: watch::Receiver<Status>,
    pub(super) requests: mpsc::Sender<Box<Request>>,
    /// Attachments that the task has yet to remove.
    pub(super) departures: Departures,
    pub(super) feed: Feed,
    /// Tells the task that a viewer has left, or has begun or stopped to strain the session.
    pub(super) viewers_changed: Notify,
    pub(super) placement: Arc<Placement>,
    /// The remaining attaches that guests are allowed, by grant.
    pub(super) attach_rate: KeyedBuckets<GrantId>,
    /// Snapshots that guests have yet to receive.
    pub(super) guest_snapshots: GuestSnapshots,
    /// Set if something has changed since the session was saved. [`Self::unsaved`] wakes
    /// the task that saves.
    pub(super) is_unsaved: AtomicBool,
    pub(super) unsaved: Arc<Notify>,
}

/// A viewer's attachment to a session. Dropping it detaches.
#[derive(Debug)]
pub struct Attachment {
    session: SessionHandle,
    id: AttachmentId,
    viewer: ViewerId,
    role: Role,
    rank: Rank,
}

/// Marks a viewer that sends more than any person or page does. While this exists, its session
/// stays on the threads for floods, for which no key of another session waits.
#[derive(Debug)]
pub(crate) struct StrainGuard(SessionHandle);

impl Drop for StrainGuard {
    fn drop(&mut self) {
        self.0.0.placement.remove_straining_viewer();
        self.0.0.viewers_changed.notify_one();
    }
}

impl SessionHandle {
    pub(super) fn new(shared: SessionShared) -> Self {
        Self(Arc::new(shared))
    }

    /// Returns the session's name in URLs.
    #[must_use]
    pub fn id(&self) -> &SessionId {
        &self.0.id
    }

    /// Returns how the program ended, once it has.
    #[must_use]
    pub fn exit(&self) -> Option<ExitStatus> {
        self.0.status.borrow().exit
    }

    /// Returns the session as listed for a client with this role. Only an owner is told the
    /// program's arguments, which may be secret.
    #[must_use]
    pub fn info(&self, role: Role) -> SessionInfo {
        let status = self.0.status.borrow();
        let (spec, state) = (status.spec.clone(), status.to_state());
        drop(status);
        let (id, command) = (self.0.id.clone(), self.0.program.words());
        SessionInfo { id, role: Role::Owner, command, spec, state }.seen_by(role)
    }

    /// Returns the session's entry in the list and, for an owner, the programs that run in it.
    pub async fn details(&self, role: Role) -> SessionDetails {
        let info = self.info(role);
        let with_leader = !self.0.program.is_interactive_shell();
        let running = match self.0.inspector.filter(|_| info.state.exit.is_none() && role == Role::Owner) {
            None => RunningPrograms::default(),
            Some(inspector) => {
                background::run(move || inspector.running(with_leader)).await.unwrap_or_default()
            }
        };
        SessionDetails { info, running: running.all, background: running.background }
    }

    /// Changes what `update` asks for. An impossible size leaves everything as it is.
    ///
    /// # Errors
    /// If no terminal can have such a size.
    pub async fn update(&self, update: UpdateSession) -> Result<(), WinsizeError> {
        // If the session's task is gone, there is nothing left to change.
        self.ask(|reply| Request::Update { update, reply }).await.unwrap_or(Ok(()))
    }

    /// Returns the placement of the session's work.
    pub(crate) fn placement(&self) -> Arc<Placement> {
        Arc::clone(&self.0.placement)
    }

    /// Counts a viewer that is about to attach.
    ///
    /// # Errors
    /// If viewers with the same guests' grant have attached too often recently.
    pub fn admit_viewer(&self, grant: GrantId) -> Result<(), TooManyAttaches> {
        if grant == GrantId::OWNER {
            return Ok(());
        }
        self.0.attach_rate.try_take(grant, Instant::now()).map_err(|wait| TooManyAttaches { wait })
    }

    /// Attaches a viewer. The output that it has missed and all later output form one
    /// stream without a gap. Returns `None` if the session was forgotten meanwhile.
    pub async fn attach(
        &self,
        hello: Hello,
        visitor: AttachingViewer,
    ) -> Option<(Attachment, AttachmentStart)> {
        let hello = Hello { viewer: visitor.grant.viewer(hello.viewer), ..hello };
        let request = |reply| Request::Attach(Box::new(AttachRequest { hello, visitor, reply }));
        self.ask(request).await
    }

    /// Returns the contents of the screen.
    pub async fn screen(&self) -> api::Screen {
        let text = self.ask(|reply| Request::Text { reply }).await.unwrap_or_default();
        let cell = |at| u16::try_from(at).unwrap_or(u16::MAX);
        let status = self.0.status.borrow();
        api::Screen {
            cols: status.size.cols,
            rows: status.size.rows,
            title: status.title().to_owned(),
            cursor: ScreenCursor {
                x: cell(text.cursor.0),
                y: cell(text.cursor.1),
                visible: text.is_cursor_visible,
            },
            alternate: text.is_alternate,
            lines: text.lines,
        }
    }

    /// Sends a request to the session's task and waits for its reply; `None` if the task is gone.
    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.0.requests.send(Box::new(request(reply))).await.ok()?;
        answer.await.ok()
    }

    /// Ends the program, and everything else on its terminal that `mode` includes. Waits
    /// until that is done.
    pub async fn end(&self, mode: EndMode) {
        // Errors mean that the session's task is gone, and the program with it.
        let _ = self.0.requests.send(Box::new(Request::End(mode))).await;
        let _ = self.0.status.clone().wait_for(|status| status.exit.is_some()).await;
    }

    pub(super) fn size(&self) -> Winsize {
        self.0.status.borrow().size
    }

    /// Reports whether the program has ended and nobody looks at what it has left.
    pub(super) fn is_unused(&self) -> bool {
        let status = self.0.status.borrow();
        // Viewers that have just left are still part of the published state.
        status.exit.is_some() && status.viewer_count() as usize <= self.0.departures.count()
    }

    /// Returns the hand-off record for the next server, without sizes.
    pub(super) fn record(&self, colours: Option<Colours>, cleared: OutputOffset) -> HandoffRecord {
        let first = HandoffRecord::first(&self.0.epoch, &self.0.program, &self.0.status.borrow());
        HandoffRecord { colours, cleared, ..first }
    }

    /// Returns the data that is needed to start the session again after a reboot. Asks the system
    /// for the program's current directory.
    pub(super) fn to_saved(&self) -> SavedSession {
        let here = self.0.inspector.filter(|_| self.exit().is_none()).and_then(ProcessInspector::directory);
        let cwd = here.or_else(|| self.0.program.cwd.clone());
        let status = self.0.status.borrow();
        SavedSession {
            program: (&Program { cwd, ..self.0.program.clone() }).into(),
            spec: status.spec.clone(),
            size: status.size,
        }
    }

    /// Returns output that draws the screen, with all of its scrollback.
    pub(super) async fn snapshot_output(&self) -> Vec<u8> {
        let rank = Rank::Owner;
        let snapshot = self.ask(|reply| Request::Snapshot { history: usize::MAX, rank, reply }).await;
        snapshot.map(|(snapshot, _)| snapshot.into_output()).unwrap_or_default()
    }

    /// Reports whether the session's shell is reading a command, with nothing else of the session
    /// in the foreground.
    pub(super) async fn waits_at_prompt(&self) -> bool {
        let Some(inspector) = self.0.inspector.filter(|_| self.0.program.is_interactive_shell()) else {
            return false;
        };
        let name = self.0.program.name();
        background::run(move || inspector.is_alone_in_foreground(&name)).await.unwrap_or(false)
    }

    /// Marks the session as changed since it was saved.
    pub(super) fn mark_unsaved(&self) {
        if !self.0.is_unsaved.swap(true, Relaxed) {
            self.0.unsaved.notify_one();
        }
    }

    /// Returns whether the session has changed since the last call.
    pub(super) fn take_unsaved(&self) -> bool {
        self.0.is_unsaved.swap(false, Relaxed)
    }

    pub(super) fn shared(&self) -> &SessionShared {
        &self.0
    }
}

impl Attachment {
    pub(super) fn new(session: SessionHandle, id: AttachmentId, viewer: ViewerId, role: Role) -> Self {
        let rank = if role == Role::Owner { Rank::Owner } else { Rank::Guest };
        Self { session, id, viewer, role, rank }
    }

    /// Returns the id that tells this attachment from others of the session.
    #[must_use]
    pub fn id(&self) -> AttachmentId {
        self.id
    }

    /// Returns the viewer's role.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// Returns the viewer's rank among the readers of the session's output.
    #[must_use]
    pub fn rank(&self) -> Rank {
        self.rank
    }

    /// Moves the session to the threads for floods until the returned guard is dropped.
    pub(crate) fn begin_strain(&self) -> StrainGuard {
        self.session.0.placement.add_straining_viewer();
        self.session.0.viewers_changed.notify_one();
        StrainGuard(self.session.clone())
    }

    /// Passes on input that starts at `offset` of this viewer's input. Its fate is
    /// reported as [`InputProgress`](super::InputProgress).
    pub async fn input(&self, offset: u64, bytes: Bytes) {
        let (viewer, attachment) = (self.viewer, self.id);
        self.request(Request::Input(TypedInput { viewer, attachment, offset, bytes })).await;
    }

    /// Reports the size of the viewer's window.
    pub async fn resize(&self, size: Winsize) {
        self.request(Request::Resize { attachment: self.id, size }).await;
    }

    /// Makes `to`, or this viewer, the primary viewer. Returns false if there is no such viewer, or
    /// if it lacks the right to type.
    pub async fn make_primary(&self, to: Option<AttachmentId>) -> bool {
        let to = to.unwrap_or(self.id);
        // Once the session is forgotten, a primary viewer has nothing to decide any more.
        self.session.ask(|reply| Request::MakePrimary { to, reply }).await.unwrap_or(true)
    }

    /// Clears the terminal for everybody.
    pub async fn clear(&self) {
        self.request(Request::OwnOutput(Purpose::Clear)).await;
    }

    /// Resets the modes that programs have set, for everybody.
    pub async fn reset_modes(&self) {
        self.request(Request::OwnOutput(Purpose::ResetModes)).await;
    }

    /// Reports the colours of the viewer's terminal.
    pub async fn colours(&self, colours: Colours) {
        self.request(Request::Colours(Box::new(colours))).await;
    }

    /// Makes a snapshot of the current screen, with at most `history` rows of scrollback, for a
    /// viewer that has received everything before `received`. Returns with it the cursor from which
    /// data continues. Nobody waits for that cursor yet.
    pub async fn snapshot(&self, history: usize, received: OutputOffset) -> (ResetSnapshot, LogReader) {
        let rank = self.rank;
        let snapshot = self.session.ask(|reply| Request::Snapshot { history, rank, reply }).await;
        let (snapshot, output) = snapshot.unwrap_or_else(|| {
            let log = &self.session.0.log;
            let snapshot = ViewerSnapshot::empty(log);
            let output = log.reader(snapshot.position, Claim::new(rank, FlowClass::Unpaced));
            (snapshot, output)
        });
        let skipped = snapshot.position.output.since(received);
        (snapshot.into_reset(skipped), output)
    }

    /// Returns whether the viewer may get a large snapshot now.
    #[must_use]
    pub fn has_snapshot_room(&self) -> bool {
        self.session.0.guest_snapshots.has_room(self.rank)
    }

    async fn request(&self, request: Request) {
        // An error means that the program has ended. The viewer learns that by other means.
        let _ = self.session.0.requests.send(Box::new(request)).await;
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        self.session.0.departures.add(self.id);
        self.session.0.viewers_changed.notify_one();
    }
}

/// Returns the milliseconds since the Unix epoch.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
