//! How fast and how light limpet is, beside floors and other servers: builds what is measured, and has it measured.

mod peers;

use std::{ffi::OsString, path::PathBuf};

use anyhow::{Context, bail};

use crate::{
    build,
    needs::Need,
    shell::{self, say},
    system,
    workspace::Workspace,
};

const USAGE: &str = "write: cargo xtask bench [--quick] [--check] [--only PART,...] [--scene TEXT] [--against NAME,...] \
                     [--peer NAME=COMMAND] [--docs]";

/// What is asked for.
#[derive(Debug, Default, PartialEq)]
struct Options {
    /// Goes on as it is.
    passed: Vec<String>,
    /// Servers that are set up for it.
    against: Vec<String>,
    /// Whether the plots in the docs are made anew.
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
                _ => bail!("{word} is not understood; {USAGE}"),
            }
        }
        Ok(options)
    }
}

/// Measures as the words say.
pub(crate) fn run(workspace: &Workspace, words: &[OsString]) -> anyhow::Result<()> {
    let options = Options::parse(words)?;
    let peers = options.against.iter().map(|name| peers::set_up(workspace, name));
    let peers = peers.collect::<anyhow::Result<Vec<_>>>()?;
    build(workspace)?;
    let browser = browser(workspace, &options)?;
    say("bench", "building what measures");
    shell::run(workspace.cargo(["build", "--release", "--package", "limpet-bench"]))?;
    let mut bench = workspace.command(workspace.target().join("release/limpet-bench"));
    bench.arg("run").arg("--limpet").arg(workspace.binary());
    bench.arg("--budgets").arg(workspace.path("tests/bench/budgets.toml"));
    bench.arg("--out").arg(workspace.target().join("bench"));
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

/// What the page is shown in. A quick look is one without it, unless it asks for the page.
fn browser(workspace: &Workspace, options: &Options) -> anyhow::Result<Option<PathBuf>> {
    let has = |word: &str| options.passed.iter().any(|passed| passed == word);
    if has("--quick") && !has("--only") {
        return Ok(None);
    }
    for need in [Need::Programs, Need::PagePackages, Need::TestPackages] {
        need.meet(workspace)?;
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
