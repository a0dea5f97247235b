//! The heartbeat: detects a server that no longer answers.
//!
//! A browser does not tell a page that its peer has vanished (because a cable was pulled, or a
//! laptop woke up elsewhere): the socket stays open and silent. So a visible page sends `ping` at
//! intervals, and any message counts as a reply; on a slow link the `pong` itself may arrive much
//! later.
//!
//! A user who types notices silence sooner. So unacknowledged input makes the page send a `ping`
//! soon, and if that is not answered either, the connection counts as stalled. A program that does
//! not read its input delays acknowledgements too, but not the reply to a `ping`.

/// Interval between `ping`s, in milliseconds.
pub const EVERY_MS: f64 = 10_000.0;

/// Silence after a `ping` that means that the connection is dead, in milliseconds.
pub const PATIENCE_MS: f64 = 10_000.0;

/// The same after a wake-up or a network change, which cast doubt on the connection, in
/// milliseconds.
pub const DOUBT_MS: f64 = 2_500.0;

/// Time that input may be unacknowledged before the page sends a `ping`, in milliseconds.
pub const ASK_MS: f64 = 1_000.0;

/// Silence after input that is reported to the user, in milliseconds.
pub const STALLED_MS: f64 = 2_500.0;

const _: () = assert!(ASK_MS < STALLED_MS, "only an unanswered question tells that nobody is there");

/// Lateness of a timer that shows that the page itself was asleep, in milliseconds. Then the
/// silence says nothing about the server.
const ASLEEP_MS: f64 = 2_000.0;

/// The action that is due now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Due {
    /// Send a `ping`, then check again after `PATIENCE_MS` or earlier.
    Ping,
    /// Check again after this many milliseconds.
    Wait(f64),
    /// Give up the socket.
    Dead,
}

/// The state of the heartbeat of one attachment.
#[derive(Clone, Debug)]
pub struct Pulse {
    asked_ms: f64,
    patience_ms: f64,
    /// True while the last `ping` is unanswered.
    waiting: bool,
    heard_ms: f64,
    latency_ms: Option<u32>,
    /// Time since when input has been unacknowledged.
    input_ms: Option<f64>,
    /// Expiry of the timer that is set.
    timer_ms: f64,
}

impl Pulse {
    /// Creates the heartbeat of a new attachment. The first `ping` is due at once.
    #[must_use]
    pub fn new(now_ms: f64) -> Self {
        let asked_ms = now_ms - EVERY_MS;
        Self {
            asked_ms,
            patience_ms: PATIENCE_MS,
            waiting: false,
            heard_ms: now_ms,
            latency_ms: None,
            input_ms: None,
            timer_ms: f64::INFINITY,
        }
    }

    /// Returns the round-trip time of the last answered `ping`, in milliseconds.
    #[must_use]
    pub fn latency_ms(&self) -> Option<u32> {
        self.latency_ms
    }

    /// Records that a `ping` was sent.
    pub fn asked(&mut self, now_ms: f64, patience_ms: f64) {
        self.asked_ms = now_ms;
        self.patience_ms = patience_ms;
        self.waiting = true;
    }

    /// Records that a message has arrived.
    pub fn heard(&mut self, now_ms: f64) {
        self.heard_ms = now_ms;
    }

    /// Records that the `pong` to the `ping` of time `t_ms` has arrived.
    pub fn answered(&mut self, t_ms: f64, now_ms: f64) {
        if self.waiting && t_ms.to_bits() == self.asked_ms.to_bits() {
            self.waiting = false;
            self.latency_ms = Some(whole_ms(now_ms - t_ms));
        }
    }

    /// Records that input was sent. Returns true if the timer that is set expires too late for it.
    pub fn input_sent(&mut self, now_ms: f64) -> bool {
        // A `ping` that was answered says nothing about input that was typed after it.
        let answered = self.input_ms.is_none_or(|since_ms| self.asked_ms > since_ms && !self.waiting);
        if answered {
            self.input_ms = Some(now_ms);
        }
        answered && self.timer_ms > now_ms + ASK_MS
    }

    /// Records that all input is acknowledged.
    pub fn input_settled(&mut self) {
        self.input_ms = None;
    }

    /// Records that the timer was set to expire after `ms` milliseconds, or infinity if there is no
    /// timer.
    pub fn timer_set(&mut self, now_ms: f64, ms: f64) {
        self.timer_ms = now_ms + ms;
    }

    /// Reports whether input has been unacknowledged, without any message from the server, for so
    /// long that the user should know.
    #[must_use]
    pub fn is_stalled(&self, now_ms: f64) -> bool {
        self.stalled_at_ms().is_some_and(|at_ms| now_ms >= at_ms)
    }

    /// Returns the time at which the connection counts as stalled if nothing arrives before.
    fn stalled_at_ms(&self) -> Option<f64> {
        let since_ms = self.input_ms.filter(|_| self.waiting)?;
        // The `ping` needs time for its reply, too.
        Some((since_ms.max(self.heard_ms) + STALLED_MS).max(self.asked_ms + STALLED_MS - ASK_MS))
    }

