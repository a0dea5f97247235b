//! Middleware that refuses requests without credentials, and restricts owners' routes to owners.

use std::{net::IpAddr, sync::Arc};

use axum::{
    Extension,
    extract::{FromRequestParts, Request, State},
    http::{
        HeaderMap, HeaderName,
        header::{AUTHORIZATION, COOKIE, USER_AGENT},
        request::Parts,
    },
    middleware::Next,
    response::Response,
};
use limpet_shared::{ErrorCode, api::KEY_HEADER};

use super::{
    App, PeerAddress,
    connections::{ClientKind, ConnectionSlot},
    error::Refusal,
};
use crate::auth::{Access, Client, Credentials, Principal};

/// The header in which proxies name the client. Each proxy appends the address that it received the
/// request from.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Refuses clients without credentials and guests that send too many requests. Adds the
/// [`Principal`] of all others to the request.
pub(super) async fn require_credentials(
    State(app): State<App>,
    FromClient(client): FromClient,
    mut request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    let principal = app.0.auth.authenticate(credentials_of(request.headers()), client)?;
    if let Some(slot) = request.extensions().get::<Arc<ConnectionSlot>>() {
        identify(slot, principal.access.is_owner());
    }
    if let Access::Passes(passes) = &principal.access
        && let Err(wait) = app.0.guest_rate.admit(passes)
    {
        return Err(Refusal::too_many_requests(wait).await);
    }
    request.extensions_mut().insert(principal);
    Ok(next.run(request).await)
}

/// Records who uses the connection of a request, which decides whether it keeps its place when
/// there are too many.
pub(super) fn identify(slot: &ConnectionSlot, is_owner: bool) {
    slot.identify(if is_owner { ClientKind::Owner } else { ClientKind::Guest });
}

/// Refuses clients that have access to single sessions only.
pub(super) async fn require_owner(
    Extension(Principal { access, .. }): Extension<Principal>,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    match access {
        Access::Owner => Ok(next.run(request).await),
        Access::Passes(_) => Err(Refusal::new(
            ErrorCode::Forbidden,
            "your link gives access to one session; everything else needs the owner's link",
        )),
    }
}

/// Returns the credentials that a request carries.
pub(super) fn credentials_of(headers: &HeaderMap) -> Credentials<'_> {
    let text = |name: &HeaderName| headers.get(name)?.to_str().ok();
    Credentials {
        bearer: bearer_token(headers),
        // A browser sends a single header (RFC 6265, 5.4).
        cookies: text(&COOKIE),
        key: text(&HeaderName::from_static(KEY_HEADER)).filter(|key| !key.is_empty()),
    }
}

/// Returns the token of an `Authorization: Bearer` header (RFC 6750, 2.1).
fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// Returns the name of the client's program, as the program states it.
pub(super) fn user_agent(headers: &HeaderMap) -> &str {
    headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default()
}

/// The client that a request comes from.
pub(super) struct FromClient(pub(super) Client);

impl<S: Sync> FromRequestParts<S> for FromClient {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let peer = parts.extensions.get::<PeerAddress>().map(|PeerAddress(peer)| peer.ip());
        Ok(Self(Client::new(peer, forwarded_address(&parts.headers))))
    }
}

/// Returns the client's address according to the last proxy.
fn forwarded_address(headers: &HeaderMap) -> Option<IpAddr> {
    let value = headers.get_all(FORWARDED_FOR).iter().next_back()?.to_str().ok()?;
    value.rsplit(',').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bearer_tokens_are_found() {
        let mut headers = HeaderMap::new();
        assert_eq!(bearer_token(&headers), None);
        headers.insert(AUTHORIZATION, "bearer abc".parse().unwrap());
        assert_eq!(bearer_token(&headers), Some("abc"));
        headers.insert(AUTHORIZATION, "Basic abc".parse().unwrap());
        assert_eq!(bearer_token(&headers), None);
    }

    #[test]
    fn the_last_proxy_says_who_asked() {
        let from = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(FORWARDED_FOR, value.parse().unwrap());
            }
            forwarded_address(&headers).map(|address| address.to_string())
        };
        assert_eq!(from(&[]), None);
        assert_eq!(from(&["forged, 10.0.0.1"]).as_deref(), Some("10.0.0.1"));
        assert_eq!(from(&["10.0.0.2", "2001:db8::1"]).as_deref(), Some("2001:db8::1"));
        assert_eq!(from(&["nonsense"]), None);
    }
}
