//! Weight: the costs of idle sessions and viewers, and the remains of closed ones.

mod churn;
mod crowd;
mod start;

use super::Bench;
use crate::{peers::Process, proc::Held};

/// Measures all of it.
pub(crate) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    start::run(bench).await?;
    crowd::run(bench).await?;
    churn::run(bench).await
}

/// Returns the sum of what a server's processes hold.
fn held(processes: &[Process]) -> Held {
    let add = |sum: Held, other: Held| Held {
        resident: sum.resident + other.resident,
        proportional: sum.proportional + other.proportional,
        threads: sum.threads + other.threads,
        descriptors: sum.descriptors + other.descriptors,
    };
    processes.iter().map(|process| Held::by(process.pid)).fold(Held::default(), add)
}
