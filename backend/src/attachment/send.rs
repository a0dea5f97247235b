//! The sending half of an attachment: sends output, snapshots and state to the viewer.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use axum::extract::ws::Message;
use bytes::Bytes;
use futures_util::SinkExt;
use limpet_output_log::Next;
use limpet_shared::{
    ExitStatus, Flow, Follow, Header, InputOffset, OutputOffset, ServerMessage, Welcome, Winsize,
    limits::{DEFAULT_WINDOW_BYTES, MAX_FRAME_PAYLOAD_BYTES, MAX_WINDOW_BYTES},
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until, timeout},
};

use super::{
    AttachmentShared, EndReason, Reply, Sink, coalescing_timer::CoalescingTimer, last_sent::LastSent,
    send_window::SendWindow, snapshot_budget::SnapshotBudget, snapshot_pacer::SnapshotPacer, text,
};
use crate::session::{
    Attachment, AttachmentStart, Claim, FlowClass, HIGH_WATERMARK, InputProgress, LogReader, ResetSnapshot,
    Status, max_snapshot_rows,
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
    attachment: &'a Attachment,
    /// The first messages.
    first_messages: Option<Box<(Welcome, Option<ResetSnapshot>)>>,
    /// End of the log when the viewer attached. Output before it is a replay.
    live_from: OutputOffset,
    follow: Follow,
    send_window: SendWindow,
    snapshot_pacer: SnapshotPacer,
    snapshot_budget: SnapshotBudget,
    /// Rows of scrollback of a snapshot that the viewer has received in part or not at all, and the
    /// time of the next attempt. Nothing else can be sent before it.
    pending_snapshot: Option<(usize, Instant)>,
    output: LogReader,
    /// Set once the log is complete and all of it has been sent.
    complete: bool,
    status: watch::Receiver<Status>,
    last_sent: LastSent,
    input: Option<watch::Receiver<InputProgress>>,
    acknowledged: InputOffset,
    /// Input that has yet to be acknowledged, and the latest time for that.
    pending_ack: Option<(InputOffset, Instant)>,
    ack_timer: CoalescingTimer,
    replies: mpsc::Receiver<Reply>,
    rendered: watch::Receiver<OutputOffset>,
    heartbeat: Interval,
    shared: &'a AttachmentShared,
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
        attachment: &'a Attachment,
        start: Box<AttachmentStart>,
        (window, follow): (Option<u64>, Follow),
        shared: &'a AttachmentShared,
        (replies, rendered): (mpsc::Receiver<Reply>, watch::Receiver<OutputOffset>),
        heartbeat: Duration,
    ) -> Self {
        let AttachmentStart { welcome, snapshot, output, input, mut status } = *start;
        // Changes since the welcome was written are reported after it.
        status.mark_changed();
        let now = Instant::now();
        let last_sent = LastSent::new(&welcome, now);
        let mut heartbeat = interval_at(Instant::now() + heartbeat, heartbeat);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let window = window.unwrap_or(DEFAULT_WINDOW_BYTES).clamp(1, MAX_WINDOW_BYTES);
        Self {
            attachment,
            live_from: welcome.live,
            send_window: SendWindow::new(window, follow == Follow::All, welcome.output),
            acknowledged: welcome.input,
            pending_ack: None,
            ack_timer: CoalescingTimer::new(),
            first_messages: Some(Box::new((welcome, snapshot))),
            snapshot_pacer: SnapshotPacer::new(now),
            snapshot_budget: SnapshotBudget::new(attachment.role(), now),
            pending_snapshot: None,
            follow,
            output,
            complete: false,
            status,
            last_sent,
            input,
            replies,
            rendered,
            heartbeat,
            shared,
        }
    }

    pub(super) async fn run(mut self, sink: &mut Sink) -> EndReason {
        // An error means that the connection is gone.
        self.send_until_end(sink).await.unwrap_or(EndReason::Left)
    }

    async fn send_until_end(&mut self, sink: &mut Sink) -> Result<EndReason, axum::Error> {
        Box::pin(self.send_first_messages(sink)).await?;
        loop {
            self.send_due(sink).await?;
            let sent = self.send_output(sink).await?;
            let exit = self.exit().filter(|_| self.complete && self.pending_snapshot.is_none());
            if let Some(input) = self.take_due_ack(sent || exit.is_some()) {
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
                    self.shared.history_asked.store(false, Relaxed);
                    self.snapshot_budget.request_history();
                }
                Event::StatusChanged => Box::pin(self.send_status(sink)).await?,
                Event::Input(Some(Ok(input))) => self.schedule_ack(input),
                Event::Input(Some(Err(error))) => {
                    return Ok(EndReason::Refused(error.code(), error.to_string()));
                }
                // Nobody takes this attachment's input any more: either the program has ended, and
                // its last output follows, or the viewer has attached anew.
                Event::Input(None) if self.status.borrow().exit.is_some() => self.input = None,
                Event::Input(None) => return Ok(EndReason::Replaced),
                Event::Output { more } => self.complete = !more,
                Event::Rendered => self.on_rendered(),
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

    async fn send_first_messages(&mut self, sink: &mut Sink) -> Result<(), axum::Error> {
        if let Some(first_messages) = self.first_messages.take() {
            let (welcome, snapshot) = *first_messages;
            sink.feed(text(&ServerMessage::Welcome(welcome))).await?;
            if let Some(snapshot) = snapshot {
                let rows = max_snapshot_rows(self.follow, self.attachment.role());
                self.send_reset(rows, snapshot, sink).await?;
            }
        }
        self.send_status(sink).await
    }

    /// Sends what was delayed and is due now.
    async fn send_due(&mut self, sink: &mut Sink) -> Result<(), axum::Error> {
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= Instant::now());
        if is_due(self.last_sent.due_at()) {
            Box::pin(self.send_status(sink)).await?;
        }
        if let Some((rows, at)) = self.pending_snapshot {
            if is_due(Some(at)) {
                Box::pin(self.send_new_snapshot(rows, sink)).await?;
            }
        } else if is_due(self.snapshot_budget.history_at()) {
            Box::pin(self.send_history(sink)).await?;
        }
        Ok(())
    }

    async fn next_event(&mut self) -> Event {
        let is_late = self.is_late();
        let may_send = !is_late && self.send_window.available() > 0 && self.pending_snapshot.is_none();
        // A viewer that was overtaken needs a snapshot as well, as soon as its budget allows one.
        let is_lost = may_send && self.output.is_lost();
        let may_send_output = may_send && !is_lost;
        let snapshot_at = self.next_snapshot_at().filter(|_| is_late);
        let lost = is_lost.then(|| self.snapshot_budget.ready_at());
        let snapshot_times = match self.pending_snapshot {
            Some((_, at)) => [Some(at), None, None],
            None => [snapshot_at, lost, self.snapshot_budget.history_at()],
        };
        let due = snapshot_times.into_iter().chain([self.last_sent.due_at()]).flatten().min();
        let ack_at = self.pending_ack.map(|(_, at)| at);
        tokio::select! {
            biased;
            Some(reply) = self.replies.recv() => Event::Reply(reply),
            progress = next_progress(&mut self.input) => Event::Input(progress),
            Ok(()) = self.status.changed() => Event::StatusChanged,
            Ok(()) = self.rendered.changed() => Event::Rendered,
            more = self.output.ready(), if may_send_output && !self.complete => Event::Output { more },
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => Event::Due,
            () = self.ack_timer.wait_until(ack_at.unwrap_or_else(Instant::now)), if ack_at.is_some() => {
                Event::Acknowledge
            }
            _ = self.heartbeat.tick() => Event::Heartbeat,
        }
    }

    /// Records that input has been written up to here.
    fn schedule_ack(&mut self, input: InputOffset) {
        let at = self.pending_ack.map_or_else(|| Instant::now() + ACK_DELAY, |(_, at)| at);
        self.pending_ack = Some((input, at));
    }

    /// Takes the acknowledgement that is to be sent now, because it accompanies output
    /// (`accompanies_output`), covers much input, or has waited long enough.
    fn take_due_ack(&mut self, accompanies_output: bool) -> Option<InputOffset> {
        let (input, at) = self.pending_ack?;
        let is_due = accompanies_output
            || input.since(self.acknowledged) >= IMMEDIATE_ACK_BYTES
            || at <= Instant::now();
        is_due.then(|| {
            self.pending_ack = None;
            self.acknowledged = input;
            input
        })
    }

    fn next_snapshot_at(&self) -> Option<Instant> {
        let at = self.snapshot_pacer.next_at(self.send_window.available() > 0)?;
        Some(at.max(self.snapshot_budget.ready_at()))
    }

    fn on_rendered(&mut self) {
        let rendered = *self.rendered.borrow_and_update();
        self.snapshot_pacer.on_rendered(rendered);
        self.snapshot_budget.on_rendered(rendered);
        self.send_window.on_rendered(rendered, Instant::now());
        self.update_flow_class(&self.output);
    }

    /// Reports whether the viewer is to get all of the output.
    fn follows_all(&self) -> bool {
        self.follow == Follow::All || self.status.borrow().flow == Flow::Hold
    }

    fn update_flow_class(&self, output: &LogReader) {
        let class = self.flow_class();
        output.relabel(|claim, _, _| claim.set_class(class));
    }

    /// Returns whether the program has to wait for this viewer. It does not wait for one that would
    /// rather get a snapshot, and never for a read-only one.
    fn flow_class(&self) -> FlowClass {
        match self.send_window.time_for(HIGH_WATERMARK) <= SNAPSHOT_AFTER {
            _ if !self.attachment.role().may_write() => FlowClass::Unpaced,
            _ if self.follows_all() => FlowClass::Lossless,
            true => FlowClass::Fastest,
            false => FlowClass::Unpaced,
        }
    }

    /// Reports whether a person would notice how far this viewer is behind.
    fn is_late(&self) -> bool {
        let behind = self.send_window.time_for(self.output.end().since(self.output.cursor()));
        behind > self.snapshot_pacer.max_output_time(Instant::now()).unwrap_or(SNAPSHOT_AFTER)
            && !self.follows_all()
    }

    /// Hands output from the log to the socket, as far as the send window allows. Returns
    /// whether there was any.
    async fn send_output(&mut self, sink: &mut Sink) -> Result<bool, axum::Error> {
        let before = self.output.cursor();
        for _ in 0..FRAMES_PER_TURN {
            if self.pending_snapshot.is_some() {
                break;
            }
            if self.is_late() {
                if self.next_snapshot_at().is_some_and(|at| at <= Instant::now()) {
                    Box::pin(self.send_new_snapshot(CATCH_UP_SNAPSHOT_ROWS, sink)).await?;
                }
                break;
            }
            let available = usize::try_from(self.send_window.available()).unwrap_or(usize::MAX);
            if available == 0 {
                break;
            }
            match self.output.next(available.min(MAX_FRAME_PAYLOAD_BYTES).min(self.replay_left())) {
                Next::Frame(frame) => {
                    let (cursor, bytes) = (self.output.cursor(), frame.len() as u64);
                    self.shared.record_sent(cursor, 1);
                    sink.feed(Message::Binary(frame)).await?;
                    let now = Instant::now();
                    self.send_window.on_output_sent(cursor, now);
                    self.snapshot_pacer.on_output_sent(self.send_window.time_for(bytes), now);
                }
                Next::Size { size, resizes } => self.send_size(size, resizes, sink).await?,
                Next::Lost if self.snapshot_budget.ready_at() > Instant::now() => break,
                Next::Lost => {
                    let all = max_snapshot_rows(self.follow, self.attachment.role());
                    let history = if self.follow == Follow::All { all } else { CATCH_UP_SNAPSHOT_ROWS };
                    Box::pin(self.send_new_snapshot(history, sink)).await?;
                    self.output.relabel(Claim::demote);
                    break;
                }
                Next::Empty => break,
            }
        }
        Ok(self.output.cursor() != before)
    }

    /// Brings the viewer up to date with a snapshot.
    async fn send_new_snapshot(&mut self, history: usize, sink: &mut Sink) -> Result<(), axum::Error> {
        let (snapshot, output) = self.attachment.snapshot(history, self.output.cursor()).await;
        if snapshot.frames.is_some() {
            self.update_flow_class(&output);
            self.output = output;
            self.live_from = self.live_from.max(self.output.cursor());
        }
        self.send_reset(history, snapshot, sink).await
    }

    /// Sends a snapshot with all of the scrollback.
    async fn send_history(&mut self, sink: &mut Sink) -> Result<(), axum::Error> {
        if !self.attachment.has_snapshot_room() {
            self.snapshot_budget.postpone_history(Instant::now() + SNAPSHOT_RETRY_DELAY);
            return Ok(());
        }
        self.send_new_snapshot(usize::MAX, sink).await?;
        let viewers = self.status.borrow().viewer_count();
        self.snapshot_budget.on_history_sent(self.output.cursor(), viewers, Instant::now());
        Ok(())
    }

    /// Sends a snapshot with `rows` rows of scrollback, unless the viewer stops reading.
    async fn send_reset(
        &mut self,
        rows: usize,
        snapshot: ResetSnapshot,
        sink: &mut Sink,
    ) -> Result<(), axum::Error> {
        let ResetSnapshot { frames, size, resizes, skipped, omitted_rows } = snapshot;
        let Some(mut frames) = frames else {
            self.pending_snapshot = Some((rows, Instant::now() + SNAPSHOT_RETRY_DELAY));
            return Ok(());
        };
        self.pending_snapshot = None;
        let output = self.output.cursor();
        self.shared.record_sent(output, frames.count());
        let (now, bytes) = (Instant::now(), frames.bytes() as u64);
        self.snapshot_budget.spend(bytes, now);
        // A viewer that paces itself may acknowledge output only, so the snapshot
        // does not count for it.
        let counted = if self.follow == Follow::Now { bytes } else { 0 };
        self.send_window.on_snapshot_sent(output, counted, now);
        if counted > 0 {
            let min_interval = self.snapshot_budget.min_interval(self.status.borrow().viewer_count());
            self.snapshot_pacer.on_snapshot_sent(
                output,
                self.send_window.time_for(counted),
                min_interval,
                now,
            );
        }
        if resizes != self.last_sent.resizes() {
            self.send_size(size, resizes, sink).await?;
        }
        let payloads = bytes - Header::LEN as u64 * frames.count();
        sink.feed(text(&ServerMessage::Reset { output, skipped, earlier: omitted_rows, bytes: payloads }))
            .await?;
        for frame in frames.drain() {
            let Ok(fed) = timeout(SNAPSHOT_STALL_TIMEOUT, sink.feed(Message::Binary(frame))).await else {
                // The next attempt is made as soon as the viewer has taken what was
                // handed over before.
                self.pending_snapshot = Some((rows, Instant::now()));
                break;
            };
            fed?;
        }
        Ok(())
    }

    /// Tells the viewer the size that its terminal is to have from here on.
    async fn send_size(&mut self, size: Winsize, resizes: u64, sink: &mut Sink) -> Result<(), axum::Error> {
        let by = self.status.borrow().size_by();
        sink.feed(text(&self.last_sent.resize_message(size, resizes, by))).await
    }

    /// Returns how much is left of the output from before this attachment. No frame mixes that with
    /// live output, so that a viewer can treat the two differently.
    fn replay_left(&self) -> usize {
        match self.live_from.since(self.output.cursor()) {
            0 => usize::MAX,
            left => usize::try_from(left).unwrap_or(usize::MAX),
        }
    }

    async fn send_status(&mut self, sink: &mut Sink) -> Result<(), axum::Error> {
        let changes = {
            let status = self.status.borrow_and_update();
            self.last_sent.changes(&status, self.attachment.id(), Instant::now())
        };
        for message in changes {
            sink.feed(text(&message)).await?;
        }
        Ok(())
    }
}

/// Returns the next change of the input's progress; `None` if nobody takes the input any more.
/// Waits forever if there is no input.
async fn next_progress(input: &mut Option<watch::Receiver<InputProgress>>) -> Option<InputProgress> {
    match input {
        Some(progress) => progress.changed().await.ok().map(|()| *progress.borrow_and_update()),
        None => std::future::pending().await,
    }
}
