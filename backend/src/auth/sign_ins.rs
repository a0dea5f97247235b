//! The browsers that are signed in.
//!
//! Each is a record, of whose secrets only digests are kept. It has two halves, and both are needed: a cookie, which scripts
//! cannot read but which a browser sends to every port of a host, and a key, which only the page of this origin can read.

mod entry;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use limpet_shared::{Role, SessionId, api};

pub(super) use self::entry::Record;
use self::entry::{Entry, Halves};
pub use self::entry::{Shown, Viewer};
use super::{
    access::{Access, Credential},
    secret::Digest,
};

/// How long a sign-in lasts that nobody uses.
pub(super) const MAX_UNUSED: Duration = Duration::from_hours(30 * 24);

/// How much older the time of last use may be on the disk than in memory, so that not every request is a write.
const USED_PRECISION: Duration = Duration::from_hours(1);

/// Most sign-ins of owners. When there are more, the one that was not used for the longest time goes.
const MAX_OWNERS: usize = 64;

/// Most sign-ins of guests.
const MAX_GUESTS: usize = 128;

/// Most sign-ins of guests by one share link, so that one who has a link can displace only those who have the same.
const MAX_PER_LINK: usize = 64;

/// What has become of a wish to sign in.
#[derive(Debug)]
pub(super) struct SignedIn {
    pub(super) id: String,
    pub(super) access: Access,
    /// New ones; none if the browser goes on with those that it has.
    pub(super) halves: Option<Halves>,
    /// Whether there is anything new to be saved.
    pub(super) is_changed: bool,
    /// The sign-in that had to give way.
    pub(super) displaced: Option<String>,
}

/// All sign-ins by a share link are in use.
#[derive(Debug)]
pub(super) struct Crowded;

/// All sign-ins.
#[derive(Debug, Default)]
pub(super) struct SignIns(Vec<Entry>);

impl SignIns {
    pub(super) fn restore(records: Vec<Record>) -> Self {
        Self(records.into_iter().map(Entry::new).collect())
    }

    /// What is to be saved. It counts as saved.
    pub(super) fn records(&mut self, now: u64) -> Vec<Record> {
        self.0.iter_mut().map(|entry| entry.save(now)).collect()
    }

    /// The digest of a cookie that is the half of a sign-in.
    pub(super) fn cookie(&mut self, cookie: &str, now: u64) -> Option<Digest> {
        self.by_cookie(&Digest::of(cookie), now).map(|entry| entry.record.cookie)
    }

    /// What the sign-in of this cookie will allow to do with a session when the other half is shown.
    pub(super) fn role_by_cookie(&mut self, cookie: &Digest, session: &SessionId, now: u64) -> Option<Role> {
        self.by_cookie(cookie, now)?.record.access.role_at(session)
    }

    /// What a sign-in allows of which both halves are shown. True if the time of its last use is to be saved.
    pub(super) fn by_halves(
        &mut self,
        cookie: &Digest,
        key: &str,
        now: u64,
    ) -> Option<(Access, Shown, bool)> {
        let entry = self.by_cookie(cookie, now).filter(|entry| entry.record.key.is_of(key))?;
        entry.record.used = now;
        let is_stale = now.saturating_sub(entry.saved_used) >= millis(USED_PRECISION);
        Some((entry.record.access.clone(), entry.shown(), is_stale))
    }

    /// Signs a browser in that has shown a credential. One that has a sign-in already, `known`, goes on with that.
    pub(super) fn sign_in(
        &mut self,
        credential: Credential,
        known: Option<&str>,
        (from, agent): (String, &str),
        now: u64,
    ) -> Result<SignedIn, Crowded> {
        if let Some(entry) = known.and_then(|id| self.0.iter_mut().find(|entry| entry.record.id == id)) {
            return Ok(entry.extend(credential));
        }
        let displaced = self.make_room(&credential)?;
        let halves = Halves::random();
        let record = Record::new(credential, &halves, (from, agent), now);
        let (id, access) = (record.id.clone(), record.access.clone());
        self.0.push(Entry::new(record));
        Ok(SignedIn { id, access, halves: Some(halves), is_changed: true, displaced })
    }

    /// Ends the sign-in of this name, and whatever is attached by it. False if there is none.
    pub(super) fn remove(&mut self, id: &str) -> bool {
        self.remove_if(|entry| entry.record.id == id)
    }

    /// Ends the sign-in that this cookie is the half of.
    pub(super) fn remove_by_cookie(&mut self, cookie: &Digest) -> bool {
        self.remove_if(|entry| entry.record.cookie.equals(cookie))
    }

    /// All of them, the newest first.
    pub(super) fn list(&mut self, you: Option<&str>, now: u64) -> Vec<api::SignIn> {
        self.expire(now);
        let mut list: Vec<api::SignIn> = self.0.iter().map(|entry| entry.told(you)).collect();
        list.sort_by_key(|sign_in| std::cmp::Reverse(sign_in.created));
        list
    }

    fn by_cookie(&mut self, cookie: &Digest, now: u64) -> Option<&mut Entry> {
        self.expire(now);
        self.0.iter_mut().find(|entry| entry.record.cookie.equals(cookie))
    }

    fn expire(&mut self, now: u64) {
        let is_over =
            |entry: &Entry| !entry.is_in_use() && now.saturating_sub(entry.record.used) >= millis(MAX_UNUSED);
        self.0.retain(|entry| !is_over(entry));
    }

    /// Makes room for one more. Gives the name of the one that had to go.
    fn make_room(&mut self, credential: &Credential) -> Result<Option<String>, Crowded> {
        let Credential::Pass(pass) = credential else {
            let owners = |entry: &Entry| entry.record.access.is_owner();
            return Ok(self.displace(MAX_OWNERS, owners, |_| true).unwrap_or_default());
        };
        let of_link = |entry: &Entry| entry.record.has(pass);
        let guests = |entry: &Entry| !entry.record.access.is_owner();
        let is_idle = |entry: &Entry| !entry.is_in_use();
        let displaced = self.displace(MAX_PER_LINK, of_link, is_idle)?;
        Ok(self.displace(MAX_GUESTS, guests, is_idle)?.or(displaced))
    }

    /// Has the one go that was not used for the longest time, if there are `max` already.
    fn displace(
        &mut self,
        max: usize,
        counts: impl Fn(&Entry) -> bool,
        may_go: impl Fn(&Entry) -> bool,
    ) -> Result<Option<String>, Crowded> {
        if self.0.iter().filter(|entry| counts(entry)).count() < max {
            return Ok(None);
        }
        let may_go = self.0.iter().filter(|entry| counts(entry) && may_go(entry));
        let oldest = may_go.min_by_key(|entry| (entry.is_in_use(), entry.record.used)).ok_or(Crowded)?;
        let id = oldest.record.id.clone();
        self.remove(&id);
        Ok(Some(id))
    }

    fn remove_if(&mut self, goes: impl Fn(&Entry) -> bool) -> bool {
        let before = self.0.len();
        self.0.retain(|entry| !goes(entry));
        self.0.len() < before
    }
}

/// The session that a guest's credential is for.
pub(super) fn session_of(credential: &Credential) -> Option<&SessionId> {
    match credential {
        Credential::Token => None,
        Credential::Pass(pass) => Some(&pass.session),
    }
}

/// Milliseconds since the Unix epoch.
pub(super) fn now() -> u64 {
    millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
