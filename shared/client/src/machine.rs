//! The state machine of a connection: events go in, effects come out.
//!
//! ```text
//!            ┌────────────────────────────────── timer, wake-up, "now" ─────┐
//!            ▼                                                              │
//! Idle ─▶ Opening ─open─▶ Greeting ─welcome─▶ Attached ─close, silence─▶ Waiting
//!            │ close                             │ exit                     ▲
//!            ▼                                   ▼                          │
//!         Probing ──── alive or unreachable ─────┼──────────────────────────┘
//!            └── 401, 404 ─▶ Gone ◀─ fatal close ┘─▶ Ended
//! ```

mod server_messages;

use std::{collections::VecDeque, marker::PhantomData};

use limpet_shared::{ClientMessage, CloseCode, ExitStatus, Role, SignInKey, Winsize, theme::Colours};

use crate::{
    ConnectionProblem, GoneReason, Phase, backoff,
    event::{Effect, Event, Moment, Notice, Notification, Probe},
    heartbeat::{self, Action, Heartbeat},
    inflow::{Inflow, Mark},
    json::{Json, SerdeJson},
    outbox::Outbox,
    viewer::Viewer,
};

/// Maximum time for a socket to open, for `welcome` to arrive, and for a probe to be answered, in
/// milliseconds.
const CONNECT_TIMEOUT_MS: f64 = 10_000.0;

/// Age below which a pending socket is not replaced when the client wakes up, in milliseconds.
const MIN_REOPEN_AGE_MS: f64 = 1_000.0;

/// Number of sockets in a row that fail to open before something between client and server is
/// assumed to block `WebSocket`s. A single one may be cut off while the server is being replaced.
const BLOCKED_AFTER_FAILURES: u32 = 2;

/// Minimum count of failed attempts after limpet has announced that it was stopped, so that the
/// client retries rarely.
const MIN_ATTEMPT_AFTER_STOP: u32 = 6;

/// Duration of an attachment after which the count of failed attempts restarts, in milliseconds.
const STABLE_AFTER_MS: f64 = 2_000.0;

/// The state of a connection. `hello_size` is the size that was sent in `hello`.
#[derive(Debug)]
enum State {
    Idle,
    Opening {
        since_ms: f64,
    },
    Greeting {
        since_ms: f64,
        hello_size: Winsize,
    },
    /// `id` is the number of this viewer in the server's messages.
    Attached {
        since_ms: f64,
        role: Role,
        id: u64,
        heartbeat: Heartbeat,
    },
    Probing,
    Waiting {
        at_ms: f64,
    },
    Ended,
    Gone(GoneReason),
}

/// Advance of the wall clock over the monotonic clock that shows that the machine slept, in
/// milliseconds. (A clock correction is smaller, or is mistaken for sleep, which does no harm.)
const SLEEP_DETECTED_MS: f64 = 5_000.0;

/// The state machine of one connection, across all its attachments. `J` reads and writes its
/// messages.
#[derive(Debug)]
pub struct Machine<J = SerdeJson> {
    viewer: Viewer,
    colours: Option<Colours>,
    state: State,
    /// Number of attempts that have failed in a row.
    attempt: u32,
    visible: bool,
    /// Lead of the wall clock over the monotonic clock at the last event, in milliseconds.
    wall_clock_lead_ms: Option<f64>,
    inflow: Inflow,
    outbox: Outbox,
    /// The last version of the server that differed from the client's.
    other_server_version: Option<String>,
    /// Number of sockets in a row that failed to open although the server would have accepted them.
    failed_opens: u32,
    problem: Option<ConnectionProblem>,
    published_phase: Option<Phase>,
    /// The effects that are not carried out yet.
    effects: VecDeque<Effect>,
    json: PhantomData<J>,
}

impl<J: Json> Machine<J> {
    /// Creates the connection of a viewer. It does nothing before [`Event::Start`].
    #[must_use]
    pub fn new(viewer: Viewer) -> Self {
        Self {
            inflow: Inflow::with_window(viewer.window),
            viewer,
            colours: None,
            state: State::Idle,
            attempt: 0,
            visible: true,
            wall_clock_lead_ms: None,
            outbox: Outbox::default(),
            other_server_version: None,
            failed_opens: 0,
            problem: None,
            published_phase: None,
            effects: VecDeque::new(),
            json: PhantomData,
        }
    }

