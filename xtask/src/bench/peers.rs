//! Other servers for comparison, from package registries. Each is set up only on request, below the
//! target folder.

use std::{fs, path::PathBuf};

use anyhow::{Context, bail};

use crate::{
    shell::{self, print_status},
    system,
    workspace::Workspace,
};

/// The versions that are measured.
const TERMINADO_VERSION: &str = "0.18.1";
const WETTY_VERSION: &str = "3.2.0";

/// Sets up a server unless it is there, and returns it as `NAME=COMMAND`.
pub(super) fn set_up(workspace: &Workspace, name: &str) -> anyhow::Result<String> {
    let command = match name {
        "terminado" => set_up_terminado(workspace)?,
        "wetty" => set_up_wetty(workspace)?,
        "shellinabox" => {
            system::install_package("shellinaboxd", "shellinabox")?;
            "shellinaboxd".to_owned()
        }
        "ttyd" | "gotty" if shell::is_on_path(name) => name.to_owned(),
        "ttyd" | "gotty" => {
            bail!("{name} is not on the PATH; name its path with --peer {name}=COMMAND")
        }
        _ => bail!(
            "{name} is not known; known are terminado, wetty, shellinabox, and ttyd and gotty if installed"
        ),
    };
    Ok(format!("{name}={command}"))
}

fn create_folder(workspace: &Workspace, name: &str) -> anyhow::Result<PathBuf> {
    let folder = workspace.target_dir().join("bench-peers").join(name);
    fs::create_dir_all(&folder).with_context(|| format!("could not create {}", folder.display()))?;
    Ok(folder)
}

/// Sets up terminado, a Python library. The program that serves with it is in the repository.
fn set_up_terminado(workspace: &Workspace) -> anyhow::Result<String> {
    let folder = create_folder(workspace, &format!("terminado-{TERMINADO_VERSION}"))?;
    let python = folder.join("bin/python");
    if !folder.join("done").exists() {
        let status = format!("installing {TERMINADO_VERSION} from PyPI into {}", folder.display());
        print_status("terminado", &status);
        let mut venv = workspace.command("python3");
        venv.args(["-m", "venv"]).arg(&folder);
        shell::run(venv).context("Python with its venv is needed")?;
        let mut pip = workspace.command(&python);
        pip.args(["-m", "pip", "install", "--quiet", &format!("terminado=={TERMINADO_VERSION}")]);
        shell::run(pip)?;
        fs::write(folder.join("done"), "")?;
    }
    Ok(format!("{} {}", python.display(), workspace.path("tests/bench/peers/serve_terminado.py").display()))
}

/// Sets up wetty, a Node.js program.
fn set_up_wetty(workspace: &Workspace) -> anyhow::Result<String> {
    let folder = create_folder(workspace, &format!("wetty-{WETTY_VERSION}"))?;
    if !folder.join("done").exists() {
        print_status("wetty", &format!("installing {WETTY_VERSION} from npm into {}", folder.display()));
        let mut npm = workspace.command("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--loglevel=error", "--prefix"]).arg(&folder);
        npm.arg(format!("wetty@{WETTY_VERSION}"));
        shell::run(npm)?;
        fs::write(folder.join("done"), "")?;
    }
    Ok(format!("{}", folder.join("node_modules/.bin/wetty").display()))
}
