//! The client of a request, as far as the network knows it.

use std::{fmt, net::IpAddr};

use crate::network::Network;

/// The address that a request comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Client {
    address: Option<IpAddr>,
    /// Set if the address comes from a proxy on this machine.
    is_proxied: bool,
}

impl Client {
    /// Returns the client behind a connection from `peer`. The address that a proxy has `forwarded`
    /// is trusted if the proxy runs on this machine.
    #[must_use]
    pub fn new(peer: Option<IpAddr>, forwarded: Option<IpAddr>) -> Self {
        let peer = peer.map(|peer| peer.to_canonical());
        match (peer, forwarded) {
            (Some(peer), Some(forwarded)) if peer.is_loopback() => {
                Self { address: Some(forwarded.to_canonical()), is_proxied: true }
            }
            _ => Self { address: peer, is_proxied: false },
        }
    }

    /// Returns the address, if it is known.
    #[must_use]
    pub const fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// Reports whether the address comes from a proxy on this machine.
    pub(super) const fn is_proxied(&self) -> bool {
        self.is_proxied
    }

    /// Returns the network by which the client is counted.
    pub(super) fn network(&self) -> Option<Network> {
        self.address.map(Network::of)
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(address) => address.fmt(f),
            None => f.write_str("an unknown address"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: Option<&str>) -> Client {
        Client::new(peer.parse().ok(), forwarded.map(|address| address.parse().unwrap()))
    }

    #[test]
    fn a_proxy_on_this_machine_is_believed_and_no_other() {
        for (peer, forwarded, address) in [
            ("192.0.2.7", None, "192.0.2.7"),
            ("192.0.2.7", Some("10.0.0.1"), "192.0.2.7"),
            ("127.0.0.1", None, "127.0.0.1"),
            ("::ffff:127.0.0.1", Some("::ffff:10.0.0.1"), "10.0.0.1"),
            ("::1", Some("2001:db8::1"), "2001:db8::1"),
        ] {
            assert_eq!(client(peer, forwarded).to_string(), address);
        }
    }

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        let network = |address| client(address, None).network();
        assert_eq!(network("2001:db8::1"), network("2001:db8::2:0:0:1"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }
}
