//! From an HTTP request to a WebSocket.

use std::{net::IpAddr, sync::Arc};

use axum::{
    Extension,
    extract::{State, ws::WebSocketUpgrade},
    http::{HeaderMap, HeaderName, header::USER_AGENT},
    response::Response,
};
use limpet_shared::{ErrorCode, Role, SUBPROTOCOL, SessionId, limits::CLIENT_MESSAGE};
use tracing::Instrument;

use super::{App, Peer, api::Named, error::Refusal};
use crate::{
    attachment,
    session::{GrantId, Visitor},
};

/// What a socket reads at first, in bytes: few, because most viewers send a key now and then and each has such a buffer. It grows
/// for larger messages.
const READ_BUFFER: usize = 1024;

/// Where a proxy says who asked, itself last.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

pub(super) async fn attach(
    State(app): State<App>,
    Named(session, role): Named,
    peer: Option<Extension<Peer>>,
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
    let visitor = visitor((session.id(), role), peer.map(|Extension(peer)| peer), &headers);
    if let Err(refused) = session.admit_viewer(visitor.grant) {
        drop(permit);
        return Err(Refusal::too_often(refused).await);
    }
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
            attachment::run(socket, session, visitor, heartbeat, shutdown).await;
            drop((permit, tracked));
        };
        serve.instrument(span)
    }))
}

/// Who attaches. A proxy is believed about that if it runs on this machine.
fn visitor((session, role): (&SessionId, Role), peer: Option<Peer>, headers: &HeaderMap) -> Visitor {
    let text = |name: &HeaderName| headers.get_all(name).iter().next_back()?.to_str().ok();
    let forwarded = || text(&FORWARDED_FOR)?.rsplit(',').next()?.trim().parse::<IpAddr>().ok();
    let from = peer.map(|Peer(peer)| match peer.ip().to_canonical() {
        ip if ip.is_loopback() => forwarded().unwrap_or(ip),
        ip => ip,
    });
    Visitor {
        role,
        grant: GrantId::of(session, role),
        from: from.map(|ip| ip.to_string()).unwrap_or_default(),
        agent: text(&USER_AGENT).unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(peer: &str, forwarded: &[&'static str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, value.parse().unwrap());
        }
        visitor((&"a".parse().unwrap(), Role::Reader), Some(Peer(peer.parse().unwrap())), &headers).from
    }

    #[test]
    fn a_proxy_on_this_machine_is_believed_and_no_other() {
        assert_eq!(from("192.0.2.7:5000", &[]), "192.0.2.7");
        assert_eq!(from("192.0.2.7:5000", &["10.0.0.1"]), "192.0.2.7");
        assert_eq!(from("127.0.0.1:5000", &[]), "127.0.0.1");
        assert_eq!(from("127.0.0.1:5000", &["forged, 10.0.0.1"]), "10.0.0.1");
        assert_eq!(from("[::ffff:127.0.0.1]:5000", &["10.0.0.2", "2001:db8::1"]), "2001:db8::1");
        assert_eq!(from("[::1]:5000", &["nonsense"]), "::1");
    }
}
