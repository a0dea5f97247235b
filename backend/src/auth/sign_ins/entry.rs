//! One sign-in and its record.

use std::sync::{Arc, Weak};

use limpet_shared::{
    SignInKey,
    api::{self, SignInPass},
};
use limpet_sys::random;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::SignedIn;
use crate::auth::{
    access::{Access, Credential, Pass},
    secret::{Digest, Secret},
};

/// Maximum number of sessions that one guest is signed in to.
pub(super) const MAX_PASSES: usize = 8;

/// Maximum length of a browser's name, in characters.
const MAX_AGENT_CHARS: usize = 160;

/// Number of random bytes in an id.
const ID_BYTES: usize = 8;

/// The saved data of a sign-in. Fields are only ever added, with a default.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::auth) struct SignInRecord {
    pub(super) id: String,
    pub(super) access: Access,
    /// Milliseconds since the Unix epoch.
    created: u64,
    /// Milliseconds since the Unix epoch.
    pub(super) used: u64,
    from: String,
    agent: String,
    pub(super) cookie: Digest,
    pub(super) key: Digest,
}

/// A sign-in.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) record: SignInRecord,
    /// The time of last use that was saved, in milliseconds since the Unix epoch.
    pub(super) saved_last_use: u64,
    revoked: CancellationToken,
    /// Counts viewers: one reference is held here, and one by each viewer.
    viewers: Arc<()>,
}

/// A sign-in that a client has shown.
#[derive(Clone, Debug)]
pub struct SignInRef {
    /// The id of the sign-in.
    pub id: String,
    /// Cancelled when the sign-in is signed out, revoked or displaced.
    pub revoked: CancellationToken,
    viewers: Weak<()>,
}

impl SignInRef {
    /// Returns a value that counts as a viewer of this sign-in until it is dropped. As long as
    /// there is one, the sign-in does not expire.
    #[must_use]
    pub fn add_viewer(&self) -> ViewerGuard {
        ViewerGuard { _counted: self.viewers.upgrade() }
    }
}

/// A viewer that is attached by a sign-in.
#[derive(Debug)]
pub struct ViewerGuard {
    /// `None` if the sign-in no longer exists.
    _counted: Option<Arc<()>>,
}

/// Both halves of a sign-in, for the browser.
#[derive(Debug)]
pub(in crate::auth) struct SignInSecrets {
    pub(in crate::auth) cookie: Secret,
    pub(in crate::auth) key: SignInKey,
}

impl SignInSecrets {
    pub(super) fn random() -> Self {
        Self { cookie: Secret::random(), key: SignInKey::new(Secret::random().reveal().to_owned()) }
    }
}

impl SignInRecord {
    /// Creates the record of a client that has shown this credential, from this address and with a
    /// browser of this name.
    pub(super) fn new(
        credential: Credential,
        secrets: &SignInSecrets,
        (from, agent): (String, &str),
        now: u64,
    ) -> Self {
        Self {
            id: hex::encode(random::bytes::<ID_BYTES>()),
            access: credential.into(),
            created: now,
            used: now,
            from,
            agent: agent.chars().filter(|&c| is_plain(c)).take(MAX_AGENT_CHARS).collect(),
            cookie: Digest::of(secrets.cookie.reveal()),
            key: Digest::of(secrets.key.reveal()),
        }
    }

    pub(super) fn has_pass(&self, pass: &Pass) -> bool {
        matches!(&self.access, Access::Passes(passes) if passes.contains(pass))
    }
}

impl Entry {
    pub(super) fn new(record: SignInRecord) -> Self {
        let (saved_last_use, revoked, viewers) = (record.used, CancellationToken::new(), Arc::new(()));
        Self { record, saved_last_use, revoked, viewers }
    }

    pub(super) fn record_to_save(&mut self, now: u64) -> SignInRecord {
        if self.is_in_use() {
            self.record.used = now;
        }
        self.saved_last_use = self.record.used;
        self.record.clone()
    }

    pub(super) fn is_in_use(&self) -> bool {
        self.viewers() > 0
    }

    fn viewers(&self) -> usize {
        Arc::strong_count(&self.viewers) - 1
    }

    pub(super) fn to_ref(&self) -> SignInRef {
        let (id, revoked) = (self.record.id.clone(), self.revoked.clone());
        SignInRef { id, revoked, viewers: Arc::downgrade(&self.viewers) }
    }

    /// Adds the access of a credential. A guest who becomes an owner gets new secrets, because
    /// other people may know a guest's.
    pub(super) fn add_credential(&mut self, credential: Credential) -> SignedIn {
        let (id, mut new_secrets) = (self.record.id.clone(), None);
        let is_changed = match (&mut self.record.access, credential) {
            (Access::Owner, _) => false,
            (Access::Passes(_), Credential::Token) => {
                let new = new_secrets.insert(SignInSecrets::random());
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
        SignedIn { id, access: self.record.access.clone(), new_secrets, is_changed, displaced: None }
    }

    pub(super) fn to_api(&self, you: Option<&str>) -> api::SignIn {
        let SignInRecord { id, access, created, used, from, agent, .. } = self.record.clone();
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

/// Reports whether a character takes one byte, even in JSON that is quoted within JSON.
const fn is_plain(c: char) -> bool {
    matches!(c, ' '..='~' if c != '"' && c != '\\')
}