    /// Returns the action that is due at this moment.
    #[must_use]
    pub fn due(&self, now_ms: f64) -> Due {
        let at_ms = if self.waiting {
            self.asked_ms.max(self.heard_ms) + self.patience_ms
        } else {
            let asks = self.input_ms.filter(|&since_ms| self.asked_ms <= since_ms);
            (self.asked_ms + EVERY_MS).min(asks.map_or(f64::INFINITY, |since_ms| since_ms + ASK_MS))
        };
        let late_ms = now_ms - at_ms;
        match self.waiting {
            _ if late_ms < 0.0 => {
                let stalled_in_ms = self.stalled_at_ms().map(|at_ms| at_ms - now_ms).filter(|ms| *ms > 0.0);
                Due::Wait(stalled_in_ms.map_or(-late_ms, |ms| ms.min(-late_ms)))
            }
            true if late_ms < ASLEEP_MS => Due::Dead,
            _ => Due::Ping,
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "float to integer casts saturate"
)]
fn whole_ms(ms: f64) -> u32 {
    ms.round() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_measures_and_waits() {
        let mut pulse = Pulse::new(1000.0);
        assert_eq!(pulse.due(1000.0), Due::Ping);
        pulse.asked(1000.0, PATIENCE_MS);
        assert_eq!(pulse.due(1000.0), Due::Wait(PATIENCE_MS));
        pulse.answered(1000.0, 1012.4);
        assert_eq!(pulse.latency_ms(), Some(12));
        assert_eq!(pulse.due(1012.4), Due::Wait(EVERY_MS - 12.4));
    }

    #[test]
    fn an_answer_to_another_question_measures_nothing() {
        let mut pulse = Pulse::new(0.0);
        pulse.asked(0.0, PATIENCE_MS);
        pulse.asked(5.0, PATIENCE_MS);
        pulse.answered(0.0, 6.0);
        assert_eq!(pulse.latency_ms(), None);
    }

    #[test]
    fn silence_is_death_and_any_message_is_life() {
        let mut pulse = Pulse::new(0.0);
        pulse.asked(0.0, PATIENCE_MS);
        pulse.heard(4000.0);
        assert_eq!(pulse.due(PATIENCE_MS), Due::Wait(4000.0));
        assert_eq!(pulse.due(4000.0 + PATIENCE_MS), Due::Dead);
    }

    #[test]
    fn input_without_an_answer_asks_and_then_counts_as_stalled() {
        let mut pulse = Pulse::new(0.0);
        pulse.asked(0.0, PATIENCE_MS);
        pulse.answered(0.0, 1.0);
        pulse.timer_set(1.0, EVERY_MS);
        assert!(pulse.input_sent(500.0), "the timer is to run out sooner");
        assert_eq!(pulse.due(500.0), Due::Wait(ASK_MS));
        pulse.timer_set(500.0, ASK_MS);
        assert!(!pulse.input_sent(600.0), "it is early enough for more");
        assert_eq!(pulse.due(1500.0), Due::Ping);
        pulse.asked(1500.0, PATIENCE_MS);
        assert_eq!(pulse.due(1500.0), Due::Wait(1500.0));
        assert!(!pulse.is_stalled(2999.0));
        assert!(pulse.is_stalled(3000.0));
        assert_eq!(
            pulse.due(3000.0),
            Due::Wait(PATIENCE_MS - 1500.0),
            "nothing more is to be told until it is dead"
        );
        pulse.heard(3100.0);
        assert!(!pulse.is_stalled(3100.0), "any message is life");
        pulse.input_settled();
        assert!(!pulse.is_stalled(1e9));
    }

    #[test]
    fn a_program_that_does_not_read_is_no_stalled_connection() {
        let mut pulse = Pulse::new(0.0);
        pulse.input_sent(0.0);
        pulse.asked(ASK_MS, PATIENCE_MS);
        pulse.answered(ASK_MS, ASK_MS + 5.0);
        assert_eq!(pulse.due(ASK_MS), Due::Wait(EVERY_MS), "asking once is enough");
        assert!(!pulse.is_stalled(9000.0));
        let mut later = pulse.clone();
        later.asked(ASK_MS + EVERY_MS, PATIENCE_MS);
        assert!(!later.is_stalled(ASK_MS + EVERY_MS), "the next question has only just been asked");
        assert!(later.is_stalled(EVERY_MS + STALLED_MS));
        pulse.input_sent(9000.0);
        assert_eq!(pulse.due(9000.0), Due::Wait(ASK_MS), "until something else is typed");
    }

    #[test]
    fn a_page_that_slept_asks_again() {
        let mut pulse = Pulse::new(0.0);
        pulse.asked(0.0, PATIENCE_MS);
        assert_eq!(pulse.due(3_600_000.0), Due::Ping);
    }
}
