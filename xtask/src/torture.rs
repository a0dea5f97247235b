//! Everything at once and at length; the tests run a little of it.

use std::ffi::OsString;

use anyhow::{Context, bail};

use crate::{
    needs::Need,
    shell::{self, say},
    workspace::Workspace,
};

/// What is done how often, and where the dice begin: the variable that says so, and how much it is by default.
const MEASURES: [(&str, &str); 4] = [
    ("TORTURE_RECONNECTS", "10000"),
    ("TORTURE_KILLS", "200"),
    ("TORTURE_UPGRADES", "200"),
    ("TORTURE_SEED", "1"),
];

/// Runs it with the release binary.
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
