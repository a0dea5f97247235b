//! Refuses requests that a browser was tricked into sending, whatever credentials they carry: from
//! pages of other origins, and to host names that are not this server's.

use axum::http::{
    HeaderMap, HeaderName, Uri,
    header::{HOST, ORIGIN},
    uri::Authority,
};
use limpet_shared::ErrorCode;

use super::error::Refusal;
use crate::config::Config;

/// The header in which a proxy says whether the connection to it is encrypted.
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Maximum length of a part of a header in a message.
const MAX_QUOTED_BYTES: usize = 253;

/// Checks the host that a request is addressed to, and the origin of the page that sent it.
///
/// An unknown `Host` reveals DNS rebinding: the attacker's page has the attacker's host name, which
/// now points to this machine. A numeric address cannot be rebound, so all of them are accepted. A
/// foreign `Origin` reveals cross-site WebSocket hijacking, which the browser's same-origin policy
/// does not prevent.
pub(super) fn check(uri: &Uri, headers: &HeaderMap, config: &Config) -> Result<(), Refusal> {
    check_names(uri, headers, &config.hosts, &config.origins)
}

/// Reports whether the browser's connection is encrypted, according to a proxy.
pub(super) fn is_encrypted(headers: &HeaderMap) -> bool {
    // Of several proxies, the first one talks to the browser.
    let first = headers.get(FORWARDED_PROTO).and_then(|schemes| schemes.to_str().ok()?.split(',').next());
    first.is_some_and(|scheme| scheme.trim().eq_ignore_ascii_case("https"))
}

fn check_names(uri: &Uri, headers: &HeaderMap, hosts: &[String], origins: &[String]) -> Result<(), Refusal> {
    let host = unique_header(headers, &HOST).and_then(parse_authority);
    let ours = host
        .clone()
        .filter(|host| is_our_host(host.host(), hosts) && uri.authority().is_none_or(|uri| uri == host));
    let host =
        ours.ok_or_else(|| Refusal::new(ErrorCode::UnknownHost, unknown_host_message(host.as_ref())))?;
    if !headers.contains_key(ORIGIN) {
        return Ok(());
    }
    let origin = unique_header(headers, &ORIGIN).unwrap_or_default();
    let is_allowed = origins.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin));
    if is_allowed || is_same_origin(origin, &host, is_encrypted(headers)) {
        return Ok(());
    }
    Err(Refusal::new(ErrorCode::ForeignOrigin, foreign_origin_message(origin, &host)))
}

/// Returns the advice for a request to an unknown host.
fn unknown_host_message(host: Option<&Authority>) -> String {
    let proxy =
        "if there is a reverse proxy, configure it to forward the browser's Host header (docs/proxy.md)";
    match host {
        Some(host) => {
            let name = shorten(host.host());
            format!(
                "limpet is not configured for the host name {name}: {proxy}; if the name is right, start \
                 limpet with --allow-host {name}"
            )
        }
        None => format!("the request does not say which host it is for: {proxy}"),
    }
}

/// Returns the advice for a page of another origin. Most often the page is limpet's own, and a
/// proxy has replaced the `Host` header.
fn foreign_origin_message(origin: &str, host: &Authority) -> String {
    let (origin, host) = (shorten(origin), shorten(host.as_str()));
    format!(
        "the page is from {origin}, but its request came for {host}: if a reverse proxy is in between, have it pass on \
         the Host header of the browser, port included (docs/proxy.md); if {origin} is another site that may use limpet, \
         start limpet with --allow-origin {origin}"
    )
}

/// Shortens a part of a header for a message to the maximum length of a name (RFC 1035, 2.3.4).
fn shorten(text: &str) -> &str {
    // Headers that are text are ASCII, so every index is a character boundary.
    text.get(..MAX_QUOTED_BYTES).unwrap_or(text)
}

/// Returns the value of a header that must not occur twice.
fn unique_header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// Parses a host with an optional port, and nothing else: no user, no path.
fn parse_authority(text: &str) -> Option<Authority> {
    let authority = text.parse::<Authority>().ok()?;
    let port = text.strip_prefix(authority.host())?;
    (port.is_empty() || authority.port_u16().is_some_and(|number| port == format!(":{number}")))
        .then_some(authority)
}

fn is_our_host(host: &str, names: &[String]) -> bool {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    let loopback =
        host.eq_ignore_ascii_case("localhost") || host.to_ascii_lowercase().ends_with(".localhost");
    loopback
        || bare.parse::<std::net::IpAddr>().is_ok()
        || names.iter().any(|name| name.eq_ignore_ascii_case(host))
}

