//! Pictures of the screen that are on their way to a viewer who cannot follow.
//!
//! The next one follows the last when the link has had the time to carry that, not when the viewer has drawn it: else somebody far
//! away would see what Ctrl-C did only after two round trips.

use std::{collections::VecDeque, time::Duration};

use limpet_shared::OutputOffset;
use tokio::time::Instant;

/// No two pictures follow each other faster than this: as many a second as anybody could tell apart.
const PAUSE: Duration = Duration::from_millis(25);

/// What is under way.
#[derive(Debug)]
pub(super) struct Pictures {
    /// Where data goes on after each, and how many bytes it has.
    sent: VecDeque<(OutputOffset, u64)>,
    /// When the link is free for the next one.
    free_at: Instant,
}

impl Pictures {
    pub(super) fn new(now: Instant) -> Self {
        Self { sent: VecDeque::new(), free_at: now }
    }

    /// One of so many bytes is sent, which takes the link so long.
    pub(super) fn sent(&mut self, output: OutputOffset, bytes: u64, takes: Duration, now: Instant) {
        self.sent.push_back((output, bytes));
        self.free_at = now + takes.max(PAUSE);
    }

    /// Those up to here have been drawn.
    pub(super) fn drawn(&mut self, rendered: OutputOffset) {
        self.sent.retain(|&(output, _)| output > rendered);
    }

    /// How many bytes are under way.
    pub(super) fn under_way(&self) -> u64 {
        self.sent.iter().map(|&(_, bytes)| bytes).sum()
    }

    /// When the next one may follow, if not only when one has been drawn: `most` bytes may be under way, and one picture always.
    pub(super) fn next_at(&self, most: u64) -> Option<Instant> {
        (self.sent.is_empty() || self.under_way() < most).then_some(self.free_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_one_waits_for_the_link_and_not_for_the_viewer() {
        let now = Instant::now();
        let at = OutputOffset::new;
        let mut pictures = Pictures::new(now);
        assert_eq!(pictures.next_at(0), Some(now), "one always may");
        pictures.sent(at(10), 3000, Duration::from_millis(30), now);
        assert_eq!(pictures.next_at(5000), Some(now + Duration::from_millis(30)));
        pictures.sent(at(20), 3000, Duration::ZERO, now + Duration::from_millis(30));
        assert_eq!(pictures.next_at(5000), None, "so much is under way");
        pictures.drawn(at(10));
        assert_eq!(pictures.next_at(5000), Some(now + Duration::from_millis(30) + PAUSE));
        pictures.drawn(at(30));
        assert_eq!(pictures.under_way(), 0);
    }
}
