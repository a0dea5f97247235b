//! The one task that owns a session's pty and child.

use std::{future::ready, mem, pin::pin, time::Duration};

use limpet_shared::{ExitStatus, Hello, Role, Sizing, ViewerId, Winsize};
use nix::libc::SIGKILL;
use tokio::{
    runtime::Handle,
    task,
    time::{Instant, sleep_until},
};

use tokio_util::task::AbortOnDropHandle;

use super::{
    Attachment, AttachmentStart, SessionHandle, Visitor,
    begin::{ViewerSnapshot, ResumePoint, begin},
    display::Display,
    ending::StatusPublisher,
    flow::Flow,
    input::Input,
    keeping::Handoff,
    output::OutputReader,
    own_output::{OwnOutput, Purpose, separator},
    request::{AttachRequest, Request, Requests, TypedInput},
    size_changes::SizeChanges,
};
use crate::{
    keeper::Child,
    log::{Claim, LogWriter},
    pty::{EndMode, Pty},
    token_bucket::TokenBucket,
};

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
    Leisure,
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
    keeping: Handoff,
    sizes: SizeChanges,
    own_output: OwnOutput,
    /// Earliest time at which the screen follows the output if nothing else happens.
    leisure: Instant,
    /// Output since the last pause, in bytes.
    burst: u64,
    /// Number of slices that the screen has parsed one after the other without catching up.
    labour: u32,
    /// Measures how fast guests arrive.
    arrivals: TokenBucket,
    /// Time until which the session counts as crowded by arriving guests.
    crowded_until: Instant,
    /// Set while the program is held back for its viewers.
    is_held: bool,
    /// Set if a viewer has typed since the last output. The next output is then probably the echo.
    echo_is_due: bool,
    session: StatusPublisher,
    /// Dropped last: the closed channel tells others that everything is over.
    requests: Requests,
}

impl Actor {
    pub(super) fn new(
        (pty, child, input): (Pty, Child, Input),
        (log, mut display, keeping): (LogWriter, Display, Handoff),
        requests: Requests,
        session: SessionHandle,
    ) -> Self {
        let now = Instant::now();
        // Modes that a checkpoint sets are in use, not left behind.
        display.take_leftovers();
        let (output, flow) = (OutputReader::new(log), Flow::new(now));
        let (leisure, session) = (now, StatusPublisher(session));
        Self {
            pty,
            child,
            output,
            display,
            input,
            flow,
            keeping,
            sizes: SizeChanges::new(now),
            own_output: OwnOutput::new(now),
            leisure,
            burst: 0,
            labour: 0,
            arrivals: TokenBucket::new(GUESTS_PER_SECOND, GUESTS_AT_ONCE, now),
            crowded_until: now,
            is_held: false,
            echo_is_due: false,
            session,
            requests,
        }
    }

    /// Serves the session until its program has ended or is told to end.
    pub(super) async fn run(mut self: Box<Self>) {
        let lane = self.session.0.lane();
        let cause = loop {
            if let Some(cause) = self.serve(lane.floods().map(|_| false)).await {
                break cause;
            }
            let Some(floods) = lane.floods() else { continue };
            lane.set_flood(true);
            let flooded = Box::pin(self.serve_flood(floods)).await;
            lane.set_flood(false);
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
            let mut actor = self.moved_here().await?;
            let cause = actor.serve(Some(true)).await;
            Some((actor, cause))
        };
        let (actor, cause) = AbortOnDropHandle::new(floods.spawn(flood)).await.ok()??;
        Some((actor.moved_here().await?, cause))
    }

