//! Directories for sockets and other short-lived files, writable only by their user.
//!
//! There are several. The one of the login session is removed with the session, which limpet
//! outlives, and a client may run with another environment than the keeper.

use std::{
    env,
    fs::{self, DirBuilder, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use limpet_sys::trust::{self, TrustError};
use nix::unistd::Uid;

/// Mode of such a directory.
const DIRECTORY_MODE: u32 = 0o700;

/// Returns the paths where a user's directories may be, the preferred one first.
pub(super) fn candidates(user: Uid) -> Vec<PathBuf> {
    let session = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|folder| folder.is_absolute());
    let mut folders: Vec<PathBuf> = session.into_iter().map(|folder| folder.join("limpet")).collect();
    folders.push(format!("/run/user/{user}/limpet").into());
    if user.is_root() {
        folders.push("/run/limpet".into());
    }
    folders.push(format!("/tmp/limpet-{user}").into());
    let mut known = Vec::new();
    folders.retain(|folder| {
        !known.contains(folder) && {
            known.push(folder.clone());
            true
        }
    });
    folders
}

/// Returns this user's directories, and creates them if necessary. A directory that another user
/// can write to is skipped.
pub fn usable() -> impl Iterator<Item = PathBuf> {
    candidates(Uid::effective()).into_iter().filter_map(|folder| match prepare(&folder) {
        Ok(folder) => Some(folder),
        // Some systems lack some of the directories, and some users may not write there.
        Err(error @ TrustError::Io { .. }) => {
            tracing::debug!(%error, "could not create a runtime directory");
            None
        }
        Err(error) => {
            tracing::warn!(%error, "cannot use a runtime directory");
            None
        }
    })
}

/// Returns those of this user's directories that exist.
pub fn existing() -> impl Iterator<Item = PathBuf> {
    candidates(Uid::effective()).into_iter().filter_map(|folder| trust::check_directory(&folder).ok())
}

fn prepare(folder: &Path) -> Result<PathBuf, TrustError> {
    let failed = |source| TrustError::Io { path: folder.to_owned(), source };
    // Nothing is created in directories of other users, such as that of a user who has become root.
    let folder = trust::check_path(folder)?;
    match DirBuilder::new().mode(DIRECTORY_MODE).create(&folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
        _ => {}
    }
    let metadata = fs::symlink_metadata(&folder).map_err(failed)?;
    if metadata.is_dir()
        && metadata.uid() == Uid::effective().as_raw()
        && metadata.mode() & 0o777 != DIRECTORY_MODE
    {
        fs::set_permissions(&folder, Permissions::from_mode(DIRECTORY_MODE)).map_err(failed)?;
    }
    trust::check_directory(&folder)
}
