//! What the viewer says.

use std::time::Duration;

use axum::extract::ws::{Message, Utf8Bytes};
use bytes::Bytes;
use futures_util::StreamExt;
use limpet_shared::{
    ClientMessage, ErrorCode, Header, Hello, Kind, MessageError, OutputOffset, ServerMessage,
    limits::TEXT_MESSAGE,
};
use tokio::time::Instant;

use super::{End, Link, Reply, Stream, alarm::Alarm};
use crate::session::{Attached, AttachmentId};

/// The half that listens.
pub(super) struct Receiver<'a> {
    pub(super) attached: &'a Attached,
    pub(super) link: &'a Link,
    /// How long the viewer may be silent.
    pub(super) patience: Duration,
}

/// The first message of an attachment.
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

impl Receiver<'_> {
    pub(super) async fn run(self, stream: &mut Stream) -> End {
        let mut alarm = Alarm::new();
        loop {
            let patience = Instant::now() + self.patience;
            let message = tokio::select! {
                biased;
                message = next(stream) => message,
                () = alarm.at(patience) => return End::Silent,
            };
            if let Err(end) = self.take(message).await {
                return end;
            }
        }
    }

    async fn take(&self, message: Result<Message, End>) -> Result<(), End> {
        match message? {
            Message::Binary(frame) => self.input(frame).await,
            Message::Text(text) => match parse(&text)? {
                // Every frame of output is followed by one of these.
                Ok(ClientMessage::Ack { output }) => self.rendered(output),
                Ok(message) => Box::pin(self.control(message)).await,
                Err(unknown) => Box::pin(self.complain(ErrorCode::UnknownType, unknown)).await,
            },
            Message::Close(_) => Err(End::Left),
            Message::Ping(_) | Message::Pong(_) => Ok(()),
        }
    }

    async fn input(&self, mut frame: Bytes) -> Result<(), End> {
        let malformed = |message: String| End::Refused(ErrorCode::MalformedFrame, message);
        let header = Header::decode(&frame, frame.len()).map_err(|error| malformed(error.to_string()))?;
        if header.kind != Kind::Data {
            return Err(malformed("only the server sends snapshots".to_owned()));
        }
        if self.attached.role().may_write() {
            self.attached.input(header.offset, frame.split_off(Header::LEN)).await;
            return Ok(());
        }
        Box::pin(self.refuse()).await
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
            ClientMessage::History => self.pass_on(Reply::History).await,
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
        // An error says that the other half is ending, and so is this one.
        let _ = self.link.replies.send(reply).await;
    }
}

async fn next(stream: &mut Stream) -> Result<Message, End> {
    match stream.next().await {
        Some(Ok(message)) => Ok(message),
        // Most often the connection is gone; if it is not, the viewer learns what it did.
        Some(Err(error)) => Err(End::Broken(error.to_string())),
        None => Err(End::Left),
    }
}

/// A message, or the complaint that its type is unknown.
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
