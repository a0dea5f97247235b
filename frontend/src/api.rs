//! The client of the server's HTTP API. The bodies are the types of [`limpet_shared::api`].

mod listed;

use limpet_shared::{
    SessionId,
    api::{
        Access, ApiError, CreateSession, KEY_HEADER, Login, Pass, SessionDetails, SessionInfo, SignIn,
        UpdateSession,
    },
};
use serde::{Serialize, de::DeserializeOwned};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Headers, RequestInit, Response};

use self::listed::Listed;
use crate::{json, preconnect, urls};

/// The reason why a request failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No answer at all.
    #[error("Cannot reach limpet. Check that it is running and that the network is up.")]
    Unreachable,
    /// Status 401.
    #[error("You are not logged in.")]
    Unauthorized,
    /// Status 404: the requested object no longer exists.
    #[error("The server no longer knows this terminal.")]
    NotFound,
    /// Status 429: a limit is reached; the server's message names it.
    #[error("{0}")]
    LimitReached(String),
    /// Any other refusal; the server's message says why and what to do.
    #[error("{0}")]
    Refused(String),
    /// An answer that does not come from limpet.
    #[error("Unexpected answer from the server. Reload the page.")]
    UnexpectedAnswer,
}

/// Exchanges the token or the pass in a link for a cookie and a key. Returns this browser's access.
///
/// # Errors
/// [`Error::Unauthorized`] if the server does not know the token.
pub async fn login(token: String) -> Result<Access, Error> {
    let access = listed::access(json(send("POST", "api/login", Some(&Login { token })).await?).await?);
    if let Some(key) = &access.key {
        preconnect::store_sign_in_key(key.reveal());
    }
    Ok(access)
}

