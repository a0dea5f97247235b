//! The files from which sessions are started again after a reboot, when nothing else of them is
//! left.
//!
//! Each session has one file, which only its owner may read and which is always replaced as a
//! whole. Files that another user could have written are not [trusted](trust). The first line
//! describes the program to start; after it comes, if configured, output that restores the screen.

use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder, File, TryLockError},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use limpet_keeper::ProgramSpec;
use limpet_shared::{Flow, SessionId, Sizing, Winsize};
use limpet_sys::trust::{self, TrustError};
use nix::libc::O_NOFOLLOW;
use serde::{Deserialize, Serialize};

/// Extension of sessions' files.
const SESSION_EXTENSION: &str = "session";

/// Second extension of files from which a session could not be restored.
const FAILED_EXTENSION: &str = "failed";

/// Extension of files that are being written.
const PARTIAL_EXTENSION: &str = "part";

/// Name of the lock file. The process that has locked it owns the directory.
const LOCK_FILE_NAME: &str = "lock";

/// A directory of sessions' files that no other limpet uses.
#[derive(Debug)]
pub(crate) struct StateDir {
    path: PathBuf,
    /// The lock file, locked. It lists the sessions that wait for the next start, because a server
    /// that takes over from this one does not restore sessions and would not know of them. Writing
    /// to the open file works even when no descriptor is left.
    lock: File,
    /// The same list in memory.
    pending_restores: Mutex<BTreeSet<SessionId>>,
}

/// The data that starting a session again requires. Fields are only ever added, with a default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SavedSession {
    /// The program, and the directory that its predecessor was in.
    pub(crate) program: ProgramSpec,
    /// Milliseconds since the Unix epoch.
    pub(crate) created: u64,
    /// The name that a user gave to the session.
    pub(crate) title: Option<String>,
    pub(crate) sizing: Sizing,
    pub(crate) flow: Flow,
    pub(crate) size: Winsize,
}

/// The reason why a directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StateError {
    #[error("{}: {error}; name a directory that you may write to", path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("another limpet already uses {}; choose another directory", .0.display())]
    InUse(PathBuf),
    /// Other users could write to the directory, from which limpet starts programs.
    #[error(transparent)]
    Untrusted(TrustError),
}