    /// Registers the terminal with the reactor of the current runtime.
    async fn moved_here(self: Box<Self>) -> Option<Box<Self>> {
        let actor = *self;
        match actor.pty.moved_here().await {
            Ok(pty) => Some(Box::new(Self { pty, ..actor })),
            Err(error) => {
                tracing::error!(%error, "could not go on watching a terminal");
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
        self.displayed();
        loop {
            if is_for_floods.is_some_and(|here| here != self.is_flood()) {
                return None;
            }
            self.session.record_answerer(&self.input, self.output.log().end());
            if self.keeping.has_news(&self.display, Instant::now()) {
                Box::pin(self.keeping.follow(&mut self.display, &self.session.0)).await;
            }
            // Checked here and not as events, since requests come first and may never pause.
            if self.sizes.due().is_some_and(|at| at <= Instant::now()) {
                Box::pin(self.apply_size()).await;
            }
            if self.own_output.due().is_some_and(|at| at <= Instant::now()) {
                Box::pin(self.put_own_output()).await;
            }
            match self.next_event().await {
                Event::Requested(request) => match *request {
                    Request::End(mode) => return Some(Cause::Asked(mode)),
                    Request::Input(typed) => {
                        if self.type_in(typed) {
                            Box::pin(self.arrange()).await;
                        }
                        if self.drain_echo() {
                            self.follow().await;
                        }
                    }
                    request => Box::pin(self.answer(request)).await,
                },
                Event::Readable => {
                    if self.drain().await {
                        self.follow().await;
                    }
                }
                Event::Leisure => self.follow().await,
                Event::Writable => self.write_input(),
                Event::ProgramEnded => return Some(Cause::ProgramEnded),
                Event::ViewersMoved | Event::Due => {}
                Event::ViewersChanged => {
                    self.input.drop_absent();
                    Box::pin(self.arrange()).await;
                }
            }
        }
    }

    /// Reports whether the session is so busy that keys of other sessions must not wait for it.
    fn is_flood(&self) -> bool {
        self.burst >= FLOOD_BYTES
            || self.labour >= FLOOD_SLICES
            || self.session.0.shared().lane.is_strained()
            || self.crowded_until > Instant::now()
    }

    async fn next_event(&mut self) -> Event {
        let log = self.output.log();
        let rules = {
            let status = self.session.0.shared().status.borrow();
            (status.flow, status.owner_is_here())
        };
        let held = self.flow.held_until(rules, log, Instant::now());
        self.is_held = held.is_some();
        let waits_for_leisure = held.is_none() && (self.display.is_behind() || self.burst >= FLOOD_BYTES);
        let leisure = waits_for_leisure.then_some(self.leisure);
        let due = [self.sizes.due(), self.keeping.due_at(), self.own_output.due()];
        let timer = [held, leisure].into_iter().chain(due).flatten().min();
        tokio::select! {
            // Requests come first: a key must not wait behind a flood.
            biased;
            request = self.requests.recv() => Event::Requested(request.unwrap_or_else(|| Box::new(Request::End(EndMode::All)))),
            () = self.session.0.shared().viewers_changed.notified() => Event::ViewersChanged,
            _ = self.child.ended() => Event::ProgramEnded,
            Ok(()) = self.pty.writable(), if self.input.waits() => Event::Writable,
            () = ready(()), if self.display.is_overfull() => Event::Leisure,
            _ = self.pty.readable(), if held.is_none() && !self.output.has_ended() => Event::Readable,
            () = ready(()), if self.display.owes_answers() => Event::Leisure,
            () = log.consumed(), if held.is_some() => Event::ViewersMoved,
            () = sleep_until(timer.unwrap_or(self.leisure)), if timer.is_some() => {
                if leisure == timer { Event::Leisure } else { Event::Due }
            }
        }
    }

    /// Reads the terminal's output into the log. Returns whether that may be the echo of a key: the
    /// screen then follows at once, so that a key sets no timer.
    async fn drain(&mut self) -> bool {
        self.session.0.touch();
        self.note_pause();
        let is_awaited = mem::take(&mut self.echo_is_due);
        let show = |output: &[u8]| self.session.show((&mut self.display, &self.input), output);
        let start = self.output.log().end();
        self.output.drain(&self.pty, is_awaited, show).await;
        self.burst += self.output.log().end().since(start);
        self.leisure = Instant::now() + OUTPUT_PAUSE;
        is_awaited
    }

    /// Reads the echo of a key that has just been written, if the terminal has it already. Viewers
    /// then need not wait for another wake-up. Returns false if there is no output.
    fn drain_echo(&mut self) -> bool {
        if self.is_held || self.output.has_ended() || self.display.is_overfull() {
            return false;
        }
        let start = self.output.log().end();
        let show = |output: &[u8]| self.session.show((&mut self.display, &self.input), output);
        let has_come = self.output.drain_echo(&self.pty, show);
        if has_come {
            self.session.0.touch();
            self.note_pause();
            self.echo_is_due = false;
            self.burst += self.output.log().end().since(start);
            self.leisure = Instant::now() + OUTPUT_PAUSE;
        }
        has_come
    }

    async fn follow(&mut self) {
        // Viewers come first: they have been woken by now, but nothing has been sent to them yet.
        task::yield_now().await;
        self.display.follow().await;
        self.displayed();
        if let Some(left) = self.display.take_leftovers() {
            self.own_output.ask(Purpose::ResetLeftovers(left), Instant::now());
        }
        self.labour = if self.display.is_behind() { self.labour.saturating_add(1) } else { 0 };
        self.note_pause();
    }

    /// Ends the burst if nothing has come for a while and the screen has caught up.
    fn note_pause(&mut self) {
        if self.leisure <= Instant::now() && !self.display.is_behind() {
            self.burst = 0;
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
                let shared = self.session.0.shared();
                let redrawing = async |rows| self.display.redrawing(rows).await;
                let drawn = ViewerSnapshot::by(&shared.guest_snapshots, rank, history, redrawing).await;
                let output = shared.log.reader(drawn.position, rank, Claim::None);
                self.displayed();
                drop(reply.send((drawn, output)));
            }
            Request::Text { reply } => {
                let text = self.display.text().await;
                self.displayed();
                drop(reply.send(text));
            }
            Request::Colours(colours) => {
                self.display.set_colours((*colours).clone());
                self.keeping.set_colours(*colours);
            }
            Request::Input(typed) => {
                if self.type_in(typed) {
                    self.arrange().await;
                }
            }
            Request::Resize { attachment, size } => {
                self.session.change(|status| status.seats.resized(attachment, size));
                self.arrange().await;
            }
            Request::Pen { to, reply } => {
                let mut taken = false;
                let is_news = self.session.change(|status| {
                    let before = status.viewers_version();
                    taken = status.seats.take(to);
                    before != status.viewers_version()
                });
                if is_news {
                    self.arrange().await;
                }
                // An error means that the requester is gone.
                let _ = reply.send(taken);
            }
            Request::OwnOutput(purpose) => self.own_output.ask(purpose, Instant::now()),
            Request::Update { size, reply } => {
                self.sizes.ask(size, reply);
                self.keeping.touch_at_once();
                self.arrange().await;
            }
            Request::End(_) => {}
        }
    }

    async fn attach(&mut self, hello: &Hello, visitor: Visitor) -> (Attachment, AttachmentStart) {
        let now = Instant::now();
        if visitor.role != Role::Owner && self.arrivals.try_take(now).is_err() {
            self.crowded_until = now + CROWDED_TIME;
        }
        let place = ResumePoint::of(hello, &self.session.0);
        let attached = self.session.0.enter(hello, visitor, place.resumes());
        self.arrange().await;
        let input = attached.role().may_write().then(|| self.input.register(hello.viewer, attached.id()));
        let redrawing = async |history| self.display.redrawing(history).await;
        let beginning = begin(&self.session.0, (hello, &attached), place, input, redrawing).await;
        self.displayed();
        (attached, beginning)
    }

    /// Writes what a viewer has typed to the terminal. Returns whether the size may have to change,
    /// since that viewer is now the last one that used the terminal.
    fn type_in(&mut self, TypedInput { viewer, attachment, offset, bytes }: TypedInput) -> bool {
        self.input.take(viewer, attachment, offset, bytes);
        self.write_input();
        self.echo_is_due = true;
        self.session.change(|status| status.seats.used(attachment, status.sizing))
    }

    /// Applies the size policy after the session's state has changed, and has the change recorded.
    async fn arrange(&mut self) {
        self.keeping.touch();
        self.session.0.touch();
        self.apply_size().await;
    }

    /// Gives the terminal the size that the policy asks for, or postpones that if the size has
    /// just been changed.
    async fn apply_size(&mut self) {
        let (size, by) = self.wanted_size();
        let start = Instant::now();
        if self.session.0.size() == size {
            self.session.publish_size(size, by);
        } else {
            if self.display.has_many_sizes() {
                self.sizes.postpone(start);
            }
            if !self.sizes.may_change(start) {
                return;
            }
            self.resize(size, by).await;
            self.sizes.changed(start, Instant::now());
        }
        self.sizes.settle();
    }

    /// Returns the size that the terminal is to have, and the viewer whose window gives it.
    fn wanted_size(&self) -> (Winsize, Option<ViewerId>) {
        let status = self.session.0.shared().status.borrow();
        // A fixed size is no viewer's own, even while it still equals the size of a window.
        let given = self.sizes.asked().map(|size| (size, None));
        let decided = match status.sizing {
            Sizing::Fixed => given.or(Some((status.size, None))),
            sizing => status.seats.size(sizing).or(given),
        };
        decided.unwrap_or((status.size, status.size_by))
    }

    /// Publishes the title and sends the answers that the screen has produced.
    fn displayed(&mut self) {
        self.session.publish_title(self.display.title());
        let answers = self.display.take_answers();
        let is_asked = !answers.is_empty();
        self.input.queue_answers(&answers, self.display.parsed());
        if is_asked {
            self.write_input();
        }
    }

    /// Puts limpet's own output into the log, unless it has to wait for the end of a control
    /// function that the program has begun.
    async fn put_own_output(&mut self) {
        // Modes count as left behind only if the shell itself is reading now.
        if self.own_output.has_leftovers() && !self.session.0.waits_at_prompt().await {
            self.own_output.forget_leftovers(Instant::now());
            return;
        }
        let is_between = self.display.settle().await;
        self.displayed();
        let Some(purpose) = self.own_output.take(is_between, Instant::now()) else { return };
        let output = match purpose {
            Purpose::ResetModes => self.display.resetting_modes(),
            Purpose::ResetLeftovers(left) => self.display.resetting(left).into_bytes(),
            Purpose::Clear => self.display.clearing(),
        };
        if output.is_empty() {
            return;
        }
        let start = self.output.log().end();
        let output = [separator(is_between), &output].concat();
        self.output.append(&output, |output| self.session.show((&mut self.display, &self.input), output));
        if purpose == Purpose::Clear {
            self.display.settle().await;
            // The output that clears sets modes again. They belong to the program
            // that set them first.
            self.display.take_leftovers();
            let log = &self.session.0.shared().log;
            // Output that no server needs any more is overwritten.
            if self.keeping.clear(start, &mut self.display, &self.session.0).await {
                log.forget_before(start);
            }
            self.session.0.touch();
        }
    }

    /// Writes as much of the waiting input as the terminal takes.
    fn write_input(&mut self) {
        if let Err(error) = self.input.write(|pipe, count| self.pty.write_from(pipe, count)) {
            tracing::debug!(%error, "nobody reads the terminal's input any more");
        }
    }

    /// Gives the terminal another size, from the log's end on. Output that the program prints
    /// before it notices counts as printed at the new size.
    async fn resize(&mut self, size: Winsize, by: Option<ViewerId>) {
        self.keeping.resizing(size, &self.session.0).await;
        // Viewers learn whose size it is together with the size, which they read from the log.
        self.session.publish_size(size, by);
        if let Err(error) = self.pty.resize(size) {
            tracing::warn!(%error, ?size, "could not resize the terminal");
        }
        self.output.resize(size);
        self.display.resize(size).await;
        self.displayed();
        tracing::debug!(session = %self.session.0.id(), cols = size.cols, rows = size.rows, "resized");
    }

    /// Ends the program if asked to, reads the rest of its output, and closes the terminal. The
    /// session's end is published only after that.
    async fn finish(self: Box<Self>, cause: Cause) {
        let Self { pty, child, mut output, mut display, mut input, mut keeping, session, requests, .. } =
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
                        output.drain(&pty, false, |output| session.show((&mut display, &input), output)).await;
                    }
                }
            }
        }
        // All output is read first: the keeper closes its end of the terminal when it
        // reaps the program.
        output.drain_rest(&pty, |output| session.show((&mut display, &input), output));
        input.discard();
        if keeping.is_behind(&display) {
            keeping.follow(&mut display, &session.0).await;
        }
        let status = child.reap().await;
        session.publish_last(display).await;
        drop((pty, output));
        let status = status.unwrap_or_else(|error| {
            tracing::error!(%error, "could not reap a program");
            ExitStatus::Signal(SIGKILL)
        });
        session.publish_exit(status, matches!(cause, Cause::Asked(_)));
        drop(requests);
    }
}
