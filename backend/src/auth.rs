//! Who may do what.
//!
//! | what is shown | what it allows | rate-limited? |
//! |---|---|---|
//! | the token, as `Authorization: Bearer` or to log in | everything | yes |
//! | a pass, of a share link, in the same places | what it says, at one session | yes |
//! | both halves of a [sign-in](sign_ins): cookie and key | what the browser logged in with | no |
//!
//! **The rate limiter decides before anything is compared**, by address, and while it is active it answers right and wrong
//! credentials alike, so that an answer tells nothing. Both halves of a sign-in are exempt: they are 512 random bits, so whoever shows
//! them did not guess them, and the answer to a guess would be the same one for ever. So nobody who guesses, not even
//! from the address that an owner has too (behind a proxy, say), can lock out a browser that is signed in. What
//! is no sign-in is counted like a wrong token.

mod access;
mod audit;
mod client;
mod limiter;
mod saving;
mod secret;
mod share;
mod sign_ins;

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use limpet_shared::{Role, SessionId, SignInKey, api};
use tokio::{sync::watch, time::Instant};

pub use self::{
    access::{Access, Credential, Pass},
    client::Client,
    sign_ins::{Shown as SignIn, Viewer},
};
pub(crate) use self::{
    audit::TARGET as AUDIT_TARGET,
    saving::{Saved, SignInFile},
};
use self::{
    audit::{Audit, Details, Event},
    limiter::{Limiter, Rate},
    secret::Digest,
    share::ShareKey,
    sign_ins::{SignIns, now, session_of},
};
use crate::config::{BasePath, Token};

/// How many wrong credentials an address may show.
const GUESSES: Rate = Rate { burst: 10, interval: Duration::from_secs(4) };

/// How many times a browser may sign in from one address: each is a record that is saved.
const SIGN_INS: Rate = Rate { burst: 64, interval: Duration::from_secs(1) };

/// Most cookies of a request that are looked at. Another server on the same host may set some of this name, too.
const MAX_COOKIES: usize = 4;

/// What a request brings along.
#[derive(Clone, Copy, Default)]
pub struct Credentials<'a> {
    /// The token of an `Authorization: Bearer` header (RFC 6750, 2.1).
    pub bearer: Option<&'a str>,
    /// The `Cookie` header.
    pub cookies: Option<&'a str>,
    /// The key of a sign-in.
    pub key: Option<&'a str>,
}

/// Somebody who was let in.
#[derive(Clone, Debug)]
pub struct Principal {
    /// What they may do.
    pub access: Access,
    /// Their sign-in; none for who shows a token or a pass with each request.
    pub sign_in: Option<SignIn>,
}

/// Somebody who has shown half of a sign-in, and is told nothing before the other half has come.
#[derive(Clone, Debug)]
pub struct Half(Digest);

/// A browser that has signed in.
#[derive(Debug)]
pub struct SignedIn {
    /// What it may do.
    pub access: Access,
    /// The half that goes into a cookie.
    pub cookie: String,
    /// The half that the page keeps.
    pub key: SignInKey,
}

/// Why somebody is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// They have shown nothing.
    NoCredentials,
    /// What they have shown is wrong.
    Wrong,
    /// Nothing was looked at, because too much from that address was wrong. It may be tried again after so long.
    Limited(Duration),
    /// There are too many sign-ins from that address, or by that share link.
    Crowded,
}

/// Checks credentials, and keeps the sign-ins.
#[derive(Debug)]
pub struct Auth {
    token: Digest,
    share_key: ShareKey,
    cookie_name: String,
    state: Mutex<State>,
    audit: Audit,
    /// Counts changes that are to be saved.
    changed: watch::Sender<u64>,
    keeper: Place,
    disk: Place,
}

/// Where changes are saved.
#[derive(Debug, Default)]
struct Place {
    /// Up to which change all is saved, and whether that went well.
    saved: watch::Sender<(u64, bool)>,
    is_used: AtomicBool,
}

#[derive(Debug)]
struct State {
    sign_ins: SignIns,
    guesses: Limiter,
    arrivals: Limiter,
}

