//! The tools and packages that building and testing need.

use std::path::Path;

use anyhow::Context;

use crate::{
    modules, npm, proxies, python,
    shell::{self, print_status},
    system,
    tools::Tool,
    workspace::Workspace,
};

pub(crate) const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// A tool or a set of packages that is set up if it is missing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Need {
    Rustfmt,
    Clippy,
    /// Rust's target for the browser.
    Wasm,
    /// The tool that makes the page's modules.
    PageModules,
    /// The tool that generates the script of a module, for Trunk and for tests.
    Bindgen,
    Trunk,
    Deny,
    /// The page's npm packages.
    PagePackages,
    /// The browser tests' npm packages.
    TestPackages,
    /// The terminal that the server's screen is compared with.
    ScreenPackages,
    /// The library of the client in Python.
    PythonPackages,
    /// A C++ compiler, for libFuzzer.
    Cxx,
    /// Chromium, its driver, and the programs that tests run.
    Programs,
    /// The reverse proxies that the page is tested with.
    Proxies,
}

impl Need {
    /// The needs of building the page.
    pub(crate) const PAGE: [Self; 3] = [Self::Wasm, Self::PagePackages, Self::PageModules];

    /// The needs of `trunk serve`.
    pub(crate) const TRUNK: [Self; 4] = [Self::Wasm, Self::PagePackages, Self::Bindgen, Self::Trunk];

    /// All needs, those that fail soonest first.
    pub(crate) const ALL: [Self; 14] = [
        Self::Rustfmt,
        Self::Clippy,
        Self::Wasm,
        Self::PagePackages,
        Self::TestPackages,
        Self::ScreenPackages,
        Self::PythonPackages,
        Self::Cxx,
        Self::Programs,
        Self::Proxies,
        Self::PageModules,
        Self::Bindgen,
        Self::Trunk,
        Self::Deny,
    ];

    /// Sets it up if it is missing.
    pub(crate) fn ensure(self, workspace: &Workspace) -> anyhow::Result<()> {
        match self {
            Self::Rustfmt => rustup_add(workspace, "component", "rustfmt"),
            Self::Clippy => rustup_add(workspace, "component", "clippy"),
            Self::Wasm => rustup_add(workspace, "target", WASM_TARGET),
            Self::PageModules => modules::build_tool(workspace),
            Self::Bindgen => Tool::wasm_bindgen(workspace)?.install(workspace),
            Self::Trunk => Tool::trunk().install(workspace),
            Self::Deny => Tool::deny().install(workspace),
            Self::PagePackages => npm::install(workspace, Path::new("frontend")),
            Self::TestPackages => npm::install(workspace, Path::new("tests/browser")),
            Self::ScreenPackages => npm::install(workspace, Path::new("tests/screen")),
            Self::PythonPackages => python::install_client_packages(workspace),
            Self::Cxx => system::install_package("c++", "g++"),
            Self::Programs => system::install(),
            Self::Proxies => proxies::install(),
        }
    }
}

/// Makes rustup add one of its components or targets.
fn rustup_add(workspace: &Workspace, kind: &str, name: &str) -> anyhow::Result<()> {
    let mut list = workspace.command("rustup");
    let installed = shell::capture(list.args([kind, "list", "--installed"]))
        .context("rustup is needed: see https://rustup.rs")?;
    if is_listed(&installed, name) {
        return Ok(());
    }
    print_status("rustup", &format!("adding the {kind} {name}"));
    let mut add = workspace.command("rustup");
    add.args([kind, "add", name]);
    shell::run(add)
}

/// Reports whether a name is in rustup's list, where components are followed by the machine's
/// target.
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
        assert!(is_listed(installed, WASM_TARGET));
        assert!(!is_listed(installed, "rustfmt"));
        assert!(!is_listed("wasm32-unknown-unknown2", WASM_TARGET));
    }
}
