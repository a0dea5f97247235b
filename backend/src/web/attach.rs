//! Upgrades an HTTP request to an attachment's WebSocket.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, State, rejection::PathRejection, ws::WebSocketUpgrade},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use limpet_shared::{ErrorCode, Role, SUBPROTOCOL, SessionId, SignInKey, limits::MAX_CLIENT_MESSAGE_BYTES};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{
    App,
    api::SessionWithRole,
    connections,
    error::Refusal,
    guard::{self, FromClient},
};
use crate::{
    attachment::{self, Admitted, Full, Grant, NotAdmitted},
    auth::{Client, Denied, HalfSignIn, Principal, ViewerGuard},
    network::Network,
    session::{AttachingViewer, GrantId},
};

/// Initial size of a socket's read buffer, in bytes. It is small because every viewer has one and
/// most viewers only send a key now and then. It grows for larger messages.
const READ_BUFFER_BYTES: usize = 1024;

/// A client that requests an attachment.
struct AttachRequest {
    app: App,
    client: Client,
    agent: String,
    session: SessionId,
    credentials: ShownCredentials,
    /// The grant under which the attachment is counted.
    grant: Grant,
}

/// The credentials that a client has shown so far.
enum ShownCredentials {
    /// Complete credentials.
    Complete(Principal),
    /// The cookie. Only after showing the key does the client learn whether the session exists.
    CookieOnly(HalfSignIn),
}

pub(super) async fn attach(
    State(app): State<App>,
    FromClient(client): FromClient,
    connection: Option<Extension<Arc<connections::ConnectionSlot>>>,
    path: Result<Path<SessionId>, PathRejection>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Result<Response, Refusal> {
    let credentials = check_credentials(&app, &headers, client)?;
    let Path(session) = path?;
    let grant = find_grant(&app, &credentials, &session).await?;
    if let Some(Extension(connection)) = connection {
        guard::identify(&connection, grant == Grant::Owner);
    }
    let upgrade = upgrade.map_err(|rejection| Refusal::new(ErrorCode::BadRequest, rejection.body_text()))?;
    let offered = headers.get_all("sec-websocket-protocol").iter().filter_map(|value| value.to_str().ok());
    if !offered.flat_map(|list| list.split(',')).any(|name| name.trim() == SUBPROTOCOL) {
        let message =
            format!("this server speaks {SUBPROTOCOL}; request it in the header Sec-WebSocket-Protocol");
        return Err(Refusal::new(ErrorCode::BadRequest, message));
    }
    let network = client.address().map(Network::of);
    let slot = app.0.attachments.admit(grant.clone(), network).map_err(too_many_attachments)?;
    let span = tracing::info_span!("attachment", %session);
    let heartbeat = app.0.config.heartbeat;
    let shutdown = app.0.shutdown.clone();
    let tracked = app.0.tasks.token();
    let agent = guard::user_agent(&headers).to_owned();
    let request = AttachRequest { app, client, agent, session, credentials, grant };
    let upgrade = upgrade
        .protocols([SUBPROTOCOL])
        .max_message_size(MAX_CLIENT_MESSAGE_BYTES)
        .max_frame_size(MAX_CLIENT_MESSAGE_BYTES)
        .read_buffer_size(READ_BUFFER_BYTES);
    Ok(upgrade.on_upgrade(move |socket| {
        let admit = move |key: Option<&SignInKey>| request.admit(key);
        attachment::run(socket, slot, admit, heartbeat, shutdown, tracked).instrument(span)
    }))
}

/// Reports whether a WebSocket would be opened here, and if not, why. Browsers tell a page nothing
/// about a WebSocket that failed.
pub(super) async fn check(
    State(app): State<App>,
    FromClient(client): FromClient,
    SessionWithRole(session, role): SessionWithRole,
) -> Result<StatusCode, Refusal> {
    let grant = if role == Role::Owner { Grant::Owner } else { Grant::Guest(session.id().clone(), role) };
    app.0.attachments.check(grant, client.address().map(Network::of)).map_err(too_many_attachments)?;
    Ok(StatusCode::NO_CONTENT)
}

fn too_many_attachments(full: Full) -> Refusal {
    Refusal::new(ErrorCode::TooManyRequests, full.to_string())
}

/// Checks the credentials in the request itself.
fn check_credentials(app: &App, headers: &HeaderMap, client: Client) -> Result<ShownCredentials, Denied> {
    let shown = guard::credentials_of(headers);
    if shown.bearer.is_some() || shown.key.is_some() {
        return app.0.auth.authenticate(shown, client).map(ShownCredentials::Complete);
    }
    app.0.auth.accept_cookie(shown, client).map(ShownCredentials::CookieOnly)
}

/// Returns the grant under which the client may attach now. The answer to a client that has shown
/// half of a sign-in reveals nothing.
async fn find_grant(
    app: &App,
    credentials: &ShownCredentials,
    session: &SessionId,
) -> Result<Grant, Refusal> {
    let role = match credentials {
        ShownCredentials::Complete(Principal { access, .. }) => {
            let named = SessionWithRole::find(app, access, session).ok_or_else(Refusal::session_not_found)?;
            let SessionWithRole(found, role) = named;
            if let Err(refused) = found.admit_viewer(GrantId::of(session, role)) {
                return Err(Refusal::too_often(refused).await);
            }
            Some(role)
        }
        ShownCredentials::CookieOnly(half) => app.0.auth.expected_role(half, session),
    };
    Ok(match role {
        Some(Role::Owner) => Grant::Owner,
        Some(role) => Grant::Guest(session.clone(), role),
        None => Grant::NoAccess,
    })
}

impl AttachRequest {
    /// Admits a client whose hello has arrived with this key, if its credentials are complete.
    fn admit(self, key: Option<&SignInKey>) -> Result<Admitted<Option<ViewerGuard>>, NotAdmitted> {
        let Self { app, client, agent, session, credentials, grant: counted } = self;
        let (principal, is_counted) = match credentials {
            ShownCredentials::Complete(principal) => (principal, true),
            ShownCredentials::CookieOnly(half) => {
                let completed = app.0.auth.complete_sign_in(&half, key, client);
                (completed.map_err(|_| NotAdmitted::Unauthorized)?, false)
            }
        };
        let Principal { access, sign_in } = principal;
        if counted == Grant::NoAccess {
            // This holds even if access was granted in the meantime, because the attachment would
            // not be counted under that grant.
            return Err(NotAdmitted::NoSession);
        }
        let SessionWithRole(session, role) =
            SessionWithRole::find(&app, &access, &session).ok_or(NotAdmitted::NoSession)?;
        let grant = GrantId::of(session.id(), role);
        if !is_counted {
            session.admit_viewer(grant).map_err(NotAdmitted::TooManyAttaches)?;
        }
        let from = client.address().map(|address| address.to_string()).unwrap_or_default();
        let visitor = AttachingViewer { role, grant, from, agent };
        let (revoked, viewer_guard) = match sign_in {
            Some(sign_in) => (sign_in.revoked.clone(), Some(sign_in.add_viewer())),
            None => (CancellationToken::new(), None),
        };
        Ok(Admitted { session, visitor, revoked, guard: viewer_guard })
    }
}
