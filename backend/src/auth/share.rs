//! The key from which share links are derived.
//!
//! It consists of 256 random bits and is independent of the token. If passes were derived from a
//! token that a person chose, anybody with a pass could guess the token offline.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use limpet_shared::Role;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::{
    access::Pass,
    secret::{Digest, Secret},
};

/// Number of characters in a pass's secret: 128 bits in hexadecimal.
const PASS_LEN: usize = 32;

/// The key that creates and verifies passes.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct ShareKey(Secret);

impl ShareKey {
    pub(super) fn random() -> Self {
        Self(Secret::random())
    }

    /// Returns the text of a pass. It is valid as long as the session and this key exist.
    pub(super) fn encode_pass(&self, Pass { session, role }: &Pass) -> String {
        let secret = self.derive(&format!("pass {role:?} {session}"));
        format!("{}.{session}.{}", role_name(*role), &secret[..PASS_LEN])
    }

    /// Parses and verifies the text of a pass.
    pub(super) fn decode_pass(&self, text: &str) -> Option<Pass> {
        let (role, rest) = text.split_once('.')?;
        let role = [Role::Writer, Role::Reader].into_iter().find(|&known| role_name(known) == role)?;
        let pass = Pass { session: rest.split('.').next()?.parse().ok()?, role };
        Digest::of(&self.encode_pass(&pass)).matches(text).then_some(pass)
    }

    /// Returns the name of this server's cookies. It differs between servers, because browsers do
    /// not separate cookies by port.
    pub(super) fn cookie_name(&self) -> String {
        format!("limpet-{}", &self.derive("cookie name")[..8])
    }

    /// Derives a text for a purpose. Only holders of the key can compute it, and it does not reveal
    /// the key.
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length (RFC 2104)")]
    fn derive(&self, purpose: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.reveal().as_bytes()).expect("any key will do");
        mac.update(purpose.as_bytes());
        hex::encode(mac.finalize().into_bytes())
    }
}

impl fmt::Debug for ShareKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShareKey(…)")
    }
}

const fn role_name(role: Role) -> &'static str {
    match role {
        Role::Owner => "owner",
        Role::Writer => "writer",
        Role::Reader => "reader",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_is_good_for_what_it_says_and_nothing_else() {
        let key = ShareKey::random();
        let reader = Pass { session: "s-1".parse().unwrap(), role: Role::Reader };
        let text = key.encode_pass(&reader);
        assert!(text.starts_with("reader.s-1."), "{text}");
        assert_eq!(key.decode_pass(&text), Some(reader.clone()));
        for forged in [
            text.replace("reader", "writer"),
            text.replace("reader", "owner"),
            text.replace("s-1", "s-2"),
            format!("{text}0"),
            format!("{text}.x"),
            "reader.s-1.".to_owned(),
            "reader".to_owned(),
            ShareKey::random().encode_pass(&reader),
        ] {
            assert_eq!(key.decode_pass(&forged), None, "{forged}");
        }
    }

    #[test]
    fn two_servers_on_one_host_have_two_cookies() {
        assert_ne!(ShareKey::random().cookie_name(), ShareKey::random().cookie_name());
    }
}