    /// Handles an event. Its effects are added to those that [`Self::next_effect`] returns.
    pub fn handle(&mut self, event: Event<'_>, moment: Moment) {
        let has_slept = self.has_slept(moment);
        if has_slept {
            self.check_now(moment);
        }
        match event {
            Event::Start => self.start(moment),
            Event::Opened(key) => self.on_opened(key, moment),
            Event::HelloSent(hello_size) => self.on_hello_sent(hello_size, moment),
            Event::Text(text) => self.on_text(text, moment),
            Event::Frame { head, len } => self.on_frame(head, len, moment),
            Event::Closed { code } => self.on_closed(code, moment),
            Event::Probed(probe) => self.on_probe_result(probe, moment),
            // The timer was set for the situation before the sleep.
            Event::Timer if has_slept => {}
            Event::Timer => self.on_timer(moment),
            Event::Visible(visible) => self.set_visible(visible, moment),
            Event::Online => self.check_now(moment),
            // The event only serves to detect sleep, which is done above.
            Event::UserActive => {}
            Event::RetryNow => self.retry_now(moment),
            Event::Input(input) => self.on_input(input, moment),
            Event::Resized(size) => self.on_pane_resized(size),
            Event::PrimaryRequested(to) => self.send_if_writer(&ClientMessage::Primary { to }),
            Event::Rendered(mark, idle) => self.on_rendered(mark, idle),
            Event::Colours(colours) => self.set_colours(colours),
            Event::HistoryRequested => self.request_history(),
            Event::ClearRequested => self.send_if_writer(&ClientMessage::Clear),
            Event::SoftResetRequested => self.send_if_writer(&ClientMessage::SoftReset),
        }
        self.publish_phase(moment);
    }

    /// Removes and returns the next effect to carry out. If carrying it out is itself an event, the
    /// effects of that event come after all earlier ones.
    pub fn next_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Reports whether the machine has slept since the last event.
    fn has_slept(&mut self, moment: Moment) -> bool {
        let lead_ms = moment.wall_ms - moment.now_ms;
        let before_ms = self.wall_clock_lead_ms.replace(lead_ms);
        before_ms.is_some_and(|before_ms| lead_ms - before_ms > SLEEP_DETECTED_MS)
    }

    fn start(&mut self, moment: Moment) {
        if matches!(self.state, State::Idle) {
            self.open(moment);
        }
    }

    fn open(&mut self, moment: Moment) {
        self.state = State::Opening { since_ms: moment.now_ms };
        self.push(Effect::Open);
        self.push(Effect::Timer(CONNECT_TIMEOUT_MS));
    }

    fn on_opened(&mut self, key: &str, moment: Moment) {
        if !matches!(self.state, State::Opening { .. }) {
            return;
        }
        self.on_hello_sent(self.viewer.size, moment);
        let key = (!key.is_empty()).then(|| SignInKey::new(key.to_owned()));
        let hello = self.viewer.hello(self.inflow.resume(), key);
        self.send(&ClientMessage::Hello(hello));
    }

    fn on_hello_sent(&mut self, hello_size: Winsize, moment: Moment) {
        if matches!(self.state, State::Opening { .. }) {
            self.failed_opens = 0;
            self.state = State::Greeting { since_ms: moment.now_ms, hello_size };
        }
    }

    fn on_exit(&mut self, status: ExitStatus, closed: bool) {
        self.state = State::Ended;
        self.outbox.clear();
        self.notify(Notification::Exited { status, closed });
        self.push(Effect::Close);
        self.push(Effect::NoTimer);
    }

    fn give_up(&mut self, reason: GoneReason) {
        self.state = State::Gone(reason);
        self.push(Effect::Close);
        self.push(Effect::NoTimer);
    }

    fn on_closed(&mut self, code: u16, moment: Moment) {
        match self.state {
            State::Opening { .. } => {
                self.state = State::Probing;
                self.push(Effect::Close);
                self.push(Effect::Probe);
                self.push(Effect::Timer(CONNECT_TIMEOUT_MS));
            }
            State::Greeting { .. } | State::Attached { .. } => match gone_reason(code) {
                Some(reason) => self.give_up(reason),
                None => self.schedule_retry(moment),
            },
            State::Idle | State::Probing | State::Waiting { .. } | State::Ended | State::Gone(_) => {}
        }
    }

    /// Waits before the next attempt, longer after each failed one.
    fn schedule_retry(&mut self, moment: Moment) {
        if let State::Attached { since_ms, .. } = self.state {
            self.notify(Notification::Primary(false));
            if moment.now_ms - since_ms >= STABLE_AFTER_MS {
                self.attempt = 0;
            }
        }
        self.attempt = self.attempt.saturating_add(1);
        if self.problem == Some(ConnectionProblem::Stopped) {
            self.attempt = self.attempt.max(MIN_ATTEMPT_AFTER_STOP);
        }
        let delay_ms = backoff::delay_ms(self.attempt, moment.jitter);
        self.state = State::Waiting { at_ms: moment.now_ms + delay_ms };
        self.push(Effect::Close);
        self.push(Effect::Timer(delay_ms));
    }

