//! One WebSocket: one viewer at one session.
//!
//! Two halves run side by side, so that a viewer whose receiving is slow is still heard when it types: [`receive`]
//! takes what the viewer says, as much as it may ([`work`]); [`send`] pulls from the log what its window and its [`pace`] allow, draws what its
//! [`snapshot_budget`] allows, and tells what it has not been [`told`]. The first to end ends both.

mod alarm;
mod pace;
mod pictures;
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
use limpet_shared::{CloseCode, ErrorCode, Follow, OutputOffset, ServerMessage};
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use self::{receive::Receiver, send::Sender};
use crate::session::{Attached, Beginning, SessionHandle, Visitor};

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

type Sink = SplitSink<WebSocket, Message>;
type Stream = SplitStream<WebSocket>;

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
    /// The server is ending.
    Shutdown,
}

/// What the two halves know of each other.
#[derive(Debug)]
struct Link {
    /// Up to where output has been handed to the socket.
    sent: AtomicU64,
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

/// Serves a viewer until either side ends. A viewer that gives no sign of life for about 2.67 `heartbeat`s is let go.
pub async fn run(
    socket: WebSocket,
    session: SessionHandle,
    visitor: Visitor,
    heartbeat: Duration,
    shutdown: CancellationToken,
) {
    let lane = session.lane();
    // On the heap at once, or every viewer had room for it several times.
    lane.carry(Box::pin(attend(socket, session, visitor, heartbeat, shutdown).in_current_span())).await;
}

async fn attend(
    socket: WebSocket,
    session: SessionHandle,
    visitor: Visitor,
    heartbeat: Duration,
    shutdown: CancellationToken,
) {
    let (mut sink, mut stream) = socket.split();
    let end = tokio::select! {
        biased;
        end = serve(&mut sink, &mut stream, &session, visitor, heartbeat) => end,
        () = shutdown.cancelled() => End::Shutdown,
    };
    tracing::info!(reason = ?end, "detached");
    Box::pin(close(sink, stream, end, heartbeat)).await;
}

/// Every viewer has this, for hours. So what comes once or seldom is done in futures of its own.
async fn serve(
    sink: &mut Sink,
    stream: &mut Stream,
    session: &SessionHandle,
    visitor: Visitor,
    heartbeat: Duration,
) -> End {
    let (attached, beginning, follow) = match Box::pin(arrive(stream, session, visitor)).await {
        Ok(arrived) => arrived,
        Err(end) => return end,
    };
    let (replies, waiting) = mpsc::channel(REPLIES);
    let (acked, rendered) = watch::channel(beginning.welcome.output);
    let sent = AtomicU64::new(beginning.welcome.output.get());
    let link = Link { sent, acked, history_asked: AtomicBool::new(false), replies };
    let receiver = Receiver::new(&attached, &link, heartbeat.mul_f32(MISSED));
    let sender = Sender::new(&attached, beginning, follow, &link, (waiting, rendered), heartbeat);
    tokio::select! {
        // A key must not wait until the other half has looked at all that it may have to do.
        biased;
        end = receiver.run(stream) => end,
        end = sender.run(sink) => end,
    }
}

/// Lets a viewer in who says hello. Gives also the window, and how output is to be followed.
async fn arrive(
    stream: &mut Stream,
    session: &SessionHandle,
    visitor: Visitor,
) -> Result<(Attached, Box<Beginning>, (Option<u64>, Follow)), End> {
    let Ok(hello) = timeout(HANDSHAKE, receive::hello(stream)).await else {
        return Err(End::Refused(ErrorCode::HelloExpected, "no hello came in time".to_owned()));
    };
    let hello = hello?;
    let (viewer, window, follow) = (hello.viewer, hello.window, hello.follow);
    let (attached, beginning) = session.attach(hello, visitor).await;
    tracing::info!(%viewer, output = %beginning.welcome.output, "attached");
    Ok((attached, Box::new(beginning), (window, follow)))
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
        End::Shutdown => (CloseCode::GoingAway, FAREWELL),
    };
    let farewell = async {
        let error = match end {
            End::Refused(code, message) => Some((code, message)),
            End::Broken(message) => Some((ErrorCode::MalformedFrame, message)),
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
    /// Notes that output up to `cursor` is about to be sent.
    fn sending(&self, cursor: OutputOffset) {
        self.sent.store(cursor.get(), Ordering::Relaxed);
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
