//! The server's HTTP side.
//!
//! [`server`] accepts connections, as many as [`connections`] has room for. Each becomes a stream
//! that can move between runtimes ([`rebinding_stream`]). A request then passes these layers in
//! order: the [`pipeline`], which checks for foreign hosts and origins ([`origin`]) and strips the
//! base path ([`BasePath`](crate::config::BasePath)); the [`guard`], which demands credentials for
//! everything below `api/` except `login` and `health`; and then [`api`], [`events`], [`sign_ins`],
//! [`attach`] or the [`assets`] of the page. [`attach`] checks credentials itself, because a
//! browser shows half of them later. [`health_check`] is the server's request to itself.

mod api;
mod assets;
mod attach;
mod connections;
mod csp;
mod encoding;
mod error;
mod error_page;
mod events;
mod guard;
mod guest_rate;
mod health_check;
mod json;
mod origin;
mod pipeline;
mod read_rate;
mod rebinding_stream;
mod server;
mod sign_ins;
#[cfg(test)]
mod tests;

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{delete, get, patch, post},
};
use limpet_shared::limits::MAX_HTTP_BODY_BYTES;
use tokio_util::task::TaskTracker;

use self::guest_rate::GuestRate;
pub use self::{
    health_check::check_health,
    server::{Listener, serve},
};
use crate::{attachment::Attachments, auth::Auth, config::Config, session::Sessions, shutdown::Shutdown};

/// The address of the client, as far as the network knows it.
#[derive(Clone, Copy, Debug)]
struct PeerAddress(SocketAddr);

/// The state that handlers share.
#[derive(Clone, Debug)]
pub struct App(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Config,
    auth: Arc<Auth>,
    sessions: Sessions,
    attachments: Attachments,
    guest_rate: GuestRate,
    /// Owns the attachments' tasks.
    tasks: TaskTracker,
    shutdown: Shutdown,
}

impl App {
    /// Creates the state of a server that serves these sessions until `shutdown`.
    #[must_use]
    pub fn new(config: Config, auth: Arc<Auth>, sessions: Sessions, shutdown: Shutdown) -> Self {
        let (attachments, tasks) = (Attachments::new(config.budget), TaskTracker::new());
        let guest_rate = GuestRate::new();
        Self(Arc::new(Inner { config, auth, sessions, attachments, guest_rate, tasks, shutdown }))
    }

    /// Returns the routes below the base path.
    fn router(&self) -> Router {
        let owner_routes = Router::new()
            .route("/sessions", post(api::create))
            .route("/sessions/{id}", patch(api::update).delete(api::remove))
            .route("/sessions/{id}/passes", get(api::passes))
            .route("/sign-ins", get(sign_ins::list))
            .route("/sign-ins/{id}", delete(sign_ins::revoke))
            .route_layer(middleware::from_fn(guard::require_owner));
        let authenticated = Router::new()
            .route("/access", get(api::access))
            .route("/events", get(events::events))
            .route("/sessions", get(api::list))
            .route("/sessions/{id}", get(api::details))
            .route("/sessions/{id}/screen", get(api::screen))
            .route("/sessions/{id}/attach", post(attach::check))
            .route("/logout", post(sign_ins::log_out))
            .merge(owner_routes)
            .route_layer(middleware::from_fn_with_state(self.clone(), guard::require_credentials));
        let api = Router::new()
            .route("/login", post(sign_ins::log_in))
            .route("/sessions/{id}/attach", get(attach::attach))
            // Browsers send the page's origin with a POST, as with a WebSocket, but not with a GET.
            .route("/health", get(api::health).post(api::health))
            .merge(authenticated)
            .fallback(error::not_found)
            .method_not_allowed_fallback(error::method_not_allowed);
        Router::new()
            .nest("/api", api)
            .fallback(assets::serve)
            .layer(DefaultBodyLimit::max(MAX_HTTP_BODY_BYTES))
            .with_state(self.clone())
    }
}
