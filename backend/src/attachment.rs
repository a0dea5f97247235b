//! An attachment: one WebSocket of one viewer at one session.
//!
//! Two halves run side by side, so that a viewer that receives slowly is still heard when it types.
//! [`receive`] handles the viewer's messages, within the limits of [`work`]. [`send`] reads from
//! the log as much as the viewer's window and its [`send_window`] allow, sends snapshots within the
//! [`snapshot_budget`], and reports changes of state since what was [`last_sent`]. The half that
//! ends first ends both.

mod coalescing_timer;
mod last_sent;
mod receive;
mod send;
mod send_window;
mod slots;
mod snapshot_budget;
mod snapshot_pacer;
mod work;

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use limpet_shared::{CloseCode, ErrorCode, Follow, Hello, OutputOffset, ServerMessage, SignInKey};
use tokio::{
    sync::{mpsc, watch},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::task_tracker::TaskTrackerToken};
use tracing::Instrument;

pub use self::slots::AttachmentSlot;
pub(crate) use self::slots::{Attachments, Full, Grant};
use self::{receive::Receiver, send::Sender};
use crate::{
    session::{AttachingViewer, Attachment, AttachmentStart, SessionHandle, TooManyAttaches},
    shutdown::{Shutdown, ShutdownReason},
};

/// Number of heartbeat intervals without a sign of life after which a viewer counts as gone.
const MAX_MISSED_HEARTBEATS: f32 = 2.67;

/// Maximum number of waiting replies to a viewer's own messages. While there are more, its
/// messages are not read.
const MAX_WAITING_REPLIES: usize = 16;

/// Maximum time until a viewer's `hello`, and for its part of the closing handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum time spent on closing the connection of a viewer that is leaving anyway.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Message to a viewer that may not attach, or no longer.
const UNAUTHORIZED: &str = "this browser is not signed in any more; log in with the link that limpet printed";

/// Message to a viewer that asks for a session that does not exist.
const NO_SESSION: &str = "this session does not exist, or has been closed";

/// Message to all viewers when limpet is stopped.
const STOPPED: &str = "limpet was stopped, and its sessions have ended";

type Sink = SplitSink<WebSocket, Message>;
type Stream = SplitStream<WebSocket>;
type Halves = (Sink, Stream);

/// The reason why an attachment ends.
#[derive(Debug)]
enum EndReason {
    /// The program has ended, and the viewer has been sent everything.
    Exited,
    /// The viewer closed, or its connection broke.
    Left,
    /// The viewer was silent for too long.
    Silent,
    /// The viewer attached anew through another connection.
    Replaced,
    /// The connection broke, or it carried something other than a WebSocket.
    Broken(String),
    /// The viewer violated the protocol.
    Refused(ErrorCode, String),
    /// The viewer's sign-in is invalid or was revoked.
    Unauthorized,
    /// The session does not exist.
    NoSession,
    /// Viewers with this grant attach too often.
    TooManyAttaches(TooManyAttaches),
    /// The viewer did not say hello, and is not waited for any longer.
    NoHello(&'static str),
    /// The server is ending.
    Shutdown(ShutdownReason),
}

/// A viewer that may attach.
#[derive(Debug)]
pub struct Admitted<G> {
    /// The session to attach to.
    pub session: SessionHandle,
    /// The viewer's role, grant and origin.
    pub visitor: AttachingViewer,
    /// Cancelled when the viewer's right to attach is revoked.
    pub revoked: CancellationToken,
    /// Held for as long as the viewer is attached.
    pub guard: G,
}

/// The reason why a viewer may not attach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAdmitted {
    /// The viewer has not shown valid credentials.
    Unauthorized,
    /// The session does not exist, or the viewer may not see it.
    NoSession,
    /// Viewers with this grant attach too often.
    TooManyAttaches(TooManyAttaches),
}

impl From<NotAdmitted> for EndReason {
    fn from(not_admitted: NotAdmitted) -> Self {
        match not_admitted {
            NotAdmitted::Unauthorized => Self::Unauthorized,
            NotAdmitted::NoSession => Self::NoSession,
            NotAdmitted::TooManyAttaches(refused) => Self::TooManyAttaches(refused),
        }
    }
}

/// State that the two halves share.
#[derive(Debug)]
struct AttachmentShared {
    /// End of the output that has been handed to the socket.
    sent: AtomicU64,
    /// Number of frames that may be acknowledged and have not been.
    unacknowledged: AtomicU64,
    /// End of the output that the viewer has rendered. Every acknowledgement counts as a change,
    /// even a repeated one.
    acked: watch::Sender<OutputOffset>,
    /// Set while the sender has yet to learn that all of the scrollback was asked for.
    history_asked: AtomicBool,
    /// Work for the sender that follows from the viewer's messages.
    replies: mpsc::Sender<Reply>,
}

