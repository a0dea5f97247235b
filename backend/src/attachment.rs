//! One WebSocket: one viewer at one session.
//!
//! Two halves run side by side, so that a viewer whose receiving is slow is still heard when it types: [`receive`]
//! takes what the viewer says, as much as it may ([`work`]); [`send`] pulls from the log what its window and its [`pace`] allow, draws what its
//! [`snapshot_budget`] allows, and tells what it has not been [`told`]. The first to end ends both.

mod alarm;
mod pace;
mod pictures;
mod places;
mod receive;
mod send;
mod snapshot_budget;
mod told;
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

pub use self::places::Place;
pub(crate) use self::places::{Attachments, Grant};
use self::{receive::Receiver, send::Sender};
use crate::session::{Attached, Beginning, SessionHandle, TooOften, Visitor};

/// How often the server asks for a sign of life, unless told otherwise.
pub const HEARTBEAT: Duration = Duration::from_secs(15);

/// A viewer is gone when it has been silent for this many heartbeats.
const MISSED: f32 = 2.67;

/// How many answers to the viewer's own messages may wait for it. When there are more, it is not listened to.
const REPLIES: usize = 16;

/// How long a viewer may take for its `hello`, and for its part of the closing handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How long is spent on somebody who is leaving anyway.
const FAREWELL: Duration = Duration::from_secs(1);

/// What somebody is told who may not attach, or no longer.
const UNAUTHORIZED: &str =
    "this browser is not signed in, or no longer; log in with the link that limpet printed";

/// What somebody is told who has come to where nothing is.
const NO_SESSION: &str = "there is no such session (any more)";

type Sink = SplitSink<WebSocket, Message>;
type Stream = SplitStream<WebSocket>;
type Halves = (Sink, Stream);

/// Why an attachment ends.
#[derive(Debug)]
enum End {
    /// The program has ended, and the viewer has been sent everything.
    Exited,
    /// The viewer closed, or its connection broke.
    Left,
    /// It was silent for too long.
    Silent,
    /// It attached anew by another connection.
    Replaced,
    /// The connection broke, or what came over it was no WebSocket.
    Broken(String),
    /// It broke the protocol.
    Refused(ErrorCode, String),
    /// Its sign-in is none, or was revoked.
    Unauthorized,
    /// There is no such session.
    NoSession,
    /// Those with its grant attach too often.
    TooOften(TooOften),
    /// It did not say hello. It is not waited for any longer.
    Unwelcome(&'static str),
    /// The server is ending.
    Shutdown,
}

/// A viewer who may attach.
#[derive(Debug)]
pub struct Admitted<G> {
    /// To what.
    pub session: SessionHandle,
    /// Who it is.
    pub visitor: Visitor,
    /// Cancelled when it may no longer.
    pub revoked: CancellationToken,
    /// Kept for as long as it is attached.
    pub guard: G,
}

/// Why a viewer may not attach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAdmitted {
    /// It has not shown that it may.
    Unauthorized,
    /// There is no such session, or none that it may see.
    NoSession,
    /// Those with its grant attach too often.
    TooOften(TooOften),
}

impl From<NotAdmitted> for End {
    fn from(not_admitted: NotAdmitted) -> Self {
        match not_admitted {
            NotAdmitted::Unauthorized => Self::Unauthorized,
            NotAdmitted::NoSession => Self::NoSession,
            NotAdmitted::TooOften(refused) => Self::TooOften(refused),
        }
    }
}

/// What the two halves know of each other.
#[derive(Debug)]
struct Link {
    /// Up to where output has been handed to the socket.
    sent: AtomicU64,
    /// Frames that may be acknowledged and have not been.
    unacknowledged: AtomicU64,
    /// Up to where the viewer has rendered it. Changes with every acknowledgement, even with one that repeats.
    acked: watch::Sender<OutputOffset>,
    /// Whether the other half is yet to hear that all of the scrollback was asked for.
    history_asked: AtomicBool,
    /// What follows from what the viewer said.
    replies: mpsc::Sender<Reply>,
}

