//! Limits the rate at which one connection is read.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

use crate::token_bucket::TokenBucket;

/// Maximum number of bytes that are read from a connection per second.
const MAX_BYTES_PER_SECOND: u64 = 8 * 1024 * 1024;

/// Maximum number of bytes that are read at once, which is far more than a paste.
const BURST_BYTES: u64 = 32 * 1024 * 1024;

/// Number of bytes that are read before other tasks get their turn. They may hold thousands of
/// frames that never complete a message.
const TURN_BYTES: usize = 16 * 1024;

/// Minimum pause for a connection that has used up its share.
const MIN_PAUSE: Duration = Duration::from_millis(10);

/// Slows down a peer that sends without end. Layers above cannot do this, because they do not see
/// frames that complete no message.
#[derive(Debug)]
pub(super) struct ReadRate {
    bucket: TokenBucket,
    bytes_since_turn: usize,
    pause: Option<Pin<Box<Sleep>>>,
}

impl ReadRate {
    pub(super) fn new(now: Instant) -> Self {
        let bucket = TokenBucket::new(MAX_BYTES_PER_SECOND, BURST_BYTES, now);
        Self { bucket, bytes_since_turn: 0, pause: None }
    }

    /// Waits until the connection may be read.
    pub(super) fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(context));
            self.pause = None;
        }
        if self.bytes_since_turn >= TURN_BYTES {
            self.bytes_since_turn = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    }

    /// Records the number of bytes that were read, or `None` if nothing is available at the moment.
    pub(super) fn record_read(&mut self, bytes: Option<usize>, now: Instant) {
        let Some(bytes) = bytes else {
            self.bytes_since_turn = 0;
            return;
        };
        self.bytes_since_turn += bytes;
        self.bucket.spend(bytes as u64, now);
        let ready_at = self.bucket.ready_at();
        if ready_at > now {
            self.pause = Some(Box::pin(sleep_until(ready_at.max(now + MIN_PAUSE))));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_large_paste_is_read_at_once_and_an_endless_stream_is_slowed_down() {
        let start = Instant::now();
        let mut rate = ReadRate::new(start);
        let mut read = 0;
        let mut turns = 0;
        while Instant::now() < start + Duration::from_secs(4) {
            if poll_fn(|context| Poll::Ready(rate.poll_ready(context).is_pending())).await {
                turns += 1;
                poll_fn(|context| rate.poll_ready(context)).await;
            }
            rate.record_read(Some(1024), Instant::now());
            read += 1024;
            if read == 16 << 20 {
                assert_eq!(Instant::now(), start);
            }
        }
        assert!(turns > read / TURN_BYTES);
        let most = usize::try_from(BURST_BYTES + 4 * MAX_BYTES_PER_SECOND).unwrap();
        assert!((most * 9 / 10..most * 11 / 10).contains(&read), "{read}");
    }
}
