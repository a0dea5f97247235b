//! Authentication: credentials, sign-ins and the limit on guesses.
//!
//! | credential | allows | rate-limited? |
//! |---|---|---|
//! | the token, as `Authorization: Bearer` or to log in | everything | yes |
//! | a pass, of a share link, in the same places | the pass's role at one session | yes |
//! | both halves of a [sign-in](sign_ins): cookie and key | what the browser logged in with | no |
//!
//! **The rate limiter decides before anything is compared**, by address. While it is active it
//! answers right and wrong credentials alike, so that an answer reveals nothing. Both halves of a
//! sign-in are exempt: they are 512 random bits, so a client that shows them has not guessed them,
//! and every guess would get the same answer. Guessing therefore cannot lock out a browser that is
//! signed in, not even from an address that an owner uses too, for example behind a proxy. Invalid
//! halves count like a wrong token.

mod access;
mod audit;
mod client;
mod limiter;
mod secret;
mod share;
mod sign_in_file;
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
    sign_ins::{SignInRef, ViewerGuard},
};
pub(crate) use self::{
    audit::TARGET as AUDIT_TARGET,
    sign_in_file::{SavedAccess, SignInFile},
};
use self::{
    audit::{Audit, Details, Event},
    limiter::{Limiter, Rate},
    secret::Digest,
    share::ShareKey,
    sign_ins::{SignIns, now_millis, session_of},
};
use crate::config::{BasePath, Token};

/// Number of wrong credentials that an address may show.
const GUESS_RATE: Rate = Rate { burst: 10, interval: Duration::from_secs(4) };

/// Number of sign-ins that are allowed from one address. Each is a record that is saved.
const SIGN_IN_RATE: Rate = Rate { burst: 64, interval: Duration::from_secs(1) };

/// Maximum number of a request's cookies that are checked. Another server on the same host may set
/// cookies of the same name.
const MAX_COOKIES: usize = 4;

/// The credentials that a request carries.
#[derive(Clone, Copy, Default)]
pub struct Credentials<'a> {
    /// The token of an `Authorization: Bearer` header (RFC 6750, 2.1).
    pub bearer: Option<&'a str>,
    /// The `Cookie` header.
    pub cookies: Option<&'a str>,
    /// The key of a sign-in.
    pub key: Option<&'a str>,
}

/// A client that was let in.
#[derive(Clone, Debug)]
pub struct Principal {
    /// What the client may do.
    pub access: Access,
    /// The client's sign-in, or `None` if it shows a token or a pass with each request.
    pub sign_in: Option<SignInRef>,
}

/// A client that has shown half of a sign-in. It learns nothing before it has shown the other half.
#[derive(Clone, Debug)]
pub struct HalfSignIn(Digest);

/// A browser that has signed in.
#[derive(Debug)]
pub struct SignedIn {
    /// What the browser may do.
    pub access: Access,
    /// The half that goes into a cookie.
    pub cookie: String,
    /// The half that the page keeps.
    pub key: SignInKey,
}

/// The reason why a client is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// The client has shown no credentials.
    NoCredentials,
    /// The credentials are wrong.
    Wrong,
    /// Nothing was compared, because the address has shown too many wrong credentials. The client
    /// may try again after this time.
    RateLimited(Duration),
    /// There are too many sign-ins from this address, or by this share link.
    TooManySignIns,
}

/// Checks credentials and stores the sign-ins.
#[derive(Debug)]
pub struct Auth {
    token: Digest,
    share_key: ShareKey,
    cookie_name: String,
    state: Mutex<State>,
    audit: Audit,
    /// Number of changes so far that have to be saved.
    changed: watch::Sender<u64>,
    keeper_target: SaveTarget,
    disk_target: SaveTarget,
}

/// The state of saving at one place: with the keeper or on disk.
#[derive(Debug, Default)]
struct SaveTarget {
    /// The last change that was saved, and whether saving succeeded.
    saved: watch::Sender<(u64, bool)>,
    is_used: AtomicBool,
}

#[derive(Debug)]
struct State {
    sign_ins: SignIns,
    guess_limiter: Limiter,
    sign_in_limiter: Limiter,
}

impl Auth {
    /// Creates a checker for this token, with the state that an earlier server has saved.
    #[must_use]
    pub(crate) fn new(token: &Token, saved: Option<SavedAccess>) -> Self {
        let saved =
            saved.unwrap_or_else(|| SavedAccess { share_key: ShareKey::random(), sign_ins: Vec::new() });
        let sign_ins = SignIns::restore(saved.sign_ins);
        let (guess_limiter, sign_in_limiter) = (Limiter::new(GUESS_RATE), Limiter::new(SIGN_IN_RATE));
        Self {
            token: Digest::of(token.reveal()),
            cookie_name: saved.share_key.cookie_name(),
            share_key: saved.share_key,
            state: Mutex::new(State { sign_ins, guess_limiter, sign_in_limiter }),
            audit: Audit::default(),
            changed: watch::Sender::new(0),
            keeper_target: SaveTarget::default(),
            disk_target: SaveTarget::default(),
        }
    }

