//! The access URLs that are printed when the server is ready.

use std::{
    fmt,
    io::{self, IsTerminal, StdoutLock, Write},
    net::{IpAddr, SocketAddr},
};

use nix::{ifaddrs::getifaddrs, net::if_::InterfaceFlags};
use qrcode::{QrCode, render::unicode::Dense1x2};
use serde::{Deserialize, Serialize};

use crate::config::{Config, Format};

/// The addresses of the page, with the secret. The keeper stores them as text for `limpet link`,
/// which may be another version: fields are only added, with a default.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessUrls {
    listen: SocketAddr,
    base_path: String,
    token: String,
}

/// The object that `--format json` prints.
#[derive(Serialize)]
struct Ready<'a> {
    url: &'a str,
    listen: SocketAddr,
    token: &'a str,
}

struct Url {
    text: String,
    /// Set if other machines may reach the URL.
    is_remote: bool,
}

impl AccessUrls {
    /// Returns the URLs of a server that listens at `listen`.
    #[must_use]
    pub fn new(config: &Config, listen: SocketAddr) -> Self {
        let (base_path, token) = (config.base_path.to_string(), config.token.reveal().to_owned());
        Self { listen, base_path, token }
    }

    /// Parses the output of [`to_text`](Self::to_text).
    ///
    /// # Errors
    /// When the text is something else.
    pub fn from_text(text: &str) -> io::Result<Self> {
        Ok(serde_json::from_str(text)?)
    }

    /// Returns the URLs as text for the keeper.
    #[must_use]
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Returns one URL for each address, at least one. The first works on this machine if any does.
    fn urls(&self) -> Vec<Url> {
        let ip = self.listen.ip();
        let addresses = if ip.is_unspecified() { local_addresses(ip) } else { vec![ip] };
        let secret = format!("#token={}", self.token);
        let url = |address: IpAddr| Url {
            text: self.url_without_secret(address) + &secret,
            is_remote: !address.is_loopback(),
        };
        addresses.into_iter().map(url).collect()
    }

    /// Returns the URL of the page without the secret.
    fn url_without_secret(&self, ip: IpAddr) -> String {
        format!("http://{}{}", SocketAddr::new(ip, self.listen.port()), self.base_path)
    }

    /// Reports whether this server's socket prevents another one from listening at `address`.
    #[must_use]
    pub fn conflicts_with(&self, address: SocketAddr) -> bool {
        let ips = [self.listen.ip(), address.ip()];
        self.listen.port() == address.port() && (ips[0] == ips[1] || ips.iter().any(IpAddr::is_unspecified))
    }

    /// Returns the URL for this machine.
    #[must_use]
    pub fn local_url(&self) -> String {
        self.urls().into_iter().next().map_or_else(String::new, |url| url.text)
    }

    /// Prints the URLs when the server is ready, if standard output is a terminal or the format is
    /// JSON. Any other output may be a journal that others read, and gets the address without the
    /// secret.
    ///
    /// # Errors
    /// When standard output cannot be written, for example because nobody reads it.
    pub fn announce(&self, format: Format) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if let (Format::Text, false) = (format, out.is_terminal()) {
            let ip = self.listen.ip();
            let local = || local_addresses(ip).first().copied();
            let ip = if ip.is_unspecified() { local().unwrap_or(ip) } else { ip };
            let url = self.url_without_secret(ip);
            writeln!(out, "limpet is ready at {url}; run `limpet link` to print the link")?;
            return out.flush();
        }
        if let Format::Text = format {
            writeln!(out, "Open this link in a browser and keep it secret. Ctrl-C ends limpet.\n")?;
        }
        self.print_to(&mut out, format)
    }

    /// Prints the URLs on request.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn print(&self, format: Format) -> io::Result<()> {
        self.print_to(&mut io::stdout().lock(), format)
    }

    fn print_to(&self, out: &mut StdoutLock<'_>, format: Format) -> io::Result<()> {
        match format {
            Format::Json => {
                let ready = Ready { url: &self.local_url(), listen: self.listen, token: &self.token };
                writeln!(out, "{}", serde_json::to_string(&ready)?)?;
            }
            Format::Text => {
                let urls = self.urls();
                for url in &urls {
                    writeln!(out, "{}", url.text)?;
                }
                // A single code is enough to point a phone at; several next to each other would
                // confuse it.
                let remote = urls.iter().find(|url| url.is_remote).filter(|_| out.is_terminal());
                if let Some(url) = remote {
                    write!(out, "\n{}", qr_code(&url.text))?;
                }
            }
        }
        out.flush()
    }

    /// Describes the risk if other machines can reach the server.
    #[must_use]
    pub fn exposure_warning(&self) -> Option<String> {
        (!self.listen.ip().is_loopback()).then(|| {
            format!(
                "{} is reachable from other machines without encryption: anybody who can read the network \
                 sees every key and the link's secret, and can use your shell with it. Put a proxy with TLS \
                 in front of limpet, or listen on 127.0.0.1 and use: ssh -L {port}:127.0.0.1:{port} \
                 THIS-MACHINE",
                self.listen,
                port = self.listen.port(),
            )
        })
    }
}

