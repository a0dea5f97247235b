//! A limit on how often the size of a session's terminal changes.

use std::time::Duration;

use limpet_shared::{Winsize, WinsizeError};
use tokio::{sync::oneshot, time::Instant};

/// Maximum number of size changes of a session per second. Each may wrap the whole scrollback anew,
/// and makes every program on the terminal draw itself.
const MAX_SIZE_CHANGES_PER_SECOND: u32 = 10;

/// Minimum time between two size changes.
const MIN_INTERVAL: Duration = Duration::from_millis(1000 / MAX_SIZE_CHANGES_PER_SECOND as u64);

/// Minimum ratio of the time until the next change to the time that the last one took, so that
/// expensive changes are rare.
const MIN_INTERVAL_RATIO: u32 = 5;

/// Maximum time between two size changes, however expensive they are.
const MAX_INTERVAL: Duration = Duration::from_secs(1);

/// Schedules size changes. The first one after a while is made at once. Of those that follow too
/// soon, only the last is made, when its time has come.
#[derive(Debug)]
pub(super) struct SizeChanges {
    next_at: Instant,
    is_due: bool,
    /// The size that was requested by `PATCH`.
    requested: Option<Winsize>,
    /// Requests that are answered once that size is in force.
    waiting: Vec<oneshot::Sender<Result<(), WinsizeError>>>,
}

impl SizeChanges {
    pub(super) const fn new(now: Instant) -> Self {
        Self { next_at: now, is_due: false, requested: None, waiting: Vec::new() }
    }

    /// Registers a request that is answered once the terminal has its new size.
    pub(super) fn request(
        &mut self,
        size: Option<Winsize>,
        reply: oneshot::Sender<Result<(), WinsizeError>>,
    ) {
        self.requested = size.or(self.requested);
        self.waiting.push(reply);
    }

    /// Returns the requested size.
    pub(super) fn requested(&self) -> Option<Winsize> {
        self.requested
    }

    /// Returns when a postponed change is to be made, if there is one.
    pub(super) fn due_at(&self) -> Option<Instant> {
        self.is_due.then_some(self.next_at)
    }

    /// Returns whether a change may be made now. If not, it is postponed.
    pub(super) fn may_change(&mut self, now: Instant) -> bool {
        self.is_due = now < self.next_at;
        !self.is_due
    }

    /// Allows no change for a while.
    pub(super) fn postpone(&mut self, now: Instant) {
        self.next_at = self.next_at.max(now + MIN_INTERVAL);
    }

    /// Records that a change was made between these times.
    pub(super) fn record_change(&mut self, start: Instant, end: Instant) {
        let interval = (end.duration_since(start) * MIN_INTERVAL_RATIO).clamp(MIN_INTERVAL, MAX_INTERVAL);
        self.next_at = end + interval;
    }

    /// Records that the terminal has the size that it is to have, and answers the requests.
    pub(super) fn answer_requests(&mut self) {
        self.is_due = false;
        self.requested = None;
        for reply in self.waiting.drain(..) {
            // An error means that the requester is gone.
            let _ = reply.send(Ok(()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_made_at_once_and_the_last_in_its_time() {
        let start = Instant::now();
        let mut sizes = SizeChanges::new(start);
        assert!(sizes.may_change(start));
        sizes.record_change(start, start);
        assert!(!sizes.may_change(start + MIN_INTERVAL / 2));
        assert_eq!(sizes.due_at(), Some(start + MIN_INTERVAL));
        assert!(sizes.may_change(start + MIN_INTERVAL));
        assert_eq!(sizes.due_at(), None);
    }

    #[test]
    fn expensive_ones_are_rare() {
        let (start, mut sizes) = (Instant::now(), SizeChanges::new(Instant::now()));
        let end = start + Duration::from_millis(80);
        sizes.record_change(start, end);
        assert!(
            !sizes.may_change(end + Duration::from_millis(399))
                && sizes.may_change(end + Duration::from_millis(400))
        );
        sizes.record_change(start, start + 60 * MAX_INTERVAL);
        assert!(sizes.may_change(start + 61 * MAX_INTERVAL));
    }

    #[test]
    fn who_asks_is_answered_when_it_is_done() {
        let mut sizes = SizeChanges::new(Instant::now());
        let (reply, mut answer) = oneshot::channel();
        sizes.request(Some(Winsize::cells(1, 2)), reply);
        let (second, mut other) = oneshot::channel();
        sizes.request(None, second);
        assert_eq!(sizes.requested(), Some(Winsize::cells(1, 2)));
        assert!(answer.try_recv().is_err());
        sizes.answer_requests();
        assert!(answer.try_recv().is_ok() && other.try_recv().is_ok() && sizes.requested().is_none());
    }
}
