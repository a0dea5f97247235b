//! Who may do what: the token and the cookie that stands for it, and passes, by which others are let in to one session.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use limpet_shared::{Role, SessionId};
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

/// How the cookie of a pass begins, before the session's id.
const PASS: &str = "-pass-";

/// What somebody shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// The token itself.
    Token,
    /// A pass.
    Pass(Pass),
}

/// What somebody may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everything.
    Owner,
    /// What these passes say.
    Passes(Vec<Pass>),
}

/// Lets somebody in to one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pass {
    /// To which.
    pub session: SessionId,
    /// To do what: a [`Role::Writer`] or a [`Role::Reader`].
    pub role: Role,
}

impl From<Credential> for Access {
    fn from(credential: Credential) -> Self {
        match credential {
            Credential::Token => Self::Owner,
            Credential::Pass(pass) => Self::Passes(vec![pass]),
        }
    }
}

impl Access {
    /// What may be done with a session; `None` if it may not even be seen.
    #[must_use]
    pub fn role_at(&self, session: &SessionId) -> Option<Role> {
        match self {
            Self::Owner => Some(Role::Owner),
            Self::Passes(passes) => {
                let roles = || passes.iter().filter(|pass| pass.session == *session).map(|pass| pass.role);
                roles().find(|role| role.may_write()).or_else(|| roles().next())
            }
        }
    }
}

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

    fn is_token(&self, text: &str) -> bool {
        // Of digests, so that not even the length shows.
        digest(text).ct_eq(&digest(self.token.reveal())).into()
    }

    /// What a text is, if it is good for anything.
    #[must_use]
    pub fn credential(&self, text: &str) -> Option<Credential> {
        if self.is_token(text) { Some(Credential::Token) } else { self.read_pass(text).map(Credential::Pass) }
    }

    /// The text of a pass. It is good for as long as the session and the token are.
    #[must_use]
    pub fn pass(&self, Pass { session, role }: &Pass) -> String {
        let (role, secret) = (role_name(*role), derive(&self.token, &format!("pass {role:?} {session}")));
        format!("{role}.{session}.{}", &secret[..32])
    }

    fn read_pass(&self, text: &str) -> Option<Pass> {
        let (role, rest) = text.split_once('.')?;
        let role = [Role::Writer, Role::Reader].into_iter().find(|&known| role_name(known) == role)?;
        let pass = Pass { session: rest.split('.').next()?.parse().ok()?, role };
        bool::from(digest(text).ct_eq(&digest(&self.pass(&pass)))).then_some(pass)
    }

    /// What the cookies of a `Cookie` header (RFC 6265, 4.2) allow, if they allow anything.
    #[must_use]
    pub fn access_by_cookies(&self, header: &str) -> Option<Access> {
        let pairs = header.split(';').filter_map(|pair| pair.trim().split_once('='));
        let ours = pairs.filter_map(|(name, value)| Some((name.strip_prefix(&self.cookie_name)?, value)));
        let (mut owner, mut passes) = (false, Vec::new());
        for (kind, value) in ours {
            if kind.is_empty() {
                owner |= bool::from(digest(value).ct_eq(&digest(&self.cookie_value)));
            } else {
                passes.extend(self.read_pass(value));
            }
        }
        match passes.is_empty() {
            _ if owner => Some(Access::Owner),
            true => None,
            false => Some(Access::Passes(passes)),
        }
    }

    /// What a browser may do that is given the cookie of a credential beside those of a `Cookie` header.
    #[must_use]
    pub fn access_with(&self, credential: Credential, header: &str) -> Access {
        match (credential, self.access_by_cookies(header)) {
            (Credential::Token, _) | (_, Some(Access::Owner)) => Access::Owner,
            (Credential::Pass(pass), None) => Access::Passes(vec![pass]),
            (Credential::Pass(pass), Some(Access::Passes(mut passes))) => {
                passes.retain(|earlier| earlier.session != pass.session);
                passes.push(pass);
                Access::Passes(passes)
            }
        }
    }

    /// The `Set-Cookie` header (RFC 6265, 4.1) that logs a browser in. Scripts cannot read it, other sites cannot have it
    /// sent, and it goes over encrypted connections only if it came over one. A browser has one for each session that it
    /// has a pass to.
    #[must_use]
    pub fn set_cookie(&self, credential: &Credential, path: &BasePath, encrypted: bool) -> String {
        let (kind, cookie_value) = match credential {
            Credential::Token => (String::new(), self.cookie_value.clone()),
            Credential::Pass(pass) => (format!("{PASS}{}", pass.session), self.pass(pass)),
        };
        let cookie_name = format!("{}{kind}", self.cookie_name);
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

const fn role_name(role: Role) -> &'static str {
    match role {
        Role::Owner => "owner",
        Role::Writer => "writer",
        Role::Reader => "reader",
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
        Auth::new(Token::new("9f86d081884c7d65").unwrap())
    }

    fn pass(role: Role, session: &str) -> Pass {
        Pass { session: session.parse().unwrap(), role }
    }

    #[test]
    fn only_the_token_is_the_token() {
        assert_eq!(auth().credential("9f86d081884c7d65"), Some(Credential::Token));
        for text in ["", "9f86d081884c7d6", "9f86d081884c7d650", "9f86d081884c7D65"] {
            assert_eq!(auth().credential(text), None, "{text}");
        }
    }

    #[test]
    fn the_cookie_that_is_set_is_the_cookie_that_counts() {
        let auth = auth();
        let header = auth.set_cookie(&Credential::Token, &"/a".parse().unwrap(), false);
        let (cookie, attributes) = header.split_once("; ").unwrap();
        assert_eq!(attributes, "Path=/a/; Max-Age=2592000; HttpOnly; SameSite=Strict");
        assert_eq!(auth.access_by_cookies(cookie), Some(Access::Owner));
        assert_eq!(auth.access_by_cookies(&format!("other=1; {cookie}")), Some(Access::Owner));
        assert_eq!(auth.access_by_cookies(&format!("{cookie}0")), None);
        assert_eq!(auth.access_by_cookies(""), None);
        assert!(!header.contains("9f86d081884c7d65"), "the token itself is not in it");
        assert!(auth.set_cookie(&Credential::Token, &"/".parse().unwrap(), true).ends_with("; Secure"));
    }

    #[test]
    fn a_pass_is_good_for_what_it_says_and_nothing_else() {
        let auth = auth();
        let reader = pass(Role::Reader, "s-1");
        let text = auth.pass(&reader);
        assert!(text.starts_with("reader.s-1."), "{text}");
        assert_eq!(auth.credential(&text), Some(Credential::Pass(reader)));
        for forged in [
            text.replace("reader", "writer"),
            text.replace("reader", "owner"),
            text.replace("s-1", "s-2"),
            format!("{text}0"),
            format!("{text}.x"),
            "reader.s-1.".to_owned(),
            "reader".to_owned(),
            Auth::new(Token::random()).pass(&pass(Role::Reader, "s-1")),
        ] {
            assert_eq!(auth.credential(&forged), None, "{forged}");
        }
    }

    #[test]
    fn a_browser_keeps_a_pass_for_each_session() {
        let auth = auth();
        let passes = [pass(Role::Reader, "a"), pass(Role::Writer, "b"), pass(Role::Reader, "b")];
        let cookies = passes.clone().map(|pass| {
            let header = auth.set_cookie(&Credential::Pass(pass), &"/".parse().unwrap(), false);
            header.split_once(';').unwrap().0.to_owned()
        });
        let access = auth.access_by_cookies(&cookies.join("; ")).unwrap();
        let role = |session: &str| access.role_at(&session.parse().unwrap());
        assert_eq!((role("a"), role("b"), role("c")), (Some(Role::Reader), Some(Role::Writer), None));
        let owner = auth.set_cookie(&Credential::Token, &"/".parse().unwrap(), false);
        let all = format!("{}; {}", cookies.join("; "), owner.split_once(';').unwrap().0);
        assert_eq!(auth.access_by_cookies(&all), Some(Access::Owner));
        assert_eq!(auth.access_by_cookies(&cookies[0].replace("reader", "writer")), None);
    }

    #[test]
    fn two_servers_on_one_host_have_two_cookies() {
        let other = Auth::new(Token::random());
        assert_ne!(auth().cookie_name, other.cookie_name);
    }
}
