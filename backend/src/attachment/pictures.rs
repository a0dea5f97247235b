//! Pictures of the screen that are on their way to a viewer who cannot follow.
//!
//! The next one follows the last when the link has had the time to carry that, not when the viewer has drawn it: else somebody far
//! away would see what Ctrl-C did only after two round trips.

use std::time::Duration;

use limpet_shared::OutputOffset;
use tokio::time::Instant;

use super::pace::QUEUE;

/// No two pictures follow each other faster than this: as many a second as anybody could tell apart.
const PAUSE: Duration = Duration::from_millis(25);

/// What is under way.
#[derive(Debug)]
pub(super) struct Pictures {
    last: Option<Picture>,
    /// When the link has carried all that was sent.
    free_at: Instant,
    /// When people can tell the next one from the last.
    seen_at: Instant,
}

/// One that has not been drawn.
#[derive(Clone, Copy, Debug)]
struct Picture {
    /// Where data goes on after it.
    output: OutputOffset,
    /// How long the link carries it.
    takes: Duration,
}

impl Pictures {
    pub(super) fn new(now: Instant) -> Self {
        Self { last: None, free_at: now, seen_at: now }
    }

    /// One is sent, which takes the link so long. The next one does not follow within `pause`.
    pub(super) fn sent(&mut self, output: OutputOffset, (takes, pause): (Duration, Duration), now: Instant) {
        self.last = Some(Picture { output, takes });
        self.seen_at = now + PAUSE.max(pause);
        self.followed(takes, now);
    }

    /// Something was sent that takes the link so long.
    pub(super) fn followed(&mut self, takes: Duration, now: Instant) {
        self.free_at = self.free_at.max(now) + takes;
    }

    /// Those up to here have been drawn.
    pub(super) fn drawn(&mut self, rendered: OutputOffset) {
        self.last = self.last.filter(|picture| picture.output > rendered);
    }

    /// When the next one may follow, if not only when something has been drawn: one picture always may be under way, and more if
    /// there `is_room`.
    pub(super) fn next_at(&self, is_room: bool) -> Option<Instant> {
        (self.last.is_none() || is_room).then(|| self.free_at.max(self.seen_at))
    }

    /// What would take the link longer than this is better left to the next picture, as long as one is under way: the one after that
    /// would have to wait for it.
    pub(super) fn patience(&self, now: Instant) -> Option<Duration> {
        let takes = self.last?.takes.max(QUEUE);
        Some(takes.saturating_sub(self.free_at.saturating_duration_since(now)))
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
        let mut pictures = Pictures::new(now);
        assert_eq!(pictures.next_at(false), Some(now), "one always may");
        pictures.sent(at(10), (ms(30), Duration::ZERO), now);
        assert_eq!(pictures.next_at(true), Some(now + ms(30)));
        pictures.sent(at(20), (Duration::ZERO, Duration::ZERO), now + ms(30));
        pictures.drawn(at(10));
        assert_eq!(pictures.next_at(false), None, "enough is under way");
        assert_eq!(pictures.next_at(true), Some(now + ms(30) + PAUSE));
        pictures.drawn(at(30));
        assert_eq!(pictures.next_at(false), pictures.next_at(true));
    }

    #[test]
    fn only_a_little_follows_a_picture() {
        let (now, at) = (Instant::now(), OutputOffset::new);
        let mut pictures = Pictures::new(now);
        assert_eq!(pictures.patience(now), None, "there is none");
        pictures.sent(at(10), (ms(10), Duration::ZERO), now);
        assert_eq!(pictures.patience(now), Some(QUEUE.saturating_sub(ms(10))));
        pictures.followed(ms(20), now);
        assert_eq!(pictures.patience(now), Some(QUEUE.saturating_sub(ms(30))));
        assert_eq!(pictures.next_at(true), Some(now + ms(30)), "the next one waits for that");
        assert_eq!(pictures.patience(now + ms(30)), Some(QUEUE), "the link has carried it");
        pictures.sent(at(20), (ms(200), Duration::ZERO), now + ms(30));
        assert_eq!(pictures.patience(now + ms(80)), Some(ms(50)), "a large one is worth more");
        assert_eq!(pictures.patience(now + ms(30)), Some(ms(0)));
        pictures.drawn(at(20));
        assert_eq!(pictures.patience(now), None);
    }
}
