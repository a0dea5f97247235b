//! The secret of the link.

use std::{
    fmt, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use crate::random;

/// Whoever knows it may do everything. It never shows up in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// Why a text cannot be the secret.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be read.
    #[error("{source}; make one with: (umask 077; openssl rand -hex 32 > {})", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Too easy to guess.
    #[error("a token has at least {min} characters; make one with: openssl rand -hex 32", min = Token::MIN_LEN)]
    Short,
    /// It could not stand in a link or a header.
    #[error("a token is made of letters, digits and -._~ only; make one with: openssl rand -hex 32")]
    Characters,
}

impl Token {
    /// Fewest characters.
    pub const MIN_LEN: usize = 16;

    /// A new one of 256 random bits.
    #[must_use]
    pub fn random() -> Self {
        Self(hex::encode(random::bytes::<32>()))
    }

    /// One that somebody chose.
    ///
    /// # Errors
    /// When it is too short, or has characters that would need escaping.
    pub fn new(text: &str) -> Result<Self, TokenError> {
        let text = text.trim();
        if text.len() < Self::MIN_LEN {
            return Err(TokenError::Short);
        }
        if !text.chars().all(|c| c.is_ascii_alphanumeric() || "-._~".contains(c)) {
            return Err(TokenError::Characters);
        }
        Ok(Self(text.to_owned()))
    }

    /// The one in a file, white space around it left out.
    ///
    /// # Errors
    /// When the file cannot be read, or does not hold a token.
    pub fn read(path: &Path) -> Result<Self, TokenError> {
        let error = |source| TokenError::Read { path: path.to_owned(), source };
        let text = std::fs::read_to_string(path).map_err(error)?;
        let mode = path.metadata().map_err(error)?.permissions().mode();
        if mode & 0o077 != 0 {
            tracing::warn!(path = %path.display(), "other users can read the token; chmod 600 makes it a secret");
        }
        Self::new(&text)
    }

    /// The secret itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_token_is_one_and_differs_each_time() {
        let (one, other) = (Token::random(), Token::random());
        assert_eq!(Token::new(one.reveal()).unwrap(), one);
        assert!(one != other);
        assert_eq!(one.reveal().len(), 64);
    }

    #[test]
    fn a_weak_or_awkward_token_is_refused() {
        assert!(matches!(Token::new("short"), Err(TokenError::Short)));
        assert!(matches!(Token::new("with a space in it"), Err(TokenError::Characters)));
        assert_eq!(Token::new(" 0123456789abcdef\n").unwrap().reveal(), "0123456789abcdef");
    }

    #[test]
    fn a_token_is_not_shown() {
        assert!(!format!("{:?}", Token::random()).contains(char::is_numeric));
    }
}
