//! Stops a release build if there is no page to embed.

use std::{env, path::Path, process::ExitCode};

/// The built page's directory, relative to this package.
const PAGE_DIR: &str = "../dist";

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=build.rs");
    if env::var_os("PROFILE").is_none_or(|profile| profile != "release") {
        // A debug build reads the page from disk when asked for it.
        return ExitCode::SUCCESS;
    }
    println!("cargo::rerun-if-changed={PAGE_DIR}");
    if Path::new(PAGE_DIR).join("index.html").is_file() {
        return ExitCode::SUCCESS;
    }
    println!(
        "cargo::error=the page is not built, and a release embeds it; build both with: cargo xtask build"
    );
    ExitCode::FAILURE
}
