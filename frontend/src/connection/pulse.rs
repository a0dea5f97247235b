//! Whether the other end still answers.
//!
//! A browser does not tell a page that its peer has vanished (a cable pulled, a laptop that woke up elsewhere): the
//! socket stays open and silent. So the page asks with `ping`, while it is looked at, and takes any message for an
//! answer; on a slow link the `pong` itself may be far behind.

/// From one `ping` to the next, in milliseconds.
pub const EVERY_MS: f64 = 10_000.0;

/// Silence after a `ping` that means that nobody is there.
pub const PATIENCE_MS: f64 = 10_000.0;

/// The same when there is a reason for doubt: the page was asleep, or the network changed.
pub const DOUBT_MS: f64 = 2_500.0;

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
}

impl Pulse {
    /// The pulse of an attachment that has just begun; the first `ping` is due at once.
    #[must_use]
    pub fn new(now_ms: f64) -> Self {
        let asked_ms = now_ms - EVERY_MS;
        Self { asked_ms, patience_ms: PATIENCE_MS, waiting: false, heard_ms: now_ms, latency_ms: None }
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

    /// What is due at this moment.
    #[must_use]
    pub fn due(&self, now_ms: f64) -> Due {
        let at_ms = if self.waiting {
            self.asked_ms.max(self.heard_ms) + self.patience_ms
        } else {
            self.asked_ms + EVERY_MS
        };
        let late_ms = now_ms - at_ms;
        match self.waiting {
            _ if late_ms < 0.0 => Due::Wait(-late_ms),
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
    fn a_page_that_slept_asks_again() {
        let mut pulse = Pulse::new(0.0);
        pulse.asked(0.0, PATIENCE_MS);
        assert_eq!(pulse.due(3_600_000.0), Due::Ping);
    }
}
