//! The browsers that are signed in.
//!
//! Each is a record, of whose secrets only digests are kept. It has two halves, and both are needed: a cookie, which scripts
//! cannot read but which a browser sends to every port of a host, and a key, which only the page of this origin can read.

use std::{
    sync::{Arc, Weak},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use limpet_shared::{
    Role, SessionId, SignInKey,
    api::{self, SignInPass},
};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::{
    access::{Access, Credential, Pass},
    secret::{Digest, Secret},
};
use crate::random;

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

/// Most sessions that one guest is signed in to.
const MAX_PASSES: usize = 8;

/// Longest name of a browser that is kept, in characters.
const MAX_AGENT_CHARS: usize = 160;

/// Random bytes of an id.
const ID_BYTES: usize = 8;

/// What is kept of a sign-in. Fields are only ever added, with a default.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    id: String,
    access: Access,
    /// Milliseconds since the Unix epoch.
    created: u64,
    /// Milliseconds since the Unix epoch.
    used: u64,
    from: String,
    agent: String,
    cookie: Digest,
    key: Digest,
}

#[derive(Debug)]
struct Entry {
    record: Record,
    /// When it was used last, as far as that was saved.
    saved_used: u64,
    revoked: CancellationToken,
    /// One reference here, and one with each viewer.
    viewers: Arc<()>,
}

/// A sign-in that somebody has shown.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Its name.
    pub id: String,
    /// Cancelled when it is signed out, revoked or displaced.
    pub revoked: CancellationToken,
    viewers: Weak<()>,
}

impl Shown {
    /// Counts as a viewer of this sign-in until it is dropped; meanwhile the sign-in does not expire.
    #[must_use]
    pub fn viewer(&self) -> Viewer {
        Viewer { _counted: self.viewers.upgrade() }
    }
}

/// A viewer that is attached by a sign-in.
#[derive(Debug)]
pub struct Viewer {
    /// None when the sign-in is gone.
    _counted: Option<Arc<()>>,
}

/// Both halves of a sign-in, for the browser.
#[derive(Debug)]
pub(super) struct Halves {
    pub(super) cookie: Secret,
    pub(super) key: SignInKey,
}

impl Halves {
    fn random() -> Self {
        Self { cookie: Secret::random(), key: SignInKey::new(Secret::random().reveal().to_owned()) }
    }
}

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
        let agent = agent.chars().filter(|&c| is_plain(c)).take(MAX_AGENT_CHARS).collect();
        let (id, halves) = (hex::encode(random::bytes::<ID_BYTES>()), Halves::random());
        let record = Record {
            id: id.clone(),
            access: credential.into(),
            created: now,
            used: now,
            from,
            agent,
            cookie: Digest::of(halves.cookie.reveal()),
            key: Digest::of(halves.key.reveal()),
        };
        let access = record.access.clone();
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

impl Record {
    fn has(&self, pass: &Pass) -> bool {
        matches!(&self.access, Access::Passes(passes) if passes.contains(pass))
    }
}

impl Entry {
    fn new(record: Record) -> Self {
        let (saved_used, revoked, viewers) = (record.used, CancellationToken::new(), Arc::new(()));
        Self { record, saved_used, revoked, viewers }
    }

    fn save(&mut self, now: u64) -> Record {
        if self.is_in_use() {
            self.record.used = now;
        }
        self.saved_used = self.record.used;
        self.record.clone()
    }

    fn is_in_use(&self) -> bool {
        self.viewers() > 0
    }

    fn viewers(&self) -> usize {
        Arc::strong_count(&self.viewers) - 1
    }

    fn shown(&self) -> Shown {
        let (id, revoked) = (self.record.id.clone(), self.revoked.clone());
        Shown { id, revoked, viewers: Arc::downgrade(&self.viewers) }
    }

    /// Adds what a credential allows. Who becomes an owner gets new secrets, since those from before may be a guest's.
    fn extend(&mut self, credential: Credential) -> SignedIn {
        let (id, mut halves) = (self.record.id.clone(), None);
        let is_changed = match (&mut self.record.access, credential) {
            (Access::Owner, _) => false,
            (Access::Passes(_), Credential::Token) => {
                let new = halves.insert(Halves::random());
                self.record.access = Access::Owner;
                self.record.cookie = Digest::of(new.cookie.reveal());
                self.record.key = Digest::of(new.key.reveal());
                true
            }
            (Access::Passes(passes), Credential::Pass(pass)) => {
                let is_new = !passes.contains(&pass);
                passes.retain(|earlier| earlier.session != pass.session);
                passes.push(pass);
                passes.drain(..passes.len().saturating_sub(MAX_PASSES));
                is_new
            }
        };
        SignedIn { id, access: self.record.access.clone(), halves, is_changed, displaced: None }
    }

