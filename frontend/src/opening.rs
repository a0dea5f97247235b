//! From the link to the first terminal.
//!
//! Whoever opens the page came for a prompt. So the terminal that was shown last is there first, and what is around it
//! follows. Nothing here uses more of Leptos than its names for window and document: what does takes much longer to load and to
//! start.

use leptos::prelude::{document, window};
use limpet_shared::{
    SessionId,
    api::{Access, CreateSession, SessionInfo},
};
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::HtmlElement;

use crate::{
    ahead,
    api::{self, Error},
    dom, link, storage,
    tabs::model::TabList,
    terminal::{Appearance, early::Early},
    themes,
};

const WRONG_TOKEN: &str = "Wrong token. If limpet was restarted, use the link it printed last.";
const WRONG_PASS: &str = "This invitation has expired. Ask for a new one.";
const LIMITED: &str = "Too many log-ins came from this network address. Wait a minute, then try again.";

/// What the page begins with.
pub struct Opening {
    /// What the server said.
    pub entry: Entry,
    /// The terminal that is there already.
    pub early: Option<Early>,
}

/// What the server says to who comes.
pub enum Entry {
    /// It wants a token; why, if one was tried.
    LoggedOut(Option<&'static str>),
    /// It could not be asked.
    Failed(String),
    /// Come in.
    Welcome(Welcome),
}

/// What is there to be seen.
pub struct Welcome {
    /// Whether this browser may do everything.
    pub owner: bool,
    /// What the server has; one of them was started just now if it had none.
    pub sessions: Vec<SessionInfo>,
    /// The one that an invitation is for, or that was started.
    pub first: Option<SessionId>,
    /// Why none could be started.
    pub problem: Option<Error>,
}

/// Logs in with the link's token, if there is one, and shows a terminal in the skeleton that index.html has.
pub async fn open() -> Opening {
    let fragment = window().location().hash().unwrap_or_default();
    let entry = match link::token_in_fragment(&fragment) {
        Some(token) => {
            drop_fragment();
            log_in(token.to_owned()).await
        }
        None => enter().await,
    };
    ahead::terminal().await;
    let early = match &entry {
        Entry::Welcome(welcome) => show_first(welcome).await,
        Entry::LoggedOut(_) | Entry::Failed(_) => None,
    };
    ahead::opened();
    Opening { entry, early }
}

/// Exchanges a token for a sign-in, and enters.
pub async fn log_in(token: String) -> Entry {
    let invited_to = link::session_of_pass(&token);
    let problem = if invited_to.is_some() { WRONG_PASS } else { WRONG_TOKEN };
    match api::login(token).await {
        Ok(access) => Entry::Welcome(welcome(access, invited_to).await),
        // Somebody who is logged in already may well have opened an old link.
        Err(Error::Unauthorized) => enter_or(Some(problem)).await,
        Err(Error::Refused(_)) => enter_or(Some(LIMITED)).await,
        Err(error) => Entry::Failed(error.to_string()),
    }
}

/// Asks for what the server has.
pub async fn enter() -> Entry {
    enter_or(None).await
}

/// The same; `problem` is why one is not logged in.
async fn enter_or(problem: Option<&'static str>) -> Entry {
    match api::access().await {
        Ok(access) => Entry::Welcome(welcome(access, None).await),
        Err(Error::Unauthorized) => Entry::LoggedOut(problem),
        Err(error) => Entry::Failed(error.to_string()),
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
    Welcome { owner, sessions, first, problem }
}

async fn show_first(Welcome { sessions, first, .. }: &Welcome) -> Option<Early> {
    let mut tabs = TabList::default();
    tabs.enter(sessions.clone(), &storage::arrangement(), first.as_ref());
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
    let look = Appearance::new(&settings, settings.theme(themes::appearance(light)));
    Some(Early::show(&place, session, &look).await)
}

/// A part of the skeleton.
fn skeleton(part: &str) -> Option<HtmlElement> {
    let found = document().query_selector(&format!(".skeleton {part}")).ok()?;
    found?.dyn_into().ok()
}

/// Takes the token out of the address, so that it is neither seen nor kept in the history.
fn drop_fragment() {
    let location = window().location();
    let address =
        format!("{}{}", location.pathname().unwrap_or_default(), location.search().unwrap_or_default());
    // The URL is that of this very document, so the browser does not refuse.
    if let Ok(history) = window().history() {
        let _ = history.replace_state_with_url(&JsValue::NULL, "", Some(&address));
    }
}
