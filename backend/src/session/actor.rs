//! The one task that owns a session's pty and child.

use std::{future::ready, mem, pin::pin, time::Duration};

use limpet_keeper::Child;
use limpet_pty::{EndMode, Pty};
use limpet_shared::{ExitStatus, Hello, Role, Sizing, ViewerId, Winsize};
use nix::libc::SIGKILL;
use tokio::{
    runtime::Handle,
    task,
    time::{Instant, sleep_until},
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    AttachingViewer, Attachment, AttachmentStart, SessionHandle,
    attach::{ResumePoint, ViewerSnapshot, start_attachment},
    display::Display,
    flow::{Claim, Flow, FlowClass, LogWriter},
    handoff::Handoff,
    input::Input,
    output::OutputReader,
    own_output::{OwnOutput, Purpose, separator},
    request::{AttachRequest, Request, Requests, TypedInput},
    size_changes::SizeChanges,
    status_publisher::StatusPublisher,
};
use crate::token_bucket::TokenBucket;

/// Time without output from the terminal after which its screen follows by itself. During a flood
/// that pause never comes, and most of the flood is left out later.
const OUTPUT_PAUSE: Duration = Duration::from_millis(10);

/// Output without a pause of [`OUTPUT_PAUSE`] that counts as a flood, in bytes.
const FLOOD_BYTES: u64 = 256 * 1024;

/// Number of consecutive slices after which a screen that has not caught up counts as a flood, too.
const FLOOD_SLICES: u32 = 8;

/// Number of guests that may arrive per second in the long run.
const GUESTS_PER_SECOND: u64 = 1;

/// Number of guests that may arrive at once. If more do, the session moves to the threads for
/// floods, so that keys of other sessions do not wait for the work that arrivals cause.
const GUESTS_AT_ONCE: u64 = 16;

/// Time for which the session stays there after the last of these arrivals.
const CROWDED_TIME: Duration = Duration::from_secs(10);

/// All events that a session handles.
#[derive(Debug)]
enum Event {
    Requested(Box<Request>),
    Readable,
    Writable,
    ProgramEnded,
    /// A viewer has read output while the program is held back.
    ViewersMoved,
    /// A viewer has left, or has begun or stopped to strain the session.
    ViewersChanged,
    /// There is time for the screen to parse output.
    ScreenDue,
    /// The time has come for something that was put off.
    Due,
}

/// The reason why a session ends.
#[derive(Clone, Copy, Debug)]
enum Cause {
    ProgramEnded,
    Asked(EndMode),
}

/// The owner of a session's terminal and of the program on it.
#[derive(Debug)]
pub(super) struct Actor {
    pty: Pty,
    child: Child,
    output: OutputReader,
    display: Display,
    input: Input,
    flow: Flow,
    handoff: Handoff,
    sizes: SizeChanges,
    own_output: OwnOutput,
    /// Earliest time at which the screen follows the output if nothing else happens.
    screen_due_at: Instant,
    /// Output since the last pause, in bytes.
    burst_bytes: u64,
    /// Number of slices that the screen has parsed one after the other without catching up.
    slices_behind: u32,
    /// Measures how fast guests arrive.
    arrivals: TokenBucket,
    /// Time until which the session counts as crowded by arriving guests.
    crowded_until: Instant,
    /// Set while the program is held back for its viewers.
    is_held: bool,
    /// Set if a viewer has typed since the last output. The next output is then probably the echo.
    echo_is_due: bool,
    publisher: StatusPublisher,
    /// Dropped last: the closed channel tells others that everything is over.
    requests: Requests,
}

impl Actor {
    pub(super) fn new(
        (pty, child, input): (Pty, Child, Input),
        (log, mut display, handoff): (LogWriter, Display, Handoff),
        requests: Requests,
        session: SessionHandle,
    ) -> Self {
        let now = Instant::now();
        // Modes that a checkpoint sets are in use, not left behind.
        display.take_stale_modes();
        let (output, flow) = (OutputReader::new(log), Flow::new(now));
        let publisher = StatusPublisher { session };
        Self {
            pty,
            child,
            output,
            display,
            input,
            flow,
            handoff,
            sizes: SizeChanges::new(now),
            own_output: OwnOutput::new(now),
            screen_due_at: now,
            burst_bytes: 0,
            slices_behind: 0,
            arrivals: TokenBucket::new(GUESTS_PER_SECOND, GUESTS_AT_ONCE, now),
            crowded_until: now,
            is_held: false,
            echo_is_due: false,
            publisher,
            requests,
        }
    }

