//! The HTTP interface, as `limpet_shared::api` describes it.

use axum::{
    Extension, Json,
    body::Bytes,
    extract::{
        FromRequestParts, Path, State,
        rejection::{BytesRejection, JsonRejection},
    },
    http::{
        HeaderMap, HeaderName, StatusCode,
        header::{ACCEPT, SET_COOKIE},
        request::Parts,
    },
    response::{AppendHeaders, IntoResponse, Response},
};
use limpet_shared::{
    ErrorCode, Role, SessionId, WinsizeError,
    api::{self, CreateSession, Health, Login, SessionDetails, SessionInfo, UpdateSession},
};

use super::{App, error::Refusal, guard};
use crate::{
    auth::{self, Access},
    session::{GrantId, SessionHandle},
};

/// How a proxy says that the connection to it is encrypted.
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The type of JSON, in an `Accept` header.
const JSON: &[u8] = b"application/json";

/// The session that a path names, and what the one who asks may do with it. Who may do nothing does not learn that it is
/// there.
pub(super) struct Named(pub(super) SessionHandle, pub(super) Role);

impl FromRequestParts<App> for Named {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        let Path(id) = Path::<SessionId>::from_request_parts(parts, app).await?;
        let role = parts.extensions.get::<Access>().and_then(|access| access.role_at(&id));
        let session = app.0.sessions.get(&id);
        let (session, role) = session.zip(role).ok_or_else(Refusal::session_not_found)?;
        if let Err(refused) = session.admit_request(GrantId::of(&id, role)) {
            return Err(Refusal::too_often(refused).await);
        }
        Ok(Self(session, role))
    }
}

pub(super) async fn login(
    State(app): State<App>,
    headers: HeaderMap,
    body: Result<Json<Login>, JsonRejection>,
) -> Result<impl IntoResponse, Refusal> {
    let Json(Login { token }) = body?;
    let Some(credential) = app.0.auth.credential(&token) else {
        return Err(guard::wrong_token(&app).await);
    };
    let encrypted = headers.get(FORWARDED_PROTO).is_some_and(|scheme| scheme.as_bytes() == b"https");
    let cookie = app.0.auth.set_cookie(&credential, &app.0.config.base_path, encrypted);
    let access = app.0.auth.access_with(credential, guard::cookies(&headers).unwrap_or_default());
    Ok((AppendHeaders([(SET_COOKIE, cookie)]), Json(told(&app, &access))))
}

pub(super) async fn health(State(app): State<App>) -> Json<Health> {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    Json(Health { version, sessions: app.0.sessions.list().len() })
}

pub(super) async fn access(
    State(app): State<App>,
    Extension(access): Extension<Access>,
) -> Json<api::Access> {
    Json(told(&app, &access))
}

fn told(app: &App, access: &Access) -> api::Access {
    api::Access { owner: *access == Access::Owner, sessions: sessions(app, access) }
}

pub(super) async fn list(
    State(app): State<App>,
    Extension(access): Extension<Access>,
) -> Json<Vec<SessionInfo>> {
    Json(sessions(&app, &access))
}

/// Those that somebody may know of.
fn sessions(app: &App, access: &Access) -> Vec<SessionInfo> {
    let sessions = app.0.sessions.list();
    sessions.iter().filter_map(|session| Some(session.info(access.role_at(session.id())?))).collect()
}

pub(super) async fn create(
    State(app): State<App>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<SessionInfo>), Refusal> {
    let request = create_request(&headers, &body?)?;
    let session = app.0.sessions.create(request).await?;
    Ok((StatusCode::CREATED, Json(session.info(Role::Owner))))
}

/// Every field may be left out, and so may the body as a whole.
fn create_request(headers: &HeaderMap, body: &Bytes) -> Result<CreateSession, Refusal> {
    if body.is_empty() {
        return Ok(CreateSession::default());
    }
    // A page of another origin cannot send this type unasked, which is one more lock on the door.
    let json =
        headers.get("content-type").is_some_and(|value| value.as_bytes().starts_with(b"application/json"));
    if !json {
        let message = "the body is JSON, and the header says so: Content-Type: application/json";
        return Err(Refusal::new(ErrorCode::BadRequest, message));
    }
    serde_json::from_slice(body).map_err(|error| Refusal::new(ErrorCode::BadRequest, error.to_string()))
}

pub(super) async fn details(Named(session, role): Named) -> Json<SessionDetails> {
    Json(session.details(role).await)
}

/// The screen, as JSON for who asks for that, else as text.
pub(super) async fn screen(Named(session, _): Named, headers: HeaderMap) -> Response {
    let screen = session.screen().await;
    let accepts_json = headers.get(ACCEPT).is_some_and(|accept| {
        accept.as_bytes().windows(JSON.len()).any(|range| range.eq_ignore_ascii_case(JSON))
    });
    if accepts_json { Json(screen).into_response() } else { (screen.lines.join("\n") + "\n").into_response() }
}

pub(super) async fn update(
    Named(session, role): Named,
    body: Result<Json<UpdateSession>, JsonRejection>,
) -> Result<Json<SessionInfo>, Refusal> {
    let Json(update) = body?;
    let bad_size = |error: WinsizeError| Refusal::new(ErrorCode::BadSize, error.to_string());
    session.update(update).await.map_err(bad_size)?;
    Ok(Json(session.info(role)))
}

pub(super) async fn remove(State(app): State<App>, Named(session, _): Named) -> Result<StatusCode, Refusal> {
    if app.0.sessions.remove(session.id()).await {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Refusal::session_not_found())
    }
}

/// Passes by which others can be let in.
pub(super) async fn passes(State(app): State<App>, Named(session, _): Named) -> Json<Vec<api::Pass>> {
    let pass = |role| {
        let token = app.0.auth.pass(&auth::Pass { session: session.id().clone(), role });
        api::Pass { role, token }
    };
    Json([Role::Reader, Role::Writer].map(pass).into())
}
