//! Handlers for logging in and out, and for the list of sign-ins.

use axum::{
    Extension, Json,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header::SET_COOKIE},
    response::{AppendHeaders, IntoResponse},
};
use limpet_shared::{
    ErrorCode,
    api::{self, Login},
};

use super::{
    App, api as sessions,
    error::{self, Refusal},
    guard::{self, FromClient},
    json::JsonObject,
    origin,
};
use crate::auth::Principal;

/// Exchanges a token or a pass for a sign-in.
pub(super) async fn log_in(
    State(app): State<App>,
    FromClient(client): FromClient,
    headers: HeaderMap,
    JsonObject(Login { token }): JsonObject<Login>,
) -> Result<impl IntoResponse, Refusal> {
    let auth = &app.0.auth;
    let (shown, agent) = (guard::credentials_of(&headers), guard::user_agent(&headers));
    let signed_in = auth.sign_in(&token, shown, client, agent)?;
    // If this fails, the sign-in still works with this server.
    auth.wait_until_saved_with_keeper().await;
    let cookie = set_cookie(&app, &headers, &signed_in.cookie);
    let access = sessions::access_response(&app, &signed_in.access);
    Ok((AppendHeaders([(SET_COOKIE, cookie)]), Json(api::Access { key: Some(signed_in.key), ..access })))
}

/// Ends the sign-in that the client has shown.
pub(super) async fn log_out(
    State(app): State<App>,
    FromClient(client): FromClient,
    Extension(principal): Extension<Principal>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Refusal> {
    if let Some(sign_in) = &principal.sign_in {
        app.0.auth.sign_out(sign_in, client);
        wait_until_saved(&app).await?;
    }
    let cookie = app.0.auth.clear_cookie(&app.0.config.base_path, origin::is_encrypted(&headers));
    Ok((StatusCode::NO_CONTENT, AppendHeaders([(SET_COOKIE, cookie)])))
}

/// Lists all sign-ins.
pub(super) async fn list(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
) -> Json<Vec<api::SignIn>> {
    Json(app.0.auth.sign_ins(principal.sign_in.as_ref()))
}

/// Ends any sign-in.
pub(super) async fn revoke(
    State(app): State<App>,
    FromClient(client): FromClient,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    if !app.0.auth.revoke(&id, client) {
        return Err(error::no_such_sign_in());
    }
    wait_until_saved(&app).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Returns the header that renews a browser's cookie.
pub(super) fn set_cookie(app: &App, headers: &HeaderMap, value: &str) -> String {
    app.0.auth.set_cookie(value, &app.0.config.base_path, origin::is_encrypted(headers))
}

/// Waits until a sign-in that has ended cannot come back.
async fn wait_until_saved(app: &App) -> Result<(), Refusal> {
    if app.0.auth.wait_until_saved().await {
        return Ok(());
    }
    let message = "signed out, but this could not be saved: after a restart of limpet the sign-in would be valid again; see limpet's log";
    Err(Refusal::new(ErrorCode::Internal, message))
}
