//! A limit on the snapshots for one viewer.

use std::time::Duration;

use limpet_shared::{OutputOffset, Role};
use tokio::time::Instant;

use crate::token_bucket::TokenBucket;

/// Maximum size of the snapshots for one viewer, in bytes per second in the long run.
const SNAPSHOT_BYTES_PER_SECOND: u64 = 4 * 1024 * 1024;

/// Maximum size of the snapshots at once, in bytes: a large scrollback, and some more.
const SNAPSHOT_BURST_BYTES: u64 = 16 * 1024 * 1024;

/// Minimum time between two answers to `history`, which contain all of the scrollback.
const HISTORY_INTERVAL: Duration = Duration::from_secs(1);

/// Minimum of this time for a guest, per viewer of the session: all guests together get no more
/// than four such answers per second.
const HISTORY_INTERVAL_PER_VIEWER: Duration = Duration::from_millis(250);

/// Minimum time between two snapshots for a guest that cannot follow, per viewer of the session.
const MIN_SNAPSHOT_INTERVAL_PER_VIEWER: Duration = Duration::from_millis(5);

/// The budget for snapshots that a viewer asks for, or causes by being slow.
#[derive(Debug)]
pub(super) struct SnapshotBudget {
    is_guest: bool,
    bytes: TokenBucket,
    /// Set if all of the scrollback was asked for and has not been sent.
    is_history_wanted: bool,
    /// Offset from which data continues after all of the scrollback was sent, until
    /// that is acknowledged.
    history_under_way: Option<OutputOffset>,
    next_history_at: Instant,
}

impl SnapshotBudget {
    pub(super) fn new(role: Role, now: Instant) -> Self {
        Self {
            is_guest: role != Role::Owner,
            bytes: TokenBucket::new(SNAPSHOT_BYTES_PER_SECOND, SNAPSHOT_BURST_BYTES, now),
            is_history_wanted: false,
            history_under_way: None,
            next_history_at: now,
        }
    }

    /// Records that a snapshot of this size is sent.
    pub(super) fn spend(&mut self, bytes: u64, now: Instant) {
        self.bytes.spend(bytes, now);
    }

    /// Returns when another snapshot may be made.
    pub(super) fn ready_at(&self) -> Instant {
        self.bytes.ready_at()
    }

    /// Records that the viewer asks for all of the scrollback. It gets it once, however often
    /// it asks meanwhile.
    pub(super) fn request_history(&mut self) {
        self.is_history_wanted = true;
    }

    /// Returns when all of the scrollback is to be sent, if it was asked for and the last one has
    /// been acknowledged.
    pub(super) fn history_at(&self) -> Option<Instant> {
        (self.is_history_wanted && self.history_under_way.is_none())
            .then(|| self.next_history_at.max(self.ready_at()))
    }

    /// Postpones the answer, since there is no room for it.
    pub(super) fn postpone_history(&mut self, until: Instant) {
        self.next_history_at = self.next_history_at.max(until);
    }

    /// Records that all of the scrollback is sent to one of `viewers` viewers, and that data
    /// continues at `output`.
    pub(super) fn on_history_sent(&mut self, output: OutputOffset, viewers: u32, now: Instant) {
        self.is_history_wanted = false;
        self.history_under_way = Some(output);
        let crowded = if self.is_guest { HISTORY_INTERVAL_PER_VIEWER * viewers } else { Duration::ZERO };
        self.next_history_at = now + HISTORY_INTERVAL.max(crowded);
    }

    /// Records that everything before `output` has been rendered.
    pub(super) fn on_rendered(&mut self, output: OutputOffset) {
        self.history_under_way = self.history_under_way.filter(|&under_way| output < under_way);
    }

    /// Returns the minimum time between two snapshots for a viewer that cannot
    /// follow, one of `viewers`.
    pub(super) fn min_interval(&self, viewers: u32) -> Duration {
        if self.is_guest { MIN_SNAPSHOT_INTERVAL_PER_VIEWER * viewers } else { Duration::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_comes_once_at_a_time_and_not_too_often() {
        let (now, at) = (Instant::now(), OutputOffset::new);
        let mut budget = SnapshotBudget::new(Role::Reader, now);
        assert_eq!(budget.history_at(), None);
        for _ in 0..3 {
            budget.request_history();
        }
        assert_eq!(budget.history_at(), Some(now));
        budget.on_history_sent(at(100), 2, now);
        assert_eq!(budget.history_at(), None, "asked for once");
        budget.request_history();
        assert_eq!(budget.history_at(), None, "one is under way");
        budget.on_rendered(at(99));
        assert_eq!(budget.history_at(), None);
        budget.on_rendered(at(100));
        assert_eq!(budget.history_at(), Some(now + HISTORY_INTERVAL));
        budget.on_history_sent(at(100), 40, now);
        budget.on_rendered(at(100));
        budget.request_history();
        assert_eq!(budget.history_at(), Some(now + 40 * HISTORY_INTERVAL_PER_VIEWER), "they share");
    }

    #[test]
    fn what_is_drawn_is_paid_for() {
        let now = Instant::now();
        let mut budget = SnapshotBudget::new(Role::Owner, now);
        budget.spend(SNAPSHOT_BURST_BYTES - 1, now);
        assert!(budget.ready_at() <= now);
        budget.spend(SNAPSHOT_BYTES_PER_SECOND * 3 + 1, now);
        let rest = budget.ready_at().duration_since(now + Duration::from_millis(2_999));
        assert!((Duration::from_micros(999)..Duration::from_micros(1001)).contains(&rest), "{rest:?}");
        budget.request_history();
        assert_eq!(budget.history_at(), Some(budget.ready_at()));
    }
}
