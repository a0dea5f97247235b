//! Counts of the resources that a process holds.

use std::{fs, time::Duration};

use nix::unistd::Pid;

/// Counts of the resources that could leak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Census {
    pub(crate) descriptors: usize,
    /// Child processes, zombies included.
    pub(crate) children: usize,
}

impl Census {
    /// Counts for a keeper and its server together. The server itself does not count as a child.
    pub(crate) fn of(keeper: Pid, server: Pid) -> Self {
        let descriptors = |pid: Pid| entries(&format!("/proc/{pid}/fd")).len();
        let children = children(keeper).into_iter().filter(|&child| child != server).count();
        Self { descriptors: descriptors(keeper) + descriptors(server), children }
    }
}

/// Returns the keeper's present server.
pub(crate) fn server_of(keeper: Pid) -> Option<Pid> {
    child_called("limpet", keeper)
}

/// Returns the running child with that name.
pub(crate) fn child_called(name: &str, parent: Pid) -> Option<Pid> {
    let name_of = |pid: &Pid| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    children(parent).into_iter().find(|pid| name_of(pid).trim_end() == name && is_running(&pid.to_string()))
}

/// Returns the keeper: this process itself or one that it started, directly or indirectly.
pub(crate) fn keeper_below(process: Pid) -> Option<Pid> {
    // The keeper sets its own name; the kernel appends the newline.
    let is_keeper =
        fs::read_to_string(format!("/proc/{process}/comm")).is_ok_and(|name| name == "limpet-keeper\n");
    if is_keeper { Some(process) } else { children(process).into_iter().find_map(keeper_below) }
}

/// Returns the resident memory in bytes.
pub(crate) fn resident_memory(pid: Pid) -> usize {
    memory(pid, "VmRSS:")
}

/// Returns the resident anonymous memory in bytes, without the program's and other files' pages.
/// The memory of output logs is a file.
pub(crate) fn anonymous_memory(pid: Pid) -> usize {
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
    /// Bytes that were sent but not acknowledged.
    unacknowledged_bytes: usize,
    /// True if a process holds the socket. A connection in `TIME_WAIT` belongs to no process.
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
        let (unacknowledged_bytes, _unread) = fields.get(4)?.split_once(':')?;
        Some(Self {
            local_port: port(fields.get(1)?)?,
            peer_port: port(fields.get(2)?)?,
            is_listening: *fields.get(3)? == LISTENING,
            unacknowledged_bytes: usize::from_str_radix(unacknowledged_bytes, 16).ok()?,
            is_held: *fields.get(9)? != "0",
        })
    }
}

/// Returns how many bytes on this machine are still to be delivered to this local port.
pub(crate) fn unacknowledged_bytes_to(port: u16) -> usize {
    TcpSocket::all()
        .iter()
        .filter(|socket| socket.peer_port == port)
        .map(|socket| socket.unacknowledged_bytes)
        .sum()
}

/// Counts the connections to this local port that a process of this machine still holds.
pub(crate) fn connections_to(port: u16) -> usize {
    let is_connection = |socket: &&TcpSocket| socket.local_port == port && !socket.is_listening;
    TcpSocket::all().iter().filter(is_connection).filter(|socket| socket.is_held).count()
}

pub(crate) fn threads(pid: Pid) -> usize {
    entries(&format!("/proc/{pid}/task")).len()
}

/// Returns the CPU time of a process's threads with this name (`schedstat`: scheduler/sched-stats
/// in the documentation of Linux).
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

/// Reports whether a process exists and is not a zombie.
pub(crate) fn is_running(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

/// Returns the child processes of all threads. A process that has ended has none.
fn children(pid: Pid) -> Vec<Pid> {
    if !is_running(&pid.to_string()) {
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
