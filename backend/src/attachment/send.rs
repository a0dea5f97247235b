//! The sending half of an attachment: sends output, snapshots and state to the viewer.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use axum::extract::ws::Message;
use bytes::Bytes;
use futures_util::SinkExt;
use limpet_shared::{
    ExitStatus, Flow, Follow, Header, InputOffset, OutputOffset, ServerMessage, Welcome, Winsize,
    limits::{DEFAULT_WINDOW, MAX_WINDOW, OUTPUT_FRAME},
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until, timeout},
};

use super::{
    EndReason, AttachmentShared, Reply, Sink, alarm::CoalescingTimer, pace::SendWindow, pictures::SnapshotPacer, snapshot_budget::SnapshotBudget,
    text, told::LastSent,
};
use crate::{
    log::{Claim, LogReader, Next},
    session::{Attachment, AttachmentStart, HIGH_WATERMARK, InputProgress, ResetSnapshot, Status, rows_for},
};

/// Number of data frames that are sent before anything else is checked again.
const FRAMES_PER_TURN: usize = 4;

/// Lag above which a viewer that follows the newest output gets a snapshot.
const SNAPSHOT_AFTER: Duration = Duration::from_millis(250);

/// Rows of scrollback in such a snapshot: enough to look back, and few enough to arrive at once.
const CATCH_UP_SNAPSHOT_ROWS: usize = 50;

/// Delay of an input acknowledgement, so that it can share a packet with output such as the echo.
/// No person notices it.
const ACK_DELAY: Duration = Duration::from_millis(40);

/// Amount of input that is acknowledged at once, in bytes: a viewer that sends this much is
/// waiting to send more.
const IMMEDIATE_ACK_BYTES: u64 = 16 * 1024;

/// Time without progress after which the rest of a snapshot is dropped. The viewer gets another
/// snapshot once it reads again.
const SNAPSHOT_STALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Delay of a snapshot for which there was no room.
const SNAPSHOT_RETRY_DELAY: Duration = Duration::from_millis(250);

/// The sending half of an attachment.
pub(super) struct Sender<'a> {
    attached: &'a Attachment,
    /// The first messages.
    opening: Option<Box<(Welcome, Option<ResetSnapshot>)>>,
    /// End of the log when the viewer attached. Output before it is a replay.
    live: OutputOffset,
    follow: Follow,
    pace: SendWindow,
    pictures: SnapshotPacer,
    snapshots: SnapshotBudget,
    /// Rows of scrollback of a snapshot that the viewer has received in part or not at all, and the
    /// time of the next attempt. Nothing else can be sent before it.
    owed_snapshot: Option<(usize, Instant)>,
    output: LogReader,
    /// Set once the log is complete and all of it has been sent.
    complete: bool,
    status: watch::Receiver<Status>,
    told: LastSent,
    input: Option<watch::Receiver<InputProgress>>,
    acknowledged: InputOffset,
    /// Input that has yet to be acknowledged, and the latest time for that.
    owed: Option<(InputOffset, Instant)>,
    alarm: CoalescingTimer,
    replies: mpsc::Receiver<Reply>,
    rendered: watch::Receiver<OutputOffset>,
    heartbeat: Interval,
    link: &'a AttachmentShared,
}

/// An event that the sender handles.
enum Event {
    Reply(Reply),
    StatusChanged,
    Input(Option<InputProgress>),
    Rendered,
    Output {
        more: bool,
    },
    /// The time has come for a delayed snapshot or change of state.
    Due,
    /// No output has come that the acknowledgement of input could accompany.
    Acknowledge,
    Heartbeat,
}

