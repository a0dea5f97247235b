//! The load that other programs put on the machine during a run.

use std::{
    collections::{HashMap, HashSet},
    thread::available_parallelism,
    time::Instant,
};

use serde::Serialize;

use crate::{proc, stats::float};

/// Share of the machine above which a run counts as disturbed by others.
const LOUD: f64 = 0.05;

/// Number of ticks up to which the share means nothing: ticks are too coarse for a short run.
const UNSURE: u64 = 3;

/// Clock ticks per second (`USER_HZ`), which is 100 on all common Linux machines.
const TICKS: f64 = 100.0;

/// The duration of a run, and the share of the machine that others had meanwhile.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Noise {
    pub(crate) seconds: f64,
    /// Share of all processors, from 0 to 1.
    pub(crate) others: f64,
    /// The same in the kernel's clock ticks.
    #[serde(skip)]
    ticks: u64,
}

impl Noise {
    pub(crate) fn is_loud(self) -> bool {
        self.others > LOUD && self.ticks > UNSURE
    }
}

/// A measurement of the noise, from its creation to [`Listener::stop`].
pub(crate) struct Listener {
    start: Instant,
    before: HashMap<u32, (u32, String, u64)>,
}

impl Listener {
    pub(crate) fn start() -> Self {
        Self { start: Instant::now(), before: proc::everybody() }
    }

    /// Returns the load by others: processes other than this program, its descendants, and the
    /// kernel.
    pub(crate) fn stop(self) -> Noise {
        let seconds = self.start.elapsed().as_secs_f64();
        let now = proc::everybody();
        let ours = family(&now);
        let ticks =
            now.iter().filter(|(pid, (parent, ..))| !ours.contains(pid) && !is_kernels(**pid, *parent));
        let ticks = ticks.map(|(pid, (.., ticks))| {
            // A process that was not there before has used all its time since.
            let before = self.before.get(pid).map_or(0, |(.., before)| *before);
            ticks.saturating_sub(before)
        });
        let ticks = ticks.sum::<u64>();
        let processors = available_parallelism().map_or(1, usize::from);
        let others = float(ticks) / TICKS / seconds.max(0.01) / float(processors);
        Noise { seconds, others: others.min(1.0), ticks }
    }
}

/// Reports whether a process is the kernel's. Its threads carry the bytes of ptys, so they do not
/// count as others.
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