impl Auth {
    /// Checks against this token, and goes on with what an earlier server has saved.
    #[must_use]
    pub(crate) fn new(token: &Token, saved: Option<Saved>) -> Self {
        let saved = saved.unwrap_or_else(|| Saved { share_key: ShareKey::random(), sign_ins: Vec::new() });
        let sign_ins = SignIns::restore(saved.sign_ins);
        let (guesses, arrivals) = (Limiter::new(GUESSES), Limiter::new(SIGN_INS));
        Self {
            token: Digest::of(token.reveal()),
            cookie_name: saved.share_key.cookie_name(),
            share_key: saved.share_key,
            state: Mutex::new(State { sign_ins, guesses, arrivals }),
            audit: Audit::default(),
            changed: watch::Sender::new(0),
            keeper: Place::default(),
            disk: Place::default(),
        }
    }

    /// Lets somebody in who has shown enough.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn authenticate(&self, shown: Credentials<'_>, client: Client) -> Result<Principal, Denied> {
        if let Some(token) = shown.bearer {
            let credential = self.guess(token, client)?;
            if let Some(session) = session_of(&credential) {
                let details = Details { session: Some(session), ..Details::default() };
                self.audit.note(Event::LinkUsed, client, details);
            }
            return Ok(Principal { access: credential.into(), sign_in: None });
        }
        let mut cookies = self.own_cookies(shown.cookies).peekable();
        if cookies.peek().is_none() {
            return Err(Denied::NoCredentials);
        }
        let key = shown.key.unwrap_or_default();
        let mut state = self.state();
        let own = cookies.filter_map(|cookie| state.sign_ins.cookie(cookie, now())).collect::<Vec<_>>();
        let found = own.iter().find_map(|cookie| self.by_halves(&mut state, cookie, key));
        found.ok_or_else(|| self.refuse_halves(&mut state, !own.is_empty(), key, client))
    }

    /// Lets somebody wait for the moment when the key can be shown: browsers send a cookie with a WebSocket, and no other header.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn half(&self, shown: Credentials<'_>, client: Client) -> Result<Half, Denied> {
        let mut cookies = self.own_cookies(shown.cookies).peekable();
        if cookies.peek().is_none() {
            return Err(Denied::NoCredentials);
        }
        let mut state = self.state();
        let half = cookies.find_map(|cookie| state.sign_ins.cookie(cookie, now()));
        half.map(Half).ok_or_else(|| self.refuse(&mut state, Event::WrongSignIn, client))
    }

    /// The role at a session of somebody who has shown half of a sign-in, once the other half has come. It is not to be told before.
    pub(crate) fn expected_role(&self, Half(cookie): &Half, session: &SessionId) -> Option<Role> {
        self.state().sign_ins.role_by_cookie(cookie, session, now())
    }

    /// Lets somebody in who has shown half of a sign-in, and shows the other half now.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn complete(
        &self,
        Half(cookie): &Half,
        key: Option<&SignInKey>,
        client: Client,
    ) -> Result<Principal, Denied> {
        let mut state = self.state();
        let key = key.map_or("", SignInKey::reveal);
        let found = self.by_halves(&mut state, cookie, key);
        found.ok_or_else(|| self.refuse_halves(&mut state, true, key, client))
    }

    /// Signs a browser in that has a token or a pass. If `shown` is a sign-in, that is extended.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn sign_in(
        &self,
        token: &str,
        shown: Credentials<'_>,
        client: Client,
        agent: &str,
    ) -> Result<SignedIn, Denied> {
        let credential = self.guess(token, client)?;
        let mut state = self.state();
        let instant = Instant::now();
        if state.arrivals.wait(client, instant).is_some() {
            self.audit.note(Event::Crowded, client, Details::default());
            return Err(Denied::Crowded);
        }
        state.arrivals.charge(client, instant);

        let key = shown.key.unwrap_or_default();
        let known = self.own_cookies(shown.cookies).find_map(|cookie| {
            let principal = self.by_halves(&mut state, &Digest::of(cookie), key)?;
            Some((cookie.to_owned(), principal.sign_in?.id))
        });
        if known.is_none() && credential == Credential::Token {
            // A browser that has lost its key: its earlier sign-in is good for nothing any more.
            for cookie in self.own_cookies(shown.cookies) {
                state.sign_ins.remove_by_cookie(&Digest::of(cookie));
            }
        }
        let session = session_of(&credential).cloned();
        let from = client.address().map(|address| address.to_string()).unwrap_or_default();
        let known_id = known.as_ref().map(|(_, id)| id.as_str());
        let signed_in = state.sign_ins.sign_in(credential, known_id, (from, agent), now());
        drop(state);
        let Ok(signed_in) = signed_in else {
            self.audit.note(
                Event::Crowded,
                client,
                Details { session: session.as_ref(), ..Details::default() },
            );
            return Err(Denied::Crowded);
        };
        if signed_in.is_changed {
            self.touch();
        }
        if let Some(displaced) = &signed_in.displaced {
            self.audit.note(Event::Displaced, client, Details { sign_in: Some(displaced), session: None });
        }
        let event = if session.is_none() { Event::SignedIn } else { Event::GuestSignedIn };
        self.audit.note(event, client, Details { sign_in: Some(&signed_in.id), session: session.as_ref() });
        let (cookie, key) = match signed_in.halves {
            Some(halves) => (halves.cookie.reveal().to_owned(), halves.key),
            None => (known.map(|(cookie, _)| cookie).unwrap_or_default(), SignInKey::new(key.to_owned())),
        };
        Ok(SignedIn { access: signed_in.access, cookie, key })
    }

    /// Ends a sign-in on its own behalf.
    pub fn sign_out(&self, sign_in: &SignIn, client: Client) {
        if self.state().sign_ins.remove(&sign_in.id) {
            self.audit.note(Event::SignedOut, client, Details { sign_in: Some(&sign_in.id), session: None });
            self.touch();
        }
    }

    /// Ends the sign-in of this name, on an owner's behalf. False if there is none.
    pub fn revoke(&self, id: &str, client: Client) -> bool {
        let found = self.state().sign_ins.remove(id);
        if found {
            self.audit.note(Event::Revoked, client, Details { sign_in: Some(id), session: None });
            self.touch();
        }
        found
    }

    /// All sign-ins, as an owner sees them who is signed in by `you`.
    #[must_use]
    pub fn sign_ins(&self, you: Option<&SignIn>) -> Vec<api::SignIn> {
        self.state().sign_ins.list(you.map(|you| you.id.as_str()), now())
    }

    /// The text of a pass. It is good for as long as the session and the key of share links are.
    #[must_use]
    pub fn pass(&self, pass: &Pass) -> String {
        self.share_key.pass(pass)
    }

    /// Notes that an owner was shown the passes of a session.
    pub fn note_passes(&self, session: &SessionId, client: Client) {
        self.audit.note(Event::LinksShown, client, Details { session: Some(session), sign_in: None });
    }

    /// The `Set-Cookie` header (RFC 6265, 4.1) with this value. Scripts cannot read it, other sites cannot have it sent, and
    /// it goes over encrypted connections only if it came over one.
    #[must_use]
    pub fn set_cookie(&self, value: &str, path: &BasePath, is_encrypted: bool) -> String {
        self.cookie(value, sign_ins::MAX_UNUSED, path, is_encrypted)
    }

    /// The `Set-Cookie` header that takes the cookie back.
    #[must_use]
    pub fn clear_cookie(&self, path: &BasePath, is_encrypted: bool) -> String {
        self.cookie("", Duration::ZERO, path, is_encrypted)
    }

    fn cookie(&self, value: &str, max_age: Duration, path: &BasePath, is_encrypted: bool) -> String {
        let (name, max_age) = (&self.cookie_name, max_age.as_secs());
        let secure = if is_encrypted { "; Secure" } else { "" };
        format!("{name}={value}; Path={path}; Max-Age={max_age}; HttpOnly; SameSite=Strict{secure}")
    }

    /// The cookie of this server's in a `Cookie` header, if there is exactly one.
    #[must_use]
    pub fn own_cookie<'a>(&'a self, header: &'a str) -> Option<&'a str> {
        let mut cookies = self.own_cookies(Some(header));
        cookies.next().filter(|_| cookies.next().is_none())
    }

    /// The values of this server's cookies in a `Cookie` header (RFC 6265, 4.2).
    fn own_cookies<'a>(&'a self, header: Option<&'a str>) -> impl Iterator<Item = &'a str> {
        let pairs = header.unwrap_or_default().split(';').filter_map(|pair| pair.trim().split_once('='));
        let own = pairs.filter(|&(name, value)| name == self.cookie_name && !value.is_empty());
        own.map(|(_, value)| value).take(MAX_COOKIES)
    }

    /// What a text is that somebody may have guessed.
    fn guess(&self, text: &str, client: Client) -> Result<Credential, Denied> {
        let mut state = self.state();
        if let Some(denied) = self.limited(&state, client) {
            return Err(denied);
        }
        if self.token.is_of(text) {
            return Ok(Credential::Token);
        }
        if let Some(pass) = self.share_key.read_pass(text) {
            return Ok(Credential::Pass(pass));
        }
        let event = if text.contains('.') { Event::WrongPass } else { Event::WrongToken };
        Err(self.refuse(&mut state, event, client))
    }

    fn by_halves(&self, state: &mut State, cookie: &Digest, key: &str) -> Option<Principal> {
        let (access, sign_in, is_stale) = state.sign_ins.by_halves(cookie, key, now())?;
        if is_stale {
            self.touch();
        }
        Some(Principal { access, sign_in: Some(sign_in) })
    }

    fn limited(&self, state: &State, client: Client) -> Option<Denied> {
        let wait = state.guesses.wait(client, Instant::now())?;
        self.audit.note(Event::Limited, client, Details::default());
        Some(Denied::Limited(wait))
    }

    /// Counts a wrong guess.
    fn refuse(&self, state: &mut State, event: Event, client: Client) -> Denied {
        self.limited(state, client).unwrap_or_else(|| {
            state.guesses.charge(client, Instant::now());
            self.audit.note(event, client, Details::default());
            Denied::Wrong
        })
    }

    /// Refuses what is no sign-in. A right cookie without any key is no guess, and not counted: else another server on the same host,
    /// which is sent the cookie, could have it sent so often that nobody at that address can log in by the link.
    fn refuse_halves(&self, state: &mut State, has_cookie: bool, key: &str, client: Client) -> Denied {
        if has_cookie && key.is_empty() {
            self.audit.note(Event::WrongSignIn, client, Details::default());
            return Denied::Wrong;
        }
        self.refuse(state, Event::WrongSignIn, client)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing under this lock panics half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeping sign-ins.
impl Auth {
    /// Writes what the log only counts, when its time has come. Never ends.
    pub(crate) async fn write_counts(&self) {
        self.audit.write_counts().await;
    }

    /// What outlives the server now.
    pub(crate) fn snapshot(&self) -> Saved {
        Saved { share_key: self.share_key.clone(), sign_ins: self.state().sign_ins.records(now()) }
    }

    /// Saves with the keeper, by `save`, what there is and what changes; it says whether that went well. Never ends.
    pub(crate) async fn save_with_keeper(&self, save: impl AsyncFn(Saved) -> bool) {
        self.save(&self.keeper, save).await;
    }

    /// Saves on the disk, by `save`, what there is and what changes; it says whether that went well. Never ends.
    pub(crate) async fn save_on_disk(&self, save: impl AsyncFn(Saved) -> bool) {
        self.save(&self.disk, save).await;
    }

    async fn save(&self, place: &Place, save: impl AsyncFn(Saved) -> bool) {
        place.is_used.store(true, Ordering::Relaxed);
        let mut changed = self.changed.subscribe();
        changed.mark_changed();
        while changed.changed().await.is_ok() {
            let change = *changed.borrow_and_update();
            let went_well = save(self.snapshot()).await;
            place.saved.send_replace((change, went_well));
        }
    }

    /// Waits until the keeper has everything that has changed so far, so that a kill of the server cannot undo it. False if
    /// that could not be done.
    pub async fn kept(&self) -> bool {
        let change = *self.changed.borrow();
        self.keeper.has(change).await
    }

    /// Waits until everything that has changed so far is saved, so that not even a restart can undo it. False if that could not
    /// be done.
    pub async fn saved(&self) -> bool {
        let change = *self.changed.borrow();
        let (kept, written) = tokio::join!(self.keeper.has(change), self.disk.has(change));
        kept && written
    }

    fn touch(&self) {
        self.changed.send_modify(|changes| *changes += 1);
    }
}

impl Place {
    /// Waits until a change is saved here, if anything is.
    async fn has(&self, change: u64) -> bool {
        if !self.is_used.load(Ordering::Relaxed) {
            return true;
        }
        let mut saved = self.saved.subscribe();
        // The sender is this very struct's.
        saved.wait_for(|(saved, _)| *saved >= change).await.is_ok_and(|saved| saved.1)
    }
}

#[cfg(test)]
mod tests;