impl<'a> Sender<'a> {
    pub(super) fn new(
        attached: &'a Attachment,
        beginning: Box<AttachmentStart>,
        (window, follow): (Option<u64>, Follow),
        link: &'a AttachmentShared,
        (replies, rendered): (mpsc::Receiver<Reply>, watch::Receiver<OutputOffset>),
        heartbeat: Duration,
    ) -> Self {
        let AttachmentStart { welcome, redraw, output, input, mut status } = *beginning;
        // Changes since the welcome was written are reported after it.
        status.mark_changed();
        let now = Instant::now();
        let told = LastSent::new(&welcome, now);
        let mut heartbeat = interval_at(Instant::now() + heartbeat, heartbeat);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let window = window.unwrap_or(DEFAULT_WINDOW).clamp(1, MAX_WINDOW);
        Self {
            attached,
            live: welcome.live,
            pace: SendWindow::new(window, follow == Follow::All, welcome.output),
            acknowledged: welcome.input,
            owed: None,
            alarm: CoalescingTimer::new(),
            opening: Some(Box::new((welcome, redraw))),
            pictures: SnapshotPacer::new(now),
            snapshots: SnapshotBudget::new(attached.role(), now),
            owed_snapshot: None,
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

    pub(super) async fn run(mut self, sink: &mut Sink) -> EndReason {
        // An error means that the connection is gone.
        self.speak(sink).await.unwrap_or(EndReason::Left)
    }

    async fn speak(&mut self, sink: &mut Sink) -> Result<EndReason, axum::Error> {
        Box::pin(self.open(sink)).await?;
        loop {
            self.send_due(sink).await?;
            let sent = self.send_output(sink).await?;
            let exit = self.exit().filter(|_| self.complete && self.owed_snapshot.is_none());
            if let Some(input) = self.due(sent || exit.is_some()) {
                sink.feed(text(&ServerMessage::Ack { input })).await?;
            }
            if let Some((status, closed)) = exit {
                let output = self.output.cursor();
                sink.feed(text(&ServerMessage::Exit { status, output, closed })).await?;
                sink.flush().await?;
                return Ok(EndReason::Exited);
            }
            sink.flush().await?;
            match self.next_event().await {
                Event::Reply(Reply::Message(message)) => sink.feed(text(&message)).await?,
                Event::Reply(Reply::History) => {
                    self.link.history_asked.store(false, Relaxed);
                    self.snapshots.want_history();
                }
                Event::StatusChanged => Box::pin(self.tell_status(sink)).await?,
                Event::Input(Some(Ok(input))) => self.owe(input),
                Event::Input(Some(Err(error))) => return Ok(EndReason::Refused(error.code(), error.to_string())),
                // Nobody takes this attachment's input any more: either the program has ended, and
                // its last output follows, or the viewer has attached anew.
                Event::Input(None) if self.status.borrow().exit.is_some() => self.input = None,
                Event::Input(None) => return Ok(EndReason::Replaced),
                Event::Output { more } => self.complete = !more,
                Event::Rendered => self.note_rendered(),
                Event::Due | Event::Acknowledge => {}
                Event::Heartbeat => sink.feed(Message::Ping(Bytes::new())).await?,
            }
        }
    }

    /// Returns how the program ended, and whether that was because an owner closed the session.
    fn exit(&self) -> Option<(ExitStatus, bool)> {
        let status = self.status.borrow();
        Some((status.exit?, status.closed))
    }

    async fn open(&mut self, sink: &mut Sink) -> Result<(), axum::Error> {
        if let Some(opening) = self.opening.take() {
            let (welcome, redraw) = *opening;
            sink.feed(text(&ServerMessage::Welcome(welcome))).await?;
            if let Some(redraw) = redraw {
                let rows = rows_for(self.follow, self.attached.role());
                self.send_redraw(rows, redraw, sink).await?;
            }
        }
        self.tell_status(sink).await
    }

    /// Sends what was delayed and is due now.
    async fn send_due(&mut self, sink: &mut Sink) -> Result<(), axum::Error> {
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= Instant::now());
        if is_due(self.told.due()) {
            Box::pin(self.tell_status(sink)).await?;
        }
        if let Some((rows, at)) = self.owed_snapshot {
            if is_due(Some(at)) {
                Box::pin(self.draw_anew(rows, sink)).await?;
            }
        } else if is_due(self.snapshots.history_at()) {
            Box::pin(self.send_history(sink)).await?;
        }
        Ok(())
    }

    async fn next_event(&mut self) -> Event {
        let is_late = self.is_late();
        let may_send = !is_late && self.pace.room() > 0 && self.owed_snapshot.is_none();
        // A viewer that was overtaken needs a snapshot as well, as soon as its budget allows one.
        let is_lost = may_send && self.output.is_lost();
        let room = may_send && !is_lost;
        let picture = self.next_picture().filter(|_| is_late);
        let lost = is_lost.then(|| self.snapshots.ready_at());
        let drawn = match self.owed_snapshot {
            Some((_, at)) => [Some(at), None, None],
            None => [picture, lost, self.snapshots.history_at()],
        };
        let due = drawn.into_iter().chain([self.told.due()]).flatten().min();
        let owed = self.owed.map(|(_, at)| at);
        tokio::select! {
            biased;
            Some(reply) = self.replies.recv() => Event::Reply(reply),
            progress = changed(&mut self.input) => Event::Input(progress),
            Ok(()) = self.status.changed() => Event::StatusChanged,
            Ok(()) = self.rendered.changed() => Event::Rendered,
            more = self.output.ready(), if room && !self.complete => Event::Output { more },
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => Event::Due,
            () = self.alarm.at(owed.unwrap_or_else(Instant::now)), if owed.is_some() => Event::Acknowledge,
            _ = self.heartbeat.tick() => Event::Heartbeat,
        }
    }

    /// Records that input has been written up to here.
    fn owe(&mut self, input: InputOffset) {
        let at = self.owed.map_or_else(|| Instant::now() + ACK_DELAY, |(_, at)| at);
        self.owed = Some((input, at));
    }

    /// Takes the acknowledgement that is to be sent now, because it accompanies output
    /// (`in_company`), covers much input, or has waited long enough.
    fn due(&mut self, in_company: bool) -> Option<InputOffset> {
        let (input, at) = self.owed?;
        let is_due = in_company || input.since(self.acknowledged) >= IMMEDIATE_ACK_BYTES || at <= Instant::now();
        is_due.then(|| {
            self.owed = None;
            self.acknowledged = input;
            input
        })
    }

    fn next_picture(&self) -> Option<Instant> {
        let at = self.pictures.next_at(self.pace.room() > 0)?;
        Some(at.max(self.snapshots.ready_at()))
    }

    fn note_rendered(&mut self) {
        let rendered = *self.rendered.borrow_and_update();
        self.pictures.drawn(rendered);
        self.snapshots.rendered(rendered);
        self.pace.rendered(rendered, Instant::now());
        self.output.set_claim(self.claim());
    }

    /// Reports whether the viewer is to get all of the output.
    fn follows_all(&self) -> bool {
        self.follow == Follow::All || self.status.borrow().flow == Flow::Hold
    }

    /// Returns whether the program has to wait for this viewer. It does not wait for one that would
    /// rather get a snapshot, and never for a read-only one.
    fn claim(&self) -> Claim {
        match self.pace.time_for(HIGH_WATERMARK) <= SNAPSHOT_AFTER {
            _ if !self.attached.role().may_write() => Claim::None,
            _ if self.follows_all() => Claim::All,
            true => Claim::Fastest,
            false => Claim::None,
        }
    }

    /// Reports whether a person would notice how far this viewer is behind.
    fn is_late(&self) -> bool {
        let behind = self.pace.time_for(self.output.end().since(self.output.cursor()));
        behind > self.pictures.patience(Instant::now()).unwrap_or(SNAPSHOT_AFTER) && !self.follows_all()
    }

    /// Hands output from the log to the socket, as far as the send window allows. Returns
    /// whether there was any.
    async fn send_output(&mut self, sink: &mut Sink) -> Result<bool, axum::Error> {
        let before = self.output.cursor();
        for _ in 0..FRAMES_PER_TURN {
            if self.owed_snapshot.is_some() {
                break;
            }
            if self.is_late() {
                if self.next_picture().is_some_and(|at| at <= Instant::now()) {
                    Box::pin(self.draw_anew(CATCH_UP_SNAPSHOT_ROWS, sink)).await?;
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
                    self.link.sending(cursor, 1);
                    sink.feed(Message::Binary(frame)).await?;
                    let now = Instant::now();
                    self.pace.sent(cursor, now);
                    self.pictures.followed(self.pace.time_for(bytes), now);
                }
                Next::Size { size, resizes } => self.tell_size(size, resizes, sink).await?,
                Next::Lost if self.snapshots.ready_at() > Instant::now() => break,
                Next::Lost => {
                    let all = rows_for(self.follow, self.attached.role());
                    let history = if self.follow == Follow::All { all } else { CATCH_UP_SNAPSHOT_ROWS };
                    Box::pin(self.draw_anew(history, sink)).await?;
                    self.output.distrust();
                    break;
                }
                Next::Dry => break,
            }
        }
        Ok(self.output.cursor() != before)
    }

    /// Brings the viewer up to date with a snapshot.
    async fn draw_anew(&mut self, history: usize, sink: &mut Sink) -> Result<(), axum::Error> {
        let (redraw, output) = self.attached.redraw(history, self.output.cursor()).await;
        if redraw.frames.is_some() {
            output.set_claim(self.claim());
            self.output = output;
            self.live = self.live.max(self.output.cursor());
        }
        self.send_redraw(history, redraw, sink).await
    }

    /// Sends a snapshot with all of the scrollback.
    async fn send_history(&mut self, sink: &mut Sink) -> Result<(), axum::Error> {
        if !self.attached.has_snapshot_room() {
            self.snapshots.postpone_history(Instant::now() + SNAPSHOT_RETRY_DELAY);
            return Ok(());
        }
        self.draw_anew(usize::MAX, sink).await?;
        let viewers = self.status.borrow().viewers();
        self.snapshots.history_sent(self.output.cursor(), viewers, Instant::now());
        Ok(())
    }

    /// Sends a snapshot with `rows` rows of scrollback, unless the viewer stops reading.
    async fn send_redraw(&mut self, rows: usize, redraw: ResetSnapshot, sink: &mut Sink) -> Result<(), axum::Error> {
        let ResetSnapshot { frames, size, resizes, skipped, earlier } = redraw;
        let Some(mut frames) = frames else {
            self.owed_snapshot = Some((rows, Instant::now() + SNAPSHOT_RETRY_DELAY));
            return Ok(());
        };
        self.owed_snapshot = None;
        let output = self.output.cursor();
        self.link.sending(output, frames.count());
        let (now, bytes) = (Instant::now(), frames.bytes() as u64);
        self.snapshots.spend(bytes, now);
        // A viewer that paces itself may acknowledge output only, so the snapshot
        // does not count for it.
        let counted = if self.follow == Follow::Now { bytes } else { 0 };
        self.pace.redrawn(output, counted, now);
        if counted > 0 {
            let pause = self.snapshots.pause(self.status.borrow().viewers());
            self.pictures.sent(output, (self.pace.time_for(counted), pause), now);
        }
        if resizes != self.told.resizes() {
            self.tell_size(size, resizes, sink).await?;
        }
        let payloads = bytes - Header::LEN as u64 * frames.count();
        sink.feed(text(&ServerMessage::Reset { output, skipped, earlier, bytes: payloads })).await?;
        for frame in frames.drain() {
            let Ok(fed) = timeout(SNAPSHOT_STALL_TIMEOUT, sink.feed(Message::Binary(frame))).await else {
                // The next attempt is made as soon as the viewer has taken what was
                // handed over before.
                self.owed_snapshot = Some((rows, Instant::now()));
                break;
            };
            fed?;
        }
        Ok(())
    }

    /// Tells the viewer the size that its terminal is to have from here on.
    async fn tell_size(&mut self, size: Winsize, resizes: u64, sink: &mut Sink) -> Result<(), axum::Error> {
        let by = self.status.borrow().size_by();
        sink.feed(text(&self.told.resized(size, resizes, by))).await
    }

    /// Returns how much is left of the output from before this attachment. No frame mixes that with
    /// live output, so that a viewer can treat the two differently.
    fn replayed(&self) -> usize {
        match self.live.since(self.output.cursor()) {
            0 => usize::MAX,
            left => usize::try_from(left).unwrap_or(usize::MAX),
        }
    }

    async fn tell_status(&mut self, sink: &mut Sink) -> Result<(), axum::Error> {
        let news = {
            let status = self.status.borrow_and_update();
            self.told.news(&status, self.attached.id(), Instant::now())
        };
        for message in news {
            sink.feed(text(&message)).await?;
        }
        Ok(())
    }
}

/// Returns the next change of the input's progress; `None` if nobody takes the input any more.
/// Waits forever if there is no input.
async fn changed(input: &mut Option<watch::Receiver<InputProgress>>) -> Option<InputProgress> {
    match input {
        Some(progress) => progress.changed().await.ok().map(|()| *progress.borrow_and_update()),
        None => std::future::pending().await,
    }
}
