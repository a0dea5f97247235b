//! The programs that build and check limpet.
//!
//! Those that come from crates.io are built where they outlast a checkout, `$CARGO_HOME/limpet-tools`, each version in a
//! folder of its own, so that they neither replace nor depend on what else is installed.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context;

use crate::{
    npm,
    shell::{self, say},
    system,
    workspace::Workspace,
};

const WASM: &str = "wasm32-unknown-unknown";

/// A program from crates.io.
struct Tool {
    package: &'static str,
    program: &'static str,
    version: String,
    /// Whether its own lock file can be satisfied.
    locked: bool,
}

impl Tool {
    fn trunk() -> Self {
        Self { package: "trunk", program: "trunk", version: "0.21.14".to_owned(), locked: true }
    }

    fn deny() -> Self {
        Self { package: "cargo-deny", program: "cargo-deny", version: "0.20.2".to_owned(), locked: true }
    }

    /// The generator has to match the library to the letter. Its own lock file may name versions that a mirror of the
    /// registry does not have yet.
    fn wasm_bindgen(workspace: &Workspace) -> anyhow::Result<Self> {
        let version = workspace.locked("wasm-bindgen")?;
        Ok(Self { package: "wasm-bindgen-cli", program: "wasm-bindgen", version, locked: false })
    }

    /// The folder that the program is in, after it has been installed if need be.
    fn install(&self, workspace: &Workspace) -> anyhow::Result<PathBuf> {
        let Self { package, program, version, locked } = self;
        let root = home()?.join("limpet-tools").join(format!("{package}-{version}"));
        let bin = root.join("bin");
        if bin.join(program).is_file() {
            say(package, &format!("{version} is there"));
            return Ok(bin);
        }
        say(package, &format!("building {version}, once; this takes some minutes"));
        let mut cargo = workspace.cargo(["install", package, "--version", version, "--root"]);
        cargo.arg(&root).args(locked.then_some("--locked"));
        // How fast the tools are hardly matters, how fast they are built does.
        cargo.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1").env("CARGO_PROFILE_RELEASE_DEBUG", "false");
        cargo.env("CARGO_PROFILE_RELEASE_LTO", "off").env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
        // Beside the sources a target folder of this workspace would be used, and its lock held.
        cargo.env("CARGO_TARGET_DIR", root.join("target"));
        shell::run(cargo)?;
        std::fs::remove_dir_all(root.join("target"))
            .context("could not remove what is left of a tool's build")?;
        Ok(bin)
    }
}

/// Sets up what the page is built with.
pub(crate) fn for_page(workspace: &Workspace) -> anyhow::Result<()> {
    rustup_target(workspace)?;
    npm::install(workspace, Path::new("frontend"))?;
    Tool::wasm_bindgen(workspace)?.install(workspace)?;
    Tool::trunk().install(workspace).map(drop)
}

/// Sets up what tests need beside that.
pub(crate) fn for_tests(workspace: &Workspace) -> anyhow::Result<()> {
    for component in ["rustfmt", "clippy"] {
        rustup_component(workspace, component)?;
    }
    Tool::deny().install(workspace)?;
    npm::install(workspace, Path::new("tests/browser"))?;
    system::install()
}

/// A call of Trunk, with everything that it calls itself.
pub(crate) fn trunk(workspace: &Workspace) -> anyhow::Result<Command> {
    let trunk = Tool::trunk().install(workspace)?;
    let mut command = workspace.command(trunk.join("trunk"));
    let bindgen = Tool::wasm_bindgen(workspace)?.install(workspace)?;
    command.env("PATH", path_with([bindgen, workspace.path("frontend/node_modules/.bin")])?);
    // Trunk takes the usual NO_COLOR=1 for an error: it wants a boolean.
    command.env_remove("NO_COLOR");
    Ok(command)
}

/// A call of `cargo deny`.
pub(crate) fn deny(workspace: &Workspace) -> anyhow::Result<Command> {
    Ok(workspace.command(Tool::deny().install(workspace)?.join("cargo-deny")))
}

/// The program that runs wasm tests for cargo.
pub(crate) fn wasm_test_runner(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    Ok(Tool::wasm_bindgen(workspace)?.install(workspace)?.join("wasm-bindgen-test-runner"))
}

fn rustup_target(workspace: &Workspace) -> anyhow::Result<()> {
    let mut list = workspace.command("rustup");
    let installed = shell::capture(list.args(["target", "list", "--installed"]))
        .context("rustup is needed: see https://rustup.rs")?;
    if installed.lines().any(|target| target == WASM) {
        return Ok(());
    }
    say("rustup", &format!("adding the target {WASM}"));
    let mut add = workspace.command("rustup");
    add.args(["target", "add", WASM]);
    shell::run(add)
}

fn rustup_component(workspace: &Workspace, component: &str) -> anyhow::Result<()> {
    let mut list = workspace.command("rustup");
    let installed = shell::capture(list.args(["component", "list", "--installed"]))?;
    if installed.lines().any(|line| line.starts_with(component)) {
        return Ok(());
    }
    say("rustup", &format!("adding {component}"));
    let mut add = workspace.command("rustup");
    add.args(["component", "add", component]);
    shell::run(add)
}

/// Where cargo keeps what belongs to the user.
fn home() -> anyhow::Result<PathBuf> {
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
