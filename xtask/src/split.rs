//! Splits the page's WebAssembly in two: the code that the first prompt needs, and the rest.
//!
//! The split has to happen after the linker and before wasm-bindgen, where Trunk has no hook. Trunk
//! therefore finds this program in place of wasm-bindgen; it splits the module and calls the real
//! wasm-bindgen for the first part. The rest stays in [`parts_dir`].

use std::{
    env,
    ffi::{OsStr, OsString},
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use anyhow::Context;

use crate::{
    shell,
    tools::{self, Tool},
    workspace::Workspace,
};

/// Name of the page's program in cargo, and of its files in wasm-bindgen.
pub(crate) const PAGE_NAME: &str = "limpet-frontend";
/// Name that wasm-split gives to the script that loads the rest.
pub(crate) const LOADER_SCRIPT: &str = "__wasm_split.js";
/// The rest, under the name that `frontend/src/lazy_page.rs` determines.
pub(crate) const REST_MODULE: &str = "split_page.wasm";

const BINDGEN: &str = "wasm-bindgen";

/// Returns the folder for the parts until the page is bundled.
pub(crate) fn parts_dir(workspace: &Workspace) -> PathBuf {
    workspace.target_dir().join("page-parts")
}

/// Creates a folder for the PATH in which this program has the name wasm-bindgen.
pub(crate) fn make_wasm_bindgen_link(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let folder = parts_dir(workspace).join("bin");
    let link = folder.join(BINDGEN);
    fs::create_dir_all(&folder).with_context(|| format!("could not create {}", folder.display()))?;
    if link.is_symlink() {
        fs::remove_file(&link).with_context(|| format!("could not replace {}", link.display()))?;
    }
    let own_path = env::current_exe().context("could not find this program itself")?;
    symlink(own_path, &link).with_context(|| format!("could not create {}", link.display()))?;
    Ok(folder)
}

/// Reports whether this program was called as wasm-bindgen.
pub(crate) fn is_bindgen(called: &OsStr) -> bool {
    Path::new(called).file_name().is_some_and(|name| name == BINDGEN)
}

/// Splits the module, and calls wasm-bindgen for the first part.
pub(crate) fn bindgen(workspace: &Workspace, mut words: Vec<OsString>) -> anyhow::Result<()> {
    let linked = words.iter_mut().find(|word| Path::new(word).extension().is_some_and(|it| it == "wasm"));
    // Without a module, Trunk only asks for the version.
    if let Some(linked) = linked {
        let parts = parts_dir(workspace);
        let mut split = tools::split_command(workspace)?;
        split.arg(&linked).arg(&parts).args(["--out-name", PAGE_NAME]);
        shell::run(split)?;
        *linked = parts.join(format!("{PAGE_NAME}.wasm")).into();
        // Both parts make calls through the linker's table.
        words.push("--keep-lld-exports".into());
    }
    let mut bindgen = workspace.command(Tool::wasm_bindgen(workspace)?.program(BINDGEN)?);
    bindgen.args(words);
    shell::run(bindgen)
}
