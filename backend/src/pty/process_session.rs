//! All the processes of one terminal: a *process session* (setsid(2)), named by the process id of its leader.
//!
//! The caller owns the leader and has not reaped it, so its number cannot be given to another session meanwhile.

use std::{
    fs,
    future::pending,
    io,
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

use futures_util::future::join_all;
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::signal::Signal,
    unistd::{Pid, getsid},
};
use tokio::{io::Interest, time::timeout};

use super::sys;
use crate::threads;

/// What is sent, and how long the processes then have to end by themselves. A stopped process acts on nothing before
/// it is continued, hence `SIGCONT`.
const LADDER: [(&[Signal], Duration); 3] = [
    (&[Signal::SIGHUP, Signal::SIGCONT], Duration::from_millis(500)),
    (&[Signal::SIGTERM, Signal::SIGCONT], Duration::from_secs(1)),
    (&[Signal::SIGKILL], Duration::from_secs(1)),
];

/// How often the last step is repeated for processes that appear while others are being killed.
const KILL_ROUNDS: usize = 8;

/// Ends all processes of the sessions that these processes lead. Takes until they are gone, some seconds at most.
pub(crate) async fn end(leaders: &[Pid]) {
    let last = LADDER[LADDER.len() - 1];
    for (signals, grace) in LADDER.into_iter().chain([last; KILL_ROUNDS]) {
        let sought = leaders.to_vec();
        let members = threads::aside(move || members(&sought)).await.unwrap_or_default();
        if members.is_empty() {
            return;
        }
        for member in &members {
            for &signal in signals {
                if let Err(error) = sys::pidfd_signal(member.as_fd(), signal) {
                    tracing::warn!(?leaders, %signal, %error, "could not signal a process");
                }
            }
        }
        // An error says that time is up.
        let _ = timeout(grace, join_all(members.into_iter().map(ended))).await;
    }
    tracing::error!(?leaders, "processes of a terminal outlived SIGKILL");
}

/// The names of the session's processes, with or without its leader.
pub(crate) fn names(leader: Pid, with_leader: bool) -> Vec<String> {
    let pids = pids(&[leader]).into_iter().filter(|&pid| with_leader || pid != leader);
    let name = |pid: Pid| fs::read_to_string(format!("/proc/{pid}/comm")).ok();
    let mut names: Vec<String> = pids.filter_map(name).map(|name| name.trim_end().to_owned()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Every process of the sessions that still runs; a zombie does not.
fn members(leaders: &[Pid]) -> Vec<OwnedFd> {
    let open = |pid: Pid| {
        let pidfd = sys::pidfd_open(pid).ok()?;
        // Between the look at its session and the opening, the number may have gone to another process.
        (is_led(pid, leaders) && !has_ended(&pidfd)).then_some(pidfd)
    };
    pids(leaders).into_iter().filter_map(open).collect()
}

fn pids(leaders: &[Pid]) -> Vec<Pid> {
    let entries = fs::read_dir("/proc").inspect_err(|error| tracing::error!(%error, "could not list /proc"));
    let number = |entry: io::Result<fs::DirEntry>| entry.ok()?.file_name().to_str()?.parse().ok();
    let pids = entries.into_iter().flatten().filter_map(number).map(Pid::from_raw);
    pids.filter(|&pid| is_led(pid, leaders)).collect()
}

fn is_led(pid: Pid, leaders: &[Pid]) -> bool {
    session_of(pid).is_some_and(|session| leaders.contains(&session))
}

fn session_of(pid: Pid) -> Option<Pid> {
    getsid(Some(pid)).ok()
}

fn has_ended(pidfd: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
    matches!(poll(&mut fds, PollTimeout::ZERO), Ok(n) if n > 0)
}

/// Waits until a process has ended.
async fn ended(pidfd: OwnedFd) {
    match sys::watch(pidfd, Interest::READABLE) {
        // An error says that the runtime ends.
        Ok(pidfd) => drop(pidfd.readable().await),
        // The next look tells.
        Err(error) => {
            tracing::warn!(%error, "could not wait for a process to end");
            pending::<()>().await;
        }
    }
}
