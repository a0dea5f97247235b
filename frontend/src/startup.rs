//! The start of the page, from the link to the first terminal.
//!
//! A user who opens the page wants a prompt. So the terminal that was shown last appears first, and
//! the rest of the page follows. This module uses nothing of Leptos but its functions for window
//! and document, since the rest of it takes much longer to load and to start.

use leptos::prelude::{document, window};
use limpet_shared::{
    SessionId,
    api::{Access, CreateSession, SessionInfo},
};
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::HtmlElement;

use crate::{
    access_url,
    api::{self, Error},
    dom, preconnect, storage,
    tabs::model::TabList,
    terminal::{Appearance, startup_pane::StartupPane},
    themes,
};

const WRONG_TOKEN: &str = "Wrong token. If limpet was restarted, use the link it printed last.";
const WRONG_PASS: &str = "This invitation has expired. Ask for a new one.";

/// The result of the start.
pub struct Startup {
    /// The result of logging in.
    pub login: LoginResult,
    /// The terminal that is shown already.
    pub startup_pane: Option<StartupPane>,
}

/// The state after logging in, or after failing to.
pub enum LoginResult {
    /// The server requires a token. If one was tried, the text says why it was refused.
    LoggedOut(Option<String>),
    /// The server could not be reached, or refuses this page.
    Failed(Error),
    /// The browser is signed in.
    Welcome(Welcome),
}

/// The sessions that a signed-in browser has access to.
pub struct Welcome {
    /// True if this browser is an owner's.
    pub owner: bool,
    /// The server's sessions. If there were none, one was started for an owner.
    pub sessions: Vec<SessionInfo>,
    /// The session that an invitation is for, or that was started.
    pub first: Option<SessionId>,
    /// The reason why no session could be started.
    pub problem: Option<Error>,
    /// True if this browser has just logged in, so that it has yet to prove that it stores its
    /// sign-in.
    pub is_new: bool,
}

/// Logs in with the link's token, if there is one, and shows a terminal in the skeleton of
/// index.html.
pub async fn start() -> Startup {
    let login = log_in_from_link().await;
    preconnect::xterm_loaded().await;
    let startup_pane = match &login {
        LoginResult::Welcome(welcome) => show_first(welcome).await,
        LoginResult::LoggedOut(_) | LoginResult::Failed(_) => None,
    };
    preconnect::finish_startup();
    Startup { login, startup_pane }
}

/// Logs in with the token in the URL, if there is one, else with the stored sign-in. The token
/// stays in the URL until the server has answered, so that a retry or a reload works.
pub async fn log_in_from_link() -> LoginResult {
    let fragment = window().location().hash().unwrap_or_default();
    let Some(token) = access_url::token_in_fragment(&fragment) else { return fetch_access().await };
    let login = log_in(token.to_owned()).await;
    if !matches!(login, LoginResult::Failed(_)) {
        drop_fragment();
    }
    login
}

/// Exchanges a token for a sign-in, and asks for the server's sessions.
pub async fn log_in(token: String) -> LoginResult {
    let invited_to = access_url::session_of_pass(&token);
    let problem = if invited_to.is_some() { WRONG_PASS } else { WRONG_TOKEN };
    match api::login(token).await {
        Ok(access) => LoginResult::Welcome(Welcome { is_new: true, ..welcome(access, invited_to).await }),
        // The user may be logged in already and have opened an old link.
        Err(Error::Unauthorized) => fetch_access_or(Some(problem.to_owned())).await,
        // Too many wrong tokens came from this address.
        Err(Error::LimitReached(message)) => fetch_access_or(Some(message)).await,
        Err(error) => LoginResult::Failed(error),
    }
}

/// Asks for the server's sessions with the stored sign-in.
async fn fetch_access() -> LoginResult {
    fetch_access_or(None).await
}

/// Does the same; `problem` is the reason why an earlier log-in failed.
async fn fetch_access_or(problem: Option<String>) -> LoginResult {
    match api::access().await {
        Ok(access) => LoginResult::Welcome(welcome(access, None).await),
        Err(Error::Unauthorized) => LoginResult::LoggedOut(problem),
        Err(error) => LoginResult::Failed(error),
    }
}

async fn welcome(Access { owner, mut sessions, .. }: Access, mut first: Option<SessionId>) -> Welcome {
    let mut problem = None;
    if sessions.is_empty() && owner {
        match api::create(&CreateSession::default()).await {
            Ok(session) => {
                first = Some(session.id.clone());
                sessions.push(session);
            }
            Err(error) => problem = Some(error),
        }
    }
    Welcome { owner, sessions, first, problem, is_new: false }
}

async fn show_first(Welcome { sessions, first, .. }: &Welcome) -> Option<StartupPane> {
    let mut tabs = TabList::default();
    tabs.restore(sessions.clone(), &storage::arrangement(), first.as_ref());
    let tab = tabs.active()?;
    let session = tab.kind.session()?.clone();
    let place = skeleton(".place")?;
    if !tab.role.may_write()
        && let Some(keys) = skeleton(".key-bar")
    {
        keys.remove();
    }
    let light = dom::prefers_light().is_some_and(|query| query.matches());
    let settings = storage::settings();
    let appearance = Appearance::new(&settings, settings.theme(themes::preferred_appearance(light)));
    Some(StartupPane::show(&place, session, &appearance).await)
}

/// Returns a part of the skeleton.
fn skeleton(part: &str) -> Option<HtmlElement> {
    let found = document().query_selector(&format!(".skeleton {part}")).ok()?;
    found?.dyn_into().ok()
}

/// Removes the token from the URL, so that it is neither visible nor stored in the history.
fn drop_fragment() {
    let location = window().location();
    let address =
        format!("{}{}", location.pathname().unwrap_or_default(), location.search().unwrap_or_default());
    // The URL is that of this very document, so the browser does not refuse.
    if let Ok(history) = window().history() {
        let _ = history.replace_state_with_url(&JsValue::NULL, "", Some(&address));
    }
}
