//! Limits the rate of guests' requests of any kind.

use std::time::Duration;

use tokio::time::Instant;

use crate::{auth::Pass, token_bucket::KeyedBuckets};

/// Maximum number of requests per second with one pass.
const MAX_REQUESTS_PER_SECOND: u64 = 50;

/// Maximum number of requests at once with one pass.
const REQUEST_BURST: u64 = 500;

/// Counts guests' requests by their passes.
#[derive(Debug)]
pub(super) struct GuestRate(KeyedBuckets<Pass>);

impl GuestRate {
    pub(super) fn new() -> Self {
        Self(KeyedBuckets::new(MAX_REQUESTS_PER_SECOND, REQUEST_BURST))
    }

    /// Counts a request of a guest with these passes. The first pass that has requests left is
    /// charged. If none has, returns the shortest time until one does.
    pub(super) fn admit(&self, passes: &[Pass]) -> Result<(), Duration> {
        let (now, mut shortest) = (Instant::now(), Duration::MAX);
        for pass in passes {
            match self.0.try_take(pass.clone(), now) {
                Ok(()) => return Ok(()),
                Err(wait) => shortest = shortest.min(wait),
            }
        }
        if passes.is_empty() { Ok(()) } else { Err(shortest) }
    }
}

#[cfg(test)]
mod tests {
    use limpet_shared::Role;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_pass_has_a_share_and_so_have_those_with_several() {
        let pass = |role| Pass { session: "a".parse().unwrap(), role };
        let (reader, writer) = (pass(Role::Reader), pass(Role::Writer));
        let rate = GuestRate::new();
        let count = |passes: &[Pass]| (0..10_000).take_while(|_| rate.admit(passes).is_ok()).count() as u64;
        assert_eq!(count(std::slice::from_ref(&reader)), REQUEST_BURST);
        assert_eq!(count(&[reader.clone(), writer]), REQUEST_BURST);
        let wait = rate.admit(std::slice::from_ref(&reader)).unwrap_err();
        assert!(wait <= Duration::from_millis(20), "{wait:?}");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(count(&[reader]), MAX_REQUESTS_PER_SECOND);
    }
}