    /// Serves the session until its program has ended or is told to end.
    pub(super) async fn run(mut self: Box<Self>) {
        let placement = self.publisher.session.placement();
        let cause = loop {
            if let Some(cause) = self.serve(placement.has_separate_floods().then_some(false)).await {
                break cause;
            }
            let Some(floods) = placement.floods() else { continue };
            placement.set_flood(true);
            let flooded = Box::pin(self.serve_flood(floods)).await;
            placement.set_flood(false);
            // If the future panicked, or the terminal could not be moved, all that the
            // actor owned is gone.
            let Some((actor, cause)) = flooded else { return };
            self = actor;
            if let Some(cause) = cause {
                break cause;
            }
        };
        Box::pin(self.finish(cause)).await;
    }

    async fn serve_flood(self: Box<Self>, floods: &Handle) -> Option<(Box<Self>, Option<Cause>)> {
        let flood = async move {
            let mut actor = self.rebind().await?;
            let cause = actor.serve(Some(true)).await;
            Some((actor, cause))
        };
        let (actor, cause) = AbortOnDropHandle::new(floods.spawn(flood)).await.ok()??;
        Some((actor.rebind().await?, cause))
    }

    /// Registers the terminal with the reactor of the current runtime.
    async fn rebind(self: Box<Self>) -> Option<Box<Self>> {
        let actor = *self;
        match actor.pty.rebind().await {
            Ok(pty) => Some(Box::new(Self { pty, ..actor })),
            Err(error) => {
                tracing::error!(%error, "could not move a terminal to another runtime");
                None
            }
        }
    }

    /// Runs until the session ends (`Some(cause)`) or has to move to the other runtime (`None`).
    /// `is_for_floods` says which of the two this is; it is `None` if there is only one.
    ///
    /// This future lives as long as the session, so rare branches are boxed to keep it small.
    async fn serve(&mut self, is_for_floods: Option<bool>) -> Option<Cause> {
        // Sends answers to queries that an earlier server read and did not answer.
        self.publish_screen_results();
        loop {
            if is_for_floods.is_some_and(|here| here != self.is_flood()) {
                return None;
            }
            self.publisher.record_answerer(&self.input, self.output.log().end());
            if self.handoff.has_news(&self.display, Instant::now()) {
                Box::pin(self.handoff.update(&mut self.display, &self.publisher.session)).await;
            }
            // Checked here and not as events, since requests come first and may never pause.
            if self.sizes.due_at().is_some_and(|at| at <= Instant::now()) {
                Box::pin(self.apply_size()).await;
            }
            if self.own_output.due_at().is_some_and(|at| at <= Instant::now()) {
                Box::pin(self.insert_own_output()).await;
            }
            match self.next_event().await {
                Event::Requested(request) => match *request {
                    Request::End(mode) => return Some(Cause::Asked(mode)),
                    Request::Input(typed) => {
                        if self.write_typed(typed) {
                            Box::pin(self.apply_changes()).await;
                        }
                        if self.read_echo() {
                            self.step_screen().await;
                        }
                    }
                    request => Box::pin(self.answer(request)).await,
                },
                Event::Readable => {
                    if self.read_output().await {
                        self.step_screen().await;
                    }
                }
                Event::ScreenDue => self.step_screen().await,
                Event::Writable => self.write_input(),
                Event::ProgramEnded => return Some(Cause::ProgramEnded),
                Event::ViewersMoved | Event::Due => {}
                Event::ViewersChanged => {
                    self.input.drop_absent();
                    Box::pin(self.apply_changes()).await;
                }
            }
        }
    }

    /// Reports whether the session is so busy that keys of other sessions must not wait for it.
    fn is_flood(&self) -> bool {
        self.burst_bytes >= FLOOD_BYTES
            || self.slices_behind >= FLOOD_SLICES
            || self.publisher.session.shared().placement.has_straining_viewers()
            || self.crowded_until > Instant::now()
    }

