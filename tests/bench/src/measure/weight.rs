//! Weight: what sessions and viewers cost while nothing happens, and what is left of those that are gone.

mod churn;
mod crowd;
mod start;

use super::Bench;
use crate::{peers::Process, proc::Held};

/// All of it.
pub(crate) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    start::run(bench).await?;
    crowd::run(bench).await?;
    churn::run(bench).await
}

/// What the processes of a server hold together.
fn held(processes: &[Process]) -> Held {
    let add = |sum: Held, other: Held| Held {
        resident: sum.resident + other.resident,
        proportional: sum.proportional + other.proportional,
        threads: sum.threads + other.threads,
        descriptors: sum.descriptors + other.descriptors,
    };
    processes.iter().map(|process| Held::by(process.pid)).fold(Held::default(), add)
}
