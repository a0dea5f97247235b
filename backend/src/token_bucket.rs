//! Rate limits: an amount per second and a burst.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// A bucket that fills at a steady rate. An action may spend more than the bucket holds; the next
/// action then waits until the debt is paid back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokenBucket {
    per_second: u64,
    burst: u64,
    /// The time at which the bucket is full, possibly in the past.
    full_at: Instant,
}

impl TokenBucket {
    /// Creates a full bucket.
    pub(crate) const fn new(per_second: u64, burst: u64, now: Instant) -> Self {
        Self { per_second, burst, full_at: now }
    }

    /// Takes tokens, even more than there are.
    pub(crate) fn spend(&mut self, tokens: u64, now: Instant) {
        self.full_at = self.full_at.max(now) + self.time_for(tokens);
    }

    /// Returns the time from which the next action is allowed. It is in the past as long as a token
    /// is left.
    pub(crate) fn ready_at(&self) -> Instant {
        self.full_at.checked_sub(self.time_for(self.burst)).unwrap_or(self.full_at)
    }

    /// Takes one token. If there is none, returns the time until there is one.
    pub(crate) fn try_take(&mut self, now: Instant) -> Result<(), Duration> {
        let full_at = self.full_at.max(now) + self.time_for(1);
        let wait = full_at.saturating_duration_since(now + self.time_for(self.burst));
        if wait > Duration::ZERO {
            return Err(wait);
        }
        self.full_at = full_at;
        Ok(())
    }

    /// Reports whether the bucket is full.
    pub(crate) fn is_full(&self, now: Instant) -> bool {
        self.full_at <= now
    }

    fn time_for(&self, tokens: u64) -> Duration {
        let nanos = u128::from(tokens) * 1_000_000_000 / u128::from(self.per_second.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// Buckets by key, for example by guests' grants. Only those that are not full take memory.
#[derive(Debug)]
pub(crate) struct KeyedBuckets<K> {
    per_second: u64,
    burst: u64,
    by_key: Mutex<HashMap<K, TokenBucket>>,
}

impl<K: Eq + Hash> KeyedBuckets<K> {
    /// Creates full buckets for all keys.
    pub(crate) fn new(per_second: u64, burst: u64) -> Self {
        Self { per_second, burst, by_key: Mutex::default() }
    }

    /// Takes one token from the bucket of `key`. If there is none, returns the time until there is
    /// one.
    pub(crate) fn try_take(&self, key: K, now: Instant) -> Result<(), Duration> {
        // No code under this lock panics half-way through a change.
        let mut by_key = self.by_key.lock().unwrap_or_else(PoisonError::into_inner);
        if !by_key.contains_key(&key) {
            by_key.retain(|_, bucket| !bucket.is_full(now));
        }
        let full = || TokenBucket::new(self.per_second, self.burst, now);
        by_key.entry(key).or_insert_with(full).try_take(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_burst_is_allowed_and_then_the_rate() {
        let now = Instant::now();
        let mut bucket = TokenBucket::new(10, 5, now);
        let taken = |bucket: &mut TokenBucket, now| (0..100).filter(|_| bucket.try_take(now).is_ok()).count();
        assert_eq!(taken(&mut bucket, now), 5);
        assert_eq!(taken(&mut bucket, now), 0);
        assert_eq!(taken(&mut bucket, now + SECOND / 5), 2);
        assert!(!bucket.is_full(now + SECOND / 5) && bucket.is_full(now + SECOND));
        assert_eq!(taken(&mut bucket, now + 100 * SECOND), 5);
    }

    #[test]
    fn the_wait_is_told_and_long_enough() {
        let now = Instant::now();
        let mut bucket = TokenBucket::new(10, 1, now);
        assert_eq!(bucket.try_take(now), Ok(()));
        assert_eq!(bucket.try_take(now), Err(SECOND / 10));
        assert_eq!(bucket.try_take(now + SECOND / 20), Err(SECOND / 20));
        assert_eq!(bucket.try_take(now + SECOND / 10), Ok(()));
    }

    #[test]
    fn each_key_has_a_bucket_until_it_is_full_again() {
        let (buckets, now) = (KeyedBuckets::new(1, 2), Instant::now());
        for key in 0..100 {
            assert!(buckets.try_take(key, now).is_ok() && buckets.try_take(key, now).is_ok());
            assert_eq!(buckets.try_take(key, now), Err(SECOND));
        }
        assert!(buckets.try_take(100, now + 2 * SECOND).is_ok());
        assert_eq!(buckets.by_key.lock().unwrap().len(), 1);
    }

    #[test]
    fn a_debt_is_waited_off() {
        let now = Instant::now();
        let mut bucket = TokenBucket::new(10, 5, now);
        assert!(bucket.ready_at() <= now);
        bucket.spend(4, now);
        assert!(bucket.ready_at() <= now, "one is left");
        bucket.spend(21, now);
        assert_eq!(bucket.ready_at(), now + 2 * SECOND);
    }
}
