//! Parsers of options' values, with errors that say how to write each value.

use std::net::SocketAddr;

use axum::http::{Uri, uri::Authority};

/// Parses a number of at least 1.
pub(super) fn parse_positive(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|&number| number > 0)
        .ok_or_else(|| "must be a whole number of at least 1".to_owned())
}

/// Parses a number of bytes, with an optional unit.
pub(super) fn parse_bytes(text: &str) -> Result<usize, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor: usize = match &text[digits.len()..] {
        "" | "B" => 1,
        "KiB" | "K" | "k" => 1 << 10,
        "MiB" | "M" => 1 << 20,
        "GiB" | "G" => 1 << 30,
        _ => return Err("unknown unit; use KiB, MiB or GiB, for example 4MiB".to_owned()),
    };
    let number = digits.parse::<usize>().ok().and_then(|number| number.checked_mul(factor));
    number.ok_or_else(|| "must be a whole number of bytes, for example 65536 or 4MiB".to_owned())
}

/// Parses an address to listen on. Names are refused, because a name may stand for several
/// addresses.
pub(super) fn parse_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        "must be a numeric address and a port, for example 127.0.0.1:7707 (this machine alone), \
         0.0.0.0:7707 or [::]:7707"
            .to_owned()
    })
}

/// Parses a host's name, without scheme and port, and converts it to the lower case in which names
/// are compared.
pub(super) fn parse_host(text: &str) -> Result<String, String> {
    let authority = text.parse::<Authority>().ok();
    let name = authority.filter(|name| name.host() == text).map(|name| name.host().to_ascii_lowercase());
    name.ok_or_else(|| "must be a name without scheme and port, for example shell.example.org".to_owned())
}

/// Parses an origin and converts it to the form that browsers send (RFC 6454, 6.2): in lower case,
/// without a path, and without a port that the scheme implies.
pub(super) fn parse_origin(text: &str) -> Result<String, String> {
    let parse = || {
        let uri = text.parse::<Uri>().ok()?;
        let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
        let plain =
            matches!(uri.path(), "" | "/") && uri.query().is_none() && !authority.as_str().contains('@');
        let implied = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return None,
        };
        let port = authority.port_u16().filter(|&port| port != implied);
        let port = port.map_or_else(String::new, |port| format!(":{port}"));
        plain.then(|| format!("{scheme}://{}{port}", authority.host().to_ascii_lowercase()))
    };
    parse().ok_or_else(|| {
        "must be http or https, a host, and optionally a port, for example https://example.org".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        for (text, expected) in [("65536", 65_536), ("64KiB", 65_536), ("4MiB", 4 << 20), ("1G", 1 << 30)] {
            assert_eq!(parse_bytes(text), Ok(expected));
        }
        for text in ["", "MiB", "4 MiB", "-1", "4TiB", "99999999999999999999", "18446744073709551615K"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_is_numeric_and_has_a_port() {
        for text in ["127.0.0.1:0", "[::]:7707"] {
            assert_eq!(parse_address(text).unwrap().to_string(), text);
        }
        for text in ["localhost:7707", "127.0.0.1", ":7707", "127.0.0.1:65536"] {
            assert!(parse_address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_host_is_a_bare_name() {
        assert_eq!(parse_host("Shell.Example").as_deref(), Ok("shell.example"));
        for text in ["", "https://shell.example", "shell.example:443", "shell.example/", "a@b", "a b"] {
            assert!(parse_host(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_origin_is_written_as_browsers_do() {
        for (text, expected) in [
            ("https://Example.org", "https://example.org"),
            ("https://example.org/", "https://example.org"),
            ("https://example.org:443", "https://example.org"),
            ("http://example.org:443", "http://example.org:443"),
            ("http://[::1]:80", "http://[::1]"),
        ] {
            assert_eq!(parse_origin(text).as_deref(), Ok(expected));
        }
        for text in
            ["", "null", "*", "example.org", "https://example.org/a", "https://a@b", "file:///", "ftp://a"]
        {
            assert!(parse_origin(text).is_err(), "{text}");
        }
    }
}
