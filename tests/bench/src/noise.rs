//! What other programs did to the machine meanwhile.

use std::{
    collections::{HashMap, HashSet},
    thread::available_parallelism,
    time::Instant,
};

use serde::Serialize;

use crate::{proc, stats::float};

/// Others have had more than this share of the machine: the figure is then marked.
const LOUD: f64 = 0.05;

/// So few ticks may be anything: all but one of a short run may be cut off.
const UNSURE: u64 = 3;

/// Ticks in a second, as Linux has them on all common machines.
const TICKS: f64 = 100.0;

/// How long a run took, and how much of the machine others had meanwhile.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Noise {
    pub(crate) seconds: f64,
    /// 0 to 1, of all processors.
    pub(crate) others: f64,
    /// The same as the kernel counts it.
    #[serde(skip)]
    ticks: u64,
}

impl Noise {
    pub(crate) fn is_loud(self) -> bool {
        self.others > LOUD && self.ticks > UNSURE
    }
}

/// Listens from its making on.
pub(crate) struct Listener {
    start: Instant,
    before: HashMap<u32, (u32, String, u64)>,
}

impl Listener {
    pub(crate) fn start() -> Self {
        Self { start: Instant::now(), before: proc::everybody() }
    }

    /// What others did: all who are neither this program, nor started by it, nor the kernel.
    pub(crate) fn stop(self) -> Noise {
        let seconds = self.start.elapsed().as_secs_f64();
        let now = proc::everybody();
        let ours = family(&now);
        let ticks =
            now.iter().filter(|(pid, (parent, ..))| !ours.contains(pid) && !is_kernels(**pid, *parent));
        let ticks = ticks.map(|(pid, (.., ticks))| {
            // Who was not there before has used all of it since.
            let before = self.before.get(pid).map_or(0, |(.., before)| *before);
            ticks.saturating_sub(before)
        });
        let ticks = ticks.sum::<u64>();
        let processors = available_parallelism().map_or(1, usize::from);
        let others = float(ticks) / TICKS / seconds.max(0.01) / float(processors);
        Noise { seconds, others: others.min(1.0), ticks }
    }
}

/// The kernel's own threads carry the bytes of ptys, so they are not others.
fn is_kernels(pid: u32, parent: u32) -> bool {
    pid == 2 || parent == 2
}

fn family(everybody: &HashMap<u32, (u32, String, u64)>) -> HashSet<u32> {
    let mut family = HashSet::from([std::process::id()]);
    loop {
        let before = family.len();
        let children =
            everybody.iter().filter(|(_, (parent, ..))| family.contains(parent)).map(|(pid, _)| *pid);
        let children: Vec<u32> = children.collect();
        family.extend(children);
        if family.len() == before {
            return family;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_program_does_itself_is_no_noise() {
        let everybody = proc::everybody();
        assert!(family(&everybody).contains(&std::process::id()));
        assert!(!family(&everybody).contains(&1));
    }
}
