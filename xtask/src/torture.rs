//! Runs the torture test at length; the ordinary tests run a short version of it.

use std::ffi::OsString;

use anyhow::{Context, bail};

use crate::{
    needs::Need,
    shell::{self, print_status},
    workspace::Workspace,
};

/// The environment variable and the default of each argument: how often each thing is done, and the
/// random seed.
const PARAMETERS: [(&str, &str); 4] = [
    ("TORTURE_RECONNECTS", "10000"),
    ("TORTURE_KILLS", "200"),
    ("TORTURE_UPGRADES", "200"),
    ("TORTURE_SEED", "1"),
];

/// Runs the test with the release binary.
pub(crate) fn run(workspace: &Workspace, words: &[OsString]) -> anyhow::Result<()> {
    if words.len() > PARAMETERS.len() {
        bail!("write: cargo xtask torture [RECONNECTS [KILLS [UPGRADES [SEED]]]]");
    }
    Need::Programs.ensure(workspace)?;
    let mut cargo = workspace.cargo(["test", "--release", "--package", "limpet", "--test", "e2e", "--"]);
    cargo.args(["--exact", "torture::nothing_is_lost_doubled_or_left_whatever_happens", "--nocapture"]);
    for (at, (name, default)) in PARAMETERS.into_iter().enumerate() {
        let value =
            words.get(at).map_or(Some(default), |word| word.to_str()).context("arguments must be numbers")?;
        if value.parse::<u64>().is_err() {
            bail!("{value} is no number");
        }
        cargo.env(name, value);
    }
    print_status(
        "torture",
        "viewers come and go, the server is killed and replaced; this takes some minutes",
    );
    shell::run(cargo)
}
