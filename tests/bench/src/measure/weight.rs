//! Weight: the costs of idle sessions and viewers, and the remains of closed ones.

mod churn;
mod crowd;
mod start;

use super::Bench;
use crate::{peers::Process, proc::ResourcesHeld};

/// Measures all of it.
pub(crate) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    start::run(bench).await?;
    crowd::run(bench).await?;
    churn::run(bench).await
}

/// Returns the sum of what a server's processes hold.
fn resources_held(processes: &[Process]) -> ResourcesHeld {
    let add = |sum: ResourcesHeld, other: ResourcesHeld| ResourcesHeld {
        resident: sum.resident + other.resident,
        proportional: sum.proportional + other.proportional,
        threads: sum.threads + other.threads,
        descriptors: sum.descriptors + other.descriptors,
    };
    processes.iter().map(|process| ResourcesHeld::by(process.pid)).fold(ResourcesHeld::default(), add)
}
