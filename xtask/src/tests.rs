//! Runs all checks and tests, in steps.

use std::{
    ffi::OsString,
    fs,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};

use crate::{
    build,
    needs::Need,
    proxies::Proxy,
    shell::{self, print_status},
    system, tools,
    workspace::Workspace,
};

/// A named part of the tests.
struct Step {
    name: &'static str,
    description: &'static str,
    needs: &'static [Need],
    run: fn(&Workspace) -> anyhow::Result<()>,
}

const BROWSER_NEEDS: [Need; 7] = [
    Need::Wasm,
    Need::PagePackages,
    Need::Bindgen,
    Need::Trunk,
    Need::TestPackages,
    Need::Programs,
    Need::Proxies,
];

const STEPS: [Step; 11] = [
    Step { name: "fmt", description: "formatting", needs: &[Need::Rustfmt], run: fmt },
    Step { name: "tidy", description: "is the language plain?", needs: &[], run: crate::tidy::run },
    Step {
        name: "clippy",
        description: "lints, with warnings as errors",
        needs: &[Need::Clippy, Need::Wasm],
        run: clippy,
    },
    Step { name: "doc", description: "rustdoc, with warnings as errors", needs: &[], run: doc },
    Step {
        name: "deny",
        description: "licences, bans and sources of dependencies",
        needs: &[Need::Deny],
        run: deny,
    },
    Step { name: "unit", description: "unit and property tests", needs: &[Need::Programs], run: unit },
    Step {
        name: "wasm",
        description: "the page's own tests, in Chromium",
        needs: &[Need::Wasm, Need::Bindgen, Need::Programs],
        run: wasm,
    },
    Step {
        name: "e2e",
        description: "the real server, with real programs",
        needs: &[Need::ScreenPackages, Need::Programs],
        run: e2e,
    },
    Step {
        name: "fuzz",
        description: "fuzzing of the screen for a minute",
        needs: &[Need::Cxx],
        run: crate::fuzz::test,
    },
    Step { name: "browser", description: "the real page, in Chromium", needs: &BROWSER_NEEDS, run: browser },
    Step {
        name: "bench",
        description: "the benchmark runs (its figures are not checked)",
        needs: &BROWSER_NEEDS,
        run: bench,
    },
];

/// Runs the named steps, or all of them.
pub(crate) fn run(workspace: &Workspace, names: &[OsString]) -> anyhow::Result<()> {
    for name in names {
        if !STEPS.iter().any(|step| name == step.name) {
            let all = STEPS.map(|step| step.name).join(" ");
            bail!("there is no step {}; the steps are: {all}", name.display());
        }
    }
    let wanted = |step: &&Step| names.is_empty() || names.iter().any(|name| name == step.name);
    let steps: Vec<&Step> = STEPS.iter().filter(wanted).collect();
    // All set-up comes first, so that a missing tool is noticed early and not after half an hour.
    for need in Need::ALL.iter().filter(|need| steps.iter().any(|step| step.needs.contains(need))) {
        need.ensure(workspace)?;
    }
    let mut times = Vec::new();
    for step in steps {
        print_status(step.name, step.description);
        let start = Instant::now();
        (step.run)(workspace).with_context(|| format!("{0} (alone: cargo xtask test {0})", step.name))?;
        times.push((step.name, start.elapsed()));
    }
    report(&times);
    Ok(())
}

fn report(times: &[(&str, Duration)]) {
    for (name, time) in times {
        print_status(name, &format!("passed in {} s", time.as_secs()));
    }
}

fn fmt(workspace: &Workspace) -> anyhow::Result<()> {
    shell::run(workspace.cargo(["fmt", "--all", "--check"]))
}

fn clippy(workspace: &Workspace) -> anyhow::Result<()> {
    let strict = ["--", "--deny", "warnings"];
    let mut host = workspace.cargo(["clippy", "--workspace", "--all-targets"]);
    host.args(strict);
    shell::run(host)?;
    let mut page =
        workspace.cargo(["clippy", "--package", "limpet-frontend", "--target", "wasm32-unknown-unknown"]);
    page.args(["--all-targets"]).args(strict);
    shell::run(page)
}

fn doc(workspace: &Workspace) -> anyhow::Result<()> {
    let mut cargo = workspace.cargo(["doc", "--workspace", "--no-deps", "--document-private-items"]);
    // Private items are documented as well, so links to them work.
    cargo.env("RUSTDOCFLAGS", "--deny warnings --allow rustdoc::private-intra-doc-links");
    shell::run(cargo)
}

/// Checks dependencies without advisories, whose database is neither in a registry nor in the
/// sources.
fn deny(workspace: &Workspace) -> anyhow::Result<()> {
    print_status("deny", "without advisories, whose database is in no registry");
    // Builds fetch only the packages for their target; this check reads all packages in
    // `Cargo.lock`.
    shell::run(workspace.cargo(["fetch", "--locked"]))?;
    let mut deny = tools::deny_command(workspace)?;
    deny.args(["--offline", "--log-level", "error", "check", "bans", "licenses", "sources"]);
    shell::run(deny)
}

fn unit(workspace: &Workspace) -> anyhow::Result<()> {
    shell::run(workspace.cargo(["test", "--workspace", "--exclude", "limpet"]))?;
    shell::run(workspace.cargo(["test", "--package", "limpet", "--lib", "--bins"]))?;
    shell::run(workspace.cargo(["test", "--package", "limpet", "--doc"]))
}

fn wasm(workspace: &Workspace) -> anyhow::Result<()> {
    let mut cargo =
        workspace.cargo(["test", "--package", "limpet-frontend", "--target", "wasm32-unknown-unknown"]);
    cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", tools::wasm_test_runner(workspace)?);
    cargo.env("CHROMEDRIVER", system::chromedriver()?);
    shell::run(cargo)
}

fn e2e(workspace: &Workspace) -> anyhow::Result<()> {
    shell::run(workspace.cargo(["test", "--package", "limpet", "--test", "*"]))?;
    // Without debug assertions, the old design fails in another way.
    shell::run(workspace.cargo(["test", "--package", "origin-bug", "--release"]))
}

fn browser(workspace: &Workspace) -> anyhow::Result<()> {
    build(workspace)?;
    let artifacts = workspace.path("artifacts");
    fs::create_dir_all(&artifacts).with_context(|| format!("could not create {}", artifacts.display()))?;
    let folder = workspace.path("tests/browser");
    let mut node = Command::new("node");
    node.current_dir(&folder).arg("--test").arg("--test-concurrency=1").args(test_files(&folder)?);
    node.env("LIMPET_BIN", workspace.release_binary())
        .env("CHROMIUM", system::chromium()?)
        .env("NGINX", Proxy::Nginx.program()?)
        .env("CADDY", Proxy::Caddy.program()?)
        .env("ARTIFACTS", &artifacts);
    print_status("browser", &format!("screenshots are kept in {}", artifacts.display()));
    shell::run(node)
}

fn bench(workspace: &Workspace) -> anyhow::Result<()> {
    crate::bench::run(workspace, &["--quick".into()])
}

fn test_files(folder: &PathBuf) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("could not read {}", folder.display()))?;
    let paths: Result<Vec<_>, _> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut tests: Vec<PathBuf> =
        paths?.into_iter().filter(|path| path.to_string_lossy().ends_with(".test.mjs")).collect();
    tests.sort();
    if tests.is_empty() {
        bail!("there are no tests in {}", folder.display());
    }
    Ok(tests)
}
