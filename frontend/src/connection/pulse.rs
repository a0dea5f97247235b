//! Whether the other end still answers.
//!
//! A browser does not tell a page that its peer has vanished (a cable pulled, a laptop that woke up elsewhere): the
//! socket stays open and silent. So the page asks with `ping`, while it is looked at, and takes any message for an
//! answer; on a slow link the `pong` itself may be far behind.
//!
//! Somebody who types notices silence sooner. So input that stays without an acknowledgement makes the page ask at once, and
//! if that is not answered either, the connection counts as stalled. A program that does not read its input delays
//! acknowledgements too, but not the answer to a `ping`.

/// From one `ping` to the next, in milliseconds.
pub const EVERY_MS: f64 = 10_000.0;

/// Silence after a `ping` that means that nobody is there.
pub const PATIENCE_MS: f64 = 10_000.0;

/// The same when there is a reason for doubt: the page was asleep, or the network changed.
pub const DOUBT_MS: f64 = 2_500.0;

/// How long input waits for its acknowledgement before the page asks, in milliseconds.
pub const ASK_MS: f64 = 1_000.0;

/// Silence after input that people are told of, in milliseconds.
pub const STALLED_MS: f64 = 2_500.0;

const _: () = assert!(ASK_MS < STALLED_MS, "only an unanswered question tells that nobody is there");

/// A timer this late says that the page itself was asleep, and nothing about the other end.
const ASLEEP_MS: f64 = 2_000.0;

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Due {
    /// Send a `ping`, then look again after `PATIENCE_MS` or earlier.
    Ping,
    /// Look again after this many milliseconds.
    Wait(f64),
    /// Give the socket up.
    Dead,
}

/// The question that is out, and what was heard.
#[derive(Clone, Debug)]
pub struct Pulse {
    asked_ms: f64,
    patience_ms: f64,
    /// Whether the last `ping` is still without any answer.
    waiting: bool,
    heard_ms: f64,
    latency_ms: Option<u32>,
    /// Since when input waits for its acknowledgement.
    input_ms: Option<f64>,
    /// When the timer that is set runs out.
    timer_ms: f64,
}

impl Pulse {
    /// The pulse of an attachment that has just begun; the first `ping` is due at once.
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

    /// How long the last answered `ping` took.
    #[must_use]
    pub fn latency_ms(&self) -> Option<u32> {
        self.latency_ms
    }

    /// A `ping` was sent.
    pub fn asked(&mut self, now_ms: f64, patience_ms: f64) {
        self.asked_ms = now_ms;
        self.patience_ms = patience_ms;
        self.waiting = true;
    }

    /// Something has come.
    pub fn heard(&mut self, now_ms: f64) {
        self.heard_ms = now_ms;
    }

    /// The `pong` to the `ping` of moment `t_ms` has come.
    pub fn answered(&mut self, t_ms: f64, now_ms: f64) {
        if self.waiting && t_ms.to_bits() == self.asked_ms.to_bits() {
            self.waiting = false;
            self.latency_ms = Some(whole_ms(now_ms - t_ms));
        }
    }

    /// Input was sent. Returns whether the timer that is set runs out too late for it.
    pub fn input_sent(&mut self, now_ms: f64) -> bool {
        // A `ping` that was answered says nothing about what was typed after it.
        let answered = self.input_ms.is_none_or(|since_ms| self.asked_ms > since_ms && !self.waiting);
        if answered {
            self.input_ms = Some(now_ms);
        }
        answered && self.timer_ms > now_ms + ASK_MS
    }

    /// All input is acknowledged.
    pub fn input_settled(&mut self) {
        self.input_ms = None;
    }

    /// The timer was set to run out after this many milliseconds; infinitely many if there is none.
    pub fn timer_set(&mut self, now_ms: f64, ms: f64) {
        self.timer_ms = now_ms + ms;
    }

    /// Whether input has waited for so long, in silence, that people are told.
    #[must_use]
    pub fn is_stalled(&self, now_ms: f64) -> bool {
        self.stalled_at_ms().is_some_and(|at_ms| now_ms >= at_ms)
    }

    /// When it will count as stalled, should nothing be heard.
    fn stalled_at_ms(&self) -> Option<f64> {
        let since_ms = self.input_ms.filter(|_| self.waiting)?;
        // A question is given time for its answer, too.
        Some((since_ms.max(self.heard_ms) + STALLED_MS).max(self.asked_ms + STALLED_MS - ASK_MS))
    }

    /// What is due at this moment.
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
