//! The pipeline that every request passes on its way to the routes, and every answer on its way
//! out.

use std::time::Duration;

use axum::{
    Router,
    body::Body,
    http::{
        HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Uri,
        header::{CACHE_CONTROL, LOCATION, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS},
        uri::PathAndQuery,
    },
    response::{IntoResponse, Response},
};
use limpet_shared::ErrorCode;
use tokio::time::timeout;
use tower::ServiceExt;

use super::{App, error::Refusal, error_page, origin};
use crate::config::BasePath;

/// Maximum duration of a request, including the arrival of its body. A client that sends one byte a
/// minute could otherwise hold a connection for ever. A viewer's WebSocket counts as a request only
/// until the upgrade.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Headers of every answer, unless the answer sets them itself.
const DEFAULT_HEADERS: [(HeaderName, HeaderValue); 4] = [
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

/// Answers a request, even if it is refused or takes too long.
pub(super) async fn answer(app: &App, router: Router, request: Request<Body>) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let wants_page = error_page::prefers_html(request.headers());
    let mut response = match timeout(REQUEST_TIMEOUT, route(app, router, request)).await {
        Ok(result) => result.unwrap_or_else(Refusal::into_response),
        Err(_) => Refusal::new(ErrorCode::BadRequest, "the request took too long to arrive; send it at once")
            .into_response(),
    };
    if wants_page {
        response = error_page::replace_json(response, &app.0.config.base_path);
    }
    add_default_headers(response.headers_mut());
    tracing::debug!(%method, path, status = response.status().as_u16(), "answered");
    response
}

/// Passes a request on to the routes below the base path. A request for the base path without its
/// trailing slash is redirected.
async fn route(app: &App, router: Router, mut request: Request<Body>) -> Result<Response, Refusal> {
    origin::check(request.uri(), request.headers(), &app.0.config)?;
    let base = &app.0.config.base_path;
    let path = request.uri().path();
    if base.lacks_slash(path) {
        return Ok(redirect(base));
    }
    let below = base.strip(path).and_then(|below| with_path(request.uri(), below));
    *request.uri_mut() =
        below.ok_or_else(|| Refusal::new(ErrorCode::NotFound, format!("limpet is at {base}")))?;
    match router.oneshot(request).await {
        Ok(response) => Ok(response),
        Err(never) => match never {},
    }
}

fn add_default_headers(headers: &mut HeaderMap) {
    for (name, value) in DEFAULT_HEADERS {
        headers.entry(name).or_insert(value);
    }
}

fn redirect(base: &BasePath) -> Response {
    let mut response = StatusCode::PERMANENT_REDIRECT.into_response();
    response.headers_mut().extend(HeaderValue::try_from(base.as_str()).map(|base| (LOCATION, base)));
    response
}

/// Returns the same URI with another path.
fn with_path(uri: &Uri, path: &str) -> Option<Uri> {
    let path_and_query = match uri.query() {
        Some(query) => PathAndQuery::try_from(format!("{path}?{query}")),
        None => PathAndQuery::try_from(path),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(path_and_query.ok()?);
    Uri::from_parts(parts).ok()
}
