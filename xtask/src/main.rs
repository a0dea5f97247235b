//! `cargo xtask`: set-up, build, run and test in one command each.
//!
//! Every command does all of its own set-up, says what it does, and skips what is already done.
#![expect(clippy::print_stderr, reason = "this program reports to the terminal")]

mod bench;
mod bundle;
mod compress;
mod dev;
mod fuzz;
mod inline;
mod names;
mod needs;
mod npm;
mod page;
mod proxies;
mod shell;
mod split;
mod system;
mod tests;
mod tidy;
mod tools;
mod torture;
mod workspace;

use std::{
    env,
    ffi::OsString,
    os::unix::process::CommandExt,
    process::{Command, ExitCode},
};

use anyhow::{Context, bail};

use self::{needs::Need, shell::print_status, workspace::Workspace};

const HELP: &str = "\
cargo xtask COMMAND: commands for working on limpet.

  run [-- FLAGS]    build the page and the server, and start it; FLAGS go to limpet
  build             build the one binary, target/release/limpet
  dev [-- FLAGS]    serve the page with live reload by `trunk serve`, and the server beside it
  test [STEP ...]   run all tests, or just some steps of them: fmt clippy deny unit wasm e2e fuzz browser bench
  bench [--quick] [--check] [--only PART,...] [--scene TEXT] [--against NAME,...] [--peer NAME=COMMAND] [--docs]
                    measure limpet against lower bounds and other servers; see docs/performance.md
  torture [RECONNECTS [KILLS [UPGRADES [SEED]]]]
                    kill and replace the server under load, by default 10000, 200 and 200 times; nothing may be lost
  fuzz [SECONDS | FILE ...]
                    search for output that harms the server's screen, by default for an hour, or rerun cases
  setup             only fetch and build the tools that the other commands need
  help              show this

A new machine needs rustup, Node.js with npm, and a C compiler; everything else is set up on demand.";

fn main() -> ExitCode {
    let mut words = env::args_os();
    let called = words.next().unwrap_or_default();
    let words = words.collect();
    let done = if split::is_bindgen(&called) { run_as_wasm_bindgen(words) } else { run(words) };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_status("failed", &format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(mut words: Vec<OsString>) -> anyhow::Result<()> {
    let workspace = Workspace::find()?;
    let command = if words.is_empty() { OsString::from("help") } else { words.remove(0) };
    let command = command.to_str().unwrap_or_default();
    match command {
        "run" => build_and_start(&workspace, &flags(words)),
        "build" => build(&workspace),
        "dev" => dev::run(&workspace, &flags(words)),
        "test" => tests::run(&workspace, &words),
        "bench" => bench::run(&workspace, &words),
        "torture" => torture::run(&workspace, &words),
        "fuzz" => fuzz::run(&workspace, &words),
        "setup" => setup(&workspace),
        "help" | "--help" | "-h" => {
            eprintln!("{HELP}");
            Ok(())
        }
        _ => bail!("there is no command '{command}'; see: cargo xtask help"),
    }
}

/// Does the work of wasm-bindgen, as which Trunk calls this program.
fn run_as_wasm_bindgen(words: Vec<OsString>) -> anyhow::Result<()> {
    split::bindgen(&Workspace::find()?, words)
}

/// Returns the words after an optional `--`.
fn flags(mut words: Vec<OsString>) -> Vec<OsString> {
    if words.first().is_some_and(|word| word == "--") {
        words.remove(0);
    }
    words
}

fn setup(workspace: &Workspace) -> anyhow::Result<()> {
    Need::ALL.iter().try_for_each(|need| need.ensure(workspace))
}

fn build(workspace: &Workspace) -> anyhow::Result<()> {
    page::build(workspace)?;
    print_status("server", "building target/release/limpet");
    shell::run(workspace.cargo(["build", "--release", "--package", "limpet"]))
}

fn build_and_start(workspace: &Workspace, flags: &[OsString]) -> anyhow::Result<()> {
    build(workspace)?;
    let error = Command::new(workspace.release_binary()).args(flags).exec();
    Err(error).with_context(|| format!("could not start {}", workspace.release_binary().display()))
}
