//! A clock that all processes of this machine share.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// Returns the time since boot (`CLOCK_MONOTONIC`), which is the same clock for all processes of
/// this machine.
#[must_use]
pub fn uptime() -> Duration {
    // The call fails only if there is no such clock, and Linux always has it.
    clock_gettime(ClockId::CLOCK_MONOTONIC).map(Into::into).unwrap_or_default()
}
