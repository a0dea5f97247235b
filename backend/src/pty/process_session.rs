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
use crate::exhausted;

/// What is sent, and how long the processes then have to end by themselves. A stopped process acts on nothing before
/// it is continued, hence `SIGCONT`.
const LADDER: [(&[Signal], Duration); 3] = [
    (&[Signal::SIGHUP, Signal::SIGCONT], Duration::from_millis(500)),
    (&[Signal::SIGTERM, Signal::SIGCONT], Duration::from_secs(1)),
    (&[Signal::SIGKILL], Duration::from_secs(1)),
];

/// How often the last step is repeated for processes that appear while others are being killed.
const KILL_ROUNDS: usize = 8;

/// How many processes are waited for at a time. Each takes a descriptor, and a session may have thousands.
const MAX_WATCHED: usize = 4;

/// How long is waited before another look when the system has no descriptor for that.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Ends all processes of the session that `leader` leads. Blocks until they are gone, for some seconds at most.
pub(crate) fn end(leader: Pid) {
    let last = LADDER[LADDER.len() - 1];
    for (signals, grace) in LADDER.into_iter().chain([last; KILL_ROUNDS]) {
        if signal_all(leader, signals).is_ok_and(|count| count == 0) {
            return;
        }
        if wait_for_end(leader, Instant::now() + grace) {
            return;
        }
    }
    tracing::error!(leader = leader.as_raw(), "processes of a terminal outlived SIGKILL");
}

/// Signals every process of the session that still runs, and gives how many those are. An error says that they could not be listed,
/// or that some of them could not be signalled.
fn signal_all(leader: Pid, signals: &[Signal]) -> io::Result<usize> {
    let (mut count, mut result) = (0, Ok(()));
    for pid in pids(leader)? {
        match member(leader, pid) {
            Ok(Some(member)) => {
                count += 1;
                for &signal in signals {
                    if let Err(error) = sys::pidfd_signal(member.as_fd(), signal) {
                        tracing::warn!(leader = leader.as_raw(), %signal, %error, "could not signal a process");
                    }
                }
            }
            Ok(None) => {}
            Err(error) => result = Err(error),
        }
    }
    if let Err(error) = &result {
        tracing::warn!(leader = leader.as_raw(), %error, "could not signal all processes of a terminal");
    }
    result.map(|()| count)
}

/// Waits until no process of the session runs any more, or until `deadline`. Tells whether that is so.
fn wait_for_end(leader: Pid, deadline: Instant) -> bool {
    loop {
        let listed = pids(leader).and_then(|pids| {
            let members = pids.into_iter().filter_map(|pid| member(leader, pid).transpose());
            members.take(MAX_WATCHED).collect::<io::Result<Vec<OwnedFd>>>()
        });
        match listed {
            Ok(members) if members.is_empty() => return true,
            Ok(members) => wait_all(members, deadline),
            Err(error) => {
                tracing::warn!(leader = leader.as_raw(), %error, "could not look at the processes of a terminal");
                wait_all(Vec::new(), deadline.min(Instant::now() + LOOK_AGAIN));
            }
        }
        if Instant::now() >= deadline {
            return false;
        }
    }
}

/// The names of the session's processes, with or without its leader.
pub(crate) fn names(leader: Pid, with_leader: bool) -> Vec<String> {
    let pids = pids(leader).inspect_err(|error| tracing::error!(%error, "could not list /proc"));
    let pids = pids.into_iter().flatten().filter(|&pid| with_leader || pid != leader);
    let name = |pid: Pid| fs::read_to_string(format!("/proc/{pid}/comm")).ok();
    let mut names: Vec<String> = pids.filter_map(name).map(|name| name.trim_end().to_owned()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// A process of the session, if it still runs; a zombie does not.
fn member(leader: Pid, pid: Pid) -> io::Result<Option<OwnedFd>> {
    let pidfd = match sys::pidfd_open(pid) {
        Ok(pidfd) => pidfd,
        Err(error) if exhausted::is_exhausted(&error) => return Err(error),
        // It has just gone.
        Err(_) => return Ok(None),
    };
    // Between the look at its session and the opening, the number may have gone to another process.
    Ok((session_of(pid) == Some(leader) && !has_ended(&pidfd)).then_some(pidfd))
}

fn pids(leader: Pid) -> io::Result<Vec<Pid>> {
    let number = |entry: io::Result<fs::DirEntry>| entry.ok()?.file_name().to_str()?.parse().ok();
    let pids = fs::read_dir("/proc")?.filter_map(number).map(Pid::from_raw);
    Ok(pids.filter(|&pid| session_of(pid) == Some(leader)).collect())
}

fn session_of(pid: Pid) -> Option<Pid> {
    getsid(Some(pid)).ok()
}

fn has_ended(pidfd: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
    matches!(poll(&mut fds, PollTimeout::ZERO), Ok(n) if n > 0)
}

/// Waits until all of them have ended, or until `deadline`; for nobody, until then.
fn wait_all(mut members: Vec<OwnedFd>, deadline: Instant) {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        let mut fds: Vec<_> = members.iter().map(|fd| PollFd::new(fd.as_fd(), PollFlags::POLLIN)).collect();
        match poll(&mut fds, timeout) {
            Ok(0) => return,
            Ok(_) => {
                members.retain(|pidfd| !has_ended(pidfd));
                if members.is_empty() {
                    return;
                }
            }
            Err(Errno::EINTR) => {}
            Err(error) => {
                tracing::error!(%error, "could not wait for processes to end");
                return;
            }
        }
    }
}
