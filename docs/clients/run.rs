//! Types a command into a session of limpet, and prints the output until the session's program
//! ends, over connections that may break.

use std::{env, future::pending, io, process::ExitCode, time::Duration};

use anyhow::{Context, bail};
use futures_util::{SinkExt, StreamExt};
use limpet_client::{Effect, Event, Machine, Moment, Notification, Phase, Probe, Viewer};
use limpet_shared::{ExitStatus, SUBPROTOCOL, ViewerId, Winsize};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep_until},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest},
};

type Socket = Option<WebSocketStream<MaybeTlsStream<TcpStream>>>;

/// The code for a close without a handshake (RFC 6455, 7.4.1).
const ABNORMAL_CLOSURE: u16 = 1006;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<ExitCode> {
    let words: Vec<String> = env::args().skip(1).collect();
    let [url, token, command] = &words[..] else {
        bail!("usage: run ws://HOST/api/sessions/ID/attach TOKEN COMMAND")
    };
    match run(url, token, command, &mut io::stdout()).await? {
        ExitStatus::Code(code) => Ok(u8::try_from(code).unwrap_or(u8::MAX).into()),
        ExitStatus::Signal(signal) => bail!("signal {signal} ended the program"),
    }
}

/// Types `command` into the session at `url`. Writes its output, and returns its exit status.
pub(crate) async fn run(
    url: &str,
    token: &str,
    command: &str,
    output: &mut impl io::Write,
) -> anyhow::Result<ExitStatus> {
    let mut request = url.into_client_request()?;
    request.headers_mut().insert("authorization", format!("Bearer {token}").parse()?);
    request.headers_mut().insert("sec-websocket-protocol", SUBPROTOCOL.parse()?);
    let mut id = [0; 16];
    getrandom::fill(&mut id).context("there are no random bytes")?;
    let viewer = Viewer::for_all_output(ViewerId::from_random(id), Winsize::default());
    let mut machine: Machine = Machine::new(viewer);
    let (mut socket, mut timer, mut probe) = (None, None, Probe::Unreachable);
    let mut message = Message::Close(None);
    let start = Instant::now();
    let now = || Moment::after(start.elapsed());
    machine.handle(Event::Start, now());
    machine.handle(Event::Input(format!("{command}\n").as_bytes()), now());
    loop {
        while let Some(effect) = machine.next_effect() {
            match effect {
                Effect::Open => match connect_async(request.clone()).await {
                    Ok((opened, _)) => {
                        socket = Some(opened);
                        machine.handle(Event::Opened(""), now());
                    }
                    Err(error) => {
                        probe = reason(&error);
                        machine.handle(Event::Closed { code: ABNORMAL_CLOSURE }, now());
                    }
                },
                Effect::Probe => machine.handle(Event::Probed(probe), now()),
                Effect::Close => socket = None,
                Effect::SendText(text) => send(&mut socket, Message::text(text)).await,
                Effect::SendFrame(frame) => send(&mut socket, Message::binary(frame)).await,
                Effect::Timer(ms) => timer = Some(Instant::now() + Duration::from_secs_f64(ms / 1000.0)),
                Effect::NoTimer => timer = None,
                // The piece is a part of the message that is being handled.
                Effect::Write(piece) => {
                    if let Message::Binary(frame) = &message {
                        output.write_all(&frame[piece.from..piece.to])?;
                    }
                    machine.handle(Event::Rendered(piece.mark, true), now());
                }
                Effect::Notify(Notification::Exited { status, .. }) => return Ok(status),
                Effect::Notify(Notification::Phase(Phase::Gone(reason))) => {
                    bail!("cannot attach: {reason:?}")
                }
                Effect::Notify(_) => {}
            }
        }
        message = tokio::select! {
            message = receive(&mut socket) => message,
            () = expiry(timer) => {
                machine.handle(Event::Timer, now());
                continue;
            }
        };
        match &message {
            Message::Text(text) => machine.handle(Event::Text(text), now()),
            Message::Binary(frame) => machine.handle(Event::frame(frame), now()),
            Message::Close(close) => {
                let code = close.as_ref().map_or(ABNORMAL_CLOSURE, |close| close.code.into());
                machine.handle(Event::Closed { code }, now());
            }
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
    }
}

/// Returns why a socket did not open.
fn reason(error: &Error) -> Probe<'static> {
    match error {
        Error::Http(answer) if answer.status() == 401 => Probe::Unauthorized,
        Error::Http(answer) if answer.status() == 404 => Probe::NotFound,
        _ => Probe::Unreachable,
    }
}

/// Sends a message. If the connection is broken, the next message shows it.
async fn send(socket: &mut Socket, message: Message) {
    if let Some(socket) = socket {
        let _ = socket.send(message).await;
    }
}

/// Returns the next message, or a close if the connection is broken.
async fn receive(socket: &mut Socket) -> Message {
    match socket {
        Some(socket) => socket.next().await.and_then(Result::ok).unwrap_or(Message::Close(None)),
        None => pending().await,
    }
}

async fn expiry(timer: Option<Instant>) {
    match timer {
        Some(at) => sleep_until(at).await,
        None => pending().await,
    }
}