/// Signs this browser out.
///
/// # Errors
/// Any [`Error`], if the server refuses or does not answer.
pub async fn logout() -> Result<(), Error> {
    match send("POST", "api/logout", NO_BODY).await {
        // This browser was already signed out, for example from another window.
        Ok(_) | Err(Error::Unauthorized) => {
            preconnect::store_sign_in_key("");
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// Returns the browsers that are signed in.
///
/// # Errors
/// [`Error::Refused`] for guests.
pub async fn sign_ins() -> Result<Vec<SignIn>, Error> {
    json(send("GET", "api/sign-ins", NO_BODY).await?).await
}

/// Signs out another browser.
///
/// # Errors
/// [`Error::NotFound`] if it is signed out already.
pub async fn revoke(sign_in: &str) -> Result<(), Error> {
    send("DELETE", &format!("api/sign-ins/{sign_in}"), NO_BODY).await.map(drop)
}

/// Returns this browser's access and all sessions that it may see.
///
/// # Errors
/// Any [`Error`], if the server refuses or does not answer.
pub async fn access() -> Result<Access, Error> {
    Ok(listed::access(json(send("GET", "api/access", NO_BODY).await?).await?))
}

/// Starts a session.
///
/// # Errors
/// [`Error::LimitReached`] if there are too many sessions, [`Error::Refused`] if the program does
/// not exist, [`Error::NotFound`] if the session in [`CreateSession::like`] is gone.
pub async fn create(session: &CreateSession) -> Result<SessionInfo, Error> {
    json::<Listed>(send("POST", "api/sessions", Some(session)).await?).await.map(SessionInfo::from)
}

/// Returns a session and the programs that run in it.
///
/// # Errors
/// [`Error::NotFound`] if the session is gone.
pub async fn details(session: &SessionId) -> Result<SessionDetails, Error> {
    json(send("GET", &path(session), NO_BODY).await?).await
}

/// Changes a session's title, rules or size.
///
/// # Errors
/// [`Error::NotFound`] if the session is gone.
pub async fn update(session: &SessionId, update: &UpdateSession) -> Result<SessionInfo, Error> {
    json::<Listed>(send("PATCH", &path(session), Some(update)).await?).await.map(SessionInfo::from)
}

/// Returns the passes that let guests into a session.
///
/// # Errors
/// [`Error::NotFound`] if the session is gone; [`Error::Refused`] for guests.
pub async fn passes(session: &SessionId) -> Result<Vec<Pass>, Error> {
    json(send("GET", &format!("{}/passes", path(session)), NO_BODY).await?).await
}

/// The fate of background jobs when a session is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jobs {
    /// They are ended.
    End,
    /// Jobs that were started with `nohup`, or disowned, keep running.
    Keep,
}

/// Ends a session's program and forgets the session.
///
/// # Errors
/// [`Error::NotFound`] if the session is gone already.
pub async fn delete(session: &SessionId, jobs: Jobs) -> Result<(), Error> {
    let query = match jobs {
        Jobs::End => "",
        Jobs::Keep => "?jobs=keep",
    };
    send("DELETE", &(path(session) + query), NO_BODY).await.map(drop)
}

const NO_BODY: Option<&()> = None;

fn path(session: &SessionId) -> String {
    format!("api/sessions/{session}")
}

async fn send(method: &str, path: &str, body: Option<&impl Serialize>) -> Result<Response, Error> {
    let init = RequestInit::new();
    init.set_method(method);
    if let Some(body) = body {
        let text = json::write(body).map_err(|_| Error::UnexpectedAnswer)?;
        init.set_body(&JsValue::from_str(&text));
    }
    init.set_headers(&headers()?);
    let ask = || leptos::prelude::window().fetch_with_str_and_init(&urls::url(path), &init);
    let answer = preconnect::take_response(path).unwrap_or_else(ask);
    let response = JsFuture::from(answer).await.map_err(|_| Error::Unreachable)?;
    let response: Response = response.dyn_into().map_err(|_| Error::UnexpectedAnswer)?;
    ensure_success(response).await
}

/// Returns the response if its status is a success, and the matching error otherwise.
pub(crate) async fn ensure_success(response: Response) -> Result<Response, Error> {
    if response.ok() { Ok(response) } else { Err(read_error(response).await) }
}

/// Returns the headers that every request carries.
pub(crate) fn headers() -> Result<JsValue, Error> {
    let headers = Headers::new().map_err(|_| Error::Unreachable)?;
    let set = |name, value: &str| headers.set(name, value).map_err(|_| Error::Unreachable);
    set("Content-Type", "application/json")?;
    set(KEY_HEADER, &preconnect::sign_in_key())?;
    Ok(headers.into())
}

async fn read_error(response: Response) -> Error {
    match response.status() {
        401 => Error::Unauthorized,
        404 => Error::NotFound,
        // A reverse proxy answers with these when it cannot reach the server.
        502..=504 => json::<ApiError>(response)
            .await
            .map_or(Error::Unreachable, |e| Error::Refused(to_sentence(e.message))),
        status => {
            let kind = if status == 429 { Error::LimitReached } else { Error::Refused };
            json::<ApiError>(response).await.map_or_else(|error| error, |e| kind(to_sentence(e.message)))
        }
    }
}

/// Turns the server's message into a sentence in the page's style. Only ASCII is made upper case,
/// since Unicode's tables would make the first WebAssembly module larger.
fn to_sentence(mut message: String) -> String {
    if let Some(first) = message.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    if !message.ends_with('.') {
        message.push('.');
    }
    message
}

async fn json<T: DeserializeOwned>(response: Response) -> Result<T, Error> {
    let text = response.text().map_err(|_| Error::Unreachable)?;
    let text = JsFuture::from(text).await.map_err(|_| Error::Unreachable)?;
    let text = text.as_string().ok_or(Error::UnexpectedAnswer)?;
    json::read(&text).map_err(|_| Error::UnexpectedAnswer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_says_is_read_as_a_sentence() {
        for (said, shown) in [("no; try again", "No; try again."), ("é", "é."), ("It is.", "It is.")] {
            assert_eq!(to_sentence(said.to_owned()), shown);
        }
    }
}
