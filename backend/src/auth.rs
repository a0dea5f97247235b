//! Who may do what: the token, and the cookie that stands for it.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use tokio::{sync::Semaphore, time::sleep};

use crate::config::{BasePath, Token};

/// How long somebody waits who gave a wrong secret.
const PENALTY: Duration = Duration::from_millis(500);

/// How many may wait so at a time; more are refused at once.
const WAITING: usize = 16;

/// How long a browser keeps the cookie.
const MAX_AGE: Duration = Duration::from_hours(30 * 24);

/// Checks secrets, in constant time.
#[derive(Debug)]
pub struct Auth {
    token: Token,
    cookie_name: String,
    cookie_value: String,
    penalties: Semaphore,
}

impl Auth {
    /// Checks against this token.
    #[must_use]
    pub fn new(token: Token) -> Self {
        // The name differs from token to token, since a browser does not tell cookies apart by port.
        let cookie_name = format!("limpet-{}", &derive(&token, "cookie name")[..8]);
        let cookie_value = derive(&token, "cookie value");
        Self { token, cookie_name, cookie_value, penalties: Semaphore::new(WAITING) }
    }

    /// Whether this is the token.
    #[must_use]
    pub fn is_token(&self, text: &str) -> bool {
        // Of digests, so that not even the length shows.
        digest(text).ct_eq(&digest(self.token.reveal())).into()
    }

    /// Whether a `Cookie` header (RFC 6265, 4.2) holds our cookie.
    #[must_use]
    pub fn is_in_cookies(&self, header: &str) -> bool {
        let pairs = header.split(';').filter_map(|pair| pair.trim().split_once('='));
        let ours = pairs.filter(|(name, _)| *name == self.cookie_name);
        ours.fold(false, |found, (_, value)| {
            found | bool::from(digest(value).ct_eq(&digest(&self.cookie_value)))
        })
    }

    /// The `Set-Cookie` header (RFC 6265, 4.1) that logs a browser in. Scripts cannot read it, other sites cannot have it
    /// sent, and it goes over encrypted connections only if it came over one.
    #[must_use]
    pub fn set_cookie(&self, path: &BasePath, encrypted: bool) -> String {
        let Self { cookie_name, cookie_value, .. } = self;
        let secure = if encrypted { "; Secure" } else { "" };
        let max_age = MAX_AGE.as_secs();
        format!(
            "{cookie_name}={cookie_value}; Path={path}; Max-Age={max_age}; HttpOnly; SameSite=Strict{secure}"
        )
    }

    /// Keeps somebody waiting who gave a wrong secret, so that guessing is slow. False if too many wait already.
    pub async fn penalty(&self) -> bool {
        let Ok(_permit) = self.penalties.try_acquire() else { return false };
        sleep(PENALTY).await;
        true
    }
}

fn digest(text: &str) -> [u8; 32] {
    use sha2::Digest;
    Sha256::digest(text.as_bytes()).into()
}

/// Something that only who knows the token can name, and that does not give it away.
#[expect(clippy::expect_used, reason = "HMAC takes keys of any length (RFC 2104)")]
fn derive(token: &Token, purpose: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(token.reveal().as_bytes()).expect("any key will do");
    mac.update(purpose.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auth() -> Auth {
        Auth::new(Token::new("0123456789abcdef").unwrap())
    }

    #[test]
    fn only_the_token_is_the_token() {
        assert!(auth().is_token("0123456789abcdef"));
        for text in ["", "0123456789abcde", "0123456789abcdef0", "0123456789abcdeF"] {
            assert!(!auth().is_token(text), "{text}");
        }
    }

    #[test]
    fn the_cookie_that_is_set_is_the_cookie_that_counts() {
        let auth = auth();
        let header = auth.set_cookie(&"/a".parse().unwrap(), false);
        let (cookie, attributes) = header.split_once("; ").unwrap();
        assert_eq!(attributes, "Path=/a/; Max-Age=2592000; HttpOnly; SameSite=Strict");
        assert!(auth.is_in_cookies(cookie));
        assert!(auth.is_in_cookies(&format!("other=1; {cookie}")));
        assert!(!auth.is_in_cookies(&format!("{cookie}0")));
        assert!(!auth.is_in_cookies(""));
        assert!(!header.contains("0123456789abcdef"), "the token itself is not in it");
        assert!(auth.set_cookie(&"/".parse().unwrap(), true).ends_with("; Secure"));
    }

    #[test]
    fn two_servers_on_one_host_have_two_cookies() {
        let other = Auth::new(Token::random());
        assert_ne!(auth().cookie_name, other.cookie_name);
    }
}