/// What the speaking half is to do for the listening one.
#[derive(Debug)]
enum Reply {
    /// Answer the viewer.
    Say(Box<ServerMessage>),
    /// Draw its terminal anew, with all of the scrollback.
    History,
}

/// Serves a viewer until either side ends. `admit` lets it in by the key in its hello; before that it is told nothing. A viewer that
/// gives no sign of life for about 2.67 `heartbeat`s is let go. `tracked` is held until the socket is closed.
pub async fn run<G: Send + 'static>(
    socket: WebSocket,
    place: Place,
    admit: impl FnOnce(Option<&SignInKey>) -> Result<Admitted<G>, NotAdmitted>,
    heartbeat: Duration,
    shutdown: CancellationToken,
    tracked: TaskTrackerToken,
) {
    // On the heap, or every viewer had room for it all its life.
    match Box::pin(welcome(socket, &place, admit, &shutdown)).await {
        Ok((socket, admitted, hello)) => {
            let lane = admitted.session.lane();
            let attending = async move {
                attend(socket, admitted, hello, heartbeat, shutdown).await;
                // The socket is closed by now.
                drop((place, tracked));
            };
            lane.spawn(Box::pin(attending.in_current_span()));
        }
        Err(((sink, stream), end)) => {
            tracing::info!(reason = ?end, "not attached");
            Box::pin(close(sink, stream, end, heartbeat)).await;
            drop((place, tracked));
        }
    }
}

/// Lets a viewer in, once it has said hello.
async fn welcome<G>(
    socket: WebSocket,
    place: &Place,
    admit: impl FnOnce(Option<&SignInKey>) -> Result<Admitted<G>, NotAdmitted>,
    shutdown: &CancellationToken,
) -> Result<(Halves, Admitted<G>, Hello), (Halves, End)> {
    let (sink, mut stream) = socket.split();
    let greeted = tokio::select! {
        biased;
        hello = greet(&mut stream, place) => hello,
        () = shutdown.cancelled() => Err(End::Shutdown),
    };
    match greeted.and_then(|hello| Ok((admit(hello.key.as_ref())?, hello))) {
        Ok((admitted, hello)) => Ok(((sink, stream), admitted, hello)),
        Err(end) => Err(((sink, stream), end)),
    }
}

/// Waits for a viewer's hello.
async fn greet(stream: &mut Stream, place: &Place) -> Result<Hello, End> {
    let hello = tokio::select! {
        biased;
        hello = receive::hello(stream) => Some(hello?),
        () = place.is_to_close() => None,
        () = sleep(HANDSHAKE) => return Err(End::Unwelcome("no hello came in time")),
    };
    let hello = hello.filter(|_| place.hello_has_come());
    hello.ok_or(End::Unwelcome("no hello came, and another viewer needed the place"))
}

async fn attend<G>(
    (mut sink, mut stream): Halves,
    Admitted { session, visitor, revoked, guard }: Admitted<G>,
    hello: Hello,
    heartbeat: Duration,
    shutdown: CancellationToken,
) {
    let end = tokio::select! {
        biased;
        () = revoked.cancelled() => End::Unauthorized,
        end = serve(&mut sink, &mut stream, &session, (hello, visitor), heartbeat) => end,
        () = shutdown.cancelled() => End::Shutdown,
    };
    tracing::info!(reason = ?end, "detached");
    drop(guard);
    Box::pin(close(sink, stream, end, heartbeat)).await;
}

