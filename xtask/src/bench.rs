//! Builds and runs the benchmark, which compares limpet with lower bounds and other servers.

mod peers;

use std::{ffi::OsString, path::PathBuf};

use anyhow::{Context, bail};

use crate::{
    build,
    needs::Need,
    shell::{self, print_status},
    system,
    workspace::Workspace,
};

const USAGE: &str = "write: cargo xtask bench [--quick] [--check] [--only PART,...] [--scene TEXT] [--against NAME,...] \
                     [--peer NAME=COMMAND] [--docs]";

/// The parsed arguments.
#[derive(Debug, Default, PartialEq)]
struct Options {
    /// Arguments that are passed on to the benchmark.
    passed: Vec<String>,
    /// Names of other servers to set up for the comparison.
    against: Vec<String>,
    /// Set if the plots in the docs are replaced.
    docs: bool,
}

impl Options {
    fn parse(words: &[OsString]) -> anyhow::Result<Self> {
        let mut options = Self::default();
        let mut words = words.iter().map(|word| word.to_str().context(USAGE));
        while let Some(word) = words.next().transpose()? {
            let mut value = || words.next().transpose()?.context(USAGE);
            match word {
                "--quick" | "--check" => options.passed.push(word.to_owned()),
                "--only" | "--scene" | "--peer" => {
                    options.passed.extend([word.to_owned(), value()?.to_owned()]);
                }
                "--against" => options.against.extend(value()?.split(',').map(str::to_owned)),
                "--docs" => options.docs = true,
                _ => bail!("unknown argument {word}; {USAGE}"),
            }
        }
        Ok(options)
    }
}

/// Runs the benchmark with the given arguments.
pub(crate) fn run(workspace: &Workspace, words: &[OsString]) -> anyhow::Result<()> {
    let options = Options::parse(words)?;
    let peers = options.against.iter().map(|name| peers::set_up(workspace, name));
    let peers = peers.collect::<anyhow::Result<Vec<_>>>()?;
    build(workspace)?;
    let browser = find_browser(workspace, &options)?;
    print_status("bench", "building the benchmark");
    shell::run(workspace.cargo(["build", "--release", "--package", "limpet-bench"]))?;
    let mut bench = workspace.command(workspace.target_dir().join("release/limpet-bench"));
    bench.arg("run").arg("--limpet").arg(workspace.release_binary());
    bench.arg("--budgets").arg(workspace.path("tests/bench/budgets.toml"));
    bench.arg("--out").arg(workspace.target_dir().join("bench"));
    bench.args(&options.passed);
    if let Some(browser) = browser {
        bench.arg("--chromium").arg(browser);
    }
    for peer in peers {
        bench.args(["--peer", &peer]);
    }
    if options.docs {
        bench.arg("--docs").arg(workspace.path("docs/performance"));
    }
    shell::run(bench)
}

/// Returns the browser that shows the page. A quick run does without one, unless it selects its
/// parts.
fn find_browser(workspace: &Workspace, options: &Options) -> anyhow::Result<Option<PathBuf>> {
    let has = |word: &str| options.passed.iter().any(|passed| passed == word);
    if has("--quick") && !has("--only") {
        return Ok(None);
    }
    for need in [Need::Programs, Need::PagePackages, Need::TestPackages] {
        need.ensure(workspace)?;
    }
    system::chromium().map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> anyhow::Result<Options> {
        Options::parse(&words.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn what_measures_is_told_what_it_understands() {
        let options = parsed(&["--quick", "--against", "ttyd,wetty", "--peer", "gotty=gotty -w", "--docs"]);
        let passed = ["--quick", "--peer", "gotty=gotty -w"].map(str::to_owned).to_vec();
        let against = ["ttyd", "wetty"].map(str::to_owned).to_vec();
        assert_eq!(options.unwrap(), Options { passed, against, docs: true });
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        assert!(parsed(&["--quik"]).is_err());
        assert!(parsed(&["--peer"]).is_err());
    }
}
