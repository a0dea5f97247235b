//! Installs Python packages into environments of their own.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;

use crate::{
    shell::{self, print_status},
    system,
    workspace::Workspace,
};

/// The packages of the client in `docs/clients`.
const CLIENT_REQUIREMENTS: &str = "docs/clients/requirements.txt";

/// Installs the library of the Python client, where `tests/e2e/clients.rs` looks for it.
pub(crate) fn install_client_packages(workspace: &Workspace) -> anyhow::Result<()> {
    let path = workspace.path(CLIENT_REQUIREMENTS);
    let wanted = fs::read_to_string(&path).with_context(|| format!("could not read {}", path.display()))?;
    let packages: Vec<&str> = wanted.split_whitespace().collect();
    install(workspace, &workspace.target_dir().join("python-clients"), &packages)?;
    Ok(())
}

/// Installs packages into a folder, unless the same ones are there. Returns the interpreter.
pub(crate) fn install(workspace: &Workspace, folder: &Path, packages: &[&str]) -> anyhow::Result<PathBuf> {
    let python = folder.join("bin/python");
    let (stamp, wanted) = (folder.join("installed"), packages.join(" "));
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        print_status("python", &format!("{wanted} is there, in {}", folder.display()));
        return Ok(python);
    }
    print_status("python", &format!("installing {wanted} into {}", folder.display()));
    let create = || {
        let mut venv = workspace.command("python3");
        venv.args(["-m", "venv"]).arg(folder);
        shell::run(venv)
    };
    if create().is_err() {
        system::install_packages(&["python3-venv"])?;
        create().context("Python with its venv is needed")?;
    }
    let mut pip = workspace.command(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(packages);
    shell::run(pip)?;
    fs::write(&stamp, wanted).with_context(|| format!("could not write {}", stamp.display()))?;
    Ok(python)
}
