//! From an HTTP request to a WebSocket.

use std::sync::Arc;

use axum::{
    extract::{Path, State, rejection::PathRejection, ws::WebSocketUpgrade},
    http::HeaderMap,
    response::Response,
};
use limpet_shared::{ErrorCode, SUBPROTOCOL, SessionId, SignInKey, limits::CLIENT_MESSAGE};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{
    App,
    api::Named,
    error::Refusal,
    guard::{self, FromClient},
};
use crate::{
    attachment::{self, Admitted, NotAdmitted},
    auth::{Client, Denied, Half, Principal, Viewer},
    session::Visitor,
};

/// What a socket reads at first, in bytes: few, because most viewers send a key now and then and each has such a buffer. It grows
/// for larger messages.
const READ_BUFFER: usize = 1024;

/// Who wants to attach.
struct Applicant {
    app: App,
    client: Client,
    agent: String,
    session: SessionId,
    credentials: Shown,
}

/// What they have shown so far.
enum Shown {
    /// All that is needed.
    All(Principal),
    /// The cookie. Whether there is such a session they learn when they have shown the key.
    Half(Half),
}

pub(super) async fn attach(
    State(app): State<App>,
    FromClient(client): FromClient,
    path: Result<Path<SessionId>, PathRejection>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Result<Response, Refusal> {
    let credentials = credentials(&app, &headers, client)?;
    let Path(session) = path?;
    if let Shown::All(Principal { access, .. }) = &credentials {
        Named::find(&app, access, &session).ok_or_else(Refusal::session_not_found)?;
    }
    let upgrade = upgrade.map_err(|rejection| Refusal::new(ErrorCode::BadRequest, rejection.body_text()))?;
    let offered = headers.get_all("sec-websocket-protocol").iter().filter_map(|value| value.to_str().ok());
    if !offered.flat_map(|list| list.split(',')).any(|name| name.trim() == SUBPROTOCOL) {
        let message =
            format!("this server speaks {SUBPROTOCOL}; ask for it by the header Sec-WebSocket-Protocol");
        return Err(Refusal::new(ErrorCode::BadRequest, message));
    }
    let permit = Arc::clone(&app.0.attachments).try_acquire_owned().map_err(|_| {
        Refusal::new(ErrorCode::TooManyRequests, "too many viewers are attached; let some of them go")
    })?;
    let span = tracing::info_span!("attachment", %session);
    let heartbeat = app.0.config.heartbeat;
    let shutdown = app.0.shutdown.clone();
    let tracked = app.0.tasks.token();
    let applicant = Applicant { app, client, agent: guard::agent(&headers).to_owned(), session, credentials };
    let upgrade = upgrade
        .protocols([SUBPROTOCOL])
        .max_message_size(CLIENT_MESSAGE)
        .max_frame_size(CLIENT_MESSAGE)
        .read_buffer_size(READ_BUFFER);
    Ok(upgrade.on_upgrade(move |socket| {
        let serve = async move {
            attachment::run(socket, move |key| applicant.admit(key), heartbeat, shutdown).await;
            drop((permit, tracked));
        };
        serve.instrument(span)
    }))
}

/// What somebody shows with the request itself.
fn credentials(app: &App, headers: &HeaderMap, client: Client) -> Result<Shown, Denied> {
    let shown = guard::shown(headers);
    if shown.bearer.is_some() || shown.key.is_some() {
        return app.0.auth.authenticate(shown, client).map(Shown::All);
    }
    app.0.auth.half(shown, client).map(Shown::Half)
}

impl Applicant {
    /// Lets them in who have shown everything, now that hello has come with this key.
    fn admit(self, key: Option<&SignInKey>) -> Result<Admitted<Option<Viewer>>, NotAdmitted> {
        let Self { app, client, agent, session, credentials } = self;
        let principal = match credentials {
            Shown::All(principal) => principal,
            Shown::Half(half) => {
                app.0.auth.complete(&half, key, client).map_err(|_| NotAdmitted::Unauthorized)?
            }
        };
        let Principal { access, sign_in } = principal;
        let Named(session, role) = Named::find(&app, &access, &session).ok_or(NotAdmitted::NoSession)?;
        let from = client.address().map(|address| address.to_string()).unwrap_or_default();
        let visitor = Visitor { role, from, agent };
        let (revoked, viewer) = match sign_in {
            Some(sign_in) => (sign_in.revoked.clone(), Some(sign_in.viewer())),
            None => (CancellationToken::new(), None),
        };
        Ok(Admitted { session, visitor, revoked, guard: viewer })
    }
}
