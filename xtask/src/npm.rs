//! Installs npm packages as their lock files specify.

use std::{fs, path::Path};

use anyhow::Context;

use crate::{
    shell::{self, print_status},
    workspace::Workspace,
};

/// Installs a folder's packages, unless that was done since its lock file changed.
pub(crate) fn install(workspace: &Workspace, folder: &Path) -> anyhow::Result<()> {
    let subject = "npm";
    let folder = workspace.path(folder);
    let lock = folder.join("package-lock.json");
    let wanted = fs::read(&lock).with_context(|| format!("could not read {}", lock.display()))?;
    let stamp = folder.join("node_modules/.limpet-lock");
    if fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        print_status(subject, &format!("the packages of {} are there", folder.display()));
        return Ok(());
    }
    print_status(subject, &format!("installing the packages of {}", folder.display()));
    let mut npm = workspace.command("npm");
    npm.current_dir(&folder).args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
    shell::run(npm).context("Node.js 20 or later with npm is needed")?;
    fs::write(&stamp, wanted).with_context(|| format!("could not write {}", stamp.display()))
}
