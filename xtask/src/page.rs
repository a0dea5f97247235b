//! Builds the page and prepares it for embedding.

use std::fs;

use anyhow::Context;

use crate::{
    bundle, compress, modules,
    needs::Need,
    shell::print_status,
    workspace::{self, Workspace},
};

/// The files that the page is built from and with.
const SOURCES: [&str; 13] = [
    "frontend",
    "shared/src",
    "shared/client/src",
    "Cargo.toml",
    "Cargo.lock",
    "xtask/page-modules",
    "xtask/src/page.rs",
    "xtask/src/modules.rs",
    "xtask/src/bundle.rs",
    "xtask/src/hello.rs",
    "xtask/src/inline.rs",
    "xtask/src/names.rs",
    "xtask/src/compress.rs",
];

/// Builds the page into `dist/`, with compressed forms beside the plain ones, if anything has
/// changed.
pub(crate) fn build(workspace: &Workspace) -> anyhow::Result<()> {
    // Every build empties the folder, by Trunk as well, and thereby removes the stamp.
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
    let modules = modules::build(workspace)?;
    print_status("page", "bundling");
    bundle::page(workspace, &modules)?;
    print_status("page", "compressing");
    compress::compress_folder(&workspace.path("dist"))?;
    fs::write(&stamp, sources).with_context(|| format!("could not write {}", stamp.display()))
}