    fn on_probe_result(&mut self, probe: Probe<'_>, moment: Moment) {
        if !matches!(self.state, State::Probing) {
            return;
        }
        match probe {
            Probe::Alive => {
                self.failed_opens = self.failed_opens.saturating_add(1);
                if self.failed_opens >= BLOCKED_AFTER_FAILURES {
                    self.set_problem(Some(ConnectionProblem::NoWebSocket));
                }
                self.schedule_retry(moment);
            }
            Probe::Refused(reason) => {
                self.set_problem(Some(ConnectionProblem::Refused(reason.to_owned())));
                self.schedule_retry(moment);
            }
            Probe::Unreachable => self.schedule_retry(moment),
            Probe::Unauthorized => self.give_up(GoneReason::Unauthorized),
            Probe::NotFound => self.give_up(GoneReason::SessionNotFound),
        }
    }

    fn on_timer(&mut self, moment: Moment) {
        match self.state {
            State::Waiting { .. } => self.open(moment),
            State::Opening { .. } | State::Greeting { .. } | State::Probing => self.schedule_retry(moment),
            State::Attached { .. } => self.run_heartbeat(moment),
            State::Idle | State::Ended | State::Gone(_) => {}
        }
    }

    fn set_visible(&mut self, visible: bool, moment: Moment) {
        let came_back = visible && !self.visible;
        self.visible = visible;
        if came_back {
            self.check_now(moment);
        }
    }

    /// Retries or checks the connection at once, after the machine woke up, the client
    /// became visible, or the network changed.
    fn check_now(&mut self, moment: Moment) {
        match self.state {
            State::Waiting { .. } => self.open(moment),
            State::Opening { since_ms } | State::Greeting { since_ms, .. }
                if moment.now_ms - since_ms >= MIN_REOPEN_AGE_MS =>
            {
                self.open(moment);
            }
            State::Attached { .. } => self.ping(heartbeat::WAKE_TIMEOUT_MS, moment),
            _ => {}
        }
    }

    fn retry_now(&mut self, moment: Moment) {
        if matches!(self.state, State::Waiting { .. } | State::Probing | State::Gone(_)) {
            self.open(moment);
        }
    }

    /// Acts on the heartbeat and sets the timer for its next check.
    fn run_heartbeat(&mut self, moment: Moment) {
        let State::Attached { heartbeat, .. } = &self.state else { return };
        match heartbeat.next_action(moment.now_ms) {
            Action::Dead => self.schedule_retry(moment),
            // Nobody sees a hidden client, and its timers are late.
            _ if !self.visible => {
                self.push(Effect::NoTimer);
                self.record_timer(f64::INFINITY, moment);
            }
            Action::Ping => self.ping(heartbeat::PONG_TIMEOUT_MS, moment),
            Action::Wait(ms) => {
                self.push(Effect::Timer(ms));
                self.record_timer(ms, moment);
            }
        }
    }

    fn record_timer(&mut self, ms: f64, moment: Moment) {
        if let State::Attached { heartbeat, .. } = &mut self.state {
            heartbeat.on_timer_set(moment.now_ms, ms);
        }
    }

    /// Schedules a check of the connection for input that was sent and is not acknowledged yet.
    fn watch_input(&mut self, moment: Moment) {
        if let State::Attached { heartbeat, .. } = &mut self.state
            && !self.outbox.is_empty()
            && heartbeat.on_input_sent(moment.now_ms)
            && self.visible
        {
            self.run_heartbeat(moment);
        }
    }

    fn ping(&mut self, timeout_ms: f64, moment: Moment) {
        let State::Attached { heartbeat, .. } = &mut self.state else { return };
        heartbeat.on_ping_sent(moment.now_ms, timeout_ms);
        let ms = match heartbeat.next_action(moment.now_ms) {
            Action::Wait(ms) => ms,
            Action::Ping | Action::Dead => timeout_ms,
        };
        heartbeat.on_timer_set(moment.now_ms, ms);
        if let Some(t) = serde_json::Number::from_f64(moment.now_ms) {
            self.send(&ClientMessage::Ping { t });
        }
        self.push(Effect::Timer(ms));
    }

    fn on_input(&mut self, input: &[u8], moment: Moment) {
        match &self.state {
            State::Ended | State::Gone(_) => return,
            State::Attached { role, .. } if !role.may_write() => return,
            _ => {}
        }
        if self.outbox.push(input).is_err() {
            self.notify(Notification::Notice(Notice::InputRefused));
        }
        self.flush();
        self.watch_input(moment);
    }

