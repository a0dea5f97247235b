//! The receiving half of an attachment: handles the viewer's messages.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use axum::extract::ws::{Message, Utf8Bytes};
use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt, StreamExt};
use limpet_shared::{
    ClientMessage, ErrorCode, Header, Hello, Kind, MessageError, OutputOffset, ServerMessage,
    limits::MAX_TEXT_MESSAGE_BYTES,
};
use tokio::{
    task,
    time::{Instant, sleep_until},
};

use super::{
    AttachmentShared, EndReason, Reply, Stream,
    coalescing_timer::CoalescingTimer,
    work::{Cost, WorkBudget},
};
use crate::session::{Attachment, AttachmentId, StrainGuard};

/// Number of messages that are handled before other tasks get their turn.
const MESSAGES_PER_TURN: u32 = 16;

/// Length up to which frames of a viewer that sends very many are merged, in bytes.
const GATHERED_BYTES: usize = 16 * 1024;

/// Maximum number of frames that are merged: handling them takes about 200 µs.
const GATHERED_FRAMES: usize = 256;

/// The receiving half of an attachment.
pub(super) struct Receiver<'a> {
    attachment: &'a Attachment,
    shared: &'a AttachmentShared,
    /// Time for which the viewer may be silent.
    max_silence: Duration,
    work: WorkBudget,
    strain: Option<StrainGuard>,
    /// A message that was read ahead and has yet to be handled.
    read_ahead: Option<Message>,
}

/// Reads the first message of an attachment.
pub(super) async fn read_hello(stream: &mut Stream) -> Result<Hello, EndReason> {
    let expected =
        || EndReason::Refused(ErrorCode::HelloExpected, "the first message must be a hello".to_owned());
    loop {
        let hello = match next_message(stream).await? {
            Message::Text(text) => match parse(&text)? {
                Ok(ClientMessage::Hello(hello)) => hello,
                _ => return Err(expected()),
            },
            Message::Binary(_) => return Err(expected()),
            Message::Close(_) => return Err(EndReason::Left),
            Message::Ping(_) | Message::Pong(_) => continue,
        };
        hello.size.checked().map_err(|error| EndReason::Refused(ErrorCode::BadSize, error.to_string()))?;
        return Ok(hello);
    }
}

impl<'a> Receiver<'a> {
    pub(super) fn new(
        attachment: &'a Attachment,
        shared: &'a AttachmentShared,
        max_silence: Duration,
    ) -> Self {
        let work = WorkBudget::new(attachment.role(), Instant::now());
        Self { attachment, shared, max_silence, work, strain: None, read_ahead: None }
    }

    pub(super) async fn run(mut self, stream: &mut Stream) -> EndReason {
        let mut silence_timer = CoalescingTimer::new();
        let mut handled = 0;
        loop {
            let silent_at = Instant::now() + self.max_silence;
            let message = if let Some(message) = self.read_ahead.take() {
                Ok(message)
            } else {
                tokio::select! {
                    biased;
                    message = next_message(stream) => message,
                    () = silence_timer.wait_until(silent_at) => return EndReason::Silent,
                }
            };
            if let Err(end) = self.handle_message(message, stream).await {
                return end;
            }
            handled += 1;
            if handled % MESSAGES_PER_TURN == 0 {
                task::yield_now().await;
            }
        }
    }

    async fn handle_message(
        &mut self,
        message: Result<Message, EndReason>,
        stream: &mut Stream,
    ) -> Result<(), EndReason> {
        let cost = match message? {
            Message::Binary(frame) if self.attachment.role().may_write() => {
                self.handle_input(frame, stream).await?
            }
            Message::Binary(frame) => {
                input_offset(&frame)?;
                Box::pin(self.reply_read_only()).await?;
                Cost::Control { bytes: frame.len() }
            }
            Message::Text(text) => self.handle_text(&text).await?,
            Message::Close(_) => return Err(EndReason::Left),
            Message::Ping(bytes) | Message::Pong(bytes) => Cost::Control { bytes: bytes.len() },
        };
        let now = Instant::now();
        if self.strain.is_some() && self.work.is_paid_off(now) {
            self.strain = None;
        }
        let pause = self.work.pay(cost, now);
        if self.strain.is_none() && self.work.is_strained(now) {
            self.strain = Some(self.attachment.begin_strain());
        }
        if let Some(at) = pause {
            Box::pin(sleep_until(at)).await;
        }
        Ok(())
    }

    async fn handle_text(&self, text: &Utf8Bytes) -> Result<Cost, EndReason> {
        let cost = Cost::Control { bytes: text.len() };
        match parse(text)? {
            // Every frame of output is followed by such a message.
            Ok(ClientMessage::Ack { output }) => {
                self.record_rendered(output)?;
                return Ok(if self.shared.take_acknowledgement() { Cost::Acknowledgement } else { cost });
            }
            Ok(message) => Box::pin(self.handle_control(message)).await?,
            Err(unknown) => Box::pin(self.reply_error(ErrorCode::UnknownType, unknown)).await?,
        }
        Ok(cost)
    }

    /// Passes on input. If the viewer sends very much, merges it with input that has arrived
    /// since and continues it.
    async fn handle_input(&mut self, mut frame: Bytes, stream: &mut Stream) -> Result<Cost, EndReason> {
        let offset = input_offset(&frame)?;
        let mut input = frame.split_off(Header::LEN);
        let mut cost = Cost::Input { bytes: input.len() };
        if input.len() < GATHERED_BYTES && self.work.is_strained(Instant::now()) {
            let (gathered, frames) = self.gather(offset, &input, stream)?;
            cost = Cost::Frames { bytes: gathered.len(), frames };
            input = gathered;
        }
        self.attachment.input(offset, input).await;
        Ok(cost)
    }

