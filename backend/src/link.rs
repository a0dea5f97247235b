//! The link that is printed when the server is ready.

use std::{
    io::{self, IsTerminal, Write},
    net::{IpAddr, SocketAddr},
};

use nix::{ifaddrs::getifaddrs, net::if_::InterfaceFlags};
use qrcode::{QrCode, render::unicode::Dense1x2};
use serde::Serialize;

use crate::config::{Config, Format};

/// Where the page is to be had, secret included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Links {
    listen: SocketAddr,
    /// At least one; the first is for this machine if it can be reached from it.
    urls: Vec<Url>,
}

/// What `--format json` prints.
#[derive(Serialize)]
struct Ready<'a> {
    url: &'a str,
    listen: SocketAddr,
    token: &'a str,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Url {
    text: String,
    /// Whether other machines may reach it.
    remote: bool,
}

impl Links {
    /// The links of a server that listens at `listen`.
    #[must_use]
    pub fn new(config: &Config, listen: SocketAddr) -> Self {
        let addresses =
            if listen.ip().is_unspecified() { interfaces(listen.ip()) } else { vec![listen.ip()] };
        let url = |address: IpAddr| Url {
            text: format!(
                "http://{}{}#token={}",
                SocketAddr::new(address, listen.port()),
                config.base_path,
                config.token.reveal()
            ),
            remote: !address.is_loopback(),
        };
        Self { listen, urls: addresses.into_iter().map(url).collect() }
    }

    /// The one for this machine.
    #[must_use]
    pub fn first(&self) -> &str {
        self.urls.first().map_or("", |url| &url.text)
    }

    /// Prints them, for people or for programs.
    ///
    /// # Errors
    /// Those of standard output, as when nobody reads it.
    pub fn print(&self, config: &Config) -> io::Result<()> {
        let mut out = io::stdout().lock();
        match config.format {
            Format::Json => {
                let ready = Ready { url: self.first(), listen: self.listen, token: config.token.reveal() };
                writeln!(out, "{}", serde_json::to_string(&ready)?)?;
            }
            Format::Text => {
                if out.is_terminal() {
                    writeln!(out, "Open this in a browser, and keep it to yourself; Ctrl-C ends limpet.\n")?;
                }
                for url in &self.urls {
                    writeln!(out, "{}", url.text)?;
                }
                // One is enough to point a phone at, and several at once would confuse it.
                let remote = self.urls.iter().find(|url| url.remote).filter(|_| out.is_terminal());
                if let Some(url) = remote {
                    write!(out, "\n{}", qr_code(&url.text))?;
                }
            }
        }
        out.flush()
    }

    /// What is at risk when others can reach the server, if they can.
    #[must_use]
    pub fn risk(&self) -> Option<String> {
        (!self.listen.ip().is_loopback()).then(|| {
            format!(
                "{} can be reached from other machines, and nothing is encrypted: whoever can read the \
                 network sees every key and the secret of the link, and with it has your shell. Put a proxy with TLS \
                 before it, or listen on 127.0.0.1 and use: ssh -L {port}:127.0.0.1:{port} THIS-MACHINE",
                self.listen,
                port = self.listen.port(),
            )
        })
    }
}

/// This machine's addresses of the family, loopback first.
fn interfaces(family: IpAddr) -> Vec<IpAddr> {
    let up = getifaddrs().into_iter().flatten().filter(|one| one.flags.contains(InterfaceFlags::IFF_UP));
    let address = |storage: nix::sys::socket::SockaddrStorage| {
        let v4 = storage.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
        let v6 = storage.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip()));
        v4.or(v6.filter(|_| family.is_ipv6()))
    };
    let link_local = |address: &IpAddr| matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local());
    let mut addresses: Vec<IpAddr> =
        up.filter_map(|one| address(one.address?)).filter(|a| !link_local(a)).collect();
    addresses.sort_by_key(|address| (!address.is_loopback(), address.is_ipv6()));
    addresses.dedup();
    addresses
}

/// The text as a QR code of half blocks, light on dark, with the quiet zone that scanners need.
fn qr_code(text: &str) -> String {
    match QrCode::new(text) {
        Ok(code) => {
            code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build() + "\n"
        }
        // Longer than any QR code: then there is just the link.
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Args;

    fn links(words: &[&str], listen: &str) -> Links {
        let args = Args::try_from_words(words).unwrap();
        let config = Config::new(args, Some("0123456789abcdef")).unwrap();
        Links::new(&config, listen.parse().unwrap())
    }

    #[test]
    fn the_secret_is_in_the_fragment() {
        assert_eq!(links(&[], "127.0.0.1:80").first(), "http://127.0.0.1:80/#token=0123456789abcdef");
        let based = links(&["--base-path", "a"], "[::1]:7707");
        assert_eq!(based.first(), "http://[::1]:7707/a/#token=0123456789abcdef");
    }

    #[test]
    fn listening_everywhere_gives_links_that_work() {
        let links = links(&[], "0.0.0.0:7707");
        assert!(links.first().starts_with("http://127.0.0.1:7707/"));
        assert!(links.urls.iter().all(|url| !url.text.contains("0.0.0.0")));
        assert!(links.risk().is_some());
    }

    #[test]
    fn loopback_is_no_risk() {
        assert_eq!(links(&[], "127.0.0.1:7707").risk(), None);
    }

    #[test]
    fn a_qr_code_is_drawn() {
        assert!(qr_code("http://192.0.2.1:7707/#token=0123456789abcdef").lines().count() > 10);
    }
}
