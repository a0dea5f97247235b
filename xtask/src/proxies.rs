//! The reverse proxies that tests put in front of limpet: installed ones, or Debian's packages. The
//! packages are unpacked and not installed, because an installed proxy is started and occupies the
//! ports of the web.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail};

use crate::{
    shell::{self, print_status},
    system, tools,
};

/// A reverse proxy, which is also the name of its Debian package and of its program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proxy {
    Nginx,
    Caddy,
}

impl Proxy {
    const ALL: [Self; 2] = [Self::Nginx, Self::Caddy];

    const fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Caddy => "caddy",
        }
    }

    /// Returns the argument that makes the program print its version and exit.
    const fn version_argument(self) -> &'static str {
        match self {
            Self::Nginx => "-v",
            Self::Caddy => "version",
        }
    }

    /// Returns the program.
    pub(crate) fn program(self) -> anyhow::Result<PathBuf> {
        self.find()?.with_context(|| format!("{} is needed; run: cargo xtask setup", self.name()))
    }

    fn find(self) -> anyhow::Result<Option<PathBuf>> {
        let folder = self.folder()?;
        let path = env::var_os("PATH").unwrap_or_default();
        // Administrators' programs are not on every user's PATH.
        let folders = env::split_paths(&path).chain([folder.join("usr/sbin"), folder.join("usr/bin")]);
        let mut programs = folders.chain(["/usr/sbin".into()]).map(|folder| folder.join(self.name()));
        Ok(programs.find(|program| program.is_file()))
    }

    /// Returns the folder into which the package is unpacked.
    fn folder(self) -> anyhow::Result<PathBuf> {
        Ok(tools::cargo_home()?.join("limpet-tools").join(format!("debian-{}", self.name())))
    }

    fn install(self) -> anyhow::Result<()> {
        let name = self.name();
        if let Some(program) = self.find()? {
            print_status(name, &format!("is there, as {}", program.display()));
            return Ok(());
        }
        if !shell::is_on_path("apt-get") || !shell::is_on_path("dpkg") {
            bail!("tests need {name}; please install it");
        }
        print_status(name, "unpacking Debian's package, once");
        let folder = self.folder()?;
        // The folder gets its final name when it is complete.
        let part = folder.with_extension("part");
        fs::create_dir_all(&part).with_context(|| format!("could not create {}", part.display()))?;
        if download(name, &part).is_err() {
            print_status(name, "fetching the list of packages");
            system::update_package_list()
                .and_then(|()| download(name, &part))
                .with_context(|| advice(name))?;
        }
        for entry in fs::read_dir(&part)? {
            let package = entry?.path();
            if package.extension().is_some_and(|ending| ending == "deb") {
                let mut dpkg = Command::new("dpkg");
                dpkg.arg("-x").arg(&package).arg(&part);
                shell::run(dpkg)?;
                fs::remove_file(&package)?;
            }
        }
        fs::rename(&part, &folder).with_context(|| format!("could not create {}", folder.display()))?;
        let program = self.program()?;
        // The program uses the system's libraries, so this checks that it can run.
        shell::capture(Command::new(program).arg(self.version_argument())).with_context(|| advice(name))?;
        Ok(())
    }
}

/// Sets up all proxies that are missing.
pub(crate) fn install() -> anyhow::Result<()> {
    Proxy::ALL.into_iter().try_for_each(Proxy::install)
}

fn download(package: &str, folder: &Path) -> anyhow::Result<()> {
    let mut apt = Command::new("apt-get");
    // Without this, apt warns that its own user may not write there.
    apt.args(["--quiet=2", "--option=APT::Sandbox::User=root", "download", package]);
    apt.current_dir(folder);
    shell::run(apt)
}

fn advice(name: &str) -> String {
    format!("could not set up {name}; please run: sudo apt-get install {name}")
}