/// Every viewer has this, for hours. So what comes once or seldom is done in futures of its own.
async fn serve(
    sink: &mut Sink,
    stream: &mut Stream,
    session: &SessionHandle,
    arriving: (Hello, Visitor),
    heartbeat: Duration,
) -> End {
    let (attached, beginning, follow) = Box::pin(arrive(session, arriving)).await;
    let (replies, waiting) = mpsc::channel(REPLIES);
    let (acked, rendered) = watch::channel(beginning.welcome.output);
    let sent = AtomicU64::new(beginning.welcome.output.get());
    let unacknowledged = AtomicU64::new(0);
    let link = Link { sent, unacknowledged, acked, history_asked: AtomicBool::new(false), replies };
    let receiver = Receiver::new(&attached, &link, heartbeat.mul_f32(MISSED));
    let sender = Sender::new(&attached, beginning, follow, &link, (waiting, rendered), heartbeat);
    tokio::select! {
        // A key must not wait until the other half has looked at all that it may have to do.
        biased;
        end = receiver.run(stream) => end,
        end = sender.run(sink) => end,
    }
}

/// Lets a viewer in who has said hello. Gives also the window, and how output is to be followed.
async fn arrive(
    session: &SessionHandle,
    (hello, visitor): (Hello, Visitor),
) -> (Attached, Box<Beginning>, (Option<u64>, Follow)) {
    let (viewer, window, follow) = (hello.viewer, hello.window, hello.follow);
    let (attached, beginning) = session.attach(hello, visitor).await;
    tracing::info!(%viewer, output = %beginning.welcome.output, "attached");
    (attached, Box::new(beginning), (window, follow))
}

/// Says why, and lets the viewer have what is still on its way: a socket that is closed while something unread waits
/// at our side would be reset, and what the viewer has not read yet would be lost.
async fn close(mut sink: Sink, mut stream: Stream, end: End, heartbeat: Duration) {
    let (code, patience) = match end {
        End::Left => {
            // If it was the viewer who closed, it waits for our half of that; if not, this fails at once.
            let _ = timeout(FAREWELL, sink.close()).await;
            return;
        }
        End::Exited => (CloseCode::Normal, heartbeat.mul_f32(MISSED)),
        End::Silent => (CloseCode::HeartbeatMissed, Duration::ZERO),
        End::Replaced => (CloseCode::Replaced, HANDSHAKE),
        End::Refused(..) | End::Broken(_) => (CloseCode::Protocol, HANDSHAKE),
        End::Unwelcome(_) => (CloseCode::Protocol, Duration::ZERO),
        End::Unauthorized => (CloseCode::Unauthorized, FAREWELL),
        End::NoSession => (CloseCode::NotFound, FAREWELL),
        // Both may try again.
        End::TooOften(_) | End::Shutdown => (CloseCode::GoingAway, FAREWELL),
    };
    let farewell = async {
        let error = match end {
            End::Refused(code, message) => Some((code, message)),
            End::Unwelcome(message) => Some((ErrorCode::HelloExpected, message.to_owned())),
            End::Broken(message) => Some((ErrorCode::MalformedFrame, message)),
            End::Unauthorized => Some((ErrorCode::Unauthorized, UNAUTHORIZED.to_owned())),
            End::NoSession => Some((ErrorCode::SessionNotFound, NO_SESSION.to_owned())),
            End::TooOften(refused) => Some((ErrorCode::TooManyRequests, refused.to_string())),
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
    // Whatever goes wrong now, the viewer is gone.
    let _ = timeout(patience, farewell).await;
}

fn text(message: &ServerMessage) -> Message {
    Message::Text(message.to_json().into())
}

impl Link {
    /// Notes that output up to `cursor` is about to be sent, in this many frames.
    fn sending(&self, cursor: OutputOffset, frames: u64) {
        self.sent.store(cursor.get(), Ordering::Relaxed);
        self.unacknowledged.fetch_add(frames, Ordering::Relaxed);
    }

    /// Counts an acknowledgement. False if there have been more of them than frames.
    fn take_acknowledgement(&self) -> bool {
        let one_less = |frames: u64| frames.checked_sub(1);
        self.unacknowledged.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok()
    }

    /// Notes that the viewer has rendered everything before `output`. False if that was never sent.
    fn rendered(&self, output: OutputOffset) -> bool {
        if output.get() > self.sent.load(Ordering::Relaxed) {
            return false;
        }
        self.acked.send_modify(|acked| *acked = output.max(*acked));
        true
    }
}
