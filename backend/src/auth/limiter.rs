//! Limits attempts by address, with the generic cell rate algorithm (the virtual scheduling
//! algorithm of ITU-T I.371).
//!
//! For each address, only the time at which it has recovered from all its attempts is stored. No
//! request waits in the server.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

use super::client::Client;
use crate::network::Network;

/// Maximum number of addresses that are remembered. Beyond it, the one that recovers first is
/// forgotten.
const MAX_SOURCES: usize = 4096;

/// Factor by which the limit of all proxies together exceeds that of one address. Any program on
/// this machine can make up the addresses that a proxy names.
const PROXY_FACTOR: u32 = 32;

/// The allowed rate of attempts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    /// Number of attempts that are allowed at once.
    pub(super) burst: u32,
    /// Time after which one more attempt is allowed.
    pub(super) interval: Duration,
}

impl Rate {
    /// Returns the time until the next attempt is allowed for a source that recovers at `recovers`,
    /// or `None` if it is allowed now.
    fn retry_after(self, recovers: Instant, now: Instant) -> Option<Duration> {
        let full = self.interval * (self.burst - 1);
        let wait = recovers.saturating_duration_since(now).saturating_sub(full);
        (!wait.is_zero()).then_some(wait)
    }
}

/// Counts attempts by address.
#[derive(Debug)]
pub(super) struct Limiter {
    rate: Rate,
    /// The time at which each address has recovered.
    recovers_at: HashMap<Option<Network>, Instant>,
    /// The time at which all proxies of this machine have recovered.
    proxies_recover_at: Option<Instant>,
}

impl Limiter {
    pub(super) fn new(rate: Rate) -> Self {
        Self { rate, recovers_at: HashMap::new(), proxies_recover_at: None }
    }

    /// Returns the time that a client has to wait, or `None` if it may try now.
    pub(super) fn retry_after(&self, client: Client, now: Instant) -> Option<Duration> {
        let source = self.recovers_at.get(&client.network());
        let source = source.and_then(|&recovers| self.rate.retry_after(recovers, now));
        let proxies = self.proxies_recover_at.filter(|_| client.is_proxied());
        source.max(proxies.and_then(|recovers| self.proxy_rate().retry_after(recovers, now)))
    }

    /// Records an attempt.
    pub(super) fn record_attempt(&mut self, client: Client, now: Instant) {
        let source = client.network();
        if !self.recovers_at.contains_key(&source) {
            self.make_room(now);
        }
        let after = |recovers: Option<Instant>, interval| recovers.unwrap_or(now).max(now) + interval;
        let recovers = after(self.recovers_at.get(&source).copied(), self.rate.interval);
        self.recovers_at.insert(source, recovers);
        if client.is_proxied() {
            self.proxies_recover_at = Some(after(self.proxies_recover_at, self.proxy_rate().interval));
        }
    }

    fn proxy_rate(&self) -> Rate {
        let Rate { burst, interval } = self.rate;
        Rate { burst: burst * PROXY_FACTOR, interval: interval / PROXY_FACTOR }
    }

    fn make_room(&mut self, now: Instant) {
        if self.recovers_at.len() < MAX_SOURCES {
            return;
        }
        // An address that has recovered needs no entry.
        self.recovers_at.retain(|_, recovers| *recovers > now);
        if self.recovers_at.len() < MAX_SOURCES {
            return;
        }
        let first = self.recovers_at.iter().min_by_key(|&(_, recovers)| *recovers).map(|(source, _)| *source);
        if let Some(first) = first {
            self.recovers_at.remove(&first);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    const RATE: Rate = Rate { burst: 3, interval: Duration::from_secs(4) };

    fn client(address: &str) -> Client {
        Client::new(address.parse().ok(), None)
    }

    fn proxied(address: &str) -> Client {
        Client::new("127.0.0.1".parse().ok(), address.parse().ok())
    }

    #[test]
    fn a_burst_is_allowed_and_then_one_try_after_another() {
        let (mut limiter, now) = (Limiter::new(RATE), Instant::now());
        let one = client("192.0.2.1");
        for _ in 0..3 {
            assert_eq!(limiter.retry_after(one, now), None);
            limiter.record_attempt(one, now);
        }
        assert_eq!(limiter.retry_after(one, now), Some(RATE.interval));
        assert_eq!(limiter.retry_after(client("192.0.2.2"), now), None, "another address is another matter");
        let later = now + RATE.interval;
        assert_eq!(limiter.retry_after(one, later), None);
        limiter.record_attempt(one, later);
        assert_eq!(limiter.retry_after(one, later), Some(RATE.interval));
        assert_eq!(limiter.retry_after(one, later + RATE.interval * 3), None);
    }

    #[test]
    fn addresses_that_a_proxy_names_are_limited_together_as_well() {
        let (mut limiter, now) = (Limiter::new(RATE), Instant::now());
        let count = (1..=254).take_while(|last| {
            let made_up = proxied(&format!("192.0.2.{last}"));
            let may = limiter.retry_after(made_up, now).is_none();
            limiter.record_attempt(made_up, now);
            may
        });
        assert_eq!(count.count(), (RATE.burst * PROXY_FACTOR) as usize);
        let direct = client("192.0.2.1");
        assert_eq!(limiter.retry_after(direct, now), None, "who comes directly is not concerned");
    }

    #[test]
    fn memory_is_bounded_and_the_worst_are_remembered() {
        let (mut limiter, now) = (Limiter::new(RATE), Instant::now());
        let worst = client("192.0.2.1");
        for _ in 0..3 {
            limiter.record_attempt(worst, now);
        }
        for number in 0..20_000_u32 {
            limiter.record_attempt(Client::new(Some(IpAddr::V4(number.into())), None), now);
        }
        assert_eq!(limiter.recovers_at.len(), MAX_SOURCES);
        assert!(limiter.retry_after(worst, now).is_some());
        limiter.record_attempt(client("198.51.100.1"), now + RATE.interval * 4);
        assert_eq!(limiter.recovers_at.len(), 1, "who has recovered is forgotten first");
    }
}
