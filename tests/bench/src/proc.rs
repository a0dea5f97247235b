//! Figures about processes from `/proc`.

use std::{collections::HashMap, fs};

use anyhow::Context;

use crate::stats::float;

/// The resources that a process has used so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct ResourcesUsed {
    /// CPU time in seconds.
    pub(crate) cpu: f64,
    /// Number of context switches, voluntary and involuntary.
    pub(crate) switches: f64,
}

impl ResourcesUsed {
    /// Returns the sum over all present threads of a process.
    pub(crate) fn by(pid: u32) -> Self {
        let threads = entries(&format!("/proc/{pid}/task"));
        threads.iter().map(|thread| Self::by_thread(pid, thread)).fold(Self::default(), Self::plus)
    }

    fn by_thread(pid: u32, thread: &str) -> Self {
        let schedule = read(&format!("/proc/{pid}/task/{thread}/schedstat"));
        let nanoseconds = schedule.split(' ').next().and_then(|word| word.parse::<u64>().ok()).unwrap_or(0);
        let status = read(&format!("/proc/{pid}/task/{thread}/status"));
        let switches =
            status.lines().filter(|line| line.contains("ctxt_switches")).filter_map(number).sum::<u64>();
        Self { cpu: float(nanoseconds) / 1e9, switches: float(switches) }
    }

    fn plus(self, other: Self) -> Self {
        Self { cpu: self.cpu + other.cpu, switches: self.switches + other.switches }
    }

    /// Returns what was used since an earlier moment.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self { cpu: self.cpu - earlier.cpu, switches: self.switches - earlier.switches }
    }
}

/// The resources that a process holds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct ResourcesHeld {
    /// Resident memory in bytes, including pages shared with others.
    pub(crate) resident: f64,
    /// Resident memory in bytes, with only the process's share of shared pages.
    pub(crate) proportional: f64,
    pub(crate) threads: f64,
    pub(crate) descriptors: f64,
}

impl ResourcesHeld {
    pub(crate) fn by(pid: u32) -> Self {
        let rollup = read(&format!("/proc/{pid}/smaps_rollup"));
        let of = |name: &str| {
            let line = rollup.lines().find(|line| line.starts_with(name));
            float(line.and_then(number).unwrap_or(0)) * 1024.0
        };
        Self {
            resident: of("Rss:"),
            proportional: of("Pss:"),
            threads: float(entries(&format!("/proc/{pid}/task")).len()),
            descriptors: float(entries(&format!("/proc/{pid}/fd")).len()),
        }
    }
}

/// Returns every process with its parent, its name, and the CPU time it has used in clock ticks.
pub(crate) fn all_processes() -> HashMap<u32, (u32, String, u64)> {
    let processes = entries("/proc").into_iter().filter_map(|name| name.parse().ok());
    processes.filter_map(|pid| stat(pid).map(|stat| (pid, stat))).collect()
}

fn stat(pid: u32) -> Option<(u32, String, u64)> {
    let line = read(&format!("/proc/{pid}/stat"));
    let (head, rest) = line.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|word| word.parse::<u64>().ok());
    let name = head.split_once('(')?.1.to_owned();
    Some((fields.get(1)?.parse().ok()?, name, ticks(11)? + ticks(12)?))
}

/// Returns the children of a process by number and name.
pub(crate) fn children(pid: u32) -> Vec<(u32, String)> {
    let lists = entries(&format!("/proc/{pid}/task"));
    let lists = lists.iter().map(|thread| read(&format!("/proc/{pid}/task/{thread}/children")));
    let pids: Vec<u32> = lists
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect();
    pids.into_iter().map(|pid| (pid, read(&format!("/proc/{pid}/comm")).trim().to_owned())).collect()
}

/// Returns the first number in a line.
fn number(line: &str) -> Option<u64> {
    line.split_whitespace().find_map(|word| word.parse().ok())
}

/// Reads a file. A file that is gone meanwhile reads as empty.
fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn entries(folder: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
}

/// Returns the text after the colon in the first line of a file that begins with a name.
pub(crate) fn field(path: &str, name: &str) -> anyhow::Result<String> {
    let text = fs::read_to_string(path).with_context(|| format!("could not read {path}"))?;
    let line = text.lines().find(|line| line.starts_with(name));
    let (_, value) =
        line.and_then(|line| line.split_once(':')).with_context(|| format!("{path} has no {name}"))?;
    Ok(value.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_finds_itself() {
        let me = std::process::id();
        assert!(all_processes().contains_key(&me));
        assert!(ResourcesUsed::by(me).cpu > 0.0);
        let held = ResourcesHeld::by(me);
        assert!(held.resident >= held.proportional && held.proportional > 0.0);
        assert!(held.threads >= 1.0 && held.descriptors >= 3.0);
    }

    #[test]
    fn of_a_process_that_is_gone_there_is_nothing() {
        assert_eq!(ResourcesUsed::by(u32::MAX), ResourcesUsed::default());
        assert_eq!(ResourcesHeld::by(u32::MAX), ResourcesHeld::default());
    }
}
