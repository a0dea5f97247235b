//! Snapshots on their way to a viewer that cannot follow the output.
//!
//! The next snapshot follows the last one when the link has had the time to carry that, and not
//! when the viewer has rendered it. Otherwise a viewer far away would see the effect of Ctrl-C only
//! after two round trips.

use std::time::Duration;

use limpet_shared::OutputOffset;
use tokio::time::Instant;

use super::send_window::MAX_QUEUEING_DELAY;

/// Minimum time between two snapshots. A person could not tell faster ones apart.
const MIN_SNAPSHOT_INTERVAL: Duration = Duration::from_millis(25);

/// The snapshots in flight.
#[derive(Debug)]
pub(super) struct SnapshotPacer {
    last: Option<InFlightSnapshot>,
    /// Time at which the link has carried everything that was sent.
    free_at: Instant,
    /// Earliest time at which a person can tell the next snapshot from the last.
    next_visible_at: Instant,
}

/// A snapshot that has not been rendered.
#[derive(Clone, Copy, Debug)]
struct InFlightSnapshot {
    /// Offset from which data continues after it.
    output: OutputOffset,
    /// Time that the link needs to carry it.
    transfer_time: Duration,
}

impl SnapshotPacer {
    pub(super) fn new(now: Instant) -> Self {
        Self { last: None, free_at: now, next_visible_at: now }
    }

    /// Records that a snapshot was sent, which the link carries in `transfer_time`. The next one
    /// does not follow within `min_interval`.
    pub(super) fn on_snapshot_sent(
        &mut self,
        output: OutputOffset,
        transfer_time: Duration,
        min_interval: Duration,
        now: Instant,
    ) {
        self.last = Some(InFlightSnapshot { output, transfer_time });
        self.next_visible_at = now + MIN_SNAPSHOT_INTERVAL.max(min_interval);
        self.on_output_sent(transfer_time, now);
    }

    /// Records that other data was sent, which the link carries in `transfer_time`.
    pub(super) fn on_output_sent(&mut self, transfer_time: Duration, now: Instant) {
        self.free_at = self.free_at.max(now) + transfer_time;
    }

    /// Records that snapshots up to here have been rendered.
    pub(super) fn on_rendered(&mut self, rendered: OutputOffset) {
        self.last = self.last.filter(|snapshot| snapshot.output > rendered);
    }

    /// Returns when the next snapshot may follow; `None` if it has to wait until something is
    /// rendered. One snapshot may always be in flight, and more of them if `is_room`.
    pub(super) fn next_at(&self, is_room: bool) -> Option<Instant> {
        (self.last.is_none() || is_room).then(|| self.free_at.max(self.next_visible_at))
    }

    /// Returns, while a snapshot is in flight, the maximum time that further output may
    /// take on the link. Output that takes longer is better left to the next snapshot,
    /// which it would only delay.
    pub(super) fn max_output_time(&self, now: Instant) -> Option<Duration> {
        let time = self.last?.transfer_time.max(MAX_QUEUEING_DELAY);
        Some(time.saturating_sub(self.free_at.saturating_duration_since(now)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn the_next_one_waits_for_the_link_and_not_for_the_viewer() {
        let now = Instant::now();
        let at = OutputOffset::new;
        let mut pacer = SnapshotPacer::new(now);
        assert_eq!(pacer.next_at(false), Some(now), "one always may");
        pacer.on_snapshot_sent(at(10), ms(30), Duration::ZERO, now);
        assert_eq!(pacer.next_at(true), Some(now + ms(30)));
        pacer.on_snapshot_sent(at(20), Duration::ZERO, Duration::ZERO, now + ms(30));
        pacer.on_rendered(at(10));
        assert_eq!(pacer.next_at(false), None, "enough is under way");
        assert_eq!(pacer.next_at(true), Some(now + ms(30) + MIN_SNAPSHOT_INTERVAL));
        pacer.on_rendered(at(30));
        assert_eq!(pacer.next_at(false), pacer.next_at(true));
    }

    #[test]
    fn only_a_little_follows_a_picture() {
        let (now, at) = (Instant::now(), OutputOffset::new);
        let mut pacer = SnapshotPacer::new(now);
        assert_eq!(pacer.max_output_time(now), None, "there is none");
        pacer.on_snapshot_sent(at(10), ms(10), Duration::ZERO, now);
        assert_eq!(pacer.max_output_time(now), Some(MAX_QUEUEING_DELAY.saturating_sub(ms(10))));
        pacer.on_output_sent(ms(20), now);
        assert_eq!(pacer.max_output_time(now), Some(MAX_QUEUEING_DELAY.saturating_sub(ms(30))));
        assert_eq!(pacer.next_at(true), Some(now + ms(30)), "the next one waits for that");
        assert_eq!(pacer.max_output_time(now + ms(30)), Some(MAX_QUEUEING_DELAY), "the link has carried it");
        pacer.on_snapshot_sent(at(20), ms(200), Duration::ZERO, now + ms(30));
        assert_eq!(pacer.max_output_time(now + ms(80)), Some(ms(50)), "a large one is worth more");
        assert_eq!(pacer.max_output_time(now + ms(30)), Some(ms(0)));
        pacer.on_rendered(at(20));
        assert_eq!(pacer.max_output_time(now), None);
    }
}
