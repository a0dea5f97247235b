//! The receiving half of an attachment: handles the viewer's messages.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use axum::extract::ws::{Message, Utf8Bytes};
use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt, StreamExt};
use limpet_shared::{
    ClientMessage, ErrorCode, Header, Hello, Kind, MessageError, OutputOffset, ServerMessage,
    limits::TEXT_MESSAGE,
};
use tokio::{
    task,
    time::{Instant, sleep_until},
};

use super::{
    End, Link, Reply, Stream,
    alarm::Alarm,
    work::{Cost, Work},
};
use crate::session::{Attached, AttachmentId, Strain};

/// Number of messages that are handled before other tasks get their turn.
const MESSAGES: u32 = 16;

/// Length up to which frames of a viewer that sends very many are merged, in bytes.
const GATHERED_BYTES: usize = 16 * 1024;

/// Maximum number of frames that are merged: handling them takes about 200 µs.
const GATHERED_FRAMES: usize = 256;

/// The receiving half of an attachment.
pub(super) struct Receiver<'a> {
    attached: &'a Attached,
    link: &'a Link,
    /// Time for which the viewer may be silent.
    patience: Duration,
    work: Work,
    strain: Option<Strain>,
    /// A message that was read ahead and has yet to be handled.
    next: Option<Message>,
}

/// Reads the first message of an attachment.
pub(super) async fn hello(stream: &mut Stream) -> Result<Hello, End> {
    let expected = || End::Refused(ErrorCode::HelloExpected, "the first message is a hello".to_owned());
    loop {
        let hello = match next(stream).await? {
            Message::Text(text) => match parse(&text)? {
                Ok(ClientMessage::Hello(hello)) => hello,
                _ => return Err(expected()),
            },
            Message::Binary(_) => return Err(expected()),
            Message::Close(_) => return Err(End::Left),
            Message::Ping(_) | Message::Pong(_) => continue,
        };
        hello.size.checked().map_err(|error| End::Refused(ErrorCode::BadSize, error.to_string()))?;
        return Ok(hello);
    }
}

impl<'a> Receiver<'a> {
    pub(super) fn new(attached: &'a Attached, link: &'a Link, patience: Duration) -> Self {
        let work = Work::new(attached.role(), Instant::now());
        Self { attached, link, patience, work, strain: None, next: None }
    }

    pub(super) async fn run(mut self, stream: &mut Stream) -> End {
        let mut alarm = Alarm::new();
        let mut taken = 0;
        loop {
            let patience = Instant::now() + self.patience;
            let message = if let Some(message) = self.next.take() {
                Ok(message)
            } else {
                tokio::select! {
                    biased;
                    message = next(stream) => message,
                    () = alarm.at(patience) => return End::Silent,
                }
            };
            if let Err(end) = self.take(message, stream).await {
                return end;
            }
            taken += 1;
            if taken % MESSAGES == 0 {
                task::yield_now().await;
            }
        }
    }

    async fn take(&mut self, message: Result<Message, End>, stream: &mut Stream) -> Result<(), End> {
        let cost = match message? {
            Message::Binary(frame) if self.attached.role().may_write() => self.input(frame, stream).await?,
            Message::Binary(frame) => {
                input(&frame)?;
                Box::pin(self.refuse()).await?;
                Cost::Control { bytes: frame.len() }
            }
            Message::Text(text) => self.text(&text).await?,
            Message::Close(_) => return Err(End::Left),
            Message::Ping(bytes) | Message::Pong(bytes) => Cost::Control { bytes: bytes.len() },
        };
        let now = Instant::now();
        if self.strain.is_some() && self.work.is_paid_off(now) {
            self.strain = None;
        }
        let pause = self.work.pay(cost, now);
        if self.strain.is_none() && self.work.is_strained(now) {
            self.strain = Some(self.attached.strain());
        }
        if let Some(at) = pause {
            Box::pin(sleep_until(at)).await;
        }
        Ok(())
    }

    async fn text(&self, text: &Utf8Bytes) -> Result<Cost, End> {
        let cost = Cost::Control { bytes: text.len() };
        match parse(text)? {
            // Every frame of output is followed by such a message.
            Ok(ClientMessage::Ack { output }) => {
                self.rendered(output)?;
                return Ok(if self.link.take_acknowledgement() { Cost::Acknowledgement } else { cost });
            }
            Ok(message) => Box::pin(self.control(message)).await?,
            Err(unknown) => Box::pin(self.complain(ErrorCode::UnknownType, unknown)).await?,
        }
        Ok(cost)
    }

    /// Passes on input. If the viewer sends very much, merges it with input that has arrived
    /// since and continues it.
    async fn input(&mut self, mut frame: Bytes, stream: &mut Stream) -> Result<Cost, End> {
        let offset = input(&frame)?;
        let mut input = frame.split_off(Header::LEN);
        let mut cost = Cost::Input { bytes: input.len() };
        if input.len() < GATHERED_BYTES && self.work.is_strained(Instant::now()) {
            let (gathered, frames) = self.gather(offset, &input, stream)?;
            cost = Cost::Frames { bytes: gathered.len(), frames };
            input = gathered;
        }
        self.attached.input(offset, input).await;
        Ok(cost)
    }

