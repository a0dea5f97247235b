//! The feed of events as server-sent events (HTML Standard, 9.2).

use std::convert::Infallible;

use axum::{
    Extension,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use futures_util::stream;

use super::App;
use crate::auth::{Principal, SignInRef};

/// Headers of the stream. The second one keeps nginx from collecting events before it passes them
/// on.
const HEADERS: [(HeaderName, HeaderValue); 2] = [
    (CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
    (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
];

/// The header by which a client says which event it has received last.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Streams events until the client leaves, its sign-in ends, or the server does.
pub(super) async fn events(
    State(app): State<App>,
    Extension(Principal { access, sign_in }): Extension<Principal>,
    headers: HeaderMap,
) -> Response {
    let last_id = headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok());
    let listener = app.0.sessions.listen(last_id);
    let revoked = sign_in.map(|SignInRef { revoked, .. }| revoked).unwrap_or_default();
    let shutdown = app.0.shutdown.clone();
    let pieces = stream::unfold((listener, access), move |(mut listener, access)| {
        let (revoked, shutdown) = (revoked.clone(), shutdown.clone());
        async move {
            let piece = tokio::select! {
                biased;
                () = revoked.cancelled() => return None,
                _ = shutdown.started() => return None,
                piece = listener.next(|session| access.role_at(session)) => piece,
            };
            Some((Ok::<_, Infallible>(piece), (listener, access)))
        }
    });
    (HEADERS, Body::from_stream(pieces)).into_response()
}
