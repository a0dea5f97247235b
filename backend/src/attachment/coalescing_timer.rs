//! A timer that is set for each key or message, and seldom expires.

use std::pin::Pin;

use tokio::time::{Instant, Sleep, sleep_until};

/// A tokio timer that is registered as seldom as possible: a timer that becomes the first of
/// all costs a system call and one more turn of the runtime, even if the echo comes long
/// before it expires.
pub(super) struct CoalescingTimer(Pin<Box<Sleep>>);

impl CoalescingTimer {
    /// Creates a timer. To be called within the runtime.
    pub(super) fn new() -> Self {
        Self(Box::pin(sleep_until(Instant::now())))
    }

    /// Waits until `time`. A timer that is set for an earlier time is left to expire, and only then
    /// set anew. Cancel safe.
    pub(super) async fn wait_until(&mut self, time: Instant) {
        let mut sleep = self.0.as_mut();
        while Instant::now() < time {
            if sleep.is_elapsed() || sleep.deadline() > time {
                sleep.as_mut().reset(time);
            }
            sleep.as_mut().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_waits_until_the_time_whatever_was_set_before() {
        let mut timer = CoalescingTimer::new();
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        for ms in [40, 70, 60, 200] {
            // These waits are cancelled before they end.
            assert!(timeout(Duration::from_millis(10), timer.wait_until(after(ms))).await.is_err());
        }
        // The second of these times is past already.
        for (ms, done) in [(90, 90), (80, 90), (300, 300)] {
            timer.wait_until(after(ms)).await;
            let now = Instant::now();
            // Timers are precise to the millisecond.
            assert!(after(done) <= now && now <= after(done + 2), "{ms}: {:?}", now - start);
        }
    }
}
