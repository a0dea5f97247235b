//! The secret of the link.

use std::{
    fmt,
    fs::{DirBuilder, File},
    io::{self, Read as _, Write as _},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use limpet_sys::{
    random,
    trust::{self, TrustError},
};

use super::strength;

/// Maximum number of bytes that are read from a token file.
const MAX_FILE_BYTES: u64 = 4096;

/// The secret that grants every right. It never shows up in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// The reason why a token is refused.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file, or its path, can be changed or read by other users.
    #[error(transparent)]
    Untrusted(#[from] TrustError),
    /// The file cannot be read.
    #[error("could not read it: {0}")]
    Read(#[source] io::Error),
    /// The file does not exist and could not be created.
    #[error("{}: the file does not exist and could not be created: {source}", path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The token is too short.
    #[error("a token needs at least {min} characters; generate one with: openssl rand -hex 32", min = Token::MIN_LEN)]
    TooShort,
    /// The token is long enough, but easy to guess.
    #[error(
        "the token is too easy to guess, since it consists of common words, repetitions or rows of the keyboard; make one with: openssl rand -hex 32"
    )]
    Weak,
    /// The token would need escaping in a link or a header.
    #[error("a token may only contain letters, digits and -._~; generate one with: openssl rand -hex 32")]
    InvalidCharacters,
}

impl Token {
    /// Minimum number of characters.
    pub const MIN_LEN: usize = 16;

    /// Creates a token of 256 random bits.
    #[must_use]
    pub fn random() -> Self {
        Self(hex::encode(random::bytes::<32>()))
    }

    /// Checks a token that somebody chose.
    ///
    /// # Errors
    /// When it is too short or easy to guess, or has characters that would need escaping.
    pub fn new(text: &str) -> Result<Self, TokenError> {
        let text = text.trim();
        if text.len() < Self::MIN_LEN {
            return Err(TokenError::TooShort);
        }
        if !text.chars().all(|c| c.is_ascii_alphanumeric() || "-._~".contains(c)) {
            return Err(TokenError::InvalidCharacters);
        }
        if strength::is_weak(text) {
            return Err(TokenError::Weak);
        }
        Ok(Self(text.to_owned()))
    }

    /// Takes over the token of an earlier server, which has checked it.
    #[must_use]
    pub fn of_predecessor(text: String) -> Self {
        Self(text)
    }

    /// Reads the token in a file, without the white space around it.
    ///
    /// # Errors
    /// When the file cannot be read, does not hold a token, or is not [as
    /// secret](trust::open_secret) as it has to be.
    pub fn read(path: &Path) -> Result<Self, TokenError> {
        let mut text = String::new();
        let file = trust::open_secret(path)?;
        file.take(MAX_FILE_BYTES).read_to_string(&mut text).map_err(TokenError::Read)?;
        Self::new(&text)
    }

    /// Reads the token in a file. If there is no file, creates it with a random token, for its
    /// owner alone. Returns true if the file was created.
    ///
    /// # Errors
    /// Those of [`read`](Self::read), and when the file does not exist and cannot be created.
    pub fn read_or_create(path: &Path) -> Result<(Self, bool), TokenError> {
        match Self::read(path) {
            Err(TokenError::Untrusted(error)) if error.is_missing() => {}
            token => return Ok((token?, false)),
        }
        let failed = |source| TokenError::Create { path: path.to_owned(), source };
        let token = Self::random();
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        let target = trust::check_path(path)?;
        match token.write_new(&target) {
            // Another process has just created it.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok((Self::read(path)?, false)),
            made => made.map(|()| (token, true)).map_err(failed),
        }
    }

    /// Writes a new file atomically, without overwriting one.
    fn write_new(&self, path: &Path) -> io::Result<()> {
        let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        writeln!(file, "{}", self.0)?;
        // A crash of the machine must not leave an empty file.
        file.as_file().sync_all()?;
        file.persist_noclobber(path)?;
        File::open(folder)?.sync_all()
    }

    /// Returns the secret itself.
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
    use std::{
        fs,
        os::unix::fs::{PermissionsExt as _, symlink},
    };

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
        assert!(matches!(Token::new("short"), Err(TokenError::TooShort)));
        assert!(matches!(Token::new("with a space in it"), Err(TokenError::InvalidCharacters)));
        assert!(matches!(Token::new("passwordpassword"), Err(TokenError::Weak)));
        assert_eq!(Token::new(" 9f86d081884c7d65\n").unwrap().reveal(), "9f86d081884c7d65");
    }

    #[test]
    fn a_file_is_made_if_there_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/token");
        let (token, is_new) = Token::read_or_create(&path).unwrap();
        assert!(is_new);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing but the file");
        assert_eq!(Token::read_or_create(&path).unwrap(), (token.clone(), false));
        assert_eq!(token.write_new(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        // The target of a dangling link is created.
        let link = folder.path().join("link");
        symlink(folder.path().join("a/other"), &link).unwrap();
        let (linked, _) = Token::read_or_create(&link).unwrap();
        assert_eq!(Token::read(&folder.path().join("a/other")).unwrap(), linked);
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let said = |path: &Path| Token::read_or_create(path).unwrap_err().to_string();
        assert!(said(folder.path()).contains("is a directory; name a file"), "{}", said(folder.path()));
        let path = folder.path().join("token");
        fs::write(&path, "x".repeat(5000)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(said(&path).contains("chmod 600"), "{}", said(&path));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(said(&path).contains("too easy to guess"), "{}", said(&path));
        fs::write(&path, "").unwrap();
        assert!(said(&path).contains("at least 16 characters"), "{}", said(&path));
        let below = path.join("token");
        assert!(said(&below).contains("Not a directory"), "{}", said(&below));
    }

    #[test]
    fn a_token_is_not_shown() {
        assert!(!format!("{:?}", Token::random()).contains(char::is_numeric));
    }
}