/// Work that the receiver passes to the sender.
#[derive(Debug)]
enum Reply {
    /// Sends a message to the viewer.
    Message(Box<ServerMessage>),
    /// Sends a snapshot with all of the scrollback.
    History,
}

/// Serves a viewer until either side ends. `admit` decides by the key in the viewer's hello whether
/// it may attach; before that, it is told nothing. A viewer that gives no sign of life for about
/// 2.67 `heartbeat`s is dropped. `tracked` is held until the socket is closed.
pub async fn run<G: Send + 'static>(
    socket: WebSocket,
    slot: AttachmentSlot,
    admit: impl FnOnce(Option<&SignInKey>) -> Result<Admitted<G>, NotAdmitted>,
    heartbeat: Duration,
    shutdown: Shutdown,
    tracked: TaskTrackerToken,
) {
    // This future is boxed, or every attachment would reserve memory for it for all its life.
    match Box::pin(admit_viewer(socket, &slot, admit, &shutdown)).await {
        Ok((socket, admitted, hello)) => {
            let placement = admitted.session.placement();
            let attached = async move {
                run_attached(socket, admitted, hello, heartbeat, shutdown).await;
                // The socket is closed by now.
                drop((slot, tracked));
            };
            placement.spawn(Box::pin(attached.in_current_span()));
        }
        Err(((sink, stream), end)) => {
            tracing::info!(reason = ?end, "not attached");
            Box::pin(close(sink, stream, end, heartbeat)).await;
            drop((slot, tracked));
        }
    }
}

/// Admits a viewer once it has said hello.
async fn admit_viewer<G>(
    socket: WebSocket,
    slot: &AttachmentSlot,
    admit: impl FnOnce(Option<&SignInKey>) -> Result<Admitted<G>, NotAdmitted>,
    shutdown: &Shutdown,
) -> Result<(Halves, Admitted<G>, Hello), (Halves, EndReason)> {
    let (sink, mut stream) = socket.split();
    let hello = tokio::select! {
        biased;
        hello = wait_for_hello(&mut stream, slot) => hello,
        shutdown_reason = shutdown.started() => Err(EndReason::Shutdown(shutdown_reason)),
    };
    match hello.and_then(|hello| Ok((admit(hello.key.as_ref())?, hello))) {
        Ok((admitted, hello)) => Ok(((sink, stream), admitted, hello)),
        Err(end) => Err(((sink, stream), end)),
    }
}

/// Waits for a viewer's hello.
async fn wait_for_hello(stream: &mut Stream, slot: &AttachmentSlot) -> Result<Hello, EndReason> {
    let hello = tokio::select! {
        biased;
        hello = receive::read_hello(stream) => Some(hello?),
        () = slot.wait_for_eviction() => None,
        () = sleep(HANDSHAKE_TIMEOUT) => return Err(EndReason::NoHello("no hello arrived in time")),
    };
    let hello = hello.filter(|_| slot.confirm());
    hello.ok_or(EndReason::NoHello("no hello arrived before another viewer needed the place"))
}

async fn run_attached<G>(
    (mut sink, mut stream): Halves,
    Admitted { session, visitor, revoked, guard }: Admitted<G>,
    hello: Hello,
    heartbeat: Duration,
    shutdown: Shutdown,
) {
    let end = tokio::select! {
        biased;
        () = revoked.cancelled() => EndReason::Unauthorized,
        end = serve(&mut sink, &mut stream, &session, (hello, visitor), heartbeat) => end,
        shutdown_reason = shutdown.started() => EndReason::Shutdown(shutdown_reason),
    };
    tracing::info!(reason = ?end, "detached");
    drop(guard);
    Box::pin(close(sink, stream, end, heartbeat)).await;
}

/// Runs both halves. This future lives as long as the attachment, so rare branches are
/// boxed to keep it small.
async fn serve(
    sink: &mut Sink,
    stream: &mut Stream,
    session: &SessionHandle,
    hello_and_visitor: (Hello, AttachingViewer),
    heartbeat: Duration,
) -> EndReason {
    let Some((attachment, start, follow)) = Box::pin(attach(session, hello_and_visitor)).await else {
        return EndReason::NoSession;
    };
    let (replies, waiting) = mpsc::channel(MAX_WAITING_REPLIES);
    let (acked, rendered) = watch::channel(start.welcome.output);
    let sent = AtomicU64::new(start.welcome.output.get());
    let unacknowledged = AtomicU64::new(0);
    let shared =
        AttachmentShared { sent, unacknowledged, acked, history_asked: AtomicBool::new(false), replies };
    let receiver = Receiver::new(&attachment, &shared, heartbeat.mul_f32(MAX_MISSED_HEARTBEATS));
    let sender = Sender::new(&attachment, start, follow, &shared, (waiting, rendered), heartbeat);
    tokio::select! {
        // The receiver comes first: a key must not wait until the sender has checked all that
        // it may have to do.
        biased;
        end = receiver.run(stream) => end,
        end = sender.run(sink) => end,
    }
}