    async fn next_event(&mut self) -> Event {
        let log = self.output.log();
        let rules = {
            let status = self.publisher.session.shared().status.borrow();
            (status.flow, status.owner_is_here())
        };
        let held = self.flow.held_until(rules, log, Instant::now());
        self.is_held = held.is_some();
        let screen_waits = held.is_none() && (self.display.is_behind() || self.burst_bytes >= FLOOD_BYTES);
        let screen_due = screen_waits.then_some(self.screen_due_at);
        let due = [self.sizes.due_at(), self.handoff.due_at(), self.own_output.due_at()];
        let timer = [held, screen_due].into_iter().chain(due).flatten().min();
        tokio::select! {
            // Requests come first: a key must not wait behind a flood.
            biased;
            request = self.requests.recv() => Event::Requested(request.unwrap_or_else(|| Box::new(Request::End(EndMode::All)))),
            () = self.publisher.session.shared().viewers_changed.notified() => Event::ViewersChanged,
            _ = self.child.ended() => Event::ProgramEnded,
            Ok(()) = self.pty.writable(), if self.input.waits() => Event::Writable,
            () = ready(()), if self.display.is_overfull() => Event::ScreenDue,
            _ = self.pty.readable(), if held.is_none() && !self.output.has_ended() => Event::Readable,
            () = ready(()), if self.display.owes_answers() => Event::ScreenDue,
            () = log.consumed(), if held.is_some() => Event::ViewersMoved,
            () = sleep_until(timer.unwrap_or(self.screen_due_at)), if timer.is_some() => {
                if screen_due == timer { Event::ScreenDue } else { Event::Due }
            }
        }
    }

    /// Reads the terminal's output into the log. Returns whether that may be the echo of a key: the
    /// screen then follows at once, so that a key sets no timer.
    async fn read_output(&mut self) -> bool {
        self.publisher.session.mark_unsaved();
        self.end_burst_if_quiet();
        let is_awaited = mem::take(&mut self.echo_is_due);
        let show = |output: &[u8]| self.publisher.pass_to_screen((&mut self.display, &self.input), output);
        let start = self.output.log().end();
        self.output.drain(&self.pty, is_awaited, show).await;
        self.burst_bytes += self.output.log().end().since(start);
        self.screen_due_at = Instant::now() + OUTPUT_PAUSE;
        is_awaited
    }

    /// Reads the echo of a key that has just been written, if the terminal has it already. Viewers
    /// then need not wait for another wake-up. Returns false if there is no output.
    fn read_echo(&mut self) -> bool {
        if self.is_held || self.output.has_ended() || self.display.is_overfull() {
            return false;
        }
        let start = self.output.log().end();
        let show = |output: &[u8]| self.publisher.pass_to_screen((&mut self.display, &self.input), output);
        let has_come = self.output.drain_echo(&self.pty, show);
        if has_come {
            self.publisher.session.mark_unsaved();
            self.end_burst_if_quiet();
            self.echo_is_due = false;
            self.burst_bytes += self.output.log().end().since(start);
            self.screen_due_at = Instant::now() + OUTPUT_PAUSE;
        }
        has_come
    }

    async fn step_screen(&mut self) {
        // Viewers come first: they have been woken by now, but nothing has been sent to them yet.
        task::yield_now().await;
        self.display.step().await;
        self.publish_screen_results();
        if let Some(stale_modes) = self.display.take_stale_modes() {
            self.own_output.request(Purpose::ResetStaleModes(stale_modes), Instant::now());
        }
        self.slices_behind = if self.display.is_behind() { self.slices_behind.saturating_add(1) } else { 0 };
        self.end_burst_if_quiet();
    }

    /// Ends the burst if nothing has come for a while and the screen has caught up.
    fn end_burst_if_quiet(&mut self) {
        if self.screen_due_at <= Instant::now() && !self.display.is_behind() {
            self.burst_bytes = 0;
        }
    }

