//! The browsers that are signed in.
//!
//! Each sign-in is a record with digests of two secrets, and both are needed: a cookie, which
//! scripts cannot read but which a browser sends to every port of a host, and a key, which only the
//! page of this origin can read.

mod entry;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use limpet_shared::{Role, SessionId, api};

pub(super) use self::entry::SignInRecord;
use self::entry::{Entry, SignInSecrets};
pub use self::entry::{SignInRef, ViewerGuard};
use super::{
    access::{Access, Credential},
    secret::Digest,
};

/// Time after which an unused sign-in expires.
pub(super) const UNUSED_LIFETIME: Duration = Duration::from_hours(30 * 24);

/// Maximum difference between the saved and the actual time of last use, so that not every request
/// causes a write.
const LAST_USE_PRECISION: Duration = Duration::from_hours(1);

/// Maximum number of owners' sign-ins. Beyond it, the one that was unused for the longest time is
/// removed.
const MAX_OWNER_SIGN_INS: usize = 64;

/// Maximum number of guests' sign-ins.
const MAX_GUEST_SIGN_INS: usize = 128;

/// Maximum number of guests' sign-ins by one share link, so that a guest can displace only those
/// with the same link.
const MAX_SIGN_INS_PER_LINK: usize = 64;

/// The result of signing in.
#[derive(Debug)]
pub(super) struct SignedIn {
    pub(super) id: String,
    pub(super) access: Access,
    /// New secrets, or `None` if the browser continues to use those that it has.
    pub(super) new_secrets: Option<SignInSecrets>,
    /// Set if there is a change to save.
    pub(super) is_changed: bool,
    /// The id of the sign-in that was removed to make room.
    pub(super) displaced: Option<String>,
}

/// The error that all sign-ins by a share link are in use.
#[derive(Debug)]
pub(super) struct TooManySignIns;

/// All sign-ins.
#[derive(Debug, Default)]
pub(super) struct SignIns(Vec<Entry>);

impl SignIns {
    pub(super) fn restore(records: Vec<SignInRecord>) -> Self {
        Self(records.into_iter().map(Entry::new).collect())
    }

    /// Returns the records to save, and marks them as saved.
    pub(super) fn records_to_save(&mut self, now: u64) -> Vec<SignInRecord> {
        self.0.iter_mut().map(|entry| entry.record_to_save(now)).collect()
    }

    /// Returns the digest of a cookie if it belongs to a sign-in.
    pub(super) fn known_cookie(&mut self, cookie: &str, now: u64) -> Option<Digest> {
        self.find_by_cookie(&Digest::of(cookie), now).map(|entry| entry.record.cookie)
    }

    /// Returns the role that the sign-in of this cookie will have at a session when the other half
    /// is shown.
    pub(super) fn role_by_cookie(&mut self, cookie: &Digest, session: &SessionId, now: u64) -> Option<Role> {
        self.find_by_cookie(cookie, now)?.record.access.role_at(session)
    }

    /// Returns the access and the sign-in if both halves are right, and whether the time of its
    /// last use has to be saved.
    pub(super) fn authenticate(
        &mut self,
        cookie: &Digest,
        key: &str,
        now: u64,
    ) -> Option<(Access, SignInRef, bool)> {
        let entry = self.find_by_cookie(cookie, now).filter(|entry| entry.record.key.matches(key))?;
        entry.record.used = now;
        let is_stale = now.saturating_sub(entry.saved_last_use) >= millis(LAST_USE_PRECISION);
        Some((entry.record.access.clone(), entry.to_ref(), is_stale))
    }

    /// Signs in a browser that has shown a credential. If it already has a sign-in, `known`,
    /// extends that one.
    pub(super) fn sign_in(
        &mut self,
        credential: Credential,
        known: Option<&str>,
        (from, agent): (String, &str),
        now: u64,
    ) -> Result<SignedIn, TooManySignIns> {
        if let Some(entry) = known.and_then(|id| self.0.iter_mut().find(|entry| entry.record.id == id)) {
            return Ok(entry.add_credential(credential));
        }
        let displaced = self.make_room(&credential)?;
        let secrets = SignInSecrets::random();
        let record = SignInRecord::new(credential, &secrets, (from, agent), now);
        let (id, access) = (record.id.clone(), record.access.clone());
        self.0.push(Entry::new(record));
        Ok(SignedIn { id, access, new_secrets: Some(secrets), is_changed: true, displaced })
    }

