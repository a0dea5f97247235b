//! The part of a peer's address that limits are applied to.

use std::net::IpAddr;

/// The network that a peer connects from: an IPv4 address, or the upper 64 bits of an IPv6 address.
/// A client that has one address of an IPv6 network can use all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Network(IpAddr);

impl Network {
    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(v6) if !v6.is_loopback() => {
                Self(IpAddr::V6((v6.to_bits() & !u128::from(u64::MAX)).into()))
            }
            address => Self(address),
        }
    }

    pub(crate) fn is_loopback(self) -> bool {
        self.0.is_loopback()
    }
}
