//! Secrets of 256 random bits, and their digests.

use std::fmt;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use limpet_sys::random;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

/// A secret of 256 random bits, as text. It never shows up in logs.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Secret(String);

impl Secret {
    pub(super) fn random() -> Self {
        Self(hex::encode(random::bytes::<32>()))
    }

    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The SHA-256 digest of a secret. It is enough to recognise the secret, and useless to those who
/// read it.
///
/// A slow hash would add nothing: it protects secrets that people choose from being guessed, and
/// nobody can guess 256 random bits.
#[derive(Clone, Copy)]
pub(super) struct Digest([u8; 32]);

impl Digest {
    pub(super) fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// Reports, in constant time, whether this is the digest of `text`. Digests are compared, so
    /// that not even a length leaks.
    pub(super) fn matches(&self, text: &str) -> bool {
        self.eq_constant_time(&Self::of(text))
    }

    /// Compares in constant time.
    pub(super) fn eq_constant_time(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(…)")
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        BASE64_URL_SAFE_NO_PAD.encode(self.0).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| D::Error::custom("not a SHA-256 digest in base64"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_recognises_its_secret_and_no_other() {
        let secret = Secret::random();
        let digest = Digest::of(secret.reveal());
        assert!(digest.matches(secret.reveal()));
        for other in ["", Secret::random().reveal(), &format!("{}0", secret.reveal())] {
            assert!(!digest.matches(other), "{other}");
        }
        let kept = serde_json::to_string(&digest).unwrap();
        let read: Digest = serde_json::from_str(&kept).unwrap();
        assert!(read.eq_constant_time(&digest) && !kept.contains(secret.reveal()));
        assert!(serde_json::from_str::<Digest>("\"abc\"").is_err());
    }

    #[test]
    fn neither_is_shown() {
        let secret = Secret::random();
        let shown = format!("{secret:?} {:?}", Digest::of(secret.reveal()));
        assert!(!shown.contains(char::is_numeric), "{shown}");
    }
}
