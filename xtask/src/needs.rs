//! What has to be there before something can be built or tested.

use std::path::Path;

use anyhow::Context;

use crate::{
    npm, proxies,
    shell::{self, say},
    system,
    tools::Tool,
    workspace::Workspace,
};

const WASM: &str = "wasm32-unknown-unknown";

/// Something that is set up when it is missing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Need {
    Rustfmt,
    Clippy,
    /// Rust's target for the browser.
    Wasm,
    Bindgen,
    Trunk,
    Split,
    Deny,
    /// What the page takes from npm.
    PagePackages,
    /// What the browser's tests take from npm.
    TestPackages,
    /// The terminal that the server's screen is held against.
    ScreenPackages,
    /// A C++ compiler, for libFuzzer.
    Cxx,
    /// Chromium, its driver, and the programs that tests run.
    Programs,
    /// The reverse proxies that are tested with the page.
    Proxies,
}

impl Need {
    /// What the page is built with.
    pub(crate) const PAGE: [Self; 5] =
        [Self::Wasm, Self::PagePackages, Self::Bindgen, Self::Trunk, Self::Split];

    /// Everything, what is quickest to fail first.
    pub(crate) const ALL: [Self; 13] = [
        Self::Rustfmt,
        Self::Clippy,
        Self::Wasm,
        Self::PagePackages,
        Self::TestPackages,
        Self::ScreenPackages,
        Self::Cxx,
        Self::Programs,
        Self::Proxies,
        Self::Bindgen,
        Self::Trunk,
        Self::Split,
        Self::Deny,
    ];

    /// Sets it up, unless it is there.
    pub(crate) fn meet(self, workspace: &Workspace) -> anyhow::Result<()> {
        match self {
            Self::Rustfmt => rustup(workspace, "component", "rustfmt"),
            Self::Clippy => rustup(workspace, "component", "clippy"),
            Self::Wasm => rustup(workspace, "target", WASM),
            Self::Bindgen => Tool::wasm_bindgen(workspace)?.install(workspace),
            Self::Trunk => Tool::trunk().install(workspace),
            Self::Split => Tool::split().install(workspace),
            Self::Deny => Tool::deny().install(workspace),
            Self::PagePackages => npm::install(workspace, Path::new("frontend")),
            Self::TestPackages => npm::install(workspace, Path::new("tests/browser")),
            Self::ScreenPackages => npm::install(workspace, Path::new("tests/screen")),
            Self::Cxx => system::install_package("c++", "g++"),
            Self::Programs => system::install(),
            Self::Proxies => proxies::install(),
        }
    }
}

/// Has rustup add one of its components or targets.
fn rustup(workspace: &Workspace, kind: &str, name: &str) -> anyhow::Result<()> {
    let mut list = workspace.command("rustup");
    let installed = shell::capture(list.args([kind, "list", "--installed"]))
        .context("rustup is needed: see https://rustup.rs")?;
    if is_listed(&installed, name) {
        return Ok(());
    }
    say("rustup", &format!("adding the {kind} {name}"));
    let mut add = workspace.command("rustup");
    add.args([kind, "add", name]);
    shell::run(add)
}

/// Components are listed with the machine's target behind their names.
fn is_listed(installed: &str, name: &str) -> bool {
    installed
        .lines()
        .filter_map(|line| line.strip_prefix(name))
        .any(|rest| rest.is_empty() || rest.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_and_targets_are_found_in_rustups_lists() {
        let installed =
            "cargo-x86_64-unknown-linux-gnu\nclippy-x86_64-unknown-linux-gnu\nwasm32-unknown-unknown";
        assert!(is_listed(installed, "clippy"));
        assert!(is_listed(installed, WASM));
        assert!(!is_listed(installed, "rustfmt"));
        assert!(!is_listed("wasm32-unknown-unknown2", WASM));
    }
}
