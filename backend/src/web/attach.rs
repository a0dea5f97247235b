//! From an HTTP request to a WebSocket.

use std::sync::Arc;

use axum::{
    extract::{State, ws::WebSocketUpgrade},
    http::HeaderMap,
    response::Response,
};
use limpet_shared::{ErrorCode, Role, SUBPROTOCOL, limits::CLIENT_MESSAGE};
use tracing::Instrument;

use super::{App, api::Named, error::Refusal};
use crate::attachment;

/// What a socket reads at a time, in bytes: few, because most viewers send a key now and then and each has such a buffer.
const READ_BUFFER: usize = 8 * 1024;

pub(super) async fn attach(
    State(app): State<App>,
    Named(session): Named,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Result<Response, Refusal> {
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
    let span = tracing::info_span!("attachment", session = %session.id());
    let heartbeat = app.0.config.heartbeat;
    let shutdown = app.0.shutdown.clone();
    let tracked = app.0.tasks.token();
    let upgrade = upgrade
        .protocols([SUBPROTOCOL])
        .max_message_size(CLIENT_MESSAGE)
        .max_frame_size(CLIENT_MESSAGE)
        .read_buffer_size(READ_BUFFER);
    Ok(upgrade.on_upgrade(move |socket| {
        let serve = async move {
            attachment::run(socket, session, Role::Owner, heartbeat, shutdown).await;
            drop((permit, tracked));
        };
        serve.instrument(span)
    }))
}