    /// Merges frames that have arrived already, as long as each continues the previous one. Returns
    /// the input and the number of frames.
    fn gather(
        &mut self,
        offset: u64,
        first: &[u8],
        stream: &mut Stream,
    ) -> Result<(Bytes, usize), EndReason> {
        let (mut gathered, mut frames) = (BytesMut::from(first), 1);
        while gathered.len() < GATHERED_BYTES && frames < GATHERED_FRAMES {
            let Some(message) = next_message(stream).now_or_never() else { break };
            let message = message?;
            match &message {
                Message::Binary(frame) if input_offset(frame)? == offset + gathered.len() as u64 => {
                    gathered.extend_from_slice(&frame[Header::LEN..]);
                    frames += 1;
                }
                _ => {
                    self.read_ahead = Some(message);
                    break;
                }
            }
        }
        Ok((gathered.freeze(), frames))
    }

    fn record_rendered(&self, output: OutputOffset) -> Result<(), EndReason> {
        if self.shared.record_rendered(output) {
            return Ok(());
        }
        let message = format!("{output} is acknowledged as rendered, but was never sent");
        Err(EndReason::Refused(ErrorCode::BadAck, message))
    }

    async fn handle_control(&self, message: ClientMessage) -> Result<(), EndReason> {
        match message {
            ClientMessage::Hello(_) => {
                let message = "hello is allowed as the first message only".to_owned();
                return Err(EndReason::Refused(ErrorCode::HelloExpected, message));
            }
            ClientMessage::Ack { output } => self.record_rendered(output)?,
            ClientMessage::Resize(size) => match size.checked() {
                Ok(size) => self.attachment.resize(size).await,
                Err(error) => self.reply_error(ErrorCode::BadSize, error.to_string()).await?,
            },
            ClientMessage::Primary { .. } | ClientMessage::Clear | ClientMessage::SoftReset
                if !self.attachment.role().may_write() =>
            {
                self.reply_read_only().await?;
            }
            ClientMessage::Primary { to } => self.make_primary(to).await?,
            ClientMessage::Colours(colours) if self.attachment.role().may_write() => {
                self.attachment.colours(colours).await;
            }
            ClientMessage::Clear => self.attachment.clear().await,
            ClientMessage::SoftReset => self.attachment.reset_modes().await,
            ClientMessage::History => {
                if !self.shared.history_asked.swap(true, Relaxed) {
                    self.pass_to_sender(Reply::History).await;
                }
            }
            ClientMessage::Ping { t } => self.reply(ServerMessage::Pong { t }).await,
            ClientMessage::Colours(_) | ClientMessage::Pong { .. } => {}
        }
        Ok(())
    }

    async fn make_primary(&self, to: Option<u64>) -> Result<(), EndReason> {
        if self.attachment.make_primary(to.map(AttachmentId::new)).await {
            return Ok(());
        }
        let message = "only an attached viewer that may type can become primary; see the message viewers";
        self.reply_error(ErrorCode::NoSuchViewer, message.to_owned()).await
    }

    async fn reply_read_only(&self) -> Result<(), EndReason> {
        let message = "this viewer is read-only: it can neither type nor become primary";
        self.reply_error(ErrorCode::ReadOnly, message.to_owned()).await
    }

    async fn reply_error(&self, code: ErrorCode, message: String) -> Result<(), EndReason> {
        self.reply(ServerMessage::Error { code, message }).await;
        Ok(())
    }

    async fn reply(&self, message: ServerMessage) {
        self.pass_to_sender(Reply::Message(Box::new(message))).await;
    }

    async fn pass_to_sender(&self, reply: Reply) {
        // An error means that the sending half is ending, and with it this one.
        let _ = self.shared.replies.send(reply).await;
    }
}

/// Returns the offset of an input frame.
fn input_offset(frame: &[u8]) -> Result<u64, EndReason> {
    let malformed = |message: String| EndReason::Refused(ErrorCode::MalformedFrame, message);
    let header = Header::decode(frame, frame.len()).map_err(|error| malformed(error.to_string()))?;
    if header.kind != Kind::Data {
        return Err(malformed("only the server sends snapshots".to_owned()));
    }
    Ok(header.offset)
}

async fn next_message(stream: &mut Stream) -> Result<Message, EndReason> {
    match stream.next().await {
        Some(Ok(message)) => Ok(message),
        // Most often the connection is gone. If it is not, the viewer learns what it did wrong.
        Some(Err(error)) => Err(EndReason::Broken(error.to_string())),
        None => Err(EndReason::Left),
    }
}

/// Parses a message. The inner error is the complaint that its type is unknown.
fn parse(text: &Utf8Bytes) -> Result<Result<ClientMessage, String>, EndReason> {
    let malformed = |message: String| EndReason::Refused(ErrorCode::MalformedMessage, message);
    if text.len() > MAX_TEXT_MESSAGE_BYTES {
        return Err(malformed(format!("a text message has at most {MAX_TEXT_MESSAGE_BYTES} bytes")));
    }
    match ClientMessage::parse(text) {
        Ok(message) => Ok(Ok(message)),
        Err(error @ MessageError::UnknownType(_)) => Ok(Err(error.to_string())),
        Err(error) => Err(malformed(error.to_string())),
    }
}