    async fn answer(&mut self, request: Request) {
        match request {
            // An error means that the requester is gone.
            Request::Attach(attaching) => {
                let AttachRequest { hello, visitor, reply } = *attaching;
                let attached = self.attach(&hello, visitor).await;
                drop(reply.send(attached));
            }
            Request::Snapshot { history, rank, reply } => {
                let shared = self.publisher.session.shared();
                let make_snapshot = async |rows| self.display.snapshot_frames(rows).await;
                let snapshot =
                    ViewerSnapshot::make(&shared.guest_snapshots, rank, history, make_snapshot).await;
                let output = shared.log.reader(snapshot.position, Claim::new(rank, FlowClass::Unpaced));
                self.publish_screen_results();
                drop(reply.send((snapshot, output)));
            }
            Request::Text { reply } => {
                let text = self.display.text().await;
                self.publish_screen_results();
                drop(reply.send(text));
            }
            Request::Colours(colours) => {
                self.display.set_colours((*colours).clone());
                self.handoff.set_colours(*colours);
            }
            Request::Input(typed) => {
                if self.write_typed(typed) {
                    self.apply_changes().await;
                }
            }
            Request::Resize { attachment, size } => {
                self.publisher.update_status(|status| status.viewers.on_resized(attachment, size));
                self.apply_changes().await;
            }
            Request::MakePrimary { to, reply } => {
                let mut is_primary = false;
                let is_news = self.publisher.update_status(|status| {
                    let before = status.viewers_version();
                    is_primary = status.viewers.make_primary(to);
                    before != status.viewers_version()
                });
                if is_news {
                    self.apply_changes().await;
                }
                // An error means that the requester is gone.
                let _ = reply.send(is_primary);
            }
            Request::OwnOutput(purpose) => self.own_output.request(purpose, Instant::now()),
            Request::Update { size, reply } => {
                self.sizes.request(size, reply);
                self.handoff.mark_urgent();
                self.apply_changes().await;
            }
            Request::End(_) => {}
        }
    }

    async fn attach(&mut self, hello: &Hello, visitor: AttachingViewer) -> (Attachment, AttachmentStart) {
        let now = Instant::now();
        if visitor.role != Role::Owner && self.arrivals.try_take(now).is_err() {
            self.crowded_until = now + CROWDED_TIME;
        }
        let resume_point = ResumePoint::of(hello, &self.publisher.session);
        let attachment = self.publisher.session.add_viewer(hello, visitor, resume_point.resumes());
        self.apply_changes().await;
        let input = attachment.role().may_write().then(|| self.input.register(hello.viewer, attachment.id()));
        let make_snapshot = async |history| self.display.snapshot_frames(history).await;
        let start = start_attachment(
            &self.publisher.session,
            (hello, &attachment),
            resume_point,
            input,
            make_snapshot,
        )
        .await;
        self.publish_screen_results();
        (attachment, start)
    }

    /// Writes what a viewer has typed to the terminal. Returns whether the size may have to change,
    /// since that viewer is now the last one that used the terminal.
    fn write_typed(&mut self, TypedInput { viewer, attachment, offset, bytes }: TypedInput) -> bool {
        self.input.take(viewer, attachment, offset, bytes);
        self.write_input();
        self.echo_is_due = true;
        self.publisher.update_status(|status| status.viewers.on_used(attachment, status.sizing))
    }

    /// Applies the size policy after the session's state has changed, and has the change recorded.
    async fn apply_changes(&mut self) {
        self.handoff.mark_unsent();
        self.publisher.session.mark_unsaved();
        self.apply_size().await;
    }

    /// Gives the terminal the size that the policy asks for, or postpones that if the size has
    /// just been changed.
    async fn apply_size(&mut self) {
        let (size, by) = self.wanted_size();
        let start = Instant::now();
        if self.publisher.session.size() == size {
            self.publisher.publish_size(size, by);
        } else {
            if self.display.has_many_sizes() {
                self.sizes.postpone(start);
            }
            if !self.sizes.may_change(start) {
                return;
            }
            self.resize(size, by).await;
            self.sizes.record_change(start, Instant::now());
        }
        self.sizes.answer_requests();
    }

    /// Returns the size that the terminal is to have, and the viewer whose window gives it.
    fn wanted_size(&self) -> (Winsize, Option<ViewerId>) {
        let status = self.publisher.session.shared().status.borrow();
        // A fixed size is no viewer's own, even while it still equals the size of a window.
        let given = self.sizes.requested().map(|size| (size, None));
        let decided = match status.sizing {
            Sizing::Fixed => given.or(Some((status.size, None))),
            sizing => status.viewers.size(sizing).or(given),
        };
        decided.unwrap_or((status.size, status.size_by))
    }

