//! The handlers of the HTTP API that `limpet_shared::api` describes.

use axum::{
    Extension, Json,
    extract::{FromRequestParts, Path, State},
    http::{
        HeaderMap, StatusCode, Uri,
        header::{ACCEPT, SET_COOKIE},
        request::Parts,
    },
    response::{AppendHeaders, IntoResponse, Response},
};
use limpet_pty::EndMode;
use limpet_shared::{
    ErrorCode, Role, SessionId, WinsizeError,
    api::{self, CreateSession, Health, SessionDetails, SessionInfo, UpdateSession},
};

use super::{
    App,
    error::Refusal,
    guard::{self, FromClient},
    json::{JsonObject, OptionalJsonObject},
    sign_ins,
};
use crate::{
    auth::{self, Access, Principal},
    session::SessionHandle,
};

/// Media type of JSON in an `Accept` header.
const JSON_MEDIA_TYPE: &[u8] = b"application/json";

/// The session that a path names, and the client's role at it. A client without a role does not
/// learn that the session exists.
pub(super) struct SessionWithRole(pub(super) SessionHandle, pub(super) Role);

impl FromRequestParts<App> for SessionWithRole {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        let Path(id) = Path::<SessionId>::from_request_parts(parts, app).await?;
        let principal = parts.extensions.get::<Principal>().ok_or_else(Refusal::session_not_found)?;
        Self::find(app, &principal.access, &id).ok_or_else(Refusal::session_not_found)
    }
}

impl SessionWithRole {
    /// Finds the session with this id if the client may see it.
    pub(super) fn find(app: &App, access: &Access, id: &SessionId) -> Option<Self> {
        Some(Self(app.0.sessions.get(id)?, access.role_at(id)?))
    }
}

pub(super) async fn health() -> Json<Health> {
    Json(Health { version: env!("CARGO_PKG_VERSION").to_owned() })
}

/// Returns the client's access, and renews the cookie, so that a browser that comes back now and
/// then stays signed in.
pub(super) async fn access(
    State(app): State<App>,
    Extension(Principal { access, sign_in }): Extension<Principal>,
    headers: HeaderMap,
) -> Response {
    let response = Json(access_response(&app, &access));
    // If there are several cookies, some are from another server on the same host, and none is
    // renewed.
    let cookie = sign_in.and_then(|_| app.0.auth.own_cookie(guard::credentials_of(&headers).cookies?));
    match cookie.map(|cookie| sign_ins::set_cookie(&app, &headers, cookie)) {
        Some(cookie) => (AppendHeaders([(SET_COOKIE, cookie)]), response).into_response(),
        None => response.into_response(),
    }
}

pub(super) fn access_response(app: &App, access: &Access) -> api::Access {
    api::Access { owner: access.is_owner(), sessions: visible_sessions(app, access), key: None }
}

pub(super) async fn list(
    State(app): State<App>,
    Extension(Principal { access, .. }): Extension<Principal>,
) -> Json<Vec<SessionInfo>> {
    Json(visible_sessions(&app, &access))
}

/// Lists the sessions that the client may see.
fn visible_sessions(app: &App, access: &Access) -> Vec<SessionInfo> {
    let sessions = app.0.sessions.list();
    sessions.iter().filter_map(|session| Some(session.info(access.role_at(session.id())?))).collect()
}

/// Starts a session. Every field of the request is optional, and so is the whole body.
pub(super) async fn create(
    State(app): State<App>,
    OptionalJsonObject(request): OptionalJsonObject<CreateSession>,
) -> Result<(StatusCode, Json<SessionInfo>), Refusal> {
    let session = app.0.sessions.create(request).await?;
    Ok((StatusCode::CREATED, Json(session.info(Role::Owner))))
}

pub(super) async fn details(SessionWithRole(session, role): SessionWithRole) -> Json<SessionDetails> {
    Json(session.details(role).await)
}

/// Returns the screen, as JSON if the client accepts that, and as text otherwise.
pub(super) async fn screen(SessionWithRole(session, _): SessionWithRole, headers: HeaderMap) -> Response {
    let screen = session.screen().await;
    let accepts_json = headers.get(ACCEPT).is_some_and(|accept| {
        let mut ranges = accept.as_bytes().windows(JSON_MEDIA_TYPE.len());
        ranges.any(|range| range.eq_ignore_ascii_case(JSON_MEDIA_TYPE))
    });
    if accepts_json { Json(screen).into_response() } else { (screen.lines.join("\n") + "\n").into_response() }
}

pub(super) async fn update(
    SessionWithRole(session, role): SessionWithRole,
    JsonObject(update): JsonObject<UpdateSession>,
) -> Result<Json<SessionInfo>, Refusal> {
    let bad_size = |error: WinsizeError| Refusal::new(ErrorCode::BadSize, error.to_string());
    session.update(update).await.map_err(bad_size)?;
    Ok(Json(session.info(role)))
}

pub(super) async fn remove(
    State(app): State<App>,
    SessionWithRole(session, _): SessionWithRole,
    uri: Uri,
) -> Result<StatusCode, Refusal> {
    let mode = end_mode(uri.query().unwrap_or_default())?;
    if app.0.sessions.remove(session.id(), mode).await {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Refusal::session_not_found())
    }
}

/// Parses from a query what happens to background jobs when a session is closed.
fn end_mode(query: &str) -> Result<EndMode, Refusal> {
    match query.split('&').find_map(|pair| pair.strip_prefix("jobs=")) {
        None | Some("end") => Ok(EndMode::All),
        Some("keep") => Ok(EndMode::HangUp),
        Some(_) => Err(Refusal::new(ErrorCode::BadRequest, "jobs must be one of: end, keep")),
    }
}

/// Returns the passes by which other people can be let in.
pub(super) async fn passes(
    State(app): State<App>,
    FromClient(client): FromClient,
    SessionWithRole(session, _): SessionWithRole,
) -> Json<Vec<api::Pass>> {
    app.0.auth.record_passes_shown(session.id(), client);
    let pass = |role| {
        let token = app.0.auth.encode_pass(&auth::Pass { session: session.id().clone(), role });
        api::Pass { role, token }
    };
    Json([Role::Reader, Role::Writer].map(pass).into())
}
