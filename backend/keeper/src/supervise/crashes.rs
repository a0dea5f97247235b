//! Counts recent crashes of servers.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Number of crashes within [`CRASH_WINDOW`] after which servers run without screens.
const MAX_CRASHES: usize = 5;
const CRASH_WINDOW: Duration = Duration::from_secs(10);

/// Times of the last crashes, newest first, at most [`MAX_CRASHES`] of them.
#[derive(Debug, Default)]
pub(super) struct Crashes(VecDeque<Instant>);

impl Crashes {
    /// Records a crash.
    pub(super) fn record(&mut self, now: Instant) {
        self.0.truncate(MAX_CRASHES - 1);
        self.0.push_front(now);
    }

    /// Reports whether the next server has to run without screens, which may have crashed the last
    /// ones.
    pub(super) fn exceed_limit(&self, now: Instant) -> bool {
        let oldest = self.0.get(MAX_CRASHES - 1);
        oldest.is_some_and(|&oldest| now.saturating_duration_since(oldest) <= CRASH_WINDOW)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_crashes_within_ten_seconds_are_too_many() {
        let (mut crashes, start) = (Crashes::default(), Instant::now());
        let second = |number| start + Duration::from_secs(number);
        for number in 0..4 {
            crashes.record(second(number));
            assert!(!crashes.exceed_limit(second(number)));
        }
        crashes.record(second(10));
        assert!(crashes.exceed_limit(second(10)), "five in ten seconds");
        assert!(!crashes.exceed_limit(second(11)), "a server that lasts is followed by an ordinary one");
        crashes.record(second(11));
        assert!(crashes.exceed_limit(second(11)), "the oldest one is forgotten");
    }
}
