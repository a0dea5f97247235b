//! What the viewer is told and sent.

use std::time::Duration;

use axum::extract::ws::Message;
use bytes::Bytes;
use futures_util::SinkExt;
use limpet_shared::{
    Flow, Follow, InputOffset, OutputOffset, ServerMessage, ViewerId, Welcome, Winsize,
    limits::{DEFAULT_WINDOW, MAX_WINDOW, OUTPUT_FRAME},
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until},
};

use super::{End, Link, Reply, Sink, alarm::Alarm, pace::Pace, pictures::Pictures, text};
use crate::{
    log::{Claim, LogReader, Next},
    session::{Attached, AttachmentId, Beginning, HELD_BACK, Progress, Redraw, Status},
};

/// How many data frames are sent before anything else is looked at again.
const FRAMES: usize = 4;

/// Who follows what is on the screen now is brought to the present when it would take longer than this to get there.
const LATE: Duration = Duration::from_millis(250);

/// Rows of scrollback for somebody who is brought to the present: enough to look up to, few enough to be there at once.
const GLANCE: usize = 50;

/// How long the acknowledgement of input may wait for output that goes the same way, such as the echo. No person sees it.
const COMPANY: Duration = Duration::from_millis(40);

/// Input that is acknowledged at once, in bytes: who sends so much waits to be allowed to send more.
const MUCH: u64 = 16 * 1024;

/// The half that speaks.
pub(super) struct Sender<'a> {
    attached: &'a Attached,
    /// What is said first.
    opening: Option<Box<(Welcome, Option<Redraw>)>>,
    /// What was before this in the log happened before the viewer came.
    live: OutputOffset,
    follow: Follow,
    pace: Pace,
    pictures: Pictures,
    output: LogReader,
    /// Whether the log is complete and all of it has been sent.
    complete: bool,
    status: watch::Receiver<Status>,
    told: Told,
    input: Option<watch::Receiver<Progress>>,
    acknowledged: InputOffset,
    /// Input that is yet to be acknowledged, and when that is to be done at the latest.
    owed: Option<(InputOffset, Instant)>,
    alarm: Alarm,
    replies: mpsc::Receiver<Reply>,
    rendered: watch::Receiver<OutputOffset>,
    heartbeat: Interval,
    link: &'a Link,
}

/// What the viewer has been told last, so that it is told differences only.
struct Told {
    title: String,
    size: (Winsize, Option<ViewerId>),
    /// Which version of who is there; at first none.
    viewers: Option<u64>,
}

/// What there is to do.
enum Event {
    Reply(Reply),
    StatusChanged,
    Input(Option<Progress>),
    Rendered,
    Output {
        more: bool,
    },
    /// Another picture may follow.
    Picture,
    /// No output has come that the acknowledgement of input could go with.
    Acknowledge,
    Heartbeat,
}

