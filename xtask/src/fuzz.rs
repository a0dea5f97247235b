//! Searches for output that harms the server's screen, by coverage-guided fuzzing.
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

/// Fuzzes for a number of seconds, or runs the cases in some files again.
pub(crate) fn run(workspace: &Workspace, words: &[OsString]) -> anyhow::Result<()> {
    Need::Cxx.ensure(workspace)?;
    let number = |word: &OsString| word.to_str().and_then(|word| word.parse().ok());
    match words {
        [] => fuzz(workspace, DEFAULT_SECONDS),
        [word] if let Some(seconds) = number(word) => fuzz(workspace, seconds),
        files if files.iter().all(|file| Path::new(file).exists()) => {
            // The program runs in the workspace's folder, so relative paths would not work.
            let files: Result<Vec<PathBuf>, _> = files.iter().map(fs::canonicalize).collect();
            let mut again = workspace.command(build_target(workspace)?);
            again.args(files.context("could not find a case")?);
            shell::run(again)
        }
        _ => bail!("write: cargo xtask fuzz [SECONDS | FILE ...]"),
    }
}

/// Fuzzes for a minute.
pub(crate) fn test(workspace: &Workspace) -> anyhow::Result<()> {
    fuzz(workspace, TEST_SECONDS)
}

fn fuzz(workspace: &Workspace, seconds: u64) -> anyhow::Result<()> {
    let program = build_target(workspace)?;
    let folder = |name| -> anyhow::Result<PathBuf> {
        let folder = workspace.target_dir().join("fuzz").join(name);
        fs::create_dir_all(&folder).with_context(|| format!("could not create {}", folder.display()))?;
        Ok(folder)
    };
    let (corpus, found) = (folder("corpus")?, folder("found")?);
    let mut fuzzer = workspace.command(program);
    fuzzer.args([&corpus, &workspace.path("tests/fuzz/seeds")]);
    fuzzer.arg(format!("-artifact_prefix={}/", found.display()));
    fuzzer.args([
        format!("-max_total_time={seconds}"),
        format!("-max_len={MAX_CASE_BYTES}"),
        format!("-timeout={MAX_CASE_SECONDS}"),
        format!("-rss_limit_mb={MAX_MEMORY_MIB}"),
        "-print_final_stats=1".to_owned(),
        "-verbosity=0".to_owned(),
    ]);
    print_status("fuzz", &format!("for {seconds} s; the corpus is kept in {}", corpus.display()));
    shell::run(fuzzer)
        .with_context(|| format!("the case is in {}; to rerun it: cargo xtask fuzz FILE", found.display()))
}

/// Builds the fuzz target, and returns its path.
fn build_target(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let about = shell::capture(workspace.command("rustc").arg("-vV"))?;
    let host = about.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    let target = workspace.target_dir().join("fuzz");
    print_status("fuzz", "building the fuzz target");
    // With an explicit target, cargo does not use these flags for build scripts.
    let mut cargo = workspace.cargo(["build", "--locked", "--release", "--target", host]);
    cargo
        .arg("--manifest-path")
        .arg(workspace.path("tests/fuzz/Cargo.toml"))
        .arg("--target-dir")
        .arg(&target);
    cargo.env("RUSTFLAGS", COVERAGE_RUSTFLAGS).env_remove("CARGO_ENCODED_RUSTFLAGS");
    shell::run(cargo)?;
    Ok(target.join(host).join("release").join("screen"))
}
