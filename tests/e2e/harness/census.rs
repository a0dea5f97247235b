//! What a process holds.

use std::{fs, time::Duration};

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
    child_called("limpet", keeper)
}

/// The child of that name that runs.
pub(crate) fn child_called(name: &str, parent: Pid) -> Option<Pid> {
    let name_of = |pid: &Pid| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    children(parent).into_iter().find(|pid| name_of(pid).trim_end() == name && runs(&pid.to_string()))
}

/// The keeper that a process is, or that it has started, directly or not.
pub(crate) fn keeper_below(process: Pid) -> Option<Pid> {
    // The name ends where the kernel cuts it off.
    let is_keeper =
        fs::read_to_string(format!("/proc/{process}/comm")).is_ok_and(|name| name == "limpet-keeper\n");
    if is_keeper { Some(process) } else { children(process).into_iter().find_map(keeper_below) }
}

/// Resident memory in bytes.
pub(crate) fn resident(pid: Pid) -> usize {
    memory(pid, "VmRSS:")
}

/// What of it is the process's own: neither its program's nor a file's, as the memory of logs is.
pub(crate) fn own(pid: Pid) -> usize {
    memory(pid, "RssAnon:")
}

fn memory(pid: Pid, kind: &str) -> usize {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(kind)).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

/// A row of /proc/net/tcp, which lists sockets over IPv4 (proc(5)).
struct TcpSocket {
    local_port: u16,
    peer_port: u16,
    is_listening: bool,
    /// Bytes that were sent and not acknowledged.
    unsent: usize,
    /// Whether a process holds it. A connection that is only waited out belongs to none.
    is_held: bool,
}

impl TcpSocket {
    fn all() -> Vec<Self> {
        let table = fs::read_to_string("/proc/net/tcp").unwrap();
        table.lines().skip(1).map(|row| Self::parse(row).unwrap()).collect()
    }

    fn parse(row: &str) -> Option<Self> {
        const LISTENING: &str = "0A";
        let fields: Vec<&str> = row.split_whitespace().collect();
        let port = |address: &str| u16::from_str_radix(address.split(':').nth(1)?, 16).ok();
        let (unsent, _unread) = fields.get(4)?.split_once(':')?;
        Some(Self {
            local_port: port(fields.get(1)?)?,
            peer_port: port(fields.get(2)?)?,
            is_listening: *fields.get(3)? == LISTENING,
            unsent: usize::from_str_radix(unsent, 16).ok()?,
            is_held: *fields.get(9)? != "0",
        })
    }
}

/// How many bytes wait on this machine for whoever is at this local port.
pub(crate) fn waiting_for(port: u16) -> usize {
    TcpSocket::all().iter().filter(|socket| socket.peer_port == port).map(|socket| socket.unsent).sum()
}

/// Counts the connections to this local port that a process of this machine still holds.
pub(crate) fn connections_to(port: u16) -> usize {
    let is_connection = |socket: &&TcpSocket| socket.local_port == port && !socket.is_listening;
    TcpSocket::all().iter().filter(is_connection).filter(|socket| socket.is_held).count()
}

pub(crate) fn threads(pid: Pid) -> usize {
    entries(&format!("/proc/{pid}/task")).len()
}

/// How long threads of this name have run in a process (`schedstat`: scheduler/sched-stats in the documentation of Linux).
pub(crate) fn run_time(pid: Pid, thread: &str) -> Duration {
    let task = |id: &String| format!("/proc/{pid}/task/{id}");
    let of_that_name = entries(&format!("/proc/{pid}/task"))
        .into_iter()
        .filter(|id| fs::read_to_string(task(id) + "/comm").is_ok_and(|name| name.trim_end() == thread));
    let times = of_that_name.map(|id| {
        let stat = fs::read_to_string(task(&id) + "/schedstat").unwrap();
        Duration::from_nanos(stat.split_whitespace().next().unwrap().parse().unwrap())
    });
    times.sum()
}

/// Whether a process runs: it exists, and is no zombie.
pub(crate) fn runs(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

/// The child processes of all threads. One that has ended has none.
fn children(pid: Pid) -> Vec<Pid> {
    if !runs(&pid.to_string()) {
        return Vec::new();
    }
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = tasks
        .map(|entry| entry.file_name().into_string().unwrap())
        .map(|thread| fs::read_to_string(format!("/proc/{pid}/task/{thread}/children")).unwrap_or_default());
    let children = lists.flat_map(|list| list.split_whitespace().map(str::parse).collect::<Vec<_>>());
    children.flatten().map(Pid::from_raw).collect()
}

fn entries(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}