impl<'a> Sender<'a> {
    pub(super) fn new(
        attached: &'a Attached,
        beginning: Box<Beginning>,
        (window, follow): (Option<u64>, Follow),
        link: &'a Link,
        (replies, rendered): (mpsc::Receiver<Reply>, watch::Receiver<OutputOffset>),
        heartbeat: Duration,
    ) -> Self {
        let Beginning { welcome, redraw, output, input, mut status } = *beginning;
        // What has changed since the welcome was written is told after it.
        status.mark_changed();
        let told = Told { title: welcome.title.clone(), size: (welcome.size, welcome.by), viewers: None };
        let mut heartbeat = interval_at(Instant::now() + heartbeat, heartbeat);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let window = window.unwrap_or(DEFAULT_WINDOW).clamp(1, MAX_WINDOW);
        Self {
            attached,
            live: welcome.live,
            pace: Pace::new(window, follow == Follow::All, welcome.output),
            acknowledged: welcome.input,
            owed: None,
            alarm: Alarm::new(),
            opening: Some(Box::new((welcome, redraw))),
            pictures: Pictures::new(Instant::now()),
            follow,
            output,
            complete: false,
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
        Box::pin(self.open(sink)).await?;
        loop {
            let sent = self.send_output(sink).await?;
            let exit = self.status.borrow().exit.filter(|_| self.complete);
            if let Some(input) = self.due(sent || exit.is_some()) {
                sink.feed(text(&ServerMessage::Ack { input })).await?;
            }
            if let Some(status) = exit {
                let output = self.output.cursor();
                sink.feed(text(&ServerMessage::Exit { status, output })).await?;
                sink.flush().await?;
                return Ok(End::Exited);
            }
            sink.flush().await?;
            match self.next_event().await {
                Event::Reply(Reply::Say(message)) => sink.feed(text(&message)).await?,
                Event::Reply(Reply::History) => Box::pin(self.draw_anew(usize::MAX, sink)).await?,
                Event::StatusChanged => Box::pin(self.tell_status(sink)).await?,
                Event::Input(Some(Ok(input))) => self.owe(input),
                Event::Input(Some(Err(error))) => return Ok(End::Refused(error.code(), error.to_string())),
                // Nobody takes this attachment's input any more: because the program has ended, and then there is
                // output to go on with, or because the viewer has attached anew.
                Event::Input(None) if self.status.borrow().exit.is_some() => self.input = None,
                Event::Input(None) => return Ok(End::Replaced),
                Event::Output { more } => self.complete = !more,
                Event::Rendered => self.note_rendered(),
                Event::Picture | Event::Acknowledge => {}
                Event::Heartbeat => sink.feed(Message::Ping(Bytes::new())).await?,
            }
        }
    }

    async fn open(&mut self, sink: &mut Sink) -> Result<(), axum::Error> {
        if let Some(opening) = self.opening.take() {
            let (welcome, redraw) = *opening;
            sink.feed(text(&ServerMessage::Welcome(welcome))).await?;
            if let Some(redraw) = redraw {
                self.send_redraw(redraw, sink).await?;
            }
        }
        self.tell_status(sink).await
    }

    async fn next_event(&mut self) -> Event {
        let is_late = self.is_late();
        let room = !is_late && self.pace.room() > 0;
        let picture = self.next_picture().filter(|_| is_late);
        let owed = self.owed.map(|(_, at)| at);
        tokio::select! {
            biased;
            Some(reply) = self.replies.recv() => Event::Reply(reply),
            progress = changed(&mut self.input) => Event::Input(progress),
            Ok(()) = self.status.changed() => Event::StatusChanged,
            Ok(()) = self.rendered.changed() => Event::Rendered,
            more = self.output.ready(), if room && !self.complete => Event::Output { more },
            () = sleep_until(picture.unwrap_or_else(Instant::now)), if picture.is_some() => Event::Picture,
            () = self.alarm.at(owed.unwrap_or_else(Instant::now)), if owed.is_some() => Event::Acknowledge,
            _ = self.heartbeat.tick() => Event::Heartbeat,
        }
    }

    /// Notes that input has been written up to here.
    fn owe(&mut self, input: InputOffset) {
        let at = self.owed.map_or_else(|| Instant::now() + COMPANY, |(_, at)| at);
        self.owed = Some((input, at));
    }

    /// What is to be acknowledged now, in company or because it has waited, or is much.
    fn due(&mut self, in_company: bool) -> Option<InputOffset> {
        let (input, at) = self.owed?;
        let is_due = in_company || input.since(self.acknowledged) >= MUCH || at <= Instant::now();
        is_due.then(|| {
            self.owed = None;
            self.acknowledged = input;
            input
        })
    }

    fn next_picture(&self) -> Option<Instant> {
        self.pictures.next_at(self.pace.room() > 0)
    }

    fn note_rendered(&mut self) {
        let rendered = *self.rendered.borrow_and_update();
        self.pictures.drawn(rendered);
        self.pace.rendered(rendered, Instant::now());
        self.output.set_claim(self.claim());
    }

    /// Whether the viewer is to get all of the output.
    fn follows_all(&self) -> bool {
        self.follow == Follow::All || self.status.borrow().flow == Flow::Hold
    }

    /// Whether the program is to wait for this viewer. Nobody waits for one who would rather be brought to the present.
    fn claim(&self) -> Claim {
        match self.pace.time_for(HELD_BACK) <= LATE {
            _ if self.follows_all() => Claim::All,
            true => Claim::Fastest,
            false => Claim::None,
        }
    }

    /// Whether a person would notice how far this viewer is behind.
    fn is_late(&self) -> bool {
        let behind = self.pace.time_for(self.output.end().since(self.output.cursor()));
        behind > self.pictures.patience(Instant::now()).unwrap_or(LATE) && !self.follows_all()
    }

    /// Hands to the socket what the log has and the window allows. Tells whether that was anything.
    async fn send_output(&mut self, sink: &mut Sink) -> Result<bool, axum::Error> {
        let before = self.output.cursor();
        for _ in 0..FRAMES {
            if self.is_late() {
                if self.next_picture().is_some_and(|at| at <= Instant::now()) {
                    Box::pin(self.draw_anew(GLANCE, sink)).await?;
                }
                break;
            }
            let room = usize::try_from(self.pace.room()).unwrap_or(usize::MAX);
            if room == 0 {
                break;
            }
            match self.output.next(room.min(OUTPUT_FRAME).min(self.replayed())) {
                Next::Frame(frame) => {
                    let (cursor, bytes) = (self.output.cursor(), frame.len() as u64);
                    self.link.sending(cursor);
                    sink.feed(Message::Binary(frame)).await?;
                    let now = Instant::now();
                    self.pace.sent(cursor, now);
                    self.pictures.followed(self.pace.time_for(bytes), now);
                }
                Next::Lost => {
                    let history = if self.follow == Follow::All { usize::MAX } else { GLANCE };
                    Box::pin(self.draw_anew(history, sink)).await?;
                    self.output.distrust();
                    break;
                }
                Next::Dry => break,
            }
        }
        Ok(self.output.cursor() != before)
    }

    /// Brings the viewer to the present by a picture of the screen.
    async fn draw_anew(&mut self, history: usize, sink: &mut Sink) -> Result<(), axum::Error> {
        let (redraw, output) = self.attached.redraw(history, self.output.cursor()).await;
        output.set_claim(self.claim());
        self.output = output;
        self.live = self.live.max(self.output.cursor());
        self.send_redraw(redraw, sink).await
    }

    async fn send_redraw(&mut self, redraw: Redraw, sink: &mut Sink) -> Result<(), axum::Error> {
        let output = self.output.cursor();
        self.link.sending(output);
        let (now, bytes) = (Instant::now(), redraw.frames.iter().map(Bytes::len).sum::<usize>() as u64);
        // Who paces itself may acknowledge output only.
        let counted = if self.follow == Follow::Now { bytes } else { 0 };
        self.pace.redrawn(output, counted, now);
        if counted > 0 {
            self.pictures.sent(output, self.pace.time_for(counted), now);
        }
        if redraw.size != self.told.size.0 {
            self.told.size = (redraw.size, None);
            sink.feed(text(&ServerMessage::Resize { size: redraw.size, by: None })).await?;
        }
        let Redraw { frames, skipped, earlier, .. } = redraw;
        sink.feed(text(&ServerMessage::Reset { output, skipped, earlier })).await?;
        for frame in frames {
            sink.feed(Message::Binary(frame)).await?;
        }
        Ok(())
    }

    /// How much is left of what happened before this attachment. No frame holds both that and what is live, so that a
    /// viewer can treat the two differently.
    fn replayed(&self) -> usize {
        match self.live.since(self.output.cursor()) {
            0 => usize::MAX,
            left => usize::try_from(left).unwrap_or(usize::MAX),
        }
    }

    async fn tell_status(&mut self, sink: &mut Sink) -> Result<(), axum::Error> {
        let you = self.attached.id();
        let (title, size, viewers) = {
            let status = self.status.borrow_and_update();
            let version = status.viewers_version();
            let viewers = (self.told.viewers != Some(version)).then(|| viewers(&status, you));
            self.told.viewers = Some(version);
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
        if let Some(viewers) = viewers {
            sink.feed(text(&viewers)).await?;
        }
        Ok(())
    }
}

/// What `you` are told of who is there.
fn viewers(status: &Status, you: AttachmentId) -> ServerMessage {
    ServerMessage::Viewers {
        count: status.viewers(),
        pen: status.pen() == Some(you),
        list: status.presences(you),
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
