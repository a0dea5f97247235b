//! The server's HTTP side.
//!
//! [`server`] accepts connections, each a [`roaming`] one. A request passes, in this order: the [`front`] door with the [`guard`] against foreign
//! hosts and origins and the base path ([`BasePath`](crate::config::BasePath)), the credentials for everything below
//! `api/` but `login` and `health`, and then [`api`], [`attach`] or the [`assets`] of the page.

mod api;
mod assets;
mod attach;
mod csp;
mod encoding;
mod error;
mod front;
mod guard;
mod read_rate;
mod roaming;
mod server;
#[cfg(test)]
mod tests;

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{get, patch, post},
};
use limpet_shared::limits::HTTP_BODY;
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::server::{Listener, serve};
use crate::{auth::Auth, config::Config, session::Sessions};

/// Most viewers at a time, of all sessions together.
const ATTACHMENTS: usize = 8192;

/// Who asks, as far as the network knows.
#[derive(Clone, Copy, Debug)]
struct Peer(SocketAddr);

/// What handlers share.
#[derive(Clone, Debug)]
pub struct App(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Config,
    auth: Auth,
    sessions: Sessions,
    attachments: Arc<Semaphore>,
    /// Owns the attachments' tasks.
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

impl App {
    /// Serves these sessions until `shutdown`.
    #[must_use]
    pub fn new(config: Config, sessions: Sessions, shutdown: CancellationToken) -> Self {
        let (auth, tasks) = (Auth::new(config.token.clone()), TaskTracker::new());
        let attachments = Arc::new(Semaphore::new(ATTACHMENTS));
        Self(Arc::new(Inner { config, auth, sessions, attachments, tasks, shutdown }))
    }

    /// Everything below the base path.
    fn router(&self) -> Router {
        let owners = Router::new()
            .route("/sessions", post(api::create))
            .route("/sessions/{id}", patch(api::update).delete(api::remove))
            .route("/sessions/{id}/passes", get(api::passes))
            .route_layer(middleware::from_fn(guard::owners));
        let locked = Router::new()
            .route("/access", get(api::access))
            .route("/sessions", get(api::list))
            .route("/sessions/{id}", get(api::details))
            .route("/sessions/{id}/screen", get(api::screen))
            .route("/sessions/{id}/attach", get(attach::attach))
            .merge(owners)
            .route_layer(middleware::from_fn_with_state(self.clone(), guard::credentials));
        let api = Router::new()
            .route("/login", post(api::login))
            .route("/health", get(api::health))
            .merge(locked)
            .fallback(error::not_found)
            .method_not_allowed_fallback(error::method_not_allowed);
        Router::new()
            .nest("/api", api)
            .fallback(assets::serve)
            .layer(DefaultBodyLimit::max(HTTP_BODY))
            .with_state(self.clone())
    }
}
