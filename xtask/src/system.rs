//! The programs that tests need from the system: a browser with its driver, and the programs that
//! run in terminals.

use std::{path::PathBuf, process::Command};

use anyhow::bail;

use crate::shell::{self, print_status};

/// Required programs. Each list names alternatives, and is followed by the Debian package that
/// provides the first one.
const PROGRAMS: [(&[&str], &str); 11] = [
    (&["chromium", "chromium-browser", "google-chrome"], "chromium"),
    (&["chromedriver"], "chromium-driver"),
    (&["bash"], "bash"),
    (&["vim"], "vim"),
    (&["htop"], "htop"),
    (&["less"], "less"),
    (&["tmux"], "tmux"),
    (&["python3"], "python3"),
    (&["ps"], "procps"),
    (&["taskset"], "util-linux"),
    (&["openssl"], "openssl"),
];

/// Installs the required programs that are missing.
pub(crate) fn install() -> anyhow::Result<()> {
    let missing: Vec<&str> = missing_packages();
    if missing.is_empty() {
        print_status("programs", "the browser and the programs that tests drive are there");
        return Ok(());
    }
    apt_install(&missing, "tests need")
}

/// Installs a Debian package unless its program is there.
pub(crate) fn install_package(program: &str, package: &str) -> anyhow::Result<()> {
    if shell::is_on_path(program) {
        return Ok(());
    }
    apt_install(&[package], "this command needs")
}

/// Installs Debian packages, or fails with a message that names them and `who` needs them.
fn apt_install(packages: &[&str], who: &str) -> anyhow::Result<()> {
    let list = packages.join(" ");
    if !shell::is_on_path("apt-get") {
        bail!("{who} these programs (Debian package names): {list}; please install them");
    }
    print_status("programs", &format!("installing by apt-get: {list}"));
    for words in [&["update", "--quiet=2"][..], &["install", "--quiet=2", "--yes", "--no-install-recommends"]]
    {
        let mut apt = apt_command();
        apt.args(words).env("DEBIAN_FRONTEND", "noninteractive");
        if words[0] == "install" {
            apt.args(packages);
        }
        if shell::run(apt).is_err() {
            bail!("could not install what is needed; please run: sudo apt-get install {list}");
        }
    }
    Ok(())
}

/// Fetches the list of packages.
pub(crate) fn update_package_list() -> anyhow::Result<()> {
    let mut apt = apt_command();
    apt.args(["update", "--quiet=2"]);
    shell::run(apt)
}

/// Returns the path of the browser.
pub(crate) fn chromium() -> anyhow::Result<PathBuf> {
    find_program(PROGRAMS[0].0)
}

/// Returns the path of the browser's driver.
pub(crate) fn chromedriver() -> anyhow::Result<PathBuf> {
    find_program(PROGRAMS[1].0)
}

fn missing_packages() -> Vec<&'static str> {
    let absent =
        PROGRAMS.iter().filter(|(programs, _)| !programs.iter().any(|program| shell::is_on_path(program)));
    absent.map(|&(_, package)| package).collect()
}

fn find_program(programs: &[&str]) -> anyhow::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let candidates =
        programs.iter().flat_map(|program| folders.iter().map(move |folder| folder.join(program)));
    match candidates.into_iter().find(|candidate| candidate.is_file()) {
        Some(found) => Ok(found),
        None => bail!("{} is needed; run: cargo xtask setup", programs[0]),
    }
}

/// Returns a call of apt-get, which needs sudo unless this is root.
fn apt_command() -> Command {
    let root = shell::capture(Command::new("id").arg("-u")).is_ok_and(|id| id == "0");
    if root {
        return Command::new("apt-get");
    }
    let mut sudo = Command::new("sudo");
    sudo.args(["--non-interactive", "apt-get"]);
    sudo
}