    fn told(&self, you: Option<&str>) -> api::SignIn {
        let Record { id, access, created, used, from, agent, .. } = self.record.clone();
        let pass = |Pass { session, role }| SignInPass { session, role };
        let (owner, passes) = match access {
            Access::Owner => (true, Vec::new()),
            Access::Passes(passes) => (false, passes.into_iter().map(pass).collect()),
        };
        let you = you == Some(id.as_str());
        let viewers = u32::try_from(self.viewers()).unwrap_or(u32::MAX);
        api::SignIn { id, owner, passes, created, used, from, agent, viewers, you }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.revoked.cancel();
    }
}

/// Whether a character takes no more than a byte, however often the text it is in is quoted.
const fn is_plain(c: char) -> bool {
    matches!(c, ' '..='~' if c != '"' && c != '\\')
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
mod tests {
    use limpet_shared::Role;

    use super::*;

    fn pass(session: &str, role: Role) -> Credential {
        Credential::Pass(Pass { session: session.parse().unwrap(), role })
    }

    fn guest(sign_ins: &mut SignIns, session: &str, now: u64) -> Result<SignedIn, Crowded> {
        sign_ins.sign_in(pass(session, Role::Reader), None, (String::new(), ""), now)
    }

    fn owner(sign_ins: &mut SignIns, now: u64) -> SignedIn {
        sign_ins.sign_in(Credential::Token, None, ("192.0.2.1".into(), "a\x07\"b"), now).unwrap()
    }

    fn shown(sign_ins: &mut SignIns, halves: &Halves, now: u64) -> Option<(Access, Shown, bool)> {
        sign_ins.by_halves(&Digest::of(halves.cookie.reveal()), halves.key.reveal(), now)
    }

    fn ids(sign_ins: &mut SignIns) -> Vec<String> {
        sign_ins.list(None, 0).into_iter().map(|sign_in| sign_in.id).collect()
    }

    #[test]
    fn both_halves_are_needed() {
        let mut sign_ins = SignIns::default();
        let (one, other) = (owner(&mut sign_ins, 0).halves.unwrap(), owner(&mut sign_ins, 0).halves.unwrap());
        assert_eq!(shown(&mut sign_ins, &one, 1).unwrap().0, Access::Owner);
        let cookie = Digest::of(one.cookie.reveal());
        for key in ["", one.cookie.reveal(), other.key.reveal()] {
            assert!(sign_ins.by_halves(&cookie, key, 1).is_none());
        }
        assert!(sign_ins.cookie(one.cookie.reveal(), 1).is_some());
        assert!(sign_ins.cookie(one.key.reveal(), 1).is_none());
    }

    #[test]
    fn what_is_kept_gives_no_secret_away_and_is_enough() {
        let mut sign_ins = SignIns::default();
        let halves = owner(&mut sign_ins, 0).halves.unwrap();
        let kept = serde_json::to_string(&sign_ins.records(0)).unwrap();
        for text in [kept.clone(), format!("{sign_ins:?} {halves:?}")] {
            assert!(!text.contains(halves.cookie.reveal()) && !text.contains(halves.key.reveal()), "{text}");
        }
        let mut restored = SignIns::restore(serde_json::from_str(&kept).unwrap());
        assert!(shown(&mut restored, &halves, 1).is_some());
        assert_eq!(restored.list(None, 1)[0].agent, "ab");
    }

    #[test]
    fn who_does_not_come_for_long_must_sign_in_again() {
        let mut sign_ins = SignIns::default();
        let halves = owner(&mut sign_ins, 0).halves.unwrap();
        let late = millis(MAX_UNUSED);
        let (_, seen, is_stale) = shown(&mut sign_ins, &halves, late - 1).unwrap();
        assert!(is_stale, "the time of its use is to be saved");
        sign_ins.records(late);
        assert!(!shown(&mut sign_ins, &halves, late).unwrap().2, "and not with every request");
        let viewer = seen.viewer();
        assert!(shown(&mut sign_ins, &halves, late * 3).is_some(), "who is attached has not gone");
        drop(viewer);
        assert!(shown(&mut sign_ins, &halves, late * 6).is_none());
        assert!(seen.revoked.is_cancelled());
    }

    #[test]
    fn a_browser_has_one_sign_in_for_all_its_links() {
        let mut sign_ins = SignIns::default();
        let first = guest(&mut sign_ins, "a", 0).unwrap();
        let halves = first.halves.unwrap();
        let mut again =
            |credential| sign_ins.sign_in(credential, Some(&first.id), (String::new(), ""), 1).unwrap();
        assert!(!again(pass("a", Role::Reader)).is_changed);
        assert!(again(pass("b", Role::Writer)).halves.is_none());
        let access = again(pass("a", Role::Writer)).access;
        let role = |session: &str| access.role_at(&session.parse().unwrap());
        assert_eq!((role("a"), role("b"), role("c")), (Some(Role::Writer), Some(Role::Writer), None));
        for number in 0..20 {
            again(pass(&number.to_string(), Role::Reader));
        }
        let Access::Passes(passes) = again(pass("last", Role::Reader)).access else {
            panic!("it is a guest")
        };
        assert_eq!(passes.len(), MAX_PASSES);

        let owner = again(Credential::Token);
        assert_eq!((owner.id.as_str(), owner.access), (first.id.as_str(), Access::Owner));
        assert!(shown(&mut sign_ins, &halves, 1).is_none(), "a guest's secrets do not become an owner's");
        assert!(shown(&mut sign_ins, &owner.halves.unwrap(), 1).is_some());
    }

    #[test]
    fn a_link_displaces_only_sign_ins_of_its_own() {
        let mut sign_ins = SignIns::default();
        let (owner, other) = (owner(&mut sign_ins, 0).id, guest(&mut sign_ins, "other", 0).unwrap().id);
        let first = guest(&mut sign_ins, "a", 1).unwrap();
        for now in 2..1000 {
            guest(&mut sign_ins, "a", now).unwrap();
        }
        let left = ids(&mut sign_ins);
        assert_eq!(left.len(), MAX_PER_LINK + 2);
        assert!(left.contains(&owner) && left.contains(&other) && !left.contains(&first.id));
    }

    #[test]
    fn guests_who_are_there_are_not_displaced() {
        let mut sign_ins = SignIns::default();
        let viewers: Vec<Viewer> = (0..MAX_PER_LINK)
            .map(|_| {
                let halves = guest(&mut sign_ins, "a", 0).unwrap().halves.unwrap();
                shown(&mut sign_ins, &halves, 0).unwrap().1.viewer()
            })
            .collect();
        assert!(guest(&mut sign_ins, "a", 1).is_err());
        assert!(guest(&mut sign_ins, "b", 1).is_ok());
        drop(viewers);
        assert!(guest(&mut sign_ins, "a", 1).unwrap().displaced.is_some());
    }

    #[test]
    fn all_of_them_fit_into_a_packet_to_the_keeper() {
        // What the kernel takes of an ordinary user at once (`net.core.wmem_max`), as it is set nearly everywhere.
        const PACKET: usize = 212_992;
        let mut sign_ins = SignIns::default();
        let (from, agent) =
            ("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff".to_owned(), "\"\\é".repeat(500) + &"x".repeat(500));
        for number in 0..u64::try_from(MAX_GUESTS + MAX_OWNERS).unwrap() {
            let now = 1_790_000_000_000 + number;
            let _ = sign_ins.sign_in(Credential::Token, None, (from.clone(), &agent), now);
            let link = |session: u64| pass(&format!("{session:016x}"), Role::Writer);
            let guest = sign_ins.sign_in(link(number % 20), None, (from.clone(), &agent), now).unwrap();
            for more in 1..20 {
                sign_ins.sign_in(link(number + more), Some(&guest.id), (String::new(), ""), now).unwrap();
            }
        }
        assert_eq!(sign_ins.0.len(), MAX_GUESTS + MAX_OWNERS);
        let record = serde_json::to_string(&sign_ins.records(0)).unwrap();
        // It is a text within a text.
        let sent = serde_json::to_string(&record).unwrap().len();
        assert!(sent < PACKET - 4096, "{sent}");
    }

    #[test]
    fn there_is_a_bound_and_the_newest_owner_stays() {
        let mut sign_ins = SignIns::default();
        for session in 0..10_u64 {
            for now in 0..100 {
                guest(&mut sign_ins, &session.to_string(), session * 100 + now).unwrap();
                owner(&mut sign_ins, session * 100 + now);
            }
        }
        let newest = owner(&mut sign_ins, 10_000).id;
        let list = sign_ins.list(Some(&newest), 10_000);
        assert_eq!(list.len(), MAX_OWNERS + MAX_GUESTS);
        assert!(list[0].you && list[0].owner && list[0].id == newest);
    }
}
