//! The file in which sign-ins survive a restart.

use std::{
    fs::{File, TryLockError},
    io::{self, Read},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use nix::{libc::O_NOFOLLOW, unistd::geteuid};
use serde::{Deserialize, Serialize};

use super::{share::ShareKey, sign_ins::SignInRecord};
use crate::session_files;

/// Name of the file in a state directory, and extension that is added to the name of a token file.
const FILE_NAME: &str = "sign-ins";

/// Mode bits with which other users could change a file.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// The state that outlives a server: the key of share links, and the sign-ins. Fields are only ever
/// added, with a default.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SavedAccess {
    pub(super) share_key: ShareKey,
    pub(super) sign_ins: Vec<SignInRecord>,
}

/// A file that only its owner can read and that is always replaced as a whole.
#[derive(Debug)]
pub(crate) struct SignInFile {
    path: PathBuf,
    /// Lock on the token file, held so that no other limpet writes the same file.
    _lock: Option<File>,
}

impl SignInFile {
    /// Returns the file in a directory that no other limpet uses.
    pub(crate) fn in_dir(dir: &Path) -> Self {
        Self { path: dir.join(FILE_NAME), _lock: None }
    }

    /// Returns the file beside a token file, or `None` if another limpet uses it.
    ///
    /// # Errors
    /// Those of open(2) and flock(2).
    pub(crate) fn beside(token_file: &Path) -> io::Result<Option<Self>> {
        let lock = File::open(token_file)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let mut name = token_file.as_os_str().to_owned();
        name.push(".");
        name.push(FILE_NAME);
        Ok(Some(Self { path: name.into(), _lock: Some(lock) }))
    }

    /// Returns the path of the file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the saved state, if there is any.
    ///
    /// # Errors
    /// When the file cannot be read or parsed, or another user may have written it: a sign-in that
    /// somebody plants would let them in.
    pub(crate) fn read(&self) -> io::Result<Option<SavedAccess>> {
        let mut file = match File::options().read(true).custom_flags(O_NOFOLLOW).open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let about = file.metadata()?;
        if !about.is_file() || about.uid() != geteuid().as_raw() || about.mode() & WRITABLE_BY_OTHERS != 0 {
            let why = "another user owns it or can write to it";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
        }
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        Ok(Some(serde_json::from_slice(&text)?))
    }

    /// Replaces the saved state.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn write(&self, saved: &SavedAccess) -> io::Result<()> {
        session_files::replace_file(&self.path, &serde_json::to_vec(saved)?)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    fn saved() -> SavedAccess {
        SavedAccess { share_key: ShareKey::random(), sign_ins: Vec::new() }
    }

    #[test]
    fn what_is_saved_is_read_by_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let file = SignInFile::in_dir(dir.path());
        assert!(file.read().unwrap().is_none());
        let saved = saved();
        file.write(&saved).unwrap();
        file.write(&saved).unwrap();
        assert!(file.read().unwrap().unwrap().share_key == saved.share_key);
        assert_eq!(fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn what_others_may_have_written_is_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        let file = SignInFile::in_dir(dir.path());
        file.write(&saved()).unwrap();
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o620)).unwrap();
        assert_eq!(file.read().unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        let elsewhere = dir.path().join("elsewhere");
        fs::rename(file.path(), &elsewhere).unwrap();
        fs::set_permissions(&elsewhere, fs::Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::symlink(&elsewhere, file.path()).unwrap();
        assert!(file.read().is_err());
        fs::remove_file(file.path()).unwrap();
        for content in ["", "{}", "nonsense", "[]"] {
            fs::write(file.path(), content).unwrap();
            fs::set_permissions(file.path(), fs::Permissions::from_mode(0o600)).unwrap();
            assert!(file.read().is_err(), "{content}");
        }
    }

    #[test]
    fn a_token_file_serves_one_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let token = dir.path().join("token");
        assert!(SignInFile::beside(&token).is_err());
        fs::write(&token, "x").unwrap();
        let first = SignInFile::beside(&token).unwrap().unwrap();
        assert_eq!(first.path(), dir.path().join("token.sign-ins"));
        assert!(SignInFile::beside(&token).unwrap().is_none());
        drop(first);
        assert!(SignInFile::beside(&token).unwrap().is_some());
    }
}
