//! Stops a release build that has no page to embed.

use std::{env, path::Path, process};

fn main() {
    let index = Path::new("../dist/index.html");
    println!("cargo:rerun-if-changed=../dist");
    let release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    if release && !index.exists() {
        println!(
            "cargo:error=the page is not built, and a release embeds it; build both with: cargo xtask build"
        );
        process::exit(1);
    }
}
