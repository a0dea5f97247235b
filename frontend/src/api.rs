//! The server's HTTP side, as the page uses it. The bodies are those of [`limpet_shared::api`].

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

use crate::{ahead, base, json};

/// Why a request was not answered as asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No answer at all.
    #[error("The server does not answer. Check that limpet runs and that the network is up.")]
    Unreachable,
    /// 401.
    #[error("You are not logged in.")]
    Unauthorized,
    /// 404: what was asked about is not there any more.
    #[error("The server no longer knows this terminal.")]
    NotFound,
    /// Any other refusal; the server says why and what to do.
    #[error("{0}")]
    Refused(String),
    /// An answer that is none of limpet's.
    #[error("Unexpected answer from the server. Reload the page.")]
    Unintelligible,
}

/// Exchanges the token or the pass of a link for a cookie and a key; gives what that lets this browser do.
///
/// # Errors
/// [`Error::Unauthorized`] when it is none of the server's.
pub async fn login(token: String) -> Result<Access, Error> {
    let access: Access = json(send("POST", "api/login", Some(&Login { token })).await?).await?;
    if let Some(key) = &access.key {
        ahead::keep_key(key.reveal());
    }
    Ok(access)
}

/// Signs this browser out.
///
/// # Errors
/// As the server refuses.
pub async fn logout() -> Result<(), Error> {
    match send("POST", "api/logout", NO_BODY).await {
        // Somebody was faster.
        Ok(_) | Err(Error::Unauthorized) => {
            ahead::keep_key("");
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// The browsers that are signed in.
///
/// # Errors
/// [`Error::Refused`] for guests.
pub async fn sign_ins() -> Result<Vec<SignIn>, Error> {
    json(send("GET", "api/sign-ins", NO_BODY).await?).await
}

/// Signs a browser out.
///
/// # Errors
/// [`Error::NotFound`] when it is signed out already.
pub async fn revoke(sign_in: &str) -> Result<(), Error> {
    send("DELETE", &format!("api/sign-ins/{sign_in}"), NO_BODY).await.map(drop)
}

/// What this browser may do altogether, and all sessions.
///
/// # Errors
/// As the server refuses.
pub async fn access() -> Result<Access, Error> {
    json(send("GET", "api/access", NO_BODY).await?).await
}

/// Starts a session.
///
/// # Errors
/// As the server refuses: too many, or no such program.
pub async fn create(session: &CreateSession) -> Result<SessionInfo, Error> {
    json(send("POST", "api/sessions", Some(session)).await?).await
}

/// One session, and what runs in it.
///
/// # Errors
/// [`Error::NotFound`] when it has gone.
pub async fn details(session: &SessionId) -> Result<SessionDetails, Error> {
    json(send("GET", &path(session), NO_BODY).await?).await
}

/// Changes a session: its title, or its rules.
///
/// # Errors
/// [`Error::NotFound`] when it has gone.
pub async fn update(session: &SessionId, update: &UpdateSession) -> Result<SessionInfo, Error> {
    json(send("PATCH", &path(session), Some(update)).await?).await
}

/// Passes that let others in to a session.
///
/// # Errors
/// [`Error::NotFound`] when it has gone; [`Error::Refused`] for guests.
pub async fn passes(session: &SessionId) -> Result<Vec<Pass>, Error> {
    json(send("GET", &format!("{}/passes", path(session)), NO_BODY).await?).await
}

/// Ends a session's program and forgets the session.
///
/// # Errors
/// [`Error::NotFound`] when it has gone already.
pub async fn delete(session: &SessionId) -> Result<(), Error> {
    send("DELETE", &path(session), NO_BODY).await.map(drop)
}

const NO_BODY: Option<&()> = None;

fn path(session: &SessionId) -> String {
    format!("api/sessions/{session}")
}

async fn send(method: &str, path: &str, body: Option<&impl Serialize>) -> Result<Response, Error> {
    let init = RequestInit::new();
    init.set_method(method);
    if let Some(body) = body {
        let text = json::write(body).map_err(|_| Error::Unintelligible)?;
        init.set_body(&JsValue::from_str(&text));
    }
    init.set_headers(&headers()?);
    let ask = || leptos::prelude::window().fetch_with_str_and_init(&base::url(path), &init);
    let answer = ahead::answer(path).unwrap_or_else(ask);
    let response = JsFuture::from(answer).await.map_err(|_| Error::Unreachable)?;
    let response: Response = response.dyn_into().map_err(|_| Error::Unintelligible)?;
    if response.ok() { Ok(response) } else { Err(refusal(response).await) }
}

/// Those of every request.
pub(crate) fn headers() -> Result<JsValue, Error> {
    let headers = Headers::new().map_err(|_| Error::Unreachable)?;
    let set = |name, value: &str| headers.set(name, value).map_err(|_| Error::Unreachable);
    set("Content-Type", "application/json")?;
    set(KEY_HEADER, &ahead::key())?;
    Ok(headers.into())
}

async fn refusal(response: Response) -> Error {
    match response.status() {
        401 => Error::Unauthorized,
        404 => Error::NotFound,
        // What a proxy says in the place of a server that is not there.
        502..=504 => json::<ApiError>(response)
            .await
            .map_or(Error::Unreachable, |e| Error::Refused(sentence(e.message))),
        _ => json::<ApiError>(response)
            .await
            .map_or_else(|error| error, |e| Error::Refused(sentence(e.message))),
    }
}

/// What the server says in a message, as a sentence beside the page's own. The first module has no room for Unicode's tables.
fn sentence(mut message: String) -> String {
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
    let text = text.as_string().ok_or(Error::Unintelligible)?;
    json::read(&text).map_err(|_| Error::Unintelligible)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_says_is_read_as_a_sentence() {
        for (said, shown) in [("no; try again", "No; try again."), ("é", "é."), ("It is.", "It is.")] {
            assert_eq!(sentence(said.to_owned()), shown);
        }
    }
}
