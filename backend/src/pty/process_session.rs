//! All the processes of one terminal: a *process session* (setsid(2)), named by the process id of its leader.
//!
//! The caller owns the leader and has not reaped it, so its number cannot be given to another session meanwhile.

use std::{
    fs, io,
    os::fd::{AsFd, OwnedFd},
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::signal::Signal,
    unistd::{Pid, getsid},
};

use super::sys;

/// What is sent, and how long the processes then have to end by themselves. A stopped process acts on nothing before
/// it is continued, hence `SIGCONT`.
const LADDER: [(&[Signal], Duration); 3] = [
    (&[Signal::SIGHUP, Signal::SIGCONT], Duration::from_millis(500)),
    (&[Signal::SIGTERM, Signal::SIGCONT], Duration::from_secs(1)),
    (&[Signal::SIGKILL], Duration::from_secs(1)),
];

/// How often the last step is repeated for processes that appear while others are being killed.
const KILL_ROUNDS: usize = 8;

/// Ends all processes of the session that `leader` leads. Blocks until they are gone, for some seconds at most.
pub(crate) fn end(leader: Pid) {
    let last = LADDER[LADDER.len() - 1];
    for (signals, grace) in LADDER.into_iter().chain([last; KILL_ROUNDS]) {
        let members = members(leader);
        if members.is_empty() {
            return;
        }
        for member in &members {
            for &signal in signals {
                if let Err(error) = sys::pidfd_signal(member.as_fd(), signal) {
                    tracing::warn!(leader = leader.as_raw(), %signal, %error, "could not signal a process");
                }
            }
        }
        wait_all(members, Instant::now() + grace);
    }
    tracing::error!(leader = leader.as_raw(), "processes of a terminal outlived SIGKILL");
}

/// The names of the session's processes, with or without its leader.
pub(crate) fn names(leader: Pid, with_leader: bool) -> Vec<String> {
    let pids = pids(leader).into_iter().filter(|&pid| with_leader || pid != leader);
    let name = |pid: Pid| fs::read_to_string(format!("/proc/{pid}/comm")).ok();
    let mut names: Vec<String> = pids.filter_map(name).map(|name| name.trim_end().to_owned()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Every process of the session that still runs; a zombie does not.
fn members(leader: Pid) -> Vec<OwnedFd> {
    let open = |pid: Pid| {
        let pidfd = sys::pidfd_open(pid).ok()?;
        // Between the look at its session and the opening, the number may have gone to another process.
        (session_of(pid) == Some(leader) && !has_ended(&pidfd)).then_some(pidfd)
    };
    pids(leader).into_iter().filter_map(open).collect()
}

fn pids(leader: Pid) -> Vec<Pid> {
    let entries = fs::read_dir("/proc").inspect_err(|error| tracing::error!(%error, "could not list /proc"));
    let number = |entry: io::Result<fs::DirEntry>| entry.ok()?.file_name().to_str()?.parse().ok();
    let pids = entries.into_iter().flatten().filter_map(number).map(Pid::from_raw);
    pids.filter(|&pid| session_of(pid) == Some(leader)).collect()
}

fn session_of(pid: Pid) -> Option<Pid> {
    getsid(Some(pid)).ok()
}

fn has_ended(pidfd: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
    matches!(poll(&mut fds, PollTimeout::ZERO), Ok(n) if n > 0)
}

/// Waits until all of them have ended, or until `deadline`.
fn wait_all(mut members: Vec<OwnedFd>, deadline: Instant) {
    while !members.is_empty() {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        let mut fds: Vec<_> = members.iter().map(|fd| PollFd::new(fd.as_fd(), PollFlags::POLLIN)).collect();
        match poll(&mut fds, timeout) {
            Ok(0) => return,
            Ok(_) => members.retain(|pidfd| !has_ended(pidfd)),
            Err(Errno::EINTR) => {}
            Err(error) => {
                tracing::error!(%error, "could not wait for processes to end");
                return;
            }
        }
    }
}