    /// Publishes the title and sends the answers that the screen has produced.
    fn publish_screen_results(&mut self) {
        self.publisher.publish_title(self.display.title());
        let answers = self.display.take_answers();
        let is_asked = !answers.is_empty();
        self.input.queue_answers(&answers, self.display.parsed_to());
        if is_asked {
            self.write_input();
        }
    }

    /// Puts limpet's own output into the log, unless it has to wait for the end of a control
    /// function that the program has begun.
    async fn insert_own_output(&mut self) {
        // Modes count as left behind only if the shell itself is reading now.
        if self.own_output.has_stale_modes() && !self.publisher.session.waits_at_prompt().await {
            self.own_output.forget_stale_modes(Instant::now());
            return;
        }
        let is_outside_function = self.display.catch_up_to_boundary().await;
        self.publish_screen_results();
        let Some(purpose) = self.own_output.take(is_outside_function, Instant::now()) else { return };
        let output = match purpose {
            Purpose::ResetModes => self.display.reset_modes_output(),
            Purpose::ResetStaleModes(stale_modes) => {
                self.display.reset_stale_modes_output(stale_modes).into_bytes()
            }
            Purpose::Clear => self.display.clear_output(),
        };
        if output.is_empty() {
            return;
        }
        let start = self.output.log().end();
        let output = [separator(is_outside_function), &output].concat();
        self.output.append(&output, |output| {
            self.publisher.pass_to_screen((&mut self.display, &self.input), output);
        });
        if purpose == Purpose::Clear {
            self.display.catch_up_to_boundary().await;
            // The output that clears sets modes again. They belong to the program
            // that set them first.
            self.display.take_stale_modes();
            let log = &self.publisher.session.shared().log;
            // Output that no server needs any more is overwritten.
            if self.handoff.clear(start, &mut self.display, &self.publisher.session).await {
                log.forget_before(start);
            }
            self.publisher.session.mark_unsaved();
        }
    }

    /// Writes as much of the waiting input as the terminal takes.
    fn write_input(&mut self) {
        if let Err(error) = self.input.write(|pipe, count| self.pty.write_from(pipe, count)) {
            tracing::debug!(%error, "could not write to the terminal; its input is dropped");
        }
    }

    /// Gives the terminal another size, from the log's end on. Output that the program prints
    /// before it notices counts as printed at the new size.
    async fn resize(&mut self, size: Winsize, by: Option<ViewerId>) {
        self.handoff.send_size(size, &self.publisher.session).await;
        // Viewers learn whose size it is together with the size, which they read from the log.
        self.publisher.publish_size(size, by);
        if let Err(error) = self.pty.resize(size) {
            tracing::warn!(%error, ?size, "could not resize the terminal");
        }
        self.output.resize(size);
        self.display.resize(size).await;
        self.publish_screen_results();
        let session = self.publisher.session.id();
        tracing::debug!(%session, cols = size.cols, rows = size.rows, "resized");
    }

    /// Ends the program if asked to, reads the rest of its output, and closes the terminal. The
    /// session's end is published only after that.
    async fn finish(self: Box<Self>, cause: Cause) {
        let Self { pty, child, mut output, mut display, mut input, mut handoff, publisher, requests, .. } =
            *self;
        if let Cause::Asked(mode) = cause {
            let mut end = pin!(child.end(mode));
            loop {
                tokio::select! {
                    ended = &mut end => {
                        if let Err(error) = ended {
                            tracing::error!(%error, "could not end a program");
                        }
                        break;
                    }
                    // A program that still has something to print must not block on it.
                    _ = pty.readable(), if !output.has_ended() => {
                        let show = |output: &[u8]| publisher.pass_to_screen((&mut display, &input), output);
                        output.drain(&pty, false, show).await;
                    }
                }
            }
        }
        // All output is read first: the keeper closes its end of the terminal when it
        // reaps the program.
        output.drain_rest(&pty, |output| publisher.pass_to_screen((&mut display, &input), output));
        input.discard();
        if handoff.is_behind(&display) {
            handoff.update(&mut display, &publisher.session).await;
        }
        let status = child.reap().await;
        publisher.publish_final_screen(display).await;
        drop((pty, output));
        let status = status.unwrap_or_else(|error| {
            tracing::error!(%error, "could not reap a program");
            ExitStatus::Signal(SIGKILL)
        });
        publisher.publish_exit(status, matches!(cause, Cause::Asked(_)));
        drop(requests);
    }
}
