//! The audit log of sign-ins and refusals. It holds addresses, but never a secret.
//!
//! Guessing must not flood the log: an event that repeats from one address is logged once a minute,
//! with its count.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use limpet_shared::SessionId;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use super::client::Client;
use crate::network::Network;

/// Time for which repeated events are only counted.
const REPEAT_LOG_INTERVAL: Duration = Duration::from_mins(1);

/// Maximum number of events that are counted separately at a time. Further ones are counted
/// together.
const MAX_COUNTED_SOURCES: usize = 64;

/// The target of these log events, for `LIMPET_LOG`.
pub(crate) const TARGET: &str = "limpet::auth::audit";

/// An event of the audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Event {
    /// A client has shown a wrong token.
    WrongToken,
    /// A client has shown a wrong pass.
    WrongPass,
    /// A client has shown the cookie or the key of no sign-in.
    WrongSignIn,
    /// A client was refused without a check, after too many wrong credentials.
    RateLimited,
    /// There are too many sign-ins from an address, or by a share link.
    TooManySignIns,
    /// A browser signed in with the token.
    SignedIn,
    /// A browser signed in with a share link.
    GuestSignedIn,
    /// A share link was used without a sign-in.
    LinkUsed,
    /// The owner looked at a session's share links.
    LinksShown,
    /// A browser signed out.
    SignedOut,
    /// The owner revoked a sign-in.
    Revoked,
    /// A sign-in gave way to a newer one.
    Displaced,
}

impl Event {
    const fn message(self) -> &'static str {
        match self {
            Self::WrongToken => "refused: wrong token",
            Self::WrongPass => "refused: wrong share link",
            Self::WrongSignIn => "refused: no such sign-in",
            Self::RateLimited => "refused: too many wrong credentials from this address",
            Self::TooManySignIns => "refused: too many sign-ins",
            Self::SignedIn => "signed in as owner",
            Self::GuestSignedIn => "signed in by a share link",
            Self::LinkUsed => "share link used",
            Self::LinksShown => "share links shown",
            Self::SignedOut => "signed out",
            Self::Revoked => "sign-in revoked",
            Self::Displaced => "sign-in displaced by a newer one",
        }
    }

    const fn is_refusal(self) -> bool {
        matches!(
            self,
            Self::WrongToken | Self::WrongPass | Self::WrongSignIn | Self::RateLimited | Self::TooManySignIns
        )
    }

    /// Reports whether each occurrence is logged: those that only an owner can cause.
    const fn is_always_logged(self) -> bool {
        matches!(self, Self::SignedIn | Self::Revoked)
    }
}

/// Further fields of an event.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Details<'a> {
    pub(super) sign_in: Option<&'a str>,
    pub(super) session: Option<&'a SessionId>,
}

/// The key by which repeated events are counted.
type Source = (Option<Network>, Event);

/// The writer of the audit log.
#[derive(Debug, Default)]
pub(super) struct Audit {
    counts: Mutex<Counts>,
    /// Notified when an event is counted that has to be logged later.
    counting: Notify,
}

#[derive(Debug, Default)]
struct Counts {
    by_source: HashMap<Source, Count>,
    /// Number of events that were not counted separately.
    overflow_events: u64,
}

/// Number of times that an event has occurred again since it was logged.
#[derive(Debug)]
struct Count {
    client: Client,
    repeats: u64,
    until: Instant,
}

impl Audit {
    /// Logs an event now, or counts it if it was logged recently.
    pub(super) fn record(&self, event: Event, client: Client, details: Details<'_>) {
        if event.is_always_logged() || self.lock().count_event(event, client, Instant::now()) {
            log_event(event, client, details, 0);
        }
        self.counting.notify_one();
    }

    /// Logs counted events when their time has come. Never returns.
    pub(super) async fn log_repeats(&self) {
        loop {
            let now = Instant::now();
            let next = self.lock().log_due(now);
            match next {
                Some(next) => sleep_until(next).await,
                None => self.counting.notified().await,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        // No code under this lock panics half-way through a change.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    /// Counts an event. Returns true if it has to be logged now.
    fn count_event(&mut self, event: Event, client: Client, now: Instant) -> bool {
        let source = (client.network(), event);
        if let Some(count) = self.by_source.get_mut(&source) {
            count.repeats += 1;
            return false;
        }
        if self.by_source.len() >= MAX_COUNTED_SOURCES {
            self.overflow_events += 1;
            return false;
        }
        self.by_source.insert(source, Count { client, repeats: 0, until: now + REPEAT_LOG_INTERVAL });
        true
    }

    /// Logs the counts that are due, and returns the time of the next one.
    fn log_due(&mut self, now: Instant) -> Option<Instant> {
        for ((_, event), count) in self.by_source.extract_if(|_, count| count.until <= now) {
            if count.repeats > 0 {
                log_event(event, count.client, Details::default(), count.repeats);
            }
        }
        if self.overflow_events > 0 && self.by_source.len() < MAX_COUNTED_SOURCES {
            tracing::warn!(target: TARGET, count = self.overflow_events, "further refusals and sign-ins from other addresses");
            self.overflow_events = 0;
        }
        self.by_source.values().map(|count| count.until).min()
    }
}

fn log_event(event: Event, client: Client, Details { sign_in, session }: Details<'_>, repeats: u64) {
    let session = session.map(tracing::field::display);
    let again = (repeats > 0).then_some(repeats);
    if event.is_refusal() {
        tracing::warn!(target: TARGET, from = %client, sign_in, session, again, "{}", event.message());
    } else {
        tracing::info!(target: TARGET, from = %client, sign_in, session, again, "{}", event.message());
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn client(number: u32) -> Client {
        Client::new(Some(IpAddr::V4(number.into())), None)
    }

    #[test]
    fn what_repeats_is_counted_and_written_once_a_minute() {
        let (mut counts, now) = (Counts::default(), Instant::now());
        assert!(counts.count_event(Event::WrongToken, client(1), now));
        assert!(counts.count_event(Event::WrongToken, client(2), now));
        assert!(counts.count_event(Event::WrongPass, client(1), now));
        for _ in 0..1000 {
            assert!(!counts.count_event(Event::WrongToken, client(1), now));
        }
        assert_eq!(counts.log_due(now), Some(now + REPEAT_LOG_INTERVAL));
        assert_eq!(counts.by_source.len(), 3);
        assert_eq!(counts.log_due(now + REPEAT_LOG_INTERVAL), None);
        assert!(counts.count_event(Event::WrongToken, client(1), now + REPEAT_LOG_INTERVAL));
    }

    #[test]
    fn a_crowd_of_addresses_is_counted_together() {
        let (mut counts, now) = (Counts::default(), Instant::now());
        let lines = (0..10_000).filter(|&number| counts.count_event(Event::WrongToken, client(number), now));
        assert_eq!(lines.count(), MAX_COUNTED_SOURCES);
        assert_eq!(counts.overflow_events, 10_000 - MAX_COUNTED_SOURCES as u64);
        counts.log_due(now + REPEAT_LOG_INTERVAL);
        assert_eq!((counts.overflow_events, counts.by_source.len()), (0, 0));
    }
}
