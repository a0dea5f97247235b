//! How much work one viewer's messages may make.

use std::time::Duration;

use limpet_shared::Role;
use tokio::time::Instant;

use crate::token_bucket::TokenBucket;

/// What the messages of one guest may cost in a second, in microseconds of a processor's time as it is estimated here …
const GUEST_WORK_MICROS_PER_SECOND: u64 = 50_000;

/// … and those of an owner.
const OWNER_WORK_MICROS_PER_SECOND: u64 = 500_000;

/// What they may cost at once: so many seconds' worth. No client that follows output and types or pastes comes near it.
const BURST_SECONDS: u64 = 10;

/// What an acknowledgement costs, and a frame of input, in microseconds …
const MESSAGE_MICROS: u64 = 2;

/// … and anything else, which is read as JSON, and answered or passed on.
const CONTROL_MICROS: u64 = 20;

/// Bytes of input that cost a microsecond.
const INPUT_BYTES_PER_MICRO: u64 = 100;

/// Bytes of text that cost a microsecond.
const TEXT_BYTES_PER_MICRO: u64 = 50;

/// A viewer that has used up what it may is not listened to for at least so long, so that it does not wake the server for each message.
const PAUSE: Duration = Duration::from_millis(10);

/// A viewer that has sent so much of late sends more than any person or page does.
const STRAIN: Duration = Duration::from_secs(2);

/// What a viewer's messages may cost.
#[derive(Debug)]
pub(super) struct Work(TokenBucket);

/// One message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cost {
    Acknowledgement,
    Input {
        bytes: usize,
    },
    /// Input in so many frames.
    Frames {
        bytes: usize,
        frames: usize,
    },
    Control {
        bytes: usize,
    },
}

impl Work {
    pub(super) fn new(role: Role, now: Instant) -> Self {
        let per_second =
            if role == Role::Owner { OWNER_WORK_MICROS_PER_SECOND } else { GUEST_WORK_MICROS_PER_SECOND };
        Self(TokenBucket::new(per_second, per_second * BURST_SECONDS, now))
    }

    /// Pays for a message. Gives until when no other one is to be taken, if that is not now.
    pub(super) fn pay(&mut self, cost: Cost, now: Instant) -> Option<Instant> {
        self.0.spend(cost.micros(), now);
        let ready_at = self.0.ready_at();
        (ready_at > now).then(|| ready_at.max(now + PAUSE))
    }

    /// Whether so much has come that frames are better taken together.
    pub(super) fn is_strained(&self, now: Instant) -> bool {
        !self.0.is_full(now + STRAIN)
    }
}

impl Cost {
    fn micros(self) -> u64 {
        match self {
            Self::Acknowledgement => MESSAGE_MICROS,
            Self::Input { bytes } => MESSAGE_MICROS + bytes as u64 / INPUT_BYTES_PER_MICRO,
            Self::Frames { bytes, frames } => {
                MESSAGE_MICROS * frames as u64 + bytes as u64 / INPUT_BYTES_PER_MICRO
            }
            Self::Control { bytes } => CONTROL_MICROS + bytes as u64 / TEXT_BYTES_PER_MICRO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many messages of this cost are taken within so many seconds.
    fn taken(role: Role, cost: Cost, seconds: u64) -> u64 {
        let start = Instant::now();
        let (mut work, mut now, mut count) = (Work::new(role, start), start, 0);
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
            let mut work = Work::new(role, now);
            // A large paste, with a flood of output acknowledged frame by frame, and a window that is dragged.
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
        assert!((200_000..320_000).contains(&many), "{many}");
        let large = taken(Role::Reader, Cost::Control { bytes: 16 * 1024 }, 110);
        assert!(large < 20_000, "{large}");
        assert!(taken(Role::Owner, Cost::Control { bytes: 20 }, 110) > 5 * many);
    }
}
