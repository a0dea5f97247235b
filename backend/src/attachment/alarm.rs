//! A timer that is set for each key or message, and seldom runs out.

use std::pin::Pin;

use tokio::time::{Instant, Sleep, sleep_until};

/// A timer of tokio's that is set as seldom as can be: to be the first of all timers is a system call and one more turn of the
/// runtime's, even if the echo comes long before it runs out.
pub(super) struct Alarm(Pin<Box<Sleep>>);

impl Alarm {
    /// To be made within the runtime.
    pub(super) fn new() -> Self {
        Self(Box::pin(sleep_until(Instant::now())))
    }

    /// Waits until `time`. What was set for an earlier one is left to run out, and only then set anew. Cancel safe.
    pub(super) async fn at(&mut self, time: Instant) {
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
        let mut alarm = Alarm::new();
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        for ms in [40, 70, 60, 200] {
            // Nobody waits for these to the end.
            assert!(timeout(Duration::from_millis(10), alarm.at(after(ms))).await.is_err());
        }
        // One is for what is past already.
        for (ms, done) in [(90, 90), (80, 90), (300, 300)] {
            alarm.at(after(ms)).await;
            let now = Instant::now();
            // Timers are good to the millisecond.
            assert!(after(done) <= now && now <= after(done + 2), "{ms}: {:?}", now - start);
        }
    }
}