    /// Lets a client in if its credentials are sufficient.
    ///
    /// # Errors
    /// The reason why the client is [`Denied`].
    pub fn authenticate(&self, shown: Credentials<'_>, client: Client) -> Result<Principal, Denied> {
        if let Some(token) = shown.bearer {
            let credential = self.check_token_or_pass(token, client)?;
            if let Some(session) = session_of(&credential) {
                let details = Details { session: Some(session), ..Details::default() };
                self.audit.record(Event::LinkUsed, client, details);
            }
            return Ok(Principal { access: credential.into(), sign_in: None });
        }
        let mut cookies = self.own_cookies(shown.cookies).peekable();
        if cookies.peek().is_none() {
            return Err(Denied::NoCredentials);
        }
        let key = shown.key.unwrap_or_default();
        let mut state = self.state();
        let own = cookies.filter_map(|cookie| state.sign_ins.known_cookie(cookie, now_millis()));
        let own = own.collect::<Vec<_>>();
        let found = own.iter().find_map(|cookie| self.authenticate_halves(&mut state, cookie, key));
        found.ok_or_else(|| self.refuse_halves(&mut state, !own.is_empty(), key, client))
    }

    /// Accepts half of a sign-in. Browsers send a cookie with a WebSocket, but no other header, so
    /// the key can only follow later.
    ///
    /// # Errors
    /// The reason why the client is [`Denied`].
    pub fn accept_cookie(&self, shown: Credentials<'_>, client: Client) -> Result<HalfSignIn, Denied> {
        let mut cookies = self.own_cookies(shown.cookies).peekable();
        if cookies.peek().is_none() {
            return Err(Denied::NoCredentials);
        }
        let mut state = self.state();
        let half = cookies.find_map(|cookie| state.sign_ins.known_cookie(cookie, now_millis()));
        half.map(HalfSignIn).ok_or_else(|| self.refuse_guess(&mut state, Event::WrongSignIn, client))
    }

    /// Returns the role that half a sign-in will have at a session once the other half is shown.
    /// The client must not learn it before.
    pub(crate) fn expected_role(&self, HalfSignIn(cookie): &HalfSignIn, session: &SessionId) -> Option<Role> {
        self.state().sign_ins.role_by_cookie(cookie, session, now_millis())
    }

    /// Lets a client in that has shown half of a sign-in before and shows the other half now.
    ///
    /// # Errors
    /// The reason why the client is [`Denied`].
    pub fn complete_sign_in(
        &self,
        HalfSignIn(cookie): &HalfSignIn,
        key: Option<&SignInKey>,
        client: Client,
    ) -> Result<Principal, Denied> {
        let mut state = self.state();
        let key = key.map_or("", SignInKey::reveal);
        let found = self.authenticate_halves(&mut state, cookie, key);
        found.ok_or_else(|| self.refuse_halves(&mut state, true, key, client))
    }

    /// Signs in a browser that has a token or a pass. If `shown` is a sign-in, extends that one.
    ///
    /// # Errors
    /// The reason why the client is [`Denied`].
    pub fn sign_in(
        &self,
        token: &str,
        shown: Credentials<'_>,
        client: Client,
        agent: &str,
    ) -> Result<SignedIn, Denied> {
        let credential = self.check_token_or_pass(token, client)?;
        let mut state = self.state();
        let instant = Instant::now();
        if state.sign_in_limiter.retry_after(client, instant).is_some() {
            self.audit.record(Event::TooManySignIns, client, Details::default());
            return Err(Denied::TooManySignIns);
        }
        state.sign_in_limiter.record_attempt(client, instant);

        let key = shown.key.unwrap_or_default();
        let known = self.own_cookies(shown.cookies).find_map(|cookie| {
            let principal = self.authenticate_halves(&mut state, &Digest::of(cookie), key)?;
            Some((cookie.to_owned(), principal.sign_in?.id))
        });
        if known.is_none() && credential == Credential::Token {
            // The browser has lost its key, so its earlier sign-in is of no use any more.
            for cookie in self.own_cookies(shown.cookies) {
                state.sign_ins.remove_by_cookie(&Digest::of(cookie));
            }
        }
        let session = session_of(&credential).cloned();
        let from = client.address().map(|address| address.to_string()).unwrap_or_default();
        let known_id = known.as_ref().map(|(_, id)| id.as_str());
        let signed_in = state.sign_ins.sign_in(credential, known_id, (from, agent), now_millis());
        drop(state);
        let Ok(signed_in) = signed_in else {
            self.audit.record(
                Event::TooManySignIns,
                client,
                Details { session: session.as_ref(), ..Details::default() },
            );
            return Err(Denied::TooManySignIns);
        };
        if signed_in.is_changed {
            self.mark_changed();
        }
        if let Some(displaced) = &signed_in.displaced {
            self.audit.record(Event::Displaced, client, Details { sign_in: Some(displaced), session: None });
        }
        let event = if session.is_none() { Event::SignedIn } else { Event::GuestSignedIn };
        self.audit.record(event, client, Details { sign_in: Some(&signed_in.id), session: session.as_ref() });
        let (cookie, key) = match signed_in.new_secrets {
            Some(secrets) => (secrets.cookie.reveal().to_owned(), secrets.key),
            None => (known.map(|(cookie, _)| cookie).unwrap_or_default(), SignInKey::new(key.to_owned())),
        };
        Ok(SignedIn { access: signed_in.access, cookie, key })
    }

