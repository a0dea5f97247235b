//! Who may ask: no page of another origin, nobody under a name that is not ours, and nobody without credentials.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Request, State},
    http::{
        HeaderMap, HeaderName, Uri,
        header::{AUTHORIZATION, COOKIE, HOST, ORIGIN},
        uri::Authority,
    },
    middleware::Next,
    response::Response,
};
use limpet_shared::ErrorCode;

use super::{
    App,
    connections::{Place, Sender},
    error::Refusal,
};
use crate::{auth::Access, config::Config};

/// Refuses what a browser was tricked into sending, whatever credentials it has.
///
/// An unknown `Host` is how DNS rebinding shows: the attacker's page has the attacker's name, which now points here. A
/// numeric address cannot be rebound, so every one is fine. A foreign `Origin` is how cross-site WebSocket hijacking
/// shows, which the browser's same-origin policy does not stop.
pub(super) fn host_and_origin(headers: &HeaderMap, config: &Config) -> Result<(), Refusal> {
    check(headers, &config.hosts, &config.origins)
}

/// Refuses everybody without credentials, and notes for those behind what the others may do: an [`Access`].
pub(super) async fn credentials(
    State(app): State<App>,
    mut request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    let access = access(&app, request.headers()).await?;
    if let Some(place) = request.extensions().get::<Arc<Place>>() {
        place.identify(if access == Access::Owner { Sender::Owner } else { Sender::Guest });
    }
    request.extensions_mut().insert(access);
    Ok(next.run(request).await)
}

async fn access(app: &App, headers: &HeaderMap) -> Result<Access, Refusal> {
    let auth = &app.0.auth;
    if let Some(token) = bearer(headers) {
        return match auth.credential(token) {
            Some(credential) => Ok(credential.into()),
            None => Err(wrong_token(app).await),
        };
    }
    cookies(headers).and_then(|cookies| auth.access_by_cookies(cookies)).ok_or_else(|| {
        Refusal::new(
            ErrorCode::Unauthorized,
            "log in with the link that limpet printed, or send the header Authorization: Bearer TOKEN",
        )
    })
}

/// The `Cookie` header; there is one (RFC 6265, 5.4).
pub(super) fn cookies(headers: &HeaderMap) -> Option<&str> {
    headers.get(COOKIE)?.to_str().ok()
}

/// Refuses those who were let in to one session only.
pub(super) async fn owners(
    Extension(access): Extension<Access>,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    match access {
        Access::Owner => Ok(next.run(request).await),
        Access::Passes(_) => Err(Refusal::new(
            ErrorCode::Forbidden,
            "you were let in to one session; opening, changing and ending sessions is for who has the link that limpet printed",
        )),
    }
}

/// The answer to somebody who gave a wrong token, not too soon.
pub(super) async fn wrong_token(app: &App) -> Refusal {
    if app.0.auth.penalty().await {
        Refusal::new(ErrorCode::Unauthorized, "this is not the token; take the link that limpet printed")
    } else {
        Refusal::new(ErrorCode::TooManyRequests, "too many wrong tokens; wait a little")
    }
}

/// The token of an `Authorization: Bearer` header (RFC 6750, 2.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

fn check(headers: &HeaderMap, hosts: &[String], origins: &[String]) -> Result<(), Refusal> {
    let host = single(headers, &HOST).and_then(|text| text.parse::<Authority>().ok());
    let host = host.filter(|host| is_ours(host.host(), hosts)).ok_or_else(|| {
        let message =
            "this server does not go by that name; start limpet with --allow-host NAME if it should";
        Refusal::new(ErrorCode::UnknownHost, message)
    })?;
    if !headers.contains_key(ORIGIN) {
        return Ok(());
    }
    let origin = single(headers, &ORIGIN).unwrap_or_default();
    if origins.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin)) || is_same(origin, &host) {
        return Ok(());
    }
    let message = "pages of that origin may not use this server; start limpet with --allow-origin ORIGIN if they should";
    Err(Refusal::new(ErrorCode::ForeignOrigin, message))
}