impl StateDir {
    /// Opens and locks the directory, and creates it if it does not exist.
    pub(crate) fn open(path: &Path) -> Result<Self, StateError> {
        let failed = |error| StateError::Io { path: path.to_owned(), error };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
        let trusted = trust::check_directory(path).map_err(|error| match error {
            TrustError::Io { source, .. } => failed(source),
            error => StateError::Untrusted(error),
        })?;
        let path = trusted.as_path();
        let mut lock = File::options();
        lock.create(true).truncate(false).read(true).write(true).mode(0o600).custom_flags(O_NOFOLLOW);
        let mut lock = lock.open(path.join(LOCK_FILE_NAME)).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StateError::InUse(path.to_owned())),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let mut names = String::new();
        lock.read_to_string(&mut names).map_err(failed)?;
        let pending_restores = Mutex::new(names.lines().filter_map(|name| name.parse().ok()).collect());
        let dir = Self { path: path.to_owned(), lock, pending_restores };
        dir.remove_partial_files().map_err(failed)?;
        Ok(dir)
    }

    /// Removes partly written files, which a killed server leaves.
    fn remove_partial_files(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == PARTIAL_EXTENSION) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// Lists the sessions that have a file.
    pub(crate) fn sessions(&self) -> io::Result<Vec<SessionId>> {
        let mut sessions = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let path = entry?.path();
            let is_session = path.extension().is_some_and(|extension| extension == SESSION_EXTENSION);
            let name = path.file_stem().filter(|_| is_session);
            sessions.extend(name.and_then(|name| name.to_str()?.parse::<SessionId>().ok()));
        }
        Ok(sessions)
    }

    /// Records the sessions that could not be restored for now, in place of the earlier list. Their
    /// files stay.
    pub(crate) fn set_pending_restores(&self, sessions: BTreeSet<SessionId>) -> io::Result<()> {
        let names = sessions.iter().map(SessionId::as_str).collect::<Vec<_>>().join("\n");
        *self.pending_restores() = sessions;
        self.lock.set_len(0)?;
        self.lock.write_all_at(names.as_bytes(), 0)
    }

    /// Removes the files of all sessions except these and those that wait for the next start.
    pub(crate) fn remove_others(&self, sessions: &BTreeSet<SessionId>) -> io::Result<()> {
        let known = self.sessions()?;
        let pending_restores = self.pending_restores();
        let others =
            known.iter().filter(|session| !sessions.contains(session) && !pending_restores.contains(session));
        others.into_iter().try_for_each(|session| self.remove(session))
    }

    fn pending_restores(&self) -> MutexGuard<'_, BTreeSet<SessionId>> {
        // No code under this lock panics half-way through a change.
        self.pending_restores.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads a session's data, and the output that restores its screen.
    pub(crate) fn read(&self, session: &SessionId) -> io::Result<(SavedSession, Vec<u8>)> {
        let mut content = Vec::new();
        trust::open_own(&self.file_path(session)).map_err(TrustError::into_io)?.read_to_end(&mut content)?;
        let end = content.iter().position(|&byte| byte == b'\n').ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok((serde_json::from_slice(&content[..end])?, content[end + 1..].to_vec()))
    }

    /// Replaces a session's file.
    pub(crate) fn write(&self, session: &SessionId, saved: &SavedSession, screen: &[u8]) -> io::Result<()> {
        let head = serde_json::to_vec(saved)?;
        replace_file(&self.file_path(session), &[&head, &b"\n"[..], screen].concat())
    }

    /// Removes a session's file.
    fn remove(&self, session: &SessionId) -> io::Result<()> {
        match fs::remove_file(self.file_path(session)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Renames the file of a session that cannot be restored, and returns its path.
    pub(crate) fn set_failed_file_aside(&self, session: &SessionId) -> PathBuf {
        let file = self.file_path(session);
        let aside = file.with_extension(format!("{SESSION_EXTENSION}.{FAILED_EXTENSION}"));
        match fs::rename(&file, &aside) {
            Ok(()) => aside,
            Err(_) => file,
        }
    }

    fn file_path(&self, session: &SessionId) -> PathBuf {
        self.path.join(format!("{}.{SESSION_EXTENSION}", session.as_str()))
    }
}

/// Replaces the file at `path` atomically: it holds either all of the new content or what it held
/// before.
pub(crate) fn replace_file(path: &Path, content: &[u8]) -> io::Result<()> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // From the first moment on, only the owner may read the file (`mkstemp(3)`).
    let mut file = tempfile::Builder::new().suffix(&format!(".{PARTIAL_EXTENSION}")).tempfile_in(dir)?;
    file.write_all(content)?;
    // Without this, a crash of the machine could leave the new name with incomplete content.
    file.as_file().sync_data()?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A file as the first version wrote it. It stays as it is when fields are added.
    const FIRST_VERSION: &str = r#"{"program":{"file":"bash","argv0":"-bash","args":[],"cwd":"/srv","env":{}},"created":1790000000000,"title":"mine","sizing":"primary","flow":"auto","size":{"cols":80,"rows":24}}"#;

    fn id(name: &str) -> SessionId {
        name.parse().unwrap()
    }

    #[test]
    fn what_is_written_is_read_by_its_owner_alone() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b");
        let dir = StateDir::open(&path).unwrap();
        let saved: SavedSession = serde_json::from_str(FIRST_VERSION).unwrap();
        assert_eq!(serde_json::to_string(&saved).unwrap(), FIRST_VERSION);
        dir.write(&id("a"), &saved, b"before").unwrap();
        dir.write(&id("a"), &saved, b"\x1b[1mnow\nand more").unwrap();
        dir.write(&id("b"), &saved, b"").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&path.join("a.session"))), (0o700, 0o600));
        assert_eq!(dir.read(&id("a")).unwrap(), (saved, b"\x1b[1mnow\nand more".to_vec()));
        let mut sessions = dir.sessions().unwrap();
        sessions.sort();
        assert_eq!(sessions, [id("a"), id("b")]);
        dir.remove(&id("b")).unwrap();
        dir.remove(&id("b")).unwrap();
        assert_eq!(dir.set_failed_file_aside(&id("a")), path.join("a.session.failed"));
        assert!(dir.sessions().unwrap().is_empty() && dir.read(&id("a")).is_err());
    }

    #[test]
    fn what_waits_for_another_start_is_known_to_all_servers_until_then() {
        let parent = tempfile::tempdir().unwrap();
        let saved: SavedSession = serde_json::from_str(FIRST_VERSION).unwrap();
        let dir = StateDir::open(parent.path()).unwrap();
        for name in ["a", "b", "c"] {
            dir.write(&id(name), &saved, b"").unwrap();
        }
        dir.set_pending_restores(BTreeSet::from([id("a"), id("b")])).unwrap();
        drop(dir);
        let dir = StateDir::open(parent.path()).unwrap();
        dir.remove_others(&BTreeSet::from([id("c")])).unwrap();
        assert_eq!(dir.sessions().unwrap().len(), 3);
        dir.set_pending_restores(BTreeSet::from([id("b")])).unwrap();
        drop(dir);
        let dir = StateDir::open(parent.path()).unwrap();
        dir.remove_others(&BTreeSet::new()).unwrap();
        assert_eq!(dir.sessions().unwrap(), [id("b")]);
    }

    #[test]
    fn a_directory_serves_one_at_a_time() {
        let parent = tempfile::tempdir().unwrap();
        let first = StateDir::open(parent.path()).unwrap();
        let second = StateDir::open(parent.path()).map(drop).unwrap_err().to_string();
        assert!(second.contains("another limpet already uses"), "{second}");
        drop(first);
        fs::write(parent.path().join("x.part"), "half of it").unwrap();
        assert!(StateDir::open(parent.path()).is_ok());
        assert!(!parent.path().join("x.part").exists(), "what was never written to its end goes");
        let file = parent.path().join("lock");
        let error = StateDir::open(&file).map(drop).unwrap_err().to_string();
        assert!(error.ends_with("name a directory that you may write to"), "{error}");
    }

    #[test]
    fn a_file_that_makes_no_sense_is_an_error() {
        let parent = tempfile::tempdir().unwrap();
        let dir = StateDir::open(parent.path()).unwrap();
        for content in ["", "{}", "{}\n", "nonsense\n"] {
            fs::write(dir.file_path(&id("a")), content).unwrap();
            assert!(dir.read(&id("a")).is_err(), "{content:?}");
        }
    }
}
