//! The programs that build and check limpet.
//!
//! Those from crates.io are built in `$CARGO_HOME/limpet-tools`, where they outlast a checkout,
//! each version in its own folder, so that they do not replace anything that is installed. A
//! program of the right version on the PATH is used as well.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context;

use crate::{
    shell::{self, print_status},
    workspace::Workspace,
};

/// A program from crates.io.
pub(crate) struct Tool {
    package: &'static str,
    /// The program that is asked for its version, followed by others in the package.
    programs: &'static [&'static str],
    version: String,
    /// Features that it is built with.
    features: &'static [&'static str],
    /// Set if the package's own lock file is used.
    locked: bool,
}

impl Tool {
    pub(crate) fn trunk() -> Self {
        Self::locked("trunk", &["trunk"], "0.21.14")
    }

    pub(crate) fn deny() -> Self {
        Self::locked("cargo-deny", &["cargo-deny"], "0.20.2")
    }

    pub(crate) fn split() -> Self {
        let split = Self::locked("wasm_split_cli_support", &["wasm-split-cli"], "0.2.4");
        Self { features: &["build-binary"], ..split }
    }

    fn locked(package: &'static str, programs: &'static [&'static str], version: &str) -> Self {
        Self { package, programs, version: version.to_owned(), features: &[], locked: true }
    }

    /// Returns the tool that generates the script, in exactly the version of the library. Its own
    /// lock file is not used, because it may name versions that a mirror of the registry does not
    /// have yet.
    pub(crate) fn wasm_bindgen(workspace: &Workspace) -> anyhow::Result<Self> {
        let version = workspace.locked_version("wasm-bindgen")?;
        Ok(Self {
            package: "wasm-bindgen-cli",
            programs: &["wasm-bindgen", "wasm-bindgen-test-runner"],
            version,
            features: &[],
            locked: false,
        })
    }

    /// Builds the tool, unless it is there.
    pub(crate) fn install(&self, workspace: &Workspace) -> anyhow::Result<()> {
        let Self { package, version, features, locked, .. } = self;
        if let Some(folder) = self.find()? {
            print_status(package, &format!("{version} is there, in {}", folder.display()));
            return Ok(());
        }
        print_status(package, &format!("building {version}, once; this takes some minutes"));
        let root = self.install_root()?;
        let mut cargo = workspace.cargo(["install", package, "--version", version, "--root"]);
        cargo.arg(&root).args(locked.then_some("--locked")).arg("--features").arg(features.join(","));
        // The tools' build time matters more than their speed.
        cargo.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1").env("CARGO_PROFILE_RELEASE_DEBUG", "false");
        cargo.env("CARGO_PROFILE_RELEASE_LTO", "off").env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
        // By default, cargo would use this workspace's target folder and hold its lock.
        cargo.env("CARGO_TARGET_DIR", root.join("target"));
        shell::run(cargo)?;
        fs::remove_dir_all(root.join("target")).context("could not remove a tool's build folder")
    }

    /// Returns the path of one of its programs.
    pub(crate) fn program(&self, name: &str) -> anyhow::Result<PathBuf> {
        Ok(self.folder()?.join(name))
    }

    /// Returns the folder that its programs are in.
    pub(crate) fn folder(&self) -> anyhow::Result<PathBuf> {
        self.find()?
            .with_context(|| format!("{} {} is needed; run: cargo xtask setup", self.package, self.version))
    }

    /// Looks for the tool in limpet's own folder first, and then for the same version on the PATH.
    fn find(&self) -> anyhow::Result<Option<PathBuf>> {
        let ours = self.install_root()?.join("bin");
        if self.programs.iter().all(|program| ours.join(program).is_file()) {
            return Ok(Some(ours));
        }
        let path = env::var_os("PATH").unwrap_or_default();
        let mut complete = env::split_paths(&path)
            .filter(|folder| self.programs.iter().all(|program| folder.join(program).is_file()));
        Ok(complete.next().filter(|folder| self.has_right_version(folder)))
    }

    fn has_right_version(&self, folder: &Path) -> bool {
        let mut program = Command::new(folder.join(self.programs[0]));
        shell::capture(program.arg("--version")).is_ok_and(|answer| names_version(&answer, &self.version))
    }

    fn install_root(&self) -> anyhow::Result<PathBuf> {
        Ok(cargo_home()?.join("limpet-tools").join(format!("{}-{}", self.package, self.version)))
    }
}

/// Reports whether the answer to `--version` names this version.
fn names_version(answer: &str, version: &str) -> bool {
    answer.split_whitespace().nth(1) == Some(version)
}

/// Returns a call of Trunk, with a folder on its PATH in which it finds wasm-bindgen.
pub(crate) fn trunk_command(workspace: &Workspace, bindgen: PathBuf) -> anyhow::Result<Command> {
    let mut command = workspace.command(Tool::trunk().program("trunk")?);
    command.env("PATH", path_with([bindgen])?);
    // Trunk rejects the usual NO_COLOR=1, because it expects a boolean.
    command.env_remove("NO_COLOR");
    Ok(command)
}

/// Returns a call of `cargo deny`.
pub(crate) fn deny_command(workspace: &Workspace) -> anyhow::Result<Command> {
    Ok(workspace.command(Tool::deny().program("cargo-deny")?))
}

/// Returns a call of the program that splits WebAssembly.
pub(crate) fn split_command(workspace: &Workspace) -> anyhow::Result<Command> {
    Ok(workspace.command(Tool::split().program("wasm-split-cli")?))
}

/// Returns the program that runs wasm tests for cargo.
pub(crate) fn wasm_test_runner(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    Tool::wasm_bindgen(workspace)?.program("wasm-bindgen-test-runner")
}

/// Returns cargo's home directory.
pub(crate) fn cargo_home() -> anyhow::Result<PathBuf> {
    let default = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo"));
    env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(default)
        .context("neither CARGO_HOME nor HOME is set")
}

fn path_with<const N: usize>(folders: [PathBuf; N]) -> anyhow::Result<OsString> {
    let path = env::var_os("PATH").unwrap_or_default();
    let all = folders.into_iter().chain(env::split_paths(&path));
    env::join_paths(all).context("a folder of the PATH has a colon in its name")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_told_from_a_longer_one() {
        assert!(names_version("trunk 0.21.14\n", "0.21.14"));
        assert!(names_version("wasm-bindgen 0.2.130 (abcdef)", "0.2.130"));
        assert!(!names_version("wasm-bindgen 0.2.130", "0.2.13"));
        assert!(!names_version("", "0.2.130"));
    }
}
