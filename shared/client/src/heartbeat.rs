//! The heartbeat: detects a server that no longer answers.
//!
//! A socket does not tell a client that its peer has vanished (because a cable was pulled, or a
//! laptop woke up elsewhere): it stays open and silent. So a visible client sends `ping` at
//! intervals, and any message counts as a reply; on a slow link the `pong` itself may arrive much
//! later.
//!
//! A user who types notices silence sooner. So unacknowledged input makes the client send a `ping`
//! soon, and if that is not answered either, the connection counts as stalled. A program that does
//! not read its input delays acknowledgements too, but not the reply to a `ping`.

/// Interval between `ping`s, in milliseconds.
pub const PING_INTERVAL_MS: f64 = 10_000.0;

/// Silence after a `ping` that means that the connection is dead, in milliseconds.
pub const PONG_TIMEOUT_MS: f64 = 10_000.0;

/// The same after a wake-up or a network change, which cast doubt on the connection, in
/// milliseconds.
pub const WAKE_TIMEOUT_MS: f64 = 2_500.0;

/// Time that input may be unacknowledged before the client sends a `ping`, in milliseconds.
pub const PING_AFTER_INPUT_MS: f64 = 1_000.0;

/// Silence after input that is reported to the user, in milliseconds.
pub const STALLED_AFTER_MS: f64 = 2_500.0;

const _: () =
    assert!(PING_AFTER_INPUT_MS < STALLED_AFTER_MS, "only an unanswered question tells that nobody is there");

/// Lateness of a timer that shows that the client itself was asleep, in milliseconds. Then the
/// silence says nothing about the server.
const ASLEEP_IF_LATE_MS: f64 = 2_000.0;

/// The action that is due now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Action {
    /// Send a `ping`, then check again after `PONG_TIMEOUT_MS` or earlier.
    Ping,
    /// Check again after this many milliseconds.
    Wait(f64),
    /// Give up the socket.
    Dead,
}

/// The state of the heartbeat of one attachment.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    ping_sent_ms: f64,
    timeout_ms: f64,
    /// True while the last `ping` is unanswered.
    awaiting_reply: bool,
    last_message_ms: f64,
    latency_ms: Option<u32>,
    /// Time since when input has been unacknowledged.
    unacknowledged_since_ms: Option<f64>,
    /// Expiry of the timer that is set.
    timer_ms: f64,
}

impl Heartbeat {
    /// Creates the heartbeat of a new attachment. The first `ping` is due at once.
    #[must_use]
    pub fn new(now_ms: f64) -> Self {
        let ping_sent_ms = now_ms - PING_INTERVAL_MS;
        Self {
            ping_sent_ms,
            timeout_ms: PONG_TIMEOUT_MS,
            awaiting_reply: false,
            last_message_ms: now_ms,
            latency_ms: None,
            unacknowledged_since_ms: None,
            timer_ms: f64::INFINITY,
        }
    }

    /// Returns the round-trip time of the last answered `ping`, in milliseconds.
    #[must_use]
    pub fn latency_ms(&self) -> Option<u32> {
        self.latency_ms
    }

    /// Records that a `ping` was sent.
    pub fn on_ping_sent(&mut self, now_ms: f64, timeout_ms: f64) {
        self.ping_sent_ms = now_ms;
        self.timeout_ms = timeout_ms;
        self.awaiting_reply = true;
    }

    /// Records that a message has arrived.
    pub fn on_message(&mut self, now_ms: f64) {
        self.last_message_ms = now_ms;
    }

    /// Records that the `pong` to the `ping` of time `t_ms` has arrived.
    pub fn on_pong(&mut self, t_ms: f64, now_ms: f64) {
        if self.awaiting_reply && t_ms.to_bits() == self.ping_sent_ms.to_bits() {
            self.awaiting_reply = false;
            self.latency_ms = Some(whole_ms(now_ms - t_ms));
        }
    }

    /// Records that input was sent. Returns true if the timer that is set expires too late for it.
    pub fn on_input_sent(&mut self, now_ms: f64) -> bool {
        // A `ping` that was answered says nothing about input that was typed after it.
        let answered = self
            .unacknowledged_since_ms
            .is_none_or(|since_ms| self.ping_sent_ms > since_ms && !self.awaiting_reply);
        if answered {
            self.unacknowledged_since_ms = Some(now_ms);
        }
        answered && self.timer_ms > now_ms + PING_AFTER_INPUT_MS
    }

    /// Records that all input is acknowledged.
    pub fn on_input_acknowledged(&mut self) {
        self.unacknowledged_since_ms = None;
    }

    /// Records that the timer was set to expire after `ms` milliseconds, or infinity if there is no
    /// timer.
    pub fn on_timer_set(&mut self, now_ms: f64, ms: f64) {
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
        let since_ms = self.unacknowledged_since_ms.filter(|_| self.awaiting_reply)?;
        let after_input_ms = since_ms.max(self.last_message_ms) + STALLED_AFTER_MS;
        // The `ping` needs time for its reply, too.
        Some(after_input_ms.max(self.ping_sent_ms + STALLED_AFTER_MS - PING_AFTER_INPUT_MS))
    }

