//! From an HTTP request to a WebSocket.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, State, rejection::PathRejection, ws::WebSocketUpgrade},
    http::HeaderMap,
    response::Response,
};
use limpet_shared::{ErrorCode, Role, SUBPROTOCOL, SessionId, SignInKey, limits::CLIENT_MESSAGE};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{
    App,
    api::Named,
    connections,
    error::Refusal,
    guard::{self, FromClient},
};
use crate::{
    attachment::{self, Admitted, Grant, NotAdmitted},
    auth::{Client, Denied, Half, Principal, Viewer},
    network::Network,
    session::{GrantId, Visitor},
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
    /// What they are counted by.
    grant: Grant,
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
    connection: Option<Extension<Arc<connections::Place>>>,
    path: Result<Path<SessionId>, PathRejection>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Result<Response, Refusal> {
    let credentials = credentials(&app, &headers, client)?;
    let Path(session) = path?;
    let grant = grant(&app, &credentials, &session).await?;
    if let Some(Extension(connection)) = connection {
        guard::identify(&connection, grant == Grant::Owner);
    }
    let upgrade = upgrade.map_err(|rejection| Refusal::new(ErrorCode::BadRequest, rejection.body_text()))?;
    let offered = headers.get_all("sec-websocket-protocol").iter().filter_map(|value| value.to_str().ok());
    if !offered.flat_map(|list| list.split(',')).any(|name| name.trim() == SUBPROTOCOL) {
        let message =
            format!("this server speaks {SUBPROTOCOL}; ask for it by the header Sec-WebSocket-Protocol");
        return Err(Refusal::new(ErrorCode::BadRequest, message));
    }
    let place = app
        .0
        .attachments
        .admit(grant.clone(), client.address().map(Network::of))
        .map_err(|full| Refusal::new(ErrorCode::TooManyRequests, full.to_string()))?;
    let span = tracing::info_span!("attachment", %session);
    let heartbeat = app.0.config.heartbeat;
    let shutdown = app.0.shutdown.clone();
    let tracked = app.0.tasks.token();
    let agent = guard::agent(&headers).to_owned();
    let applicant = Applicant { app, client, agent, session, credentials, grant };
    let upgrade = upgrade
        .protocols([SUBPROTOCOL])
        .max_message_size(CLIENT_MESSAGE)
        .max_frame_size(CLIENT_MESSAGE)
        .read_buffer_size(READ_BUFFER);
    Ok(upgrade.on_upgrade(move |socket| {
        let admit = move |key: Option<&SignInKey>| applicant.admit(key);
        attachment::run(socket, place, admit, heartbeat, shutdown, tracked).instrument(span)
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

/// What lets somebody in, if they may attach now. Who has shown half of a sign-in is told nothing by the answer.
async fn grant(app: &App, credentials: &Shown, session: &SessionId) -> Result<Grant, Refusal> {
    let role = match credentials {
        Shown::All(Principal { access, .. }) => {
            let named = Named::find(app, access, session).ok_or_else(Refusal::session_not_found)?;
            let Named(found, role) = named;
            if let Err(refused) = found.admit_viewer(GrantId::of(session, role)) {
                return Err(Refusal::too_often(refused).await);
            }
            Some(role)
        }
        Shown::Half(half) => app.0.auth.expected_role(half, session),
    };
    Ok(match role {
        Some(Role::Owner) => Grant::Owner,
        Some(role) => Grant::Guest(session.clone(), role),
        None => Grant::Nowhere,
    })
}

impl Applicant {
    /// Lets them in who have shown everything, now that hello has come with this key.
    fn admit(self, key: Option<&SignInKey>) -> Result<Admitted<Option<Viewer>>, NotAdmitted> {
        let Self { app, client, agent, session, credentials, grant: counted } = self;
        let (principal, is_counted) = match credentials {
            Shown::All(principal) => (principal, true),
            Shown::Half(half) => {
                let completed = app.0.auth.complete(&half, key, client);
                (completed.map_err(|_| NotAdmitted::Unauthorized)?, false)
            }
        };
        let Principal { access, sign_in } = principal;
        if counted == Grant::Nowhere {
            // Not even if it has been let in since: it would not count as one who was.
            return Err(NotAdmitted::NoSession);
        }
        let Named(session, role) = Named::find(&app, &access, &session).ok_or(NotAdmitted::NoSession)?;
        let grant = GrantId::of(session.id(), role);
        if !is_counted {
            session.admit_viewer(grant).map_err(NotAdmitted::TooOften)?;
        }
        let from = client.address().map(|address| address.to_string()).unwrap_or_default();
        let visitor = Visitor { role, grant, from, agent };
        let (revoked, viewer) = match sign_in {
            Some(sign_in) => (sign_in.revoked.clone(), Some(sign_in.viewer())),
            None => (CancellationToken::new(), None),
        };
        Ok(Admitted { session, visitor, revoked, guard: viewer })
    }
}
