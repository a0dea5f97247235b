//! The link that `limpet` prints, links that invite others, and the token or pass in their
//! fragments.

use limpet_shared::SessionId;

/// The text before the token in a link.
const TOKEN_PREFIX: &str = "#token=";

/// Returns the token in a URL's fragment (with its `#`).
#[must_use]
pub fn token_in_fragment(fragment: &str) -> Option<&str> {
    fragment.strip_prefix(TOKEN_PREFIX).filter(|token| !token.is_empty())
}

/// Returns the token in a text that the user pasted: a whole link, or the token alone.
#[must_use]
pub fn token_in_text(text: &str) -> Option<&str> {
    let text = text.trim();
    let token = text.split_once(TOKEN_PREFIX).map_or(text, |(_, token)| token);
    let token = token.split_whitespace().next()?;
    (!token.contains("://")).then_some(token).filter(|token| !token.is_empty())
}

/// Returns the link to the page at `address` that logs in with this token or pass.
#[must_use]
pub fn with_token(address: &str, token: &str) -> String {
    format!("{address}{TOKEN_PREFIX}{token}")
}

/// Returns the session that a pass gives access to. A token is not tied to a session.
#[must_use]
pub fn session_of_pass(token: &str) -> Option<SessionId> {
    match token.split('.').collect::<Vec<_>>()[..] {
        ["writer" | "reader", session, _] => session.parse().ok(),
        _ => None,
    }
}

/// Reports whether an address, with or without a scheme, refers to the machine that it is used on.
#[must_use]
pub fn is_local(address: &str) -> bool {
    let host = address.split_once("://").map_or(address, |(_, rest)| rest);
    ["localhost", "127.", "[::1]"].into_iter().any(|local| host.starts_with(local))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fragment_may_hold_a_token() {
        assert_eq!(token_in_fragment("#token=abc"), Some("abc"));
        for fragment in ["", "#", "#token=", "#abc"] {
            assert_eq!(token_in_fragment(fragment), None, "{fragment}");
        }
    }

    #[test]
    fn an_invitation_is_a_link_like_the_first() {
        let link = with_token("https://example.org/a/", "reader.s-1.abc");
        assert_eq!(token_in_text(&link), Some("reader.s-1.abc"));
        assert_eq!(session_of_pass("reader.s-1.abc"), "s-1".parse().ok());
        for token in ["abc", "owner.s-1.abc", "reader.s-1", "reader.s 1.abc", "reader.s-1.abc.d"] {
            assert_eq!(session_of_pass(token), None, "{token}");
        }
    }

    #[test]
    fn addresses_that_lead_nowhere_else_are_known() {
        for address in ["http://127.0.0.1:7707/", "http://localhost/", "http://[::1]:7707/a/"] {
            assert!(is_local(address), "{address}");
        }
        for address in ["http://192.0.2.7:7707/", "https://limpet.example.org/"] {
            assert!(!is_local(address), "{address}");
        }
    }

    #[test]
    fn a_link_and_a_token_both_do() {
        for text in
            ["abc", " abc\n", "http://127.0.0.1:7707/#token=abc", "open http://[::1]/x/#token=abc now"]
        {
            assert_eq!(token_in_text(text), Some("abc"), "{text}");
        }
        for text in ["", "  ", "http://127.0.0.1:7707/", "http://127.0.0.1:7707/#token="] {
            assert_eq!(token_in_text(text), None, "{text}");
        }
    }
}
