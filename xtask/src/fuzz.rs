//! Searches for output that harms the server's screen, and for messages that harm a parser, by
//! coverage-guided fuzzing.
//!
//! The stable compiler can instrument code for libFuzzer, but cargo has no option for it. The flags
//! here are those that cargo-fuzz passes.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};

use crate::{
    needs::Need,
    shell::{self, print_status},
    workspace::Workspace,
};

/// Duration in tests, and by default otherwise, in seconds.
const TEST_SECONDS: u64 = 60;
const DEFAULT_SECONDS: u64 = 3600;

/// Maximum length of a case, in bytes.
const MAX_CASE_BYTES: usize = 4096;

/// Maximum time for a case, and maximum memory of the program.
const MAX_CASE_SECONDS: u64 = 20;
const MAX_MEMORY_MIB: usize = 1024;

/// Compiler flags that add counters of the edges taken, and tracing of comparisons.
const COVERAGE_RUSTFLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Cllvm-args=-simplifycfg-branch-fold-threshold=0";

/// Names of the targets, each with its share of the time. There is more to find in the screen.
const TARGETS: [(&str, u64); 2] = [("screen", 3), ("protocol", 1)];

/// Fuzzes one target or all of them for a number of seconds, or runs a target's cases in some files
/// again.
pub(crate) fn run(workspace: &Workspace, words: &[OsString]) -> anyhow::Result<()> {
    Need::Cxx.ensure(workspace)?;
    let (target, words) = match words {
        [word, rest @ ..] if let Some((target, _)) = find_target(word) => (Some(target), rest),
        words => (None, words),
    };
    let seconds = match words {
        [] => Some(DEFAULT_SECONDS),
        [word] => word.to_str().and_then(|word| word.parse().ok()),
        _ => None,
    };
    match (target, seconds) {
        (None, Some(seconds)) => fuzz_all(workspace, seconds),
        (Some(target), Some(seconds)) => fuzz(workspace, target, seconds),
        (Some(target), None) if words.iter().all(|file| Path::new(file).exists()) => {
            // The program runs in the workspace's folder, so relative paths would not work.
            let files: Result<Vec<PathBuf>, _> = words.iter().map(fs::canonicalize).collect();
            let mut again = workspace.command(build_target(workspace, target)?);
            again.args(files.context("could not find a case")?);
            shell::run(again)
        }
        _ => bail!(
            "write: cargo xtask fuzz [SECONDS | screen [SECONDS | FILE ...] | protocol [SECONDS | FILE ...]]"
        ),
    }
}

/// Fuzzes for a minute.
pub(crate) fn test(workspace: &Workspace) -> anyhow::Result<()> {
    fuzz_all(workspace, TEST_SECONDS)
}

fn find_target(name: &OsString) -> Option<(&'static str, u64)> {
    TARGETS.into_iter().find(|(target, _)| name == target)
}

/// Fuzzes one target after the other.
fn fuzz_all(workspace: &Workspace, seconds: u64) -> anyhow::Result<()> {
    let shares: u64 = TARGETS.iter().map(|(_, share)| share).sum();
    TARGETS.iter().try_for_each(|(target, share)| fuzz(workspace, target, seconds * share / shares))
}

fn fuzz(workspace: &Workspace, target: &str, seconds: u64) -> anyhow::Result<()> {
    let program = build_target(workspace, target)?;
    let folder = |name| -> anyhow::Result<PathBuf> {
        let folder = workspace.target_dir().join("fuzz").join(name).join(target);
        fs::create_dir_all(&folder).with_context(|| format!("could not create {}", folder.display()))?;
        Ok(folder)
    };
    let (corpus, found) = (folder("corpus")?, folder("found")?);
    let mut fuzzer = workspace.command(program);
    fuzzer.args([&corpus, &workspace.path("tests/fuzz/seeds").join(target)]);
    fuzzer.arg(format!("-artifact_prefix={}/", found.display()));
    fuzzer.args([
        format!("-max_total_time={seconds}"),
        format!("-max_len={MAX_CASE_BYTES}"),
        format!("-timeout={MAX_CASE_SECONDS}"),
        format!("-rss_limit_mb={MAX_MEMORY_MIB}"),
        "-print_final_stats=1".to_owned(),
        "-verbosity=0".to_owned(),
    ]);
    print_status("fuzz", &format!("{target} for {seconds} s; the corpus is kept in {}", corpus.display()));
    shell::run(fuzzer).with_context(|| {
        format!("the case is in {}; to rerun it: cargo xtask fuzz {target} FILE", found.display())
    })
}

/// Builds a fuzz target, and returns its path.
fn build_target(workspace: &Workspace, name: &str) -> anyhow::Result<PathBuf> {
    let about = shell::capture(workspace.command("rustc").arg("-vV"))?;
    let host = about.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    let target = workspace.target_dir().join("fuzz");
    print_status("fuzz", &format!("building the fuzz target {name}"));
    // With an explicit target, cargo does not use these flags for build scripts.
    let mut cargo = workspace.cargo(["build", "--locked", "--release", "--bin", name, "--target", host]);
    cargo
        .arg("--manifest-path")
        .arg(workspace.path("tests/fuzz/Cargo.toml"))
        .arg("--target-dir")
        .arg(&target);
    cargo.env("RUSTFLAGS", COVERAGE_RUSTFLAGS).env_remove("CARGO_ENCODED_RUSTFLAGS");
    shell::run(cargo)?;
    Ok(target.join(host).join("release").join(name))
}
