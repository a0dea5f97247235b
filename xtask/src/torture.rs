//! Runs the torture test at length; the ordinary tests run a short version of it.

use std::ffi::OsString;

use anyhow::{Context, bail};

use crate::{
    needs::Need,
    shell::{self, say},
    workspace::Workspace,
};

/// The environment variable and the default of each argument: how often each thing is done, and the
/// random seed.
const MEASURES: [(&str, &str); 4] = [
    ("TORTURE_RECONNECTS", "10000"),
    ("TORTURE_KILLS", "200"),
    ("TORTURE_UPGRADES", "200"),
    ("TORTURE_SEED", "1"),
];

/// Runs the test with the release binary.
pub(crate) fn run(workspace: &Workspace, words: &[OsString]) -> anyhow::Result<()> {
    if words.len() > MEASURES.len() {
        bail!("write: cargo xtask torture [RECONNECTS [KILLS [UPGRADES [SEED]]]]");
    }
    Need::Programs.meet(workspace)?;
    let mut cargo = workspace.cargo(["test", "--release", "--package", "limpet", "--test", "e2e", "--"]);
    cargo.args(["--exact", "torture::nothing_is_lost_doubled_or_left_whatever_happens", "--nocapture"]);
    for (at, (name, default)) in MEASURES.into_iter().enumerate() {
        let measure =
            words.get(at).map_or(Some(default), |word| word.to_str()).context("a measure is a number")?;
        if measure.parse::<u64>().is_err() {
            bail!("{measure} is no number");
        }
        cargo.env(name, measure);
    }
    say("torture", "viewers come and go, the server is killed and replaced; this takes some minutes");
    shell::run(cargo)
}