    /// Ends a sign-in at its own request.
    pub fn sign_out(&self, sign_in: &SignInRef, client: Client) {
        if self.state().sign_ins.remove(&sign_in.id) {
            let details = Details { sign_in: Some(&sign_in.id), session: None };
            self.audit.record(Event::SignedOut, client, details);
            self.mark_changed();
        }
    }

    /// Ends the sign-in with this id at an owner's request. Returns false if there is none.
    pub fn revoke(&self, id: &str, client: Client) -> bool {
        let found = self.state().sign_ins.remove(id);
        if found {
            self.audit.record(Event::Revoked, client, Details { sign_in: Some(id), session: None });
            self.mark_changed();
        }
        found
    }

    /// Lists all sign-ins for an owner. `you` is the owner's own sign-in.
    #[must_use]
    pub fn sign_ins(&self, you: Option<&SignInRef>) -> Vec<api::SignIn> {
        self.state().sign_ins.list(you.map(|you| you.id.as_str()), now_millis())
    }

    /// Returns the text of a pass. It is valid as long as the session and the key of share links
    /// exist.
    #[must_use]
    pub fn encode_pass(&self, pass: &Pass) -> String {
        self.share_key.encode_pass(pass)
    }

    /// Records that an owner has seen the passes of a session.
    pub fn record_passes_shown(&self, session: &SessionId, client: Client) {
        self.audit.record(Event::LinksShown, client, Details { session: Some(session), sign_in: None });
    }

    /// Returns the `Set-Cookie` header (RFC 6265, 4.1) for this value. Scripts cannot read the
    /// cookie, other sites cannot cause it to be sent, and it is restricted to encrypted
    /// connections if it was set over one.
    #[must_use]
    pub fn set_cookie(&self, value: &str, path: &BasePath, is_encrypted: bool) -> String {
        self.cookie_header(value, sign_ins::UNUSED_LIFETIME, path, is_encrypted)
    }

    /// Returns the `Set-Cookie` header that deletes the cookie.
    #[must_use]
    pub fn clear_cookie(&self, path: &BasePath, is_encrypted: bool) -> String {
        self.cookie_header("", Duration::ZERO, path, is_encrypted)
    }

    fn cookie_header(&self, value: &str, max_age: Duration, path: &BasePath, is_encrypted: bool) -> String {
        let (name, max_age) = (&self.cookie_name, max_age.as_secs());
        let secure = if is_encrypted { "; Secure" } else { "" };
        format!("{name}={value}; Path={path}; Max-Age={max_age}; HttpOnly; SameSite=Strict{secure}")
    }

    /// Returns the value of this server's cookie in a `Cookie` header, if there is exactly one.
    #[must_use]
    pub fn own_cookie<'a>(&'a self, header: &'a str) -> Option<&'a str> {
        let mut cookies = self.own_cookies(Some(header));
        cookies.next().filter(|_| cookies.next().is_none())
    }

    /// Returns the values of this server's cookies in a `Cookie` header (RFC 6265, 4.2).
    fn own_cookies<'a>(&'a self, header: Option<&'a str>) -> impl Iterator<Item = &'a str> {
        let pairs = header.unwrap_or_default().split(';').filter_map(|pair| pair.trim().split_once('='));
        let own = pairs.filter(|&(name, value)| name == self.cookie_name && !value.is_empty());
        own.map(|(_, value)| value).take(MAX_COOKIES)
    }

