//! Builds the page with Trunk and prepares it for embedding.

use std::fs;

use anyhow::Context;

use crate::{
    bundle, compress,
    needs::Need,
    shell::{self, print_status},
    split, tools,
    workspace::{self, Workspace},
};

/// The files that the page is built from and with.
const SOURCES: [&str; 12] = [
    "frontend",
    "shared/src",
    "Cargo.toml",
    "Cargo.lock",
    "Trunk.toml",
    "xtask/src/page.rs",
    "xtask/src/split.rs",
    "xtask/src/bundle.rs",
    "xtask/src/inline.rs",
    "xtask/src/names.rs",
    "xtask/src/tools.rs",
    "xtask/src/compress.rs",
];

/// Builds the page into `dist/`, with compressed forms beside the plain ones, if anything has
/// changed.
pub(crate) fn build(workspace: &Workspace) -> anyhow::Result<()> {
    // Every build by Trunk empties the folder, and thereby removes the stamp.
    let stamp = workspace.path("dist/.built");
    // The fingerprint is taken before the build, so that edits during it lead to another build.
    let sources = workspace::fingerprint(&SOURCES.map(|source| workspace.path(source)))?;
    if fs::read_to_string(&stamp).is_ok_and(|built| built == sources) {
        print_status("page", "nothing has changed");
        return Ok(());
    }
    for need in Need::PAGE {
        need.ensure(workspace)?;
    }
    print_status("page", "building with Trunk");
    let mut trunk = tools::trunk_command(workspace, split::make_wasm_bindgen_link(workspace)?)?;
    trunk.args(["build", "--release", "--offline", "--features", "split"]);
    shell::run(trunk)?;
    print_status("page", "bundling");
    bundle::page(workspace)?;
    print_status("page", "compressing");
    compress::compress_folder(&workspace.path("dist"))?;
    fs::write(&stamp, sources).with_context(|| format!("could not write {}", stamp.display()))
}
