//! When the program has to wait for its viewers.

use std::time::Duration;

use limpet_shared::{self as shared, OutputOffset};
use tokio::time::Instant;

use crate::log;

/// The program is held back when even its fastest viewer has more than this before it, in bytes …
pub const HELD_BACK: u64 = 256 * 1024;

/// … and goes on when that has come down to this.
const LOW_WATERMARK: u64 = 128 * 1024;

/// How long it is held back for viewers of whom none takes anything.
const PATIENCE: Duration = Duration::from_secs(5);

const _: () = assert!(LOW_WATERMARK < HELD_BACK);
const _: () =
    assert!(HELD_BACK < log::MIN_TAIL as u64, "a viewer must not fall behind before the program waits");

/// Holds the program back (by not reading its output: the kernel then stops its writes) while all viewers are behind.
/// A program without viewers is never held back, and one whose viewers have stopped taking anything is let go.
#[derive(Debug, Default)]
pub(super) struct Flow {
    held: Option<Held>,
    /// Where the fastest viewer stood when patience ran out. Until it moves, nobody waits for it.
    given_up_at: Option<OutputOffset>,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    fastest: OutputOffset,
    until: Instant,
}

impl Flow {
    /// Whether the program is to be held back now, and if so until when at the latest. To be asked again at that
    /// moment and whenever a viewer has moved.
    pub(super) fn held_until(
        &mut self,
        setting: shared::Flow,
        (end, fastest): (OutputOffset, Option<OutputOffset>),
        now: Instant,
    ) -> Option<Instant> {
        let fastest = fastest.filter(|_| setting != shared::Flow::Free);
        self.held = fastest.and_then(|fastest| self.decide(end, fastest, now));
        self.held.map(|held| held.until)
    }

    fn decide(&mut self, end: OutputOffset, fastest: OutputOffset, now: Instant) -> Option<Held> {
        let mark = if self.held.is_some() { LOW_WATERMARK } else { HELD_BACK };
        if end.since(fastest) <= mark || self.given_up_at == Some(fastest) {
            return None;
        }
        match self.held {
            Some(held) if held.fastest == fastest && now >= held.until => {
                self.given_up_at = Some(fastest);
                None
            }
            Some(held) if held.fastest == fastest => Some(held),
            _ => Some(Held { fastest, until: now + PATIENCE }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUTO: shared::Flow = shared::Flow::Auto;

    fn at(bytes: u64) -> OutputOffset {
        OutputOffset::new(bytes)
    }

    #[test]
    fn a_program_without_viewers_runs_free() {
        assert_eq!(Flow::default().held_until(AUTO, (at(1 << 40), None), Instant::now()), None);
    }

    #[test]
    fn a_program_that_is_free_waits_for_nobody() {
        let (mut flow, now) = (Flow::default(), Instant::now());
        assert!(flow.held_until(shared::Flow::Hold, (at(1 << 40), Some(at(0))), now).is_some());
        assert_eq!(flow.held_until(shared::Flow::Free, (at(1 << 40), Some(at(0))), now), None);
    }

    #[test]
    fn it_waits_from_the_high_watermark_down_to_the_low_one() {
        let (mut flow, now, end) = (Flow::default(), Instant::now(), at(1_000_000));
        let behind = |bytes| Some(at(1_000_000 - bytes));
        assert_eq!(flow.held_until(AUTO, (end, behind(HELD_BACK)), now), None);
        assert!(flow.held_until(AUTO, (end, behind(HELD_BACK + 1)), now).is_some());
        assert!(flow.held_until(AUTO, (end, behind(LOW_WATERMARK + 1)), now).is_some());
        assert_eq!(flow.held_until(AUTO, (end, behind(LOW_WATERMARK)), now), None);
        assert_eq!(flow.held_until(AUTO, (end, behind(LOW_WATERMARK + 1)), now), None);
    }

    #[test]
    fn nobody_waits_for_a_viewer_that_takes_nothing() {
        let (mut flow, start, end) = (Flow::default(), Instant::now(), at(HELD_BACK + 10));
        let until = flow.held_until(AUTO, (end, Some(at(0))), start).unwrap();
        assert_eq!(flow.held_until(AUTO, (end, Some(at(0))), until), None);
        assert_eq!(flow.held_until(AUTO, (at(1 << 30), Some(at(0))), until), None);
        assert!(
            flow.held_until(AUTO, (at(1 << 30), Some(at(1))), until).is_some(),
            "it moves again, so it counts again"
        );
    }

    #[test]
    fn patience_begins_anew_with_every_byte_taken() {
        let (mut flow, start, end) = (Flow::default(), Instant::now(), at(1 << 30));
        let first = flow.held_until(AUTO, (end, Some(at(0))), start).unwrap();
        let second = flow.held_until(AUTO, (end, Some(at(1))), first).unwrap();
        assert!(second > first);
    }
}
