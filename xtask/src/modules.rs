//! Makes the page's WebAssembly: one module with the code that the first prompt needs, and one with
//! the rest.
//!
//! The linker's output has to be split before wasm-bindgen generates the script, where Trunk has no
//! hook. So cargo and the package `page-modules` do here what Trunk does under `trunk serve`.

use std::{path::PathBuf, process::Command};

use crate::{
    needs::WASM_TARGET,
    shell::{self, print_status},
    workspace::{self, Workspace},
};

/// Name of the page's program in cargo, and of its files in wasm-bindgen.
const PAGE_NAME: &str = "limpet-frontend";
/// Profile in `Cargo.toml` with which the page is compiled.
const PAGE_PROFILE: &str = "page";
/// Name of the tool's package and program, and the profile that it is compiled with.
const TOOL_NAME: &str = "page-modules";
const TOOL_PROFILE: &str = "build-tool";
/// Name that wasm-split gives to the script that loads the second module.
const LOADER_SCRIPT: &str = "__wasm_split.js";
/// Name that wasm-split gives to the second module, as `frontend/src/lazy_page.rs` determines it.
pub(crate) const REST_MODULE: &str = "split_page.wasm";

/// The files that are made here.
pub(crate) struct Modules {
    /// The folder of all of them.
    pub(crate) folder: PathBuf,
    /// The module with the code that the first prompt needs.
    pub(crate) first: PathBuf,
    /// The module with all other code.
    pub(crate) rest: PathBuf,
    /// The script that wasm-bindgen has generated for the first module.
    pub(crate) script: PathBuf,
    /// The script that loads the second module. It imports the other one by its name.
    pub(crate) loader: PathBuf,
}

/// Compiles the page, and splits it.
pub(crate) fn build(workspace: &Workspace) -> anyhow::Result<Modules> {
    print_status("page", "compiling");
    shell::run(compile_command(workspace))?;
    print_status("page", "splitting");
    // The folder is shared with the files of bundling; nothing of an earlier build may remain.
    let folder = workspace.target_dir().join("page-parts");
    workspace::empty_folder(&folder)?;
    let mut split = workspace.command(tool_path(workspace));
    split.arg(linked_module(workspace)).arg(&folder).arg(PAGE_NAME);
    shell::run(split)?;
    Ok(Modules {
        first: folder.join(format!("{PAGE_NAME}_bg.wasm")),
        rest: folder.join(REST_MODULE),
        script: folder.join(format!("{PAGE_NAME}.js")),
        loader: folder.join(LOADER_SCRIPT),
        folder,
    })
}

/// Compiles the tool that splits the page.
pub(crate) fn build_tool(workspace: &Workspace) -> anyhow::Result<()> {
    print_status(TOOL_NAME, "building the tool that splits the page");
    shell::run(workspace.cargo(["build", "--package", TOOL_NAME, "--profile", TOOL_PROFILE]))
}

fn compile_command(workspace: &Workspace) -> Command {
    let mut cargo = workspace.cargo(["build", "--package", PAGE_NAME, "--bin", PAGE_NAME]);
    cargo.args(["--target", WASM_TARGET, "--profile", PAGE_PROFILE, "--features", "split"]);
    cargo
}

/// Returns the path of the linker's output.
fn linked_module(workspace: &Workspace) -> PathBuf {
    workspace.target_dir().join(WASM_TARGET).join(PAGE_PROFILE).join(format!("{PAGE_NAME}.wasm"))
}

fn tool_path(workspace: &Workspace) -> PathBuf {
    workspace.target_dir().join(TOOL_PROFILE).join(TOOL_NAME)
}