impl fmt::Debug for AccessUrls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccessUrls({}, …)", self.listen)
    }
}

/// Returns this machine's addresses at which a listener of the given family can be reached,
/// loopback first and without link-local ones.
fn local_addresses(family: IpAddr) -> Vec<IpAddr> {
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

/// Renders the text as a QR code of half blocks, light on dark, with the quiet zone that scanners
/// need.
fn qr_code(text: &str) -> String {
    match QrCode::new(text) {
        Ok(code) => {
            code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build() + "\n"
        }
        // The text is too long for a QR code, so only the URL is printed.
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Args;

    fn links(words: &[&str], listen: &str) -> AccessUrls {
        let args = Args::try_from_words(words).unwrap();
        let config = Config::new(args, Some("9f86d081884c7d65")).unwrap();
        AccessUrls::new(&config, listen.parse().unwrap())
    }

    #[test]
    fn the_secret_is_in_the_fragment() {
        assert_eq!(links(&[], "127.0.0.1:80").local_url(), "http://127.0.0.1:80/#token=9f86d081884c7d65");
        let based = links(&["--base-path", "a"], "[::1]:7707");
        assert_eq!(based.local_url(), "http://[::1]:7707/a/#token=9f86d081884c7d65");
    }

    #[test]
    fn listening_everywhere_gives_links_that_work() {
        let links = links(&[], "0.0.0.0:7707");
        assert!(links.local_url().starts_with("http://127.0.0.1:7707/"));
        assert!(links.urls().iter().all(|url| !url.text.contains("0.0.0.0")));
        assert!(links.exposure_warning().is_some());
    }

    #[test]
    fn they_come_back_from_a_text() {
        let links = links(&["--base-path", "a"], "[::]:7707");
        assert_eq!(AccessUrls::from_text(&links.to_text()).unwrap(), links);
        assert!(!format!("{links:?}").contains("9f86"), "and are not shown by chance");
        assert!(AccessUrls::from_text("").is_err());
    }

    #[test]
    fn a_server_occupies_its_port_on_its_address() {
        for (listen, address, occupied) in [
            ("127.0.0.1:7707", "127.0.0.1:7707", true),
            ("127.0.0.1:7707", "127.0.0.1:7708", false),
            ("127.0.0.1:7707", "192.0.2.1:7707", false),
            ("0.0.0.0:7707", "127.0.0.1:7707", true),
            ("127.0.0.1:7707", "[::]:7707", true),
        ] {
            let conflicts = links(&[], listen).conflicts_with(address.parse().unwrap());
            assert_eq!(conflicts, occupied, "{listen} {address}");
        }
    }

    #[test]
    fn loopback_is_no_risk() {
        assert_eq!(links(&[], "127.0.0.1:7707").exposure_warning(), None);
    }

    #[test]
    fn a_qr_code_is_drawn() {
        assert!(qr_code("http://192.0.2.1:7707/#token=9f86d081884c7d65").lines().count() > 10);
    }
}