    /// Checks a token or a pass, which may be a guess.
    fn check_token_or_pass(&self, text: &str, client: Client) -> Result<Credential, Denied> {
        let mut state = self.state();
        if let Some(denied) = self.check_rate_limit(&state, client) {
            return Err(denied);
        }
        if self.token.matches(text) {
            return Ok(Credential::Token);
        }
        if let Some(pass) = self.share_key.decode_pass(text) {
            return Ok(Credential::Pass(pass));
        }
        let event = if text.contains('.') { Event::WrongPass } else { Event::WrongToken };
        Err(self.refuse_guess(&mut state, event, client))
    }

    fn authenticate_halves(&self, state: &mut State, cookie: &Digest, key: &str) -> Option<Principal> {
        let (access, sign_in, is_stale) = state.sign_ins.authenticate(cookie, key, now_millis())?;
        if is_stale {
            self.mark_changed();
        }
        Some(Principal { access, sign_in: Some(sign_in) })
    }

    fn check_rate_limit(&self, state: &State, client: Client) -> Option<Denied> {
        let wait = state.guess_limiter.retry_after(client, Instant::now())?;
        self.audit.record(Event::RateLimited, client, Details::default());
        Some(Denied::RateLimited(wait))
    }

    /// Records a wrong guess.
    fn refuse_guess(&self, state: &mut State, event: Event, client: Client) -> Denied {
        self.check_rate_limit(state, client).unwrap_or_else(|| {
            state.guess_limiter.record_attempt(client, Instant::now());
            self.audit.record(event, client, Details::default());
            Denied::Wrong
        })
    }

    /// Refuses an invalid sign-in. A right cookie without any key is not counted as a guess.
    /// Otherwise another server on the same host, to which browsers send the cookie too, could
    /// replay it until nobody at that address can log in by the link.
    fn refuse_halves(&self, state: &mut State, has_cookie: bool, key: &str, client: Client) -> Denied {
        if has_cookie && key.is_empty() {
            self.audit.record(Event::WrongSignIn, client, Details::default());
            return Denied::Wrong;
        }
        self.refuse_guess(state, Event::WrongSignIn, client)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code under this lock panics half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Saving of sign-ins.
impl Auth {
    /// Logs repeated events, which are only counted at first, when their time has come. Never
    /// returns.
    pub(crate) async fn log_repeats(&self) {
        self.audit.log_repeats().await;
    }

    /// Returns the state that outlives the server.
    pub(crate) fn snapshot(&self) -> SavedAccess {
        let sign_ins = self.state().sign_ins.records_to_save(now_millis());
        SavedAccess { share_key: self.share_key.clone(), sign_ins }
    }

    /// Calls `save` with the current state and after each change, to store it with the keeper.
    /// `save` returns whether it succeeded. Never returns.
    pub(crate) async fn save_with_keeper(&self, save: impl AsyncFn(SavedAccess) -> bool) {
        self.save(&self.keeper_target, save).await;
    }

    /// Calls `save` with the current state and after each change, to store it on disk. `save`
    /// returns whether it succeeded. Never returns.
    pub(crate) async fn save_on_disk(&self, save: impl AsyncFn(SavedAccess) -> bool) {
        self.save(&self.disk_target, save).await;
    }

    async fn save(&self, target: &SaveTarget, save: impl AsyncFn(SavedAccess) -> bool) {
        target.is_used.store(true, Ordering::Relaxed);
        let mut changed = self.changed.subscribe();
        changed.mark_changed();
        while changed.changed().await.is_ok() {
            let change = *changed.borrow_and_update();
            let succeeded = save(self.snapshot()).await;
            target.saved.send_replace((change, succeeded));
        }
    }

    /// Waits until the keeper has all changes so far, so that a kill of the server cannot undo
    /// them. Returns false if saving failed.
    pub async fn wait_until_saved_with_keeper(&self) -> bool {
        let change = *self.changed.borrow();
        self.keeper_target.wait_until_saved(change).await
    }

    /// Waits until all changes so far are saved, so that not even a restart can undo them. Returns
    /// false if saving failed.
    pub async fn wait_until_saved(&self) -> bool {
        let change = *self.changed.borrow();
        let (with_keeper, on_disk) = tokio::join!(
            self.keeper_target.wait_until_saved(change),
            self.disk_target.wait_until_saved(change)
        );
        with_keeper && on_disk
    }

    fn mark_changed(&self) {
        self.changed.send_modify(|changes| *changes += 1);
    }
}

impl SaveTarget {
    /// Waits until a change is saved here, if this target is used. Returns false if saving failed.
    async fn wait_until_saved(&self, change: u64) -> bool {
        if !self.is_used.load(Ordering::Relaxed) {
            return true;
        }
        let mut saved = self.saved.subscribe();
        // The sender belongs to `self`, so it is not dropped in the meantime.
        saved.wait_for(|(saved, _)| *saved >= change).await.is_ok_and(|saved| saved.1)
    }
}

#[cfg(test)]
mod tests;