/// Attaches a viewer that has said hello. Returns also its window and the way it follows output.
/// `None` if the session was forgotten meanwhile.
async fn attach(
    session: &SessionHandle,
    (hello, visitor): (Hello, AttachingViewer),
) -> Option<(Attachment, Box<AttachmentStart>, (Option<u64>, Follow))> {
    let (viewer, window, follow) = (hello.viewer, hello.window, hello.follow);
    let (attachment, start) = session.attach(hello, visitor).await?;
    tracing::info!(%viewer, output = %start.welcome.output, "attached");
    Some((attachment, Box::new(start), (window, follow)))
}

/// Tells the viewer the reason, and lets it read what is still on its way: a socket that is closed
/// while it holds unread data would be reset, and the viewer would lose what it has not read yet.
async fn close(mut sink: Sink, mut stream: Stream, end: EndReason, heartbeat: Duration) {
    let (code, patience) = match end {
        EndReason::Left => {
            // If the viewer closed, it waits for the server's half of the closing handshake; if
            // not, this fails at once.
            let _ = timeout(CLOSE_TIMEOUT, sink.close()).await;
            return;
        }
        EndReason::Exited => (CloseCode::Normal, heartbeat.mul_f32(MAX_MISSED_HEARTBEATS)),
        EndReason::Silent => (CloseCode::HeartbeatMissed, Duration::ZERO),
        EndReason::Replaced => (CloseCode::Replaced, HANDSHAKE_TIMEOUT),
        EndReason::Refused(..) | EndReason::Broken(_) => (CloseCode::Protocol, HANDSHAKE_TIMEOUT),
        EndReason::NoHello(_) => (CloseCode::Protocol, Duration::ZERO),
        EndReason::Unauthorized => (CloseCode::Unauthorized, CLOSE_TIMEOUT),
        EndReason::NoSession => (CloseCode::NotFound, CLOSE_TIMEOUT),
        // The viewer may try again in both cases.
        EndReason::TooManyAttaches(_) | EndReason::Shutdown(_) => (CloseCode::GoingAway, CLOSE_TIMEOUT),
    };
    let shutdown_reason = async {
        let error = match end {
            EndReason::Refused(code, message) => Some((code, message)),
            EndReason::NoHello(message) => Some((ErrorCode::HelloExpected, message.to_owned())),
            EndReason::Broken(message) => Some((ErrorCode::MalformedFrame, message)),
            EndReason::Unauthorized => Some((ErrorCode::Unauthorized, UNAUTHORIZED.to_owned())),
            EndReason::NoSession => Some((ErrorCode::SessionNotFound, NO_SESSION.to_owned())),
            EndReason::TooManyAttaches(refused) => Some((ErrorCode::TooManyRequests, refused.to_string())),
            EndReason::Shutdown(ShutdownReason::Stop) => Some((ErrorCode::ShuttingDown, STOPPED.to_owned())),
            _ => None,
        };
        if let Some((code, message)) = error {
            sink.feed(text(&ServerMessage::Error { code, message })).await?;
        }
        let frame = CloseFrame { code: code.code(), reason: "".into() };
        sink.send(Message::Close(Some(frame))).await?;
        while let Some(Ok(_)) = stream.next().await {}
        Ok::<_, axum::Error>(())
    };
    // If this fails, the viewer is gone.
    let _ = timeout(patience, shutdown_reason).await;
}

fn text(message: &ServerMessage) -> Message {
    Message::Text(message.to_json().into())
}

impl AttachmentShared {
    /// Records that output up to `cursor` is about to be sent, in this many frames.
    fn record_sent(&self, cursor: OutputOffset, frames: u64) {
        self.sent.store(cursor.get(), Ordering::Relaxed);
        self.unacknowledged.fetch_add(frames, Ordering::Relaxed);
    }

    /// Counts an acknowledgement. Returns false if there have been more of them than frames.
    fn take_acknowledgement(&self) -> bool {
        let one_less = |frames: u64| frames.checked_sub(1);
        self.unacknowledged.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok()
    }

    /// Records that the viewer has rendered everything before `output`. Returns false if
    /// that was never sent.
    fn record_rendered(&self, output: OutputOffset) -> bool {
        if output.get() > self.sent.load(Ordering::Relaxed) {
            return false;
        }
        self.acked.send_modify(|acked| *acked = output.max(*acked));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::future_size::future_size;

    /// Maximum size of the future that every attachment has for all its life, in bytes: a little
    /// more than today. If it is exceeded, box a rare branch.
    const MAX_FUTURE_BYTES: usize = 4096;

    #[test]
    fn attachments_are_small() {
        type Arguments = (Halves, Admitted<()>, Hello, Duration, Shutdown);
        let future = future_size(|(halves, admitted, hello, heartbeat, shutdown): Arguments| {
            run_attached(halves, admitted, hello, heartbeat, shutdown)
        });
        assert!(future <= MAX_FUTURE_BYTES, "the future has {future} bytes");
    }
}