    /// Ends the sign-in with this id, and everything that is attached by it. Returns false if there
    /// is none.
    pub(super) fn remove(&mut self, id: &str) -> bool {
        self.remove_if(|entry| entry.record.id == id)
    }

    /// Ends the sign-in that this cookie belongs to. Returns false if there is none.
    pub(super) fn remove_by_cookie(&mut self, cookie: &Digest) -> bool {
        self.remove_if(|entry| entry.record.cookie.eq_constant_time(cookie))
    }

    /// Lists all sign-ins, the newest first.
    pub(super) fn list(&mut self, you: Option<&str>, now: u64) -> Vec<api::SignIn> {
        self.remove_expired(now);
        let mut list: Vec<api::SignIn> = self.0.iter().map(|entry| entry.to_api(you)).collect();
        list.sort_by_key(|sign_in| std::cmp::Reverse(sign_in.created));
        list
    }

    fn find_by_cookie(&mut self, cookie: &Digest, now: u64) -> Option<&mut Entry> {
        self.remove_expired(now);
        self.0.iter_mut().find(|entry| entry.record.cookie.eq_constant_time(cookie))
    }

    fn remove_expired(&mut self, now: u64) {
        let is_expired = |entry: &Entry| {
            !entry.is_in_use() && now.saturating_sub(entry.record.used) >= millis(UNUSED_LIFETIME)
        };
        self.0.retain(|entry| !is_expired(entry));
    }

    /// Makes room for one more sign-in. Returns the id of one that had to be removed.
    fn make_room(&mut self, credential: &Credential) -> Result<Option<String>, TooManySignIns> {
        let Credential::Pass(pass) = credential else {
            let owners = |entry: &Entry| entry.record.access.is_owner();
            return Ok(self.displace(MAX_OWNER_SIGN_INS, owners, |_| true).unwrap_or_default());
        };
        let of_link = |entry: &Entry| entry.record.has_pass(pass);
        let guests = |entry: &Entry| !entry.record.access.is_owner();
        let is_idle = |entry: &Entry| !entry.is_in_use();
        let displaced = self.displace(MAX_SIGN_INS_PER_LINK, of_link, is_idle)?;
        Ok(self.displace(MAX_GUEST_SIGN_INS, guests, is_idle)?.or(displaced))
    }

    /// Removes the sign-in that was unused for the longest time if `max` or more satisfy `counts`.
    fn displace(
        &mut self,
        max: usize,
        counts: impl Fn(&Entry) -> bool,
        may_remove: impl Fn(&Entry) -> bool,
    ) -> Result<Option<String>, TooManySignIns> {
        if self.0.iter().filter(|entry| counts(entry)).count() < max {
            return Ok(None);
        }
        let candidates = self.0.iter().filter(|entry| counts(entry) && may_remove(entry));
        let oldest = candidates.min_by_key(|entry| (entry.is_in_use(), entry.record.used));
        let oldest = oldest.ok_or(TooManySignIns)?;
        let id = oldest.record.id.clone();
        self.remove(&id);
        Ok(Some(id))
    }

    fn remove_if(&mut self, should_remove: impl Fn(&Entry) -> bool) -> bool {
        let before = self.0.len();
        self.0.retain(|entry| !should_remove(entry));
        self.0.len() < before
    }
}

/// Returns the session that a guest's credential is for.
pub(super) fn session_of(credential: &Credential) -> Option<&SessionId> {
    match credential {
        Credential::Token => None,
        Credential::Pass(pass) => Some(&pass.session),
    }
}

/// Returns the current time in milliseconds since the Unix epoch.
pub(super) fn now_millis() -> u64 {
    millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