    /// Returns the action that is due at this moment.
    #[must_use]
    pub fn next_action(&self, now_ms: f64) -> Action {
        let at_ms = if self.awaiting_reply {
            self.ping_sent_ms.max(self.last_message_ms) + self.timeout_ms
        } else {
            let unasked = self.unacknowledged_since_ms.filter(|&since_ms| self.ping_sent_ms <= since_ms);
            let for_input_ms = unasked.map_or(f64::INFINITY, |since_ms| since_ms + PING_AFTER_INPUT_MS);
            (self.ping_sent_ms + PING_INTERVAL_MS).min(for_input_ms)
        };
        let late_ms = now_ms - at_ms;
        match self.awaiting_reply {
            _ if late_ms < 0.0 => {
                let stalled_in_ms = self.stalled_at_ms().map(|at_ms| at_ms - now_ms).filter(|ms| *ms > 0.0);
                Action::Wait(stalled_in_ms.map_or(-late_ms, |ms| ms.min(-late_ms)))
            }
            true if late_ms < ASLEEP_IF_LATE_MS => Action::Dead,
            _ => Action::Ping,
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
        let mut heartbeat = Heartbeat::new(1000.0);
        assert_eq!(heartbeat.next_action(1000.0), Action::Ping);
        heartbeat.on_ping_sent(1000.0, PONG_TIMEOUT_MS);
        assert_eq!(heartbeat.next_action(1000.0), Action::Wait(PONG_TIMEOUT_MS));
        heartbeat.on_pong(1000.0, 1012.4);
        assert_eq!(heartbeat.latency_ms(), Some(12));
        assert_eq!(heartbeat.next_action(1012.4), Action::Wait(PING_INTERVAL_MS - 12.4));
    }

    #[test]
    fn an_answer_to_another_question_measures_nothing() {
        let mut heartbeat = Heartbeat::new(0.0);
        heartbeat.on_ping_sent(0.0, PONG_TIMEOUT_MS);
        heartbeat.on_ping_sent(5.0, PONG_TIMEOUT_MS);
        heartbeat.on_pong(0.0, 6.0);
        assert_eq!(heartbeat.latency_ms(), None);
    }

    #[test]
    fn silence_is_death_and_any_message_is_life() {
        let mut heartbeat = Heartbeat::new(0.0);
        heartbeat.on_ping_sent(0.0, PONG_TIMEOUT_MS);
        heartbeat.on_message(4000.0);
        assert_eq!(heartbeat.next_action(PONG_TIMEOUT_MS), Action::Wait(4000.0));
        assert_eq!(heartbeat.next_action(4000.0 + PONG_TIMEOUT_MS), Action::Dead);
    }

    #[test]
    fn input_without_an_answer_asks_and_then_counts_as_stalled() {
        let mut heartbeat = Heartbeat::new(0.0);
        heartbeat.on_ping_sent(0.0, PONG_TIMEOUT_MS);
        heartbeat.on_pong(0.0, 1.0);
        heartbeat.on_timer_set(1.0, PING_INTERVAL_MS);
        assert!(heartbeat.on_input_sent(500.0), "the timer is to run out sooner");
        assert_eq!(heartbeat.next_action(500.0), Action::Wait(PING_AFTER_INPUT_MS));
        heartbeat.on_timer_set(500.0, PING_AFTER_INPUT_MS);
        assert!(!heartbeat.on_input_sent(600.0), "it is early enough for more");
        assert_eq!(heartbeat.next_action(1500.0), Action::Ping);
        heartbeat.on_ping_sent(1500.0, PONG_TIMEOUT_MS);
        assert_eq!(heartbeat.next_action(1500.0), Action::Wait(1500.0));
        assert!(!heartbeat.is_stalled(2999.0));
        assert!(heartbeat.is_stalled(3000.0));
        assert_eq!(
            heartbeat.next_action(3000.0),
            Action::Wait(PONG_TIMEOUT_MS - 1500.0),
            "nothing more is to be told until it is dead"
        );
        heartbeat.on_message(3100.0);
        assert!(!heartbeat.is_stalled(3100.0), "any message is life");
        heartbeat.on_input_acknowledged();
        assert!(!heartbeat.is_stalled(1e9));
    }

    #[test]
    fn a_program_that_does_not_read_is_no_stalled_connection() {
        let mut heartbeat = Heartbeat::new(0.0);
        heartbeat.on_input_sent(0.0);
        heartbeat.on_ping_sent(PING_AFTER_INPUT_MS, PONG_TIMEOUT_MS);
        heartbeat.on_pong(PING_AFTER_INPUT_MS, PING_AFTER_INPUT_MS + 5.0);
        assert_eq!(
            heartbeat.next_action(PING_AFTER_INPUT_MS),
            Action::Wait(PING_INTERVAL_MS),
            "asking once is enough"
        );
        assert!(!heartbeat.is_stalled(9000.0));
        let mut later = heartbeat.clone();
        later.on_ping_sent(PING_AFTER_INPUT_MS + PING_INTERVAL_MS, PONG_TIMEOUT_MS);
        assert!(
            !later.is_stalled(PING_AFTER_INPUT_MS + PING_INTERVAL_MS),
            "the next question has only just been asked"
        );
        assert!(later.is_stalled(PING_INTERVAL_MS + STALLED_AFTER_MS));
        heartbeat.on_input_sent(9000.0);
        assert_eq!(
            heartbeat.next_action(9000.0),
            Action::Wait(PING_AFTER_INPUT_MS),
            "until something else is typed"
        );
    }

    #[test]
    fn a_page_that_slept_asks_again() {
        let mut heartbeat = Heartbeat::new(0.0);
        heartbeat.on_ping_sent(0.0, PONG_TIMEOUT_MS);
        assert_eq!(heartbeat.next_action(3_600_000.0), Action::Ping);
    }
}
