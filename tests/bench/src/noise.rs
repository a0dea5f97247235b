//! The load that other programs put on the machine during a run.

use std::{
    collections::{HashMap, HashSet},
    thread::available_parallelism,
    time::Instant,
};

use serde::Serialize;

use crate::{proc, stats::float};

/// Share of the machine above which a run counts as disturbed by others.
const MAX_NOISE_SHARE: f64 = 0.05;

/// Number of ticks up to which the share means nothing: ticks are too coarse for a short run.
const MAX_NEGLIGIBLE_TICKS: u64 = 3;

/// Clock ticks per second (`USER_HZ`), which is 100 on all common Linux machines.
const TICKS_PER_SECOND: f64 = 100.0;

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
        self.others > MAX_NOISE_SHARE && self.ticks > MAX_NEGLIGIBLE_TICKS
    }
}

/// A measurement of the noise, from its creation to [`NoiseMeter::stop`].
pub(crate) struct NoiseMeter {
    start: Instant,
    before: HashMap<u32, (u32, String, u64)>,
}

impl NoiseMeter {
    pub(crate) fn start() -> Self {
        Self { start: Instant::now(), before: proc::all_processes() }
    }

    /// Returns the load by others: processes other than this program, its descendants, and the
    /// kernel.
    pub(crate) fn stop(self) -> Noise {
        let seconds = self.start.elapsed().as_secs_f64();
        let now = proc::all_processes();
        let ours = own_process_tree(&now);
        let ticks =
            now.iter().filter(|(pid, (parent, ..))| !ours.contains(pid) && !is_kernel_thread(**pid, *parent));
        let ticks = ticks.map(|(pid, (.., ticks))| {
            // A process that was not there before has used all its time since.
            let before = self.before.get(pid).map_or(0, |(.., before)| *before);
            ticks.saturating_sub(before)
        });
        let ticks = ticks.sum::<u64>();
        let processors = available_parallelism().map_or(1, usize::from);
        let others = float(ticks) / TICKS_PER_SECOND / seconds.max(0.01) / float(processors);
        Noise { seconds, others: others.min(1.0), ticks }
    }
}

/// Reports whether a process is the kernel's. Its threads carry the bytes of ptys, so they do not
/// count as others.
fn is_kernel_thread(pid: u32, parent: u32) -> bool {
    pid == 2 || parent == 2
}

fn own_process_tree(processes: &HashMap<u32, (u32, String, u64)>) -> HashSet<u32> {
    let mut family = HashSet::from([std::process::id()]);
    loop {
        let before = family.len();
        let children =
            processes.iter().filter(|(_, (parent, ..))| family.contains(parent)).map(|(pid, _)| *pid);
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
        let processes = proc::all_processes();
        assert!(own_process_tree(&processes).contains(&std::process::id()));
        assert!(!own_process_tree(&processes).contains(&1));
    }
}
