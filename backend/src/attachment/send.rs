//! What the viewer is told and sent.

use std::time::Duration;

use axum::extract::ws::Message;
use bytes::Bytes;
use futures_util::SinkExt;
use limpet_shared::{
    OutputOffset, ServerMessage, ViewerId, Welcome, Winsize,
    limits::{DEFAULT_WINDOW, MAX_WINDOW, OUTPUT_FRAME},
};
use tokio::{
    sync::{mpsc, watch},
    time::{Interval, MissedTickBehavior, interval_at},
};

use super::{End, Link, Sink, text};
use crate::{
    log::{LogReader, Next},
    session::{AttachmentId, Beginning, Progress, Status},
};

/// How many data frames are sent before anything else is looked at again.
const FRAMES: usize = 4;

/// The half that speaks.
pub(super) struct Sender<'a> {
    id: AttachmentId,
    welcome: Welcome,
    reset: Option<u64>,
    window: u64,
    output: LogReader,
    /// Whether the log is complete and all of it has been sent.
    complete: bool,
    status: watch::Receiver<Status>,
    told: Told,
    input: Option<watch::Receiver<Progress>>,
    replies: mpsc::Receiver<ServerMessage>,
    rendered: watch::Receiver<OutputOffset>,
    heartbeat: Interval,
    link: &'a Link,
}

/// What the viewer has been told last, so that it is told differences only.
struct Told {
    title: String,
    size: (Winsize, Option<ViewerId>),
    /// Count and pen; at first nothing.
    viewers: Option<(u32, bool)>,
}

/// What there is to do.
enum Event {
    Reply(ServerMessage),
    StatusChanged,
    Input(Option<Progress>),
    Rendered,
    Output { more: bool },
    Heartbeat,
}

impl<'a> Sender<'a> {
    pub(super) fn new(
        id: AttachmentId,
        beginning: Beginning,
        window: Option<u64>,
        link: &'a Link,
        replies: mpsc::Receiver<ServerMessage>,
        rendered: watch::Receiver<OutputOffset>,
        heartbeat: Duration,
    ) -> Self {
        let Beginning { welcome, reset, output, input, mut status } = beginning;
        let size_by = status.borrow_and_update().size_by;
        let told = Told { title: welcome.title.clone(), size: (welcome.size, size_by), viewers: None };
        let mut heartbeat = interval_at(tokio::time::Instant::now() + heartbeat, heartbeat);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let window = window.unwrap_or(DEFAULT_WINDOW).clamp(1, MAX_WINDOW);
        let complete = false;
        Self {
            id,
            welcome,
            reset,
            window,
            output,
            complete,
            status,
            told,
            input,
            replies,
            rendered,
            heartbeat,
            link,
        }
    }

    pub(super) async fn run(mut self, sink: &mut Sink) -> End {
        // An error says that the connection is gone.
        self.speak(sink).await.unwrap_or(End::Left)
    }

    async fn speak(&mut self, sink: &mut Sink) -> Result<End, axum::Error> {
        sink.feed(text(&ServerMessage::Welcome(self.welcome.clone()))).await?;
        if let Some(skipped) = self.reset {
            sink.feed(text(&ServerMessage::Reset { output: self.welcome.output, skipped })).await?;
        }
        self.tell_status(sink).await?;
        loop {
            self.send_output(sink).await?;
            let exit = self.status.borrow().exit.filter(|_| self.complete);
            if let Some(status) = exit {
                let output = self.output.cursor();
                sink.send(text(&ServerMessage::Exit { status, output })).await?;
                return Ok(End::Exited);
            }
            sink.flush().await?;
            match self.next_event().await {
                Event::Reply(message) => sink.feed(text(&message)).await?,
                Event::StatusChanged => self.tell_status(sink).await?,
                Event::Input(Some(Ok(input))) => sink.feed(text(&ServerMessage::Ack { input })).await?,
                Event::Input(Some(Err(error))) => return Ok(End::Refused(error.code(), error.to_string())),
                // Nobody takes this attachment's input any more: because the program has ended, and then there is
                // output to go on with, or because the viewer has attached anew.
                Event::Input(None) if self.status.borrow().exit.is_some() => self.input = None,
                Event::Input(None) => return Ok(End::Replaced),
                Event::Output { more } => self.complete = !more,
                Event::Rendered => {}
                Event::Heartbeat => sink.feed(Message::Ping(Bytes::new())).await?,
            }
        }
    }

    async fn next_event(&mut self) -> Event {
        let room = self.room() > 0;
        tokio::select! {
            biased;
            Some(reply) = self.replies.recv() => Event::Reply(reply),
            progress = changed(&mut self.input) => Event::Input(progress),
            Ok(()) = self.status.changed() => Event::StatusChanged,
            Ok(()) = self.rendered.changed(), if !room => Event::Rendered,
            more = self.output.ready(), if room && !self.complete => Event::Output { more },
            _ = self.heartbeat.tick() => Event::Heartbeat,
        }
    }

    /// How many bytes the viewer may be sent now.
    fn room(&self) -> u64 {
        self.window.saturating_sub(self.output.cursor().since(*self.rendered.borrow()))
    }

    /// Hands to the socket what the log has and the window allows.
    async fn send_output(&mut self, sink: &mut Sink) -> Result<(), axum::Error> {
        for _ in 0..FRAMES {
            let room = usize::try_from(self.room()).unwrap_or(usize::MAX).min(OUTPUT_FRAME);
            if room == 0 {
                break;
            }
            match self.output.next(room.min(self.replayed())) {
                Next::Frame(frame) => {
                    self.link.sending(self.output.cursor());
                    sink.feed(Message::Binary(frame)).await?;
                }
                Next::Skipped { to, skipped } => {
                    self.link.sending(to);
                    self.link.rendered(to);
                    sink.feed(text(&ServerMessage::Reset { output: to, skipped })).await?;
                }
                Next::Dry => break,
            }
        }
        Ok(())
    }

    /// How much is left of what happened before this attachment. No frame holds both that and what is live, so that a
    /// viewer can treat the two differently.
    fn replayed(&self) -> usize {
        match self.welcome.live.since(self.output.cursor()) {
            0 => usize::MAX,
            left => usize::try_from(left).unwrap_or(usize::MAX),
        }
    }

    async fn tell_status(&mut self, sink: &mut Sink) -> Result<(), axum::Error> {
        let (title, size, viewers) = {
            let status = self.status.borrow_and_update();
            let viewers = (status.viewers(), status.pen() == Some(self.id));
            (status.title().to_owned(), (status.size, status.size_by), viewers)
        };
        if size != self.told.size {
            self.told.size = size;
            sink.feed(text(&ServerMessage::Resize { size: size.0, by: size.1 })).await?;
        }
        if title != self.told.title {
            self.told.title.clone_from(&title);
            sink.feed(text(&ServerMessage::Title { title })).await?;
        }
        if Some(viewers) != self.told.viewers {
            self.told.viewers = Some(viewers);
            sink.feed(text(&ServerMessage::Viewers { count: viewers.0, pen: viewers.1 })).await?;
        }
        Ok(())
    }
}

/// The next change of how far input has come; `None` when nobody takes it any more. Waits for ever if there is nothing
/// to come.
async fn changed(input: &mut Option<watch::Receiver<Progress>>) -> Option<Progress> {
    match input {
        Some(progress) => progress.changed().await.ok().map(|()| *progress.borrow_and_update()),
        None => std::future::pending().await,
    }
}
