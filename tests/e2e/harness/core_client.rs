//! A client that keeps its connection by `limpet-client`, as the page does: it attaches again,
//! resumes, acknowledges and sends input again by itself.

use std::{future::pending, mem, time::Duration};

use futures_util::{SinkExt, StreamExt};
use limpet_client::{Effect, Event, Machine, Moment, Notification, Phase, Probe, Viewer};
use limpet_shared::{ExitStatus, SessionId};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep_until},
};
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};

use super::{client::connect, within};

/// The code for a close without a handshake (RFC 6455, 7.4.1).
const ABNORMAL_CLOSURE: u16 = 1006;

/// A viewer across all its attachments.
pub(crate) struct CoreClient {
    address: String,
    session: SessionId,
    machine: Machine,
    socket: Option<WebSocketStream<TcpStream>>,
    start: Instant,
    timer: Option<Instant>,
    /// True if the next attempt is due later. Tests make it at once, as a user may.
    is_waiting: bool,
    /// All output so far, unless the test has taken it.
    pub(crate) output: Vec<u8>,
    /// Number of times that the output to come did not continue what was there.
    pub(crate) clears: u32,
    /// Number of attachments so far.
    pub(crate) attachments: u32,
    pub(crate) exit: Option<ExitStatus>,
}

impl CoreClient {
    pub(crate) async fn start(address: &str, session: &SessionId, viewer: Viewer) -> Self {
        let mut client = Self {
            address: address.to_owned(),
            session: session.clone(),
            machine: Machine::new(viewer),
            socket: None,
            start: Instant::now(),
            timer: None,
            is_waiting: false,
            output: Vec::new(),
            clears: 0,
            attachments: 0,
            exit: None,
        };
        client.handle(Event::Start, &[]).await;
        client
    }

    /// Sends text as typed input, now or after the next attachment.
    pub(crate) async fn type_in(&mut self, text: &str) {
        self.handle(Event::Input(text.as_bytes()), &[]).await;
    }

    /// Breaks the connection without closing it.
    pub(crate) async fn cut(&mut self) {
        if let Some(socket) = self.socket.take() {
            socket2::SockRef::from(socket.get_ref()).set_linger(Some(Duration::ZERO)).unwrap();
            drop(socket);
            self.handle(Event::Closed { code: ABNORMAL_CLOSURE }, &[]).await;
        }
    }

    /// Waits for the next event, and handles it.
    pub(crate) async fn handle_next(&mut self) {
        if mem::take(&mut self.is_waiting) {
            return self.handle(Event::RetryNow, &[]).await;
        }
        let message = tokio::select! {
            message = next_message(&mut self.socket) => message,
            () = expiry(self.timer) => return self.handle(Event::Timer, &[]).await,
        };
        match message {
            Some(Message::Text(text)) => self.handle(Event::Text(&text), &[]).await,
            Some(Message::Binary(frame)) => self.handle(Event::frame(&frame), &frame).await,
            Some(Message::Close(Some(close))) => {
                self.handle(Event::Closed { code: close.code.into() }, &[]).await;
            }
            Some(Message::Close(None)) | None => {
                self.handle(Event::Closed { code: ABNORMAL_CLOSURE }, &[]).await;
            }
            Some(_) => {}
        }
    }

    /// Handles events until `enough` holds.
    pub(crate) async fn until(&mut self, what: &str, enough: impl Fn(&Self) -> bool) {
        within(what, async {
            while !enough(self) {
                self.handle_next().await;
            }
        })
        .await;
    }

    /// Handles an event; `message` is the binary message, if the event is one.
    async fn handle(&mut self, event: Event<'_>, message: &[u8]) {
        self.machine.handle(event, self.moment());
        while let Some(effect) = self.machine.next_effect() {
            match effect {
                Effect::Open => self.open().await,
                Effect::Close => self.socket = None,
                Effect::SendText(text) => self.send(Message::text(text)).await,
                Effect::SendFrame(frame) => self.send(Message::binary(frame)).await,
                // The sessions of these tests exist, so every failure is one of the network.
                Effect::Probe => self.machine.handle(Event::Probed(Probe::Unreachable), self.moment()),
                Effect::Timer(ms) => {
                    self.timer = Some(Instant::now() + Duration::from_secs_f64(ms / 1000.0));
                }
                Effect::NoTimer => self.timer = None,
                Effect::Write(piece) => {
                    self.output.extend_from_slice(&message[piece.from..piece.to]);
                    self.machine.handle(Event::Rendered(piece.mark, true), self.moment());
                }
                Effect::Notify(tell) => self.on_tell(&tell),
            }
        }
    }

    async fn open(&mut self) {
        self.socket = connect(&self.address, &self.session).await.ok().map(|(socket, _)| socket);
        let event =
            if self.socket.is_some() { Event::Opened("") } else { Event::Closed { code: ABNORMAL_CLOSURE } };
        self.machine.handle(event, self.moment());
    }

    /// Sends a message. If the connection is gone, the next event shows it.
    async fn send(&mut self, message: Message) {
        if let Some(socket) = &mut self.socket {
            let _ = socket.send(message).await;
        }
    }

    fn on_tell(&mut self, tell: &Notification) {
        match tell {
            Notification::Role(_) => self.attachments += 1,
            Notification::Clear { .. } => self.clears += 1,
            Notification::Exited { status, .. } => self.exit = Some(*status),
            Notification::Phase(Phase::Gone(reason)) => panic!("the connection is not retried: {reason:?}"),
            Notification::Phase(Phase::Reconnecting { at_ms, .. }) => {
                self.is_waiting = *at_ms > self.moment().now_ms;
            }
            _ => {}
        }
    }

    fn moment(&self) -> Moment {
        Moment::after(self.start.elapsed())
    }
}

/// Returns the next message, or `None` if the connection has ended. Waits forever without one.
async fn next_message(socket: &mut Option<WebSocketStream<TcpStream>>) -> Option<Message> {
    match socket {
        Some(socket) => socket.next().await?.ok(),
        None => pending().await,
    }
}

async fn expiry(timer: Option<Instant>) {
    match timer {
        Some(at) => sleep_until(at).await,
        None => pending().await,
    }
}