/// A header that must not stand there twice.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

fn is_ours(host: &str, names: &[String]) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let loopback =
        host.eq_ignore_ascii_case("localhost") || host.to_ascii_lowercase().ends_with(".localhost");
    loopback
        || bare.parse::<std::net::IpAddr>().is_ok()
        || names.iter().any(|name| name.eq_ignore_ascii_case(host))
}

/// Whether a page of `origin` came from `host`. The scheme may differ, for a proxy may add TLS.
fn is_same(origin: &str, host: &Authority) -> bool {
    let Ok(origin) = origin.parse::<Uri>() else { return false };
    let default = match origin.scheme_str() {
        Some("http") => 80,
        Some("https") => 443,
        _ => return false,
    };
    let port = |authority: &Authority| authority.port_u16().unwrap_or(default);
    origin.authority().is_some_and(|authority| {
        authority.host().eq_ignore_ascii_case(host.host()) && port(authority) == port(host)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(host: &str, origin: Option<&str>) -> Result<(), &'static str> {
        let mut headers = HeaderMap::new();
        if !host.is_empty() {
            headers.insert(HOST, host.parse().unwrap());
        }
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        let (hosts, origins) = (["shell.example".to_owned()], ["http://localhost:8080".to_owned()]);
        check(&headers, &hosts, &origins)
            .map_err(|refusal| if format!("{refusal:?}").contains("UnknownHost") { "host" } else { "origin" })
    }

    #[test]
    fn our_own_names_pass_and_others_do_not() {
        for host in [
            "127.0.0.1:7707",
            "localhost",
            "LOCALHOST:1",
            "x.localhost",
            "[::1]:7707",
            "192.0.2.7",
            "shell.example:443",
        ] {
            assert_eq!(code(host, None), Ok(()), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:7707",
            "shell.example.evil",
            "localhost.evil",
            "a b",
            "1.2.3.4.5",
        ] {
            assert_eq!(code(host, None), Err("host"), "{host}");
        }
    }

    #[test]
    fn a_page_may_use_the_server_that_it_came_from() {
        for (host, origin) in [
            ("127.0.0.1:7707", "http://127.0.0.1:7707"),
            ("localhost:80", "http://localhost"),
            ("shell.example", "https://shell.example"),
            ("shell.example", "https://SHELL.example:443"),
            ("[::1]:7707", "http://[::1]:7707"),
            ("127.0.0.1:7707", "http://localhost:8080"),
        ] {
            assert_eq!(code(host, Some(origin)), Ok(()), "{host} {origin}");
        }
        for (host, origin) in [
            ("127.0.0.1:7707", "http://evil.example"),
            ("127.0.0.1:7707", "http://127.0.0.1:8080"),
            ("127.0.0.1:7707", "http://localhost:7707"),
            ("127.0.0.1:7707", "null"),
            ("127.0.0.1:7707", ""),
            ("127.0.0.1:7707", "file://"),
            ("shell.example", "https://shell.example:444"),
            ("shell.example", "https://shell.example.evil"),
            ("localhost:8080", "chrome-extension://localhost:8080"),
        ] {
            assert_eq!(code(host, Some(origin)), Err("origin"), "{host} {origin}");
        }
    }

    #[test]
    fn a_header_twice_is_a_header_not_understood() {
        let mut headers = HeaderMap::new();
        headers.append(HOST, "localhost".parse().unwrap());
        headers.append(HOST, "localhost".parse().unwrap());
        assert!(check(&headers, &[], &[]).is_err());
    }

    #[test]
    fn bearer_tokens_are_found() {
        let mut headers = HeaderMap::new();
        assert_eq!(bearer(&headers), None);
        headers.insert(AUTHORIZATION, "bearer abc".parse().unwrap());
        assert_eq!(bearer(&headers), Some("abc"));
        headers.insert(AUTHORIZATION, "Basic abc".parse().unwrap());
        assert_eq!(bearer(&headers), None);
    }
}
