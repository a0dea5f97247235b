//! A limit on the work that the messages of one viewer cause.

use std::time::Duration;

use limpet_shared::Role;
use tokio::time::Instant;

use crate::token_bucket::TokenBucket;

/// Work that a guest's messages may cause per second, in microseconds of processor time
/// as estimated below.
const GUEST_WORK_MICROS_PER_SECOND: u64 = 5_000;

/// Work that an owner's messages may cause per second, in the same unit.
const OWNER_WORK_MICROS_PER_SECOND: u64 = 500_000;

/// Work that messages may cause at once, in seconds' worth of these rates. A client that follows
/// output, types and pastes does not come near it.
const BURST_SECONDS: u64 = 50;

/// Estimated cost of an acknowledgement of a frame that was sent, in microseconds.
const ACK_MICROS: u64 = 1;

/// Estimated cost of each of several merged frames of input, in microseconds.
const GATHERED_FRAME_MICROS: u64 = 1;

/// Estimated cost of any other message, which is passed on or answered, in microseconds.
const CONTROL_MICROS: u64 = 20;

/// Bytes of input that cost a microsecond.
const INPUT_BYTES_PER_MICRO: u64 = 100;

/// Bytes of text that cost a microsecond.
const TEXT_BYTES_PER_MICRO: u64 = 50;

/// Minimum pause for a viewer that has used up its share, so that it does not wake the
/// server for each message.
const MIN_PAUSE: Duration = Duration::from_millis(10);

/// Outstanding work, as time that the viewer's share takes to make up for it, above which it has
/// sent more than any person or page does.
const STRAIN_THRESHOLD: Duration = Duration::from_secs(5);

/// The share of one viewer.
#[derive(Debug)]
pub(super) struct WorkBudget(TokenBucket);

/// The cost of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cost {
    /// An acknowledgement of a frame that was sent. Each frame has at most one.
    Acknowledgement,
    Input {
        bytes: usize,
    },
    /// Input in several frames, merged.
    Frames {
        bytes: usize,
        frames: usize,
    },
    Control {
        bytes: usize,
    },
}

impl WorkBudget {
    pub(super) fn new(role: Role, now: Instant) -> Self {
        let per_second =
            if role == Role::Owner { OWNER_WORK_MICROS_PER_SECOND } else { GUEST_WORK_MICROS_PER_SECOND };
        Self(TokenBucket::new(per_second, per_second * BURST_SECONDS, now))
    }

    /// Pays for a message. Returns the time before which the next one must not be handled, if there
    /// is one. After merged frames there is always a pause, in which more of them arrive.
    pub(super) fn pay(&mut self, cost: Cost, now: Instant) -> Option<Instant> {
        self.0.spend(cost.micros(), now);
        let ready_at = self.0.ready_at();
        let is_gathered = matches!(cost, Cost::Frames { .. });
        (is_gathered || ready_at > now).then(|| ready_at.max(now + MIN_PAUSE))
    }

    /// Returns whether so many messages have come that frames are better merged, and that keys of
    /// other sessions must not wait for this viewer.
    pub(super) fn is_strained(&self, now: Instant) -> bool {
        !self.0.is_full(now + STRAIN_THRESHOLD)
    }

    /// Returns whether the viewer has been silent for so long that no work is outstanding.
    pub(super) fn is_paid_off(&self, now: Instant) -> bool {
        self.0.is_full(now)
    }
}

impl Cost {
    fn micros(self) -> u64 {
        match self {
            Self::Acknowledgement => ACK_MICROS,
            Self::Input { bytes } => CONTROL_MICROS + bytes as u64 / INPUT_BYTES_PER_MICRO,
            Self::Frames { bytes, frames } => {
                CONTROL_MICROS + GATHERED_FRAME_MICROS * frames as u64 + bytes as u64 / INPUT_BYTES_PER_MICRO
            }
            Self::Control { bytes } => CONTROL_MICROS + bytes as u64 / TEXT_BYTES_PER_MICRO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns how many messages of this cost are handled within `seconds` seconds.
    fn taken(role: Role, cost: Cost, seconds: u64) -> u64 {
        let start = Instant::now();
        let (mut work, mut now, mut count) = (WorkBudget::new(role, start), start, 0);
        while now < start + Duration::from_secs(seconds) {
            count += 1;
            now = work.pay(cost, now).unwrap_or(now);
        }
        count
    }

    #[test]
    fn what_people_and_pages_send_is_never_slowed_down() {
        let now = Instant::now();
        for role in [Role::Owner, Role::Writer] {
            let mut work = WorkBudget::new(role, now);
            // This stands for a large paste, a flood of output that is acknowledged frame by frame,
            // and a window that is dragged.
            for _ in 0..16 {
                assert_eq!(work.pay(Cost::Input { bytes: 1 << 20 }, now), None);
            }
            for _ in 0..50_000 {
                assert_eq!(work.pay(Cost::Acknowledgement, now), None);
            }
            for _ in 0..1000 {
                assert_eq!(work.pay(Cost::Control { bytes: 50 }, now), None);
            }
        }
    }

    #[test]
    fn what_is_more_waits() {
        let many = taken(Role::Reader, Cost::Control { bytes: 20 }, 110);
        assert!((30_000..50_000).contains(&many), "{many}");
        let large = taken(Role::Reader, Cost::Control { bytes: 16 * 1024 }, 110);
        assert!(large < 10_000, "{large}");
        assert!(taken(Role::Owner, Cost::Control { bytes: 20 }, 110) > 5 * many);
    }
}