/// Reports whether a page of `origin` came from `host`. A proxy may add TLS without saying so. If
/// it does say so, a page that came without TLS has another origin.
fn is_same_origin(origin: &str, host: &Authority, is_encrypted: bool) -> bool {
    let (default, rest) = match origin.split_once("://") {
        Some(("http", rest)) if !is_encrypted => (80, rest),
        Some(("https", rest)) => (443, rest),
        _ => return false,
    };
    let port = |authority: &Authority| authority.port_u16().unwrap_or(default);
    parse_authority(rest)
        .is_some_and(|origin| origin.host().eq_ignore_ascii_case(host.host()) && port(&origin) == port(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(host: &str, origin: Option<&str>, proto: Option<&str>) -> Result<(), &'static str> {
        let mut headers = HeaderMap::new();
        if !host.is_empty() {
            headers.insert(HOST, host.parse().unwrap());
        }
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        if let Some(proto) = proto {
            headers.insert(FORWARDED_PROTO, proto.parse().unwrap());
        }
        let (hosts, origins) = (["shell.example".to_owned()], ["http://localhost:8080".to_owned()]);
        check_names(&Uri::from_static("/"), &headers, &hosts, &origins)
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
            assert_eq!(code(host, None, None), Ok(()), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:7707",
            "shell.example.evil",
            "localhost.evil",
            "a b",
            "1.2.3.4.5",
            "x@127.0.0.1",
            "x@127.0.0.1:7707",
            "x:y@localhost",
            "@localhost",
            "127.0.0.1:",
            "127.0.0.1:x",
            "127.0.0.1:+80",
            "127.0.0.1:65536",
            "127.0.0.1/",
            "[127.0.0.1",
            "[[::1]]",
            "::1",
        ] {
            assert_eq!(code(host, None, None), Err("host"), "{host}");
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
            assert_eq!(code(host, Some(origin), None), Ok(()), "{host} {origin}");
        }
        for (host, origin) in [
            ("127.0.0.1:7707", "http://evil.example"),
            ("127.0.0.1:7707", "http://127.0.0.1:8080"),
            ("127.0.0.1:7707", "http://localhost:7707"),
            ("127.0.0.1:7707", "null"),
            ("127.0.0.1:7707", ""),
            ("127.0.0.1:7707", "file://"),
            ("127.0.0.1:7707", "http://127.0.0.1:7707/"),
            ("127.0.0.1:7707", "http://127.0.0.1:7707/path"),
            ("127.0.0.1:7707", "http://127.0.0.1:7707?query"),
            ("127.0.0.1:7707", "http://127.0.0.1:7707#fragment"),
            ("127.0.0.1:7707", "http://x@127.0.0.1:7707"),
            ("127.0.0.1:7707", "http://x:y@127.0.0.1:7707"),
            ("127.0.0.1:7707", "http://evil.example@127.0.0.1:7707"),
            ("127.0.0.1:7707", "http://127.0.0.1:7707 http://evil.example"),
            ("shell.example", "https://shell.example:444"),
            ("shell.example", "https://shell.example.evil"),
            ("shell.example", "https://shell.example:"),
            ("localhost:8080", "chrome-extension://localhost:8080"),
        ] {
            assert_eq!(code(host, Some(origin), None), Err("origin"), "{host} {origin}");
        }
    }

    #[test]
    fn a_page_that_came_without_tls_may_not_use_a_server_with_tls() {
        for proto in ["https", "HTTPS", "https, http"] {
            let code = |origin| code("shell.example", Some(origin), Some(proto));
            assert_eq!(code("http://shell.example"), Err("origin"), "{proto}");
            assert_eq!(code("https://shell.example"), Ok(()), "{proto}");
        }
        assert_eq!(code("shell.example", Some("http://shell.example"), Some("http")), Ok(()));
    }

    #[test]
    fn a_header_twice_is_a_header_not_understood() {
        let mut headers = HeaderMap::new();
        headers.append(HOST, "localhost".parse().unwrap());
        headers.append(HOST, "localhost".parse().unwrap());
        assert!(check_names(&Uri::from_static("/"), &headers, &[], &[]).is_err());
    }

    #[test]
    fn an_address_in_the_request_line_is_no_way_around() {
        let mut headers = HeaderMap::new();
        headers.append(HOST, "localhost".parse().unwrap());
        for (uri, is_fine) in [("http://localhost/", true), ("http://evil.example/", false)] {
            assert_eq!(check_names(&Uri::from_static(uri), &headers, &[], &[]).is_ok(), is_fine, "{uri}");
        }
    }
}
