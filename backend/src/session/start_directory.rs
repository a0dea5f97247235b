//! The directory that a program starts in, and the fallback if it no longer exists.

use std::{
    ffi::OsStr,
    io::{self, ErrorKind},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use limpet_pty::check_enterable;

/// Suffix that proc(5) adds to the path of a removed directory.
const DELETED: &str = " (deleted)";

/// A directory to start a program in.
#[derive(Debug, PartialEq)]
pub(super) struct StartDirectory {
    pub(super) path: PathBuf,
    /// Explains why it is not the requested one, if so.
    pub(super) note: Option<String>,
}

impl StartDirectory {
    /// Chooses the requested directory, or else `home`, or else the root directory.
    pub(super) fn choose(requested: Option<&Path>, home: &Path) -> Self {
        let fallback = || if check_enterable(home).is_ok() { home } else { Path::new("/") }.to_owned();
        let Some(requested) = requested else { return Self { path: fallback(), note: None } };
        let requested = without_mark(requested);
        match check_enterable(requested) {
            Ok(()) => Self { path: requested.to_owned(), note: None },
            Err(error) => {
                let path = fallback();
                let note = note(requested, &error, if path == home { "~" } else { "/" });
                tracing::warn!(directory = %requested.display(), %error, instead = %path.display(), "could not start a program in its directory");
                Self { path, note: Some(note) }
            }
        }
    }

    /// Returns terminal output that shows the note, faint, before the program's own output.
    pub(super) fn output(&self) -> Vec<u8> {
        let note = self.note.as_ref().map(|note| format!("\x1b[2m── {note} ──\x1b[m\r\n"));
        note.unwrap_or_default().into_bytes()
    }
}

/// Strips the suffix of a removed directory, which may have been created again since.
fn without_mark(requested: &Path) -> &Path {
    let bytes = requested.as_os_str().as_bytes().strip_suffix(DELETED.as_bytes());
    bytes.filter(|_| !requested.exists()).map_or(requested, |bytes| Path::new(OsStr::from_bytes(bytes)))
}

fn note(requested: &Path, error: &io::Error, instead: &str) -> String {
    let shown = requested.display().to_string();
    // The directory's name must not be able to control the terminal.
    let shown: String = shown.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    match error.kind() {
        ErrorKind::NotFound => format!("{shown} no longer exists; started in {instead}"),
        ErrorKind::PermissionDenied => format!("{shown} may not be entered; started in {instead}"),
        _ => format!("{shown} cannot be entered ({error}); started in {instead}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(requested: Option<&str>, home: &str) -> (String, Option<String>) {
        let StartDirectory { path, note } = StartDirectory::choose(requested.map(Path::new), Path::new(home));
        (path.to_str().unwrap().to_owned(), note)
    }

    #[test]
    fn a_directory_that_is_there_is_where_it_starts() {
        assert_eq!(choose(Some("/usr"), "/tmp"), ("/usr".to_owned(), None));
        assert_eq!(choose(None, "/tmp"), ("/tmp".to_owned(), None));
        assert!(StartDirectory::choose(None, Path::new("/")).output().is_empty());
    }

    #[test]
    fn one_that_is_gone_is_told_and_home_is_next() {
        let note = |what: &str| Some(what.to_owned());
        assert_eq!(
            choose(Some("/no/such"), "/tmp"),
            ("/tmp".to_owned(), note("/no/such no longer exists; started in ~"))
        );
        assert_eq!(
            choose(Some("/no/such (deleted)"), "/no/home"),
            ("/".to_owned(), note("/no/such no longer exists; started in /"))
        );
        let (path, said) = choose(Some("/etc/passwd"), "");
        assert!(path == "/" && said.unwrap().starts_with("/etc/passwd cannot be entered"), "a file is none");
        let (_, said) = choose(Some("/a\u{1b}]0;x\u{7}"), "/");
        assert!(!said.unwrap().contains(char::is_control));
    }
}
