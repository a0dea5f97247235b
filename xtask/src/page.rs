//! The page: built by Trunk, made ready to be embedded.

use std::{fs, path::PathBuf};

use anyhow::Context;

use crate::{
    compress,
    shell::{self, say},
    tools,
    workspace::{self, Workspace},
};

/// What the page is made of.
const SOURCES: [&str; 5] = ["frontend", "shared/src", "Cargo.toml", "Cargo.lock", "Trunk.toml"];

/// Builds the page into `dist/`, compressed forms beside the plain ones, if anything has changed since.
pub(crate) fn build(workspace: &Workspace) -> anyhow::Result<()> {
    let stamp = workspace.path("dist/.built");
    if is_current(workspace, &stamp)? {
        say("page", "nothing has changed");
        return Ok(());
    }
    tools::for_page(workspace)?;
    say("page", "building with Trunk");
    let mut trunk = tools::trunk(workspace)?;
    trunk.args(["build", "--release", "--offline"]);
    shell::run(trunk)?;
    say("page", "compressing");
    compress::folder(&workspace.path("dist"))?;
    fs::write(&stamp, "").with_context(|| format!("could not write {}", stamp.display()))
}

fn is_current(workspace: &Workspace, stamp: &PathBuf) -> anyhow::Result<bool> {
    let Ok(built) = fs::metadata(stamp).and_then(|metadata| metadata.modified()) else { return Ok(false) };
    let sources = SOURCES.map(|source| workspace.path(source));
    Ok(workspace::newest(&sources)?.is_some_and(|changed| changed < built))
}
