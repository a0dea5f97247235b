//! Splits the page's WebAssembly in two: what the first prompt needs, and all the rest.
//!
//! What can be split is the linker's output, before wasm-bindgen has seen it, and Trunk has no step for that. So Trunk finds this
//! program in the place of wasm-bindgen: it splits, and calls the real one for the first part. The rest waits in [`parts`].

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

/// What cargo calls the page's program, and wasm-bindgen its files.
pub(crate) const NAME: &str = "limpet-frontend";
/// What loads the rest, as wasm-split calls it.
pub(crate) const LOADER: &str = "__wasm_split.js";
/// The rest, by the name that `frontend/src/rest.rs` gives it.
pub(crate) const REST: &str = "split_page.wasm";

const BINDGEN: &str = "wasm-bindgen";

/// Where the parts lie until the page is put together.
pub(crate) fn parts(workspace: &Workspace) -> PathBuf {
    workspace.target().join("page-parts")
}

/// A folder for the PATH in which this program is called wasm-bindgen.
pub(crate) fn disguise(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let folder = parts(workspace).join("bin");
    let link = folder.join(BINDGEN);
    fs::create_dir_all(&folder).with_context(|| format!("could not make {}", folder.display()))?;
    if link.is_symlink() {
        fs::remove_file(&link).with_context(|| format!("could not replace {}", link.display()))?;
    }
    let ourselves = env::current_exe().context("could not find this program itself")?;
    symlink(ourselves, &link).with_context(|| format!("could not make {}", link.display()))?;
    Ok(folder)
}

/// Whether this program was called as wasm-bindgen.
pub(crate) fn is_bindgen(called: &OsStr) -> bool {
    Path::new(called).file_name().is_some_and(|name| name == BINDGEN)
}

/// Does what wasm-bindgen is asked for, after splitting what it is to work on.
pub(crate) fn bindgen(workspace: &Workspace, mut words: Vec<OsString>) -> anyhow::Result<()> {
    let linked = words.iter_mut().find(|word| Path::new(word).extension().is_some_and(|it| it == "wasm"));
    // Without one it is only asked for its version.
    if let Some(linked) = linked {
        let parts = parts(workspace);
        let mut split = tools::split(workspace)?;
        split.arg(&linked).arg(&parts).args(["--out-name", NAME]);
        shell::run(split)?;
        *linked = parts.join(format!("{NAME}.wasm")).into();
        // Both parts call through the linker's table.
        words.push("--keep-lld-exports".into());
    }
    let mut bindgen = workspace.command(Tool::wasm_bindgen(workspace)?.program(BINDGEN)?);
    bindgen.args(words);
    shell::run(bindgen)
}
