//! What a process holds.

use std::fs;

use nix::unistd::Pid;

/// Counts of what could leak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Census {
    pub(crate) descriptors: usize,
    /// Zombies among them.
    pub(crate) children: usize,
}

impl Census {
    /// Of a keeper and its server together. The server itself is no child that counts.
    pub(crate) fn of(keeper: Pid, server: Pid) -> Self {
        let descriptors = |pid: Pid| entries(&format!("/proc/{pid}/fd")).len();
        let children = children(keeper).into_iter().filter(|&child| child != server).count();
        Self { descriptors: descriptors(keeper) + descriptors(server), children }
    }
}

/// The server that a keeper has at the moment.
pub(crate) fn server_of(keeper: Pid) -> Option<Pid> {
    let name = |pid: &Pid| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    children(keeper).into_iter().find(|pid| name(pid) == "limpet\n" && runs(&pid.to_string()))
}

/// Resident memory in bytes.
pub(crate) fn resident(pid: Pid) -> usize {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

pub(crate) fn threads(pid: Pid) -> usize {
    entries(&format!("/proc/{pid}/task")).len()
}

/// Whether a process runs: it exists, and is no zombie.
pub(crate) fn runs(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

/// The child processes of all threads.
fn children(pid: Pid) -> Vec<Pid> {
    let lists = entries(&format!("/proc/{pid}/task"))
        .into_iter()
        .map(|thread| fs::read_to_string(format!("/proc/{pid}/task/{thread}/children")).unwrap_or_default());
    let children = lists.flat_map(|list| list.split_whitespace().map(str::parse).collect::<Vec<_>>());
    children.flatten().map(Pid::from_raw).collect()
}

fn entries(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}