    /// Reports whether the server accepts input and requests from this viewer.
    fn may_write(&self) -> bool {
        matches!(&self.state, State::Attached { role, .. } if role.may_write())
    }

    fn on_pane_resized(&mut self, size: Winsize) {
        self.viewer.size = size;
        if self.may_write() {
            self.send(&ClientMessage::Resize(size));
        }
    }

    /// Sends a message that requires the right to type.
    fn send_if_writer(&mut self, message: &ClientMessage) {
        if self.may_write() {
            self.send(message);
        }
    }

    fn set_colours(&mut self, colours: &Colours) {
        self.colours = Some(colours.clone());
        self.send_colours();
    }

    /// Sends the terminal's colours, since programs may query them while no viewer is attached.
    fn send_colours(&mut self) {
        if let (true, Some(colours)) = (self.may_write(), &self.colours) {
            self.send(&ClientMessage::Colours(colours.clone()));
        }
    }

    fn request_history(&mut self) {
        if matches!(self.state, State::Attached { .. }) {
            self.send(&ClientMessage::History);
        }
    }

    fn on_rendered(&mut self, mark: Mark, idle: bool) {
        if !matches!(self.state, State::Attached { .. }) {
            return;
        }
        if let Some(output) = self.inflow.on_rendered(mark, idle) {
            self.send(&ClientMessage::Ack { output });
        }
    }

    /// Sends as much input as may be in flight.
    fn flush(&mut self) {
        if matches!(self.state, State::Attached { .. }) {
            while let Some(frame) = self.outbox.next_frame() {
                self.push(Effect::SendFrame(frame));
            }
        }
    }

    fn send(&mut self, message: &ClientMessage) {
        // Every message can be serialized.
        if let Some(text) = J::write(message) {
            self.push(Effect::SendText(text));
        }
    }

    fn notify(&mut self, tell: Notification) {
        self.push(Effect::Notify(tell));
    }

    /// Adds an effect. Inlined at its many calls, this would make the page larger.
    #[inline(never)]
    fn push(&mut self, effect: Effect) {
        self.effects.push_back(effect);
    }

    fn set_problem(&mut self, problem: Option<ConnectionProblem>) {
        if self.problem != problem {
            self.problem.clone_from(&problem);
            self.notify(Notification::Problem(problem));
        }
    }

    fn publish_phase(&mut self, moment: Moment) {
        let phase = self.phase(moment);
        if phase != self.published_phase {
            self.published_phase = phase;
            if let Some(phase) = phase {
                self.notify(Notification::Phase(phase));
            }
        }
    }

    /// Returns the state to show to the user, or `None` before the start.
    fn phase(&self, moment: Moment) -> Option<Phase> {
        let trying = |at_ms| match self.attempt {
            0 => Phase::Connecting,
            attempt => Phase::Reconnecting { at_ms, attempt, keys: self.outbox.keys() },
        };
        Some(match &self.state {
            State::Idle => return None,
            State::Opening { since_ms } | State::Greeting { since_ms, .. } => trying(*since_ms),
            State::Probing => self.published_phase.unwrap_or_else(|| trying(moment.now_ms)),
            State::Waiting { at_ms } => trying(*at_ms),
            State::Attached { heartbeat, .. } if heartbeat.is_stalled(moment.now_ms) => {
                Phase::Stalled { keys: self.outbox.keys() }
            }
            State::Attached { heartbeat, .. } => Phase::Live { latency_ms: heartbeat.latency_ms() },
            State::Ended => Phase::Ended,
            State::Gone(reason) => Phase::Gone(*reason),
        })
    }
}

/// Returns the reason why a socket that closed with this code is not reopened, or `None` if it is.
fn gone_reason(code: u16) -> Option<GoneReason> {
    const PROTOCOL: u16 = CloseCode::Protocol.code();
    const UNAUTHORIZED: u16 = CloseCode::Unauthorized.code();
    const NOT_FOUND: u16 = CloseCode::NotFound.code();
    const REPLACED: u16 = CloseCode::Replaced.code();
    match code {
        UNAUTHORIZED => Some(GoneReason::Unauthorized),
        NOT_FOUND => Some(GoneReason::SessionNotFound),
        PROTOCOL => Some(GoneReason::Protocol),
        REPLACED => Some(GoneReason::Replaced),
        // A close without `exit` says nothing about the session, not even 1000, which a proxy may
        // send.
        _ => None,
    }
}

#[cfg(test)]
mod tests;
