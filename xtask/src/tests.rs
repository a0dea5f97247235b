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
    run: Run,
}

/// The work of a step.
enum Run {
    /// Always does all of it.
    Whole(fn(&Workspace) -> anyhow::Result<()>),
    /// Does only what a filter selects, if there is one.
    Filtered(fn(&Workspace, Filter<'_>) -> anyhow::Result<()>),
}

/// A part of the names of tests, or for the browser's tests of their files.
type Filter<'a> = Option<&'a str>;

const BROWSER_NEEDS: [Need; 6] =
    [Need::Wasm, Need::PagePackages, Need::PageModules, Need::TestPackages, Need::Programs, Need::Proxies];

const STEPS: [Step; 11] = [
    Step { name: "fmt", description: "formatting", needs: &[Need::Rustfmt], run: Run::Whole(fmt) },
    Step {
        name: "tidy",
        description: "is the language plain?",
        needs: &[],
        run: Run::Whole(crate::tidy::run),
    },
    Step {
        name: "clippy",
        description: "lints, with warnings as errors",
        needs: &[Need::Clippy, Need::Wasm],
        run: Run::Whole(clippy),
    },
    Step { name: "doc", description: "rustdoc, with warnings as errors", needs: &[], run: Run::Whole(doc) },
    Step {
        name: "deny",
        description: "licences, bans and sources of dependencies",
        needs: &[Need::Deny],
        run: Run::Whole(deny),
    },
    Step {
        name: "unit",
        description: "unit and property tests",
        needs: &[Need::Programs],
        run: Run::Filtered(unit),
    },
    Step {
        name: "wasm",
        description: "the page's own tests, in Chromium",
        needs: &[Need::Wasm, Need::Bindgen, Need::Programs],
        run: Run::Filtered(wasm),
    },
    Step {
        name: "e2e",
        description: "the real server, with real programs",
        needs: &[Need::ScreenPackages, Need::Programs],
        run: Run::Filtered(e2e),
    },
    Step {
        name: "fuzz",
        description: "fuzzing of the screen and the protocol for a minute",
        needs: &[Need::Cxx],
        run: Run::Whole(crate::fuzz::test),
    },
    Step {
        name: "browser",
        description: "the real page, in Chromium",
        needs: &BROWSER_NEEDS,
        run: Run::Filtered(browser),
    },
    Step {
        name: "bench",
        description: "the benchmark runs (its figures are not checked)",
        needs: &BROWSER_NEEDS,
        run: Run::Whole(bench),
    },
];

/// Runs the named steps, or all of them. A filter after `--` selects tests of the step before.
pub(crate) fn run(workspace: &Workspace, words: &[OsString]) -> anyhow::Result<()> {
    let (names, filter) = parse(words)?;
    let wanted = |step: &&Step| names.is_empty() || names.contains(&step.name);
    let steps: Vec<&Step> = STEPS.iter().filter(wanted).collect();
    // All set-up comes first, so that a missing tool is noticed early and not after half an hour.
    for need in Need::ALL.iter().filter(|need| steps.iter().any(|step| step.needs.contains(need))) {
        need.ensure(workspace)?;
    }
    let mut times = Vec::new();
    for step in steps {
        print_status(step.name, step.description);
        let start = Instant::now();
        let result = match step.run {
            Run::Whole(run) => run(workspace),
            Run::Filtered(run) => run(workspace, filter),
        };
        result.with_context(|| format!("{0} (alone: cargo xtask test {0})", step.name))?;
        times.push((step.name, start.elapsed()));
    }
    report(&times);
    Ok(())
}

/// Parses the names of steps, and a filter.
fn parse(words: &[OsString]) -> anyhow::Result<(Vec<&'static str>, Filter<'_>)> {
    let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
    let find = |name: &OsString| {
        STEPS.iter().find(|step| name == step.name).with_context(|| {
            let all = STEPS.map(|step| step.name).join(" ");
            format!("there is no step {}; the steps are: {all}", name.display())
        })
    };
    let steps = words[..end].iter().map(find).collect::<Result<Vec<_>, _>>()?;
    let filter = match (&steps[..], words.get(end + 1..).unwrap_or_default()) {
        (_, []) => None,
        ([Step { run: Run::Filtered(_), .. }], [filter]) => {
            Some(filter.to_str().context("a filter is text")?)
        }
        _ => bail!("write one filter after one of the steps with filters: unit wasm e2e browser"),
    };
    Ok((steps.iter().map(|step| step.name).collect(), filter))
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

fn unit(workspace: &Workspace, filter: Filter<'_>) -> anyhow::Result<()> {
    // The tests of these two packages in `tests/` are the step `e2e`.
    let both = ["test", "--package", "limpet", "--package", "limpet-keeper"];
    let mut inside = workspace.cargo(both);
    inside.args(["--lib", "--bins"]);
    let mut examples = workspace.cargo(both);
    examples.arg("--doc");
    let mut others = workspace.cargo(["test", "--workspace", "--exclude", "limpet"]);
    others.args(["--exclude", "limpet-keeper"]);
    for mut cargo in [others, inside, examples] {
        cargo.args(filter);
        shell::run(cargo)?;
    }
    Ok(())
}

fn wasm(workspace: &Workspace, filter: Filter<'_>) -> anyhow::Result<()> {
    let mut cargo =
        workspace.cargo(["test", "--package", "limpet-frontend", "--target", "wasm32-unknown-unknown"]);
    cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", tools::wasm_test_runner(workspace)?);
    cargo.env("CHROMEDRIVER", system::chromedriver()?).args(filter);
    shell::run(cargo)
}

fn e2e(workspace: &Workspace, filter: Filter<'_>) -> anyhow::Result<()> {
    let mut cargo =
        workspace.cargo(["test", "--package", "limpet", "--package", "limpet-keeper", "--test", "*"]);
    cargo.args(filter);
    shell::run(cargo)?;
    if filter.is_some() {
        return Ok(());
    }
    // Without debug assertions, the old design fails in another way.
    shell::run(workspace.cargo(["test", "--package", "origin-bug", "--release"]))
}

fn browser(workspace: &Workspace, filter: Filter<'_>) -> anyhow::Result<()> {
    build(workspace)?;
    let artifacts = workspace.path("artifacts");
    fs::create_dir_all(&artifacts).with_context(|| format!("could not create {}", artifacts.display()))?;
    let folder = workspace.path("tests/browser");
    let mut node = Command::new("node");
    node.current_dir(&folder).arg("--test").arg("--test-concurrency=1").args(test_files(&folder, filter)?);
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

fn test_files(folder: &PathBuf, filter: Filter<'_>) -> anyhow::Result<Vec<PathBuf>> {
    let is_test = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.ends_with(".test.mjs") && name.contains(filter.unwrap_or_default())
    };
    let entries = fs::read_dir(folder).with_context(|| format!("could not read {}", folder.display()))?;
    let paths: Result<Vec<_>, _> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut tests: Vec<PathBuf> = paths?.into_iter().filter(is_test).collect();
    tests.sort();
    if tests.is_empty() {
        bail!("there are no such tests in {}", folder.display());
    }
    Ok(tests)
}

#[cfg(test)]
mod parse_tests {
    use super::*;

    #[test]
    fn one_step_may_have_a_filter() {
        let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        assert_eq!(parse(&[]).unwrap(), (vec![], None));
        assert_eq!(parse(&words(&["fmt", "tidy"])).unwrap(), (vec!["fmt", "tidy"], None));
        assert_eq!(parse(&words(&["e2e", "--", "sharing::"])).unwrap(), (vec!["e2e"], Some("sharing::")));
        for refused in [&["nothing"][..], &["--", "a"], &["fmt", "--", "a"], &["e2e", "unit", "--", "a"]] {
            assert!(parse(&words(refused)).is_err(), "{refused:?}");
        }
    }
}
