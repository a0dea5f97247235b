//! The link that `limpet` prints, and the token in its fragment.

/// What stands before the token in a link.
const MARK: &str = "#token=";

/// The token in an address' fragment (with its `#`).
#[must_use]
pub fn token_in_fragment(fragment: &str) -> Option<&str> {
    fragment.strip_prefix(MARK).filter(|token| !token.is_empty())
}

/// The token in what a person pasted: a whole link, or the token alone.
#[must_use]
pub fn token_in_text(text: &str) -> Option<&str> {
    let text = text.trim();
    let token = text.split_once(MARK).map_or(text, |(_, token)| token);
    let token = token.split_whitespace().next()?;
    (!token.contains("://")).then_some(token).filter(|token| !token.is_empty())
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
