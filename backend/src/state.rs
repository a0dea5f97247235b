//! What is on the disk of sessions, for a limpet that is started when nothing else of them is left: after a reboot.
//!
//! One file for each, that only its owner may read, written anew as a whole. What somebody else could have put there is not
//! [trusted](trust). Its first line is what is to be started; what comes
//! after it, if that is wanted, is output that draws what was on the screen.

use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder, File, TryLockError},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use limpet_shared::{Flow, SessionId, Sizing, Winsize};
use nix::libc::O_NOFOLLOW;
use serde::{Deserialize, Serialize};

use crate::{
    keeper,
    trust::{self, TrustError},
};

/// How the names of sessions' files end.
const ENDING: &str = "session";

/// What is put behind that when a session could not be restored.
const FAILED: &str = "failed";

/// How the names of files end that are being written.
const PART: &str = "part";

/// Who has locked this has the directory.
const LOCK: &str = "lock";

/// A directory of sessions' files, of which nobody else makes use.
#[derive(Debug)]
pub(crate) struct StateDir {
    path: PathBuf,
    /// Locked. It names the sessions that wait for another start, since not every server of this one knows of them: to write there
    /// takes no descriptor when there is none.
    lock: File,
    /// The same.
    waiting: Mutex<BTreeSet<SessionId>>,
}

/// What is to be known to start a session again. Fields are only ever added, with a default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Saved {
    /// To be started where its last one was.
    pub(crate) program: keeper::Start,
    /// Milliseconds since the Unix epoch.
    pub(crate) created: u64,
    /// What its user called it.
    pub(crate) title: Option<String>,
    pub(crate) sizing: Sizing,
    pub(crate) flow: Flow,
    pub(crate) size: Winsize,
}

/// Why a directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StateError {
    #[error("{}: {error}; name a directory that you may write to", path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("another limpet uses {} already; name another directory", .0.display())]
    InUse(PathBuf),
    /// What is in it is started, so nobody else may put anything there.
    #[error(transparent)]
    Untrusted(TrustError),
}

impl StateDir {
    /// Takes this directory, and makes it if there is none.
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
        let mut lock = lock.open(path.join(LOCK)).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StateError::InUse(path.to_owned())),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let mut names = String::new();
        lock.read_to_string(&mut names).map_err(failed)?;
        let waiting = Mutex::new(names.lines().filter_map(|name| name.parse().ok()).collect());
        let dir = Self { path: path.to_owned(), lock, waiting };
        dir.remove_parts().map_err(failed)?;
        Ok(dir)
    }

    /// Somebody was killed who was writing.
    fn remove_parts(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == PART) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// The sessions that have a file.
    pub(crate) fn sessions(&self) -> io::Result<Vec<SessionId>> {
        let mut sessions = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let path = entry?.path();
            let name = path.file_stem().filter(|_| path.extension().is_some_and(|ending| ending == ENDING));
            sessions.extend(name.and_then(|name| name.to_str()?.parse::<SessionId>().ok()));
        }
        Ok(sessions)
    }

    /// Notes that these sessions could not be restored for now, and no others. Their files stay.
    pub(crate) fn set_waiting(&self, sessions: BTreeSet<SessionId>) -> io::Result<()> {
        let names = sessions.iter().map(SessionId::as_str).collect::<Vec<_>>().join("\n");
        *self.waiting() = sessions;
        self.lock.set_len(0)?;
        self.lock.write_all_at(names.as_bytes(), 0)
    }

    /// Forgets all sessions but these, and those that wait.
    pub(crate) fn remove_others(&self, sessions: &BTreeSet<SessionId>) -> io::Result<()> {
        let known = self.sessions()?;
        let waiting = self.waiting();
        let others = known.iter().filter(|session| !sessions.contains(session) && !waiting.contains(session));
        others.into_iter().try_for_each(|session| self.remove(session))
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeSet<SessionId>> {
        // Nothing under this lock panics half-way through a change.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of a session, and the output that draws what was on its screen.
    pub(crate) fn read(&self, session: &SessionId) -> io::Result<(Saved, Vec<u8>)> {
        let mut content = Vec::new();
        trust::open_own(&self.file(session)).map_err(TrustError::into_io)?.read_to_end(&mut content)?;
        let end = content.iter().position(|&byte| byte == b'\n').ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok((serde_json::from_slice(&content[..end])?, content[end + 1..].to_vec()))
    }

    /// Keeps this of a session, and nothing of what was kept before.
    pub(crate) fn write(&self, session: &SessionId, saved: &Saved, screen: &[u8]) -> io::Result<()> {
        let head = serde_json::to_vec(saved)?;
        replace(&self.file(session), &[&head, &b"\n"[..], screen].concat())
    }

    /// Forgets a session.
    fn remove(&self, session: &SessionId) -> io::Result<()> {
        match fs::remove_file(self.file(session)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Puts the file of a session that cannot be restored aside, and says where it is.
    pub(crate) fn put_aside(&self, session: &SessionId) -> PathBuf {
        let file = self.file(session);
        let aside = file.with_extension(format!("{ENDING}.{FAILED}"));
        match fs::rename(&file, &aside) {
            Ok(()) => aside,
            Err(_) => file,
        }
    }

    fn file(&self, session: &SessionId) -> PathBuf {
        self.path.join(format!("{}.{ENDING}", session.as_str()))
    }
}

/// Puts a file with this content where `path` is, which holds either all of it or what was there before.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Nobody but its owner may read it from the first moment on (`mkstemp(3)`).
    let mut file = tempfile::Builder::new().suffix(&format!(".{PART}")).tempfile_in(dir)?;
    file.write_all(content)?;
    // Else a crash of the machine could leave a name without what it stands for.
    file.as_file().sync_data()?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// What the first version has written. It stays as it is when fields are added.
    const FIRST: &str = r#"{"program":{"file":"bash","argv0":"-bash","args":[],"cwd":"/srv","env":{}},"created":1790000000000,"title":"mine","sizing":"pen","flow":"auto","size":{"cols":80,"rows":24}}"#;

    fn id(name: &str) -> SessionId {
        name.parse().unwrap()
    }

    #[test]
    fn what_is_written_is_read_by_its_owner_alone() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b");
        let dir = StateDir::open(&path).unwrap();
        let saved: Saved = serde_json::from_str(FIRST).unwrap();
        assert_eq!(serde_json::to_string(&saved).unwrap(), FIRST);
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
        assert_eq!(dir.put_aside(&id("a")), path.join("a.session.failed"));
        assert!(dir.sessions().unwrap().is_empty() && dir.read(&id("a")).is_err());
    }

    #[test]
    fn what_waits_for_another_start_is_known_to_all_servers_until_then() {
        let parent = tempfile::tempdir().unwrap();
        let saved: Saved = serde_json::from_str(FIRST).unwrap();
        let dir = StateDir::open(parent.path()).unwrap();
        for name in ["a", "b", "c"] {
            dir.write(&id(name), &saved, b"").unwrap();
        }
        dir.set_waiting(BTreeSet::from([id("a"), id("b")])).unwrap();
        drop(dir);
        let dir = StateDir::open(parent.path()).unwrap();
        dir.remove_others(&BTreeSet::from([id("c")])).unwrap();
        assert_eq!(dir.sessions().unwrap().len(), 3);
        dir.set_waiting(BTreeSet::from([id("b")])).unwrap();
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
        assert!(second.contains("another limpet uses"), "{second}");
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
            fs::write(dir.file(&id("a")), content).unwrap();
            assert!(dir.read(&id("a")).is_err(), "{content:?}");
        }
    }
}