    /// Merges frames that have arrived already, as long as each continues the previous one. Returns
    /// the input and the number of frames.
    fn gather(&mut self, offset: u64, first: &[u8], stream: &mut Stream) -> Result<(Bytes, usize), End> {
        let (mut gathered, mut frames) = (BytesMut::from(first), 1);
        while gathered.len() < GATHERED_BYTES && frames < GATHERED_FRAMES {
            let Some(message) = next(stream).now_or_never() else { break };
            let message = message?;
            match &message {
                Message::Binary(frame) if input(frame)? == offset + gathered.len() as u64 => {
                    gathered.extend_from_slice(&frame[Header::LEN..]);
                    frames += 1;
                }
                _ => {
                    self.next = Some(message);
                    break;
                }
            }
        }
        Ok((gathered.freeze(), frames))
    }

    fn rendered(&self, output: OutputOffset) -> Result<(), End> {
        if self.link.rendered(output) {
            return Ok(());
        }
        let message = format!("{output} is acknowledged as rendered, but was never sent");
        Err(End::Refused(ErrorCode::BadAck, message))
    }

    async fn control(&self, message: ClientMessage) -> Result<(), End> {
        match message {
            ClientMessage::Hello(_) => {
                let message = "hello is the first message, and only the first".to_owned();
                return Err(End::Refused(ErrorCode::HelloExpected, message));
            }
            ClientMessage::Ack { output } => self.rendered(output)?,
            ClientMessage::Resize(size) => match size.checked() {
                Ok(size) => self.attached.resize(size).await,
                Err(error) => self.complain(ErrorCode::BadSize, error.to_string()).await?,
            },
            ClientMessage::Pen { .. } if !self.attached.role().may_write() => self.refuse().await?,
            ClientMessage::Pen { to } => self.pen(to).await?,
            ClientMessage::Colours(colours) if self.attached.role().may_write() => {
                self.attached.colours(colours).await;
            }
            ClientMessage::Clear | ClientMessage::SoftReset if !self.attached.role().may_write() => {
                self.refuse().await?;
            }
            ClientMessage::Clear => self.attached.clear().await,
            ClientMessage::SoftReset => self.attached.reset_modes().await,
            ClientMessage::History => {
                if !self.link.history_asked.swap(true, Relaxed) {
                    self.pass_on(Reply::History).await;
                }
            }
            ClientMessage::Ping { t } => self.reply(ServerMessage::Pong { t }).await,
            ClientMessage::Colours(_) | ClientMessage::Pong { .. } => {}
        }
        Ok(())
    }

    async fn pen(&self, to: Option<u64>) -> Result<(), End> {
        if self.attached.give_pen(to.map(AttachmentId::new)).await {
            return Ok(());
        }
        let message = "the pen can be given to a viewer who is there and may write; see viewers for those";
        self.complain(ErrorCode::NoSuchViewer, message.to_owned()).await
    }

    async fn refuse(&self) -> Result<(), End> {
        let message = "this viewer may watch, but neither type nor take the pen";
        self.complain(ErrorCode::ReadOnly, message.to_owned()).await
    }

    async fn complain(&self, code: ErrorCode, message: String) -> Result<(), End> {
        self.reply(ServerMessage::Error { code, message }).await;
        Ok(())
    }

    async fn reply(&self, message: ServerMessage) {
        self.pass_on(Reply::Say(Box::new(message))).await;
    }

    async fn pass_on(&self, reply: Reply) {
        // An error means that the sending half is ending, and with it this one.
        let _ = self.link.replies.send(reply).await;
    }
}

/// Returns the offset of an input frame.
fn input(frame: &[u8]) -> Result<u64, End> {
    let malformed = |message: String| End::Refused(ErrorCode::MalformedFrame, message);
    let header = Header::decode(frame, frame.len()).map_err(|error| malformed(error.to_string()))?;
    if header.kind != Kind::Data {
        return Err(malformed("only the server sends snapshots".to_owned()));
    }
    Ok(header.offset)
}

async fn next(stream: &mut Stream) -> Result<Message, End> {
    match stream.next().await {
        Some(Ok(message)) => Ok(message),
        // Most often the connection is gone. If it is not, the viewer learns what it did wrong.
        Some(Err(error)) => Err(End::Broken(error.to_string())),
        None => Err(End::Left),
    }
}

/// Parses a message. The inner error is the complaint that its type is unknown.
fn parse(text: &Utf8Bytes) -> Result<Result<ClientMessage, String>, End> {
    let malformed = |message: String| End::Refused(ErrorCode::MalformedMessage, message);
    if text.len() > TEXT_MESSAGE {
        return Err(malformed(format!("a text message has at most {TEXT_MESSAGE} bytes")));
    }
    match ClientMessage::parse(text) {
        Ok(message) => Ok(Ok(message)),
        Err(error @ MessageError::UnknownType(_)) => Ok(Err(error.to_string())),
        Err(error) => Err(malformed(error.to_string())),
    }
}
