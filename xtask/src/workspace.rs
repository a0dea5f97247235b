//! The paths of the workspace.

use std::{
    env,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::UNIX_EPOCH,
};

use anyhow::Context;

/// The workspace's sources and build output.
pub(crate) struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// Returns the workspace that this program was built from.
    pub(crate) fn find() -> anyhow::Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask is not in a workspace")?;
        Ok(Self { root: root.to_owned() })
    }

    pub(crate) fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// Returns the folder for cargo's output.
    pub(crate) fn target_dir(&self) -> PathBuf {
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| self.path("target"), |folder| self.path(folder))
    }

    /// Returns the path of the release binary.
    pub(crate) fn release_binary(&self) -> PathBuf {
        self.target_dir().join("release").join("limpet")
    }

    /// Returns a call of cargo.
    pub(crate) fn cargo<const N: usize>(&self, words: [&str; N]) -> Command {
        let mut cargo = self.command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(words);
        cargo
    }

    /// Returns a call of a program, in the workspace's top folder.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        command
    }

    /// Returns the version of a package in `Cargo.lock`.
    pub(crate) fn locked_version(&self, package: &str) -> anyhow::Result<String> {
        let path = self.path("Cargo.lock");
        let lock = fs::read_to_string(&path).with_context(|| format!("could not read {}", path.display()))?;
        find_locked_version(&lock, package).with_context(|| format!("{} has no {package}", path.display()))
    }
}

fn find_locked_version(lock: &str, package: &str) -> Option<String> {
    let (_, entry) = lock.split_once(&format!("name = \"{package}\"\nversion = \""))?;
    entry.split_once('"').map(|(version, _)| version.to_owned())
}

/// Lists all files in these files and folders, one line each: path, size and modification time.
/// npm's folders are skipped. Any file that is changed, added, moved or removed changes the result.
pub(crate) fn fingerprint(paths: &[PathBuf]) -> anyhow::Result<String> {
    let mut lines = Vec::new();
    for path in paths {
        list_files(path, &mut lines)?;
    }
    lines.sort();
    Ok(lines.concat())
}

fn list_files(path: &Path, lines: &mut Vec<String>) -> anyhow::Result<()> {
    let error = || format!("could not look at {}", path.display());
    if path.ends_with("node_modules") {
        return Ok(());
    }
    let metadata = path.metadata().with_context(error)?;
    if metadata.is_dir() {
        for entry in fs::read_dir(path).with_context(error)? {
            list_files(&entry.with_context(error)?.path(), lines)?;
        }
    } else {
        let changed =
            metadata.modified().with_context(error)?.duration_since(UNIX_EPOCH).with_context(error)?;
        lines.push(format!("{} {} {}\n", path.display(), metadata.len(), changed.as_nanos()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_a_lock_file() {
        let lock = "[[package]]\nname = \"wasm-bindgen-macro\"\nversion = \"1.0.0\"\n\n\
                    [[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.130\"\nsource = \"x\"\n";
        assert_eq!(find_locked_version(lock, "wasm-bindgen").as_deref(), Some("0.2.130"));
        assert_eq!(find_locked_version(lock, "wasm"), None);
    }

    #[test]
    fn the_workspace_locks_what_the_page_needs() {
        assert!(Workspace::find().unwrap().locked_version("wasm-bindgen").is_ok());
    }

    #[test]
    fn a_fingerprint_tells_of_changed_and_of_removed_files() {
        let folder = env::temp_dir().join(format!("limpet-xtask-{}", std::process::id()));
        let of_folder = || fingerprint(std::slice::from_ref(&folder)).unwrap();
        fs::create_dir_all(folder.join("node_modules")).unwrap();
        fs::write(folder.join("kept"), "a").unwrap();
        let first = of_folder();
        fs::write(folder.join("node_modules/passed-over"), "a").unwrap();
        assert_eq!(of_folder(), first);
        fs::write(folder.join("kept"), "longer").unwrap();
        let changed = of_folder();
        assert_ne!(changed, first);
        fs::write(folder.join("removed"), "a").unwrap();
        assert_ne!(of_folder(), changed);
        fs::remove_file(folder.join("removed")).unwrap();
        assert_eq!(of_folder(), changed);
        fs::remove_dir_all(folder).unwrap();
    }
}
