//! All processes of one terminal: a *process session* (setsid(2)), identified by the process id of
//! its leader.
//!
//! The caller owns the leader and has not reaped it, so that no other session can get its id
//! meanwhile.

use std::{
    fs, io,
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

use futures_util::future::join_all;
use limpet_sys::{
    background, exhausted,
    process::{pidfd_open, pidfd_signal},
    reactor::watch,
};
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::signal::Signal,
    unistd::{Pid, getpgid, getsid},
};
use tokio::{
    io::Interest,
    time::{sleep, timeout},
};

/// The selection of a terminal's processes that are ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EndMode {
    /// All of them.
    #[default]
    All,
    /// Those that end when the window of a terminal emulator is closed: the program that leads the
    /// session, and the processes that the resulting `SIGHUP` reaches. A process that was started
    /// by nohup(1), or disowned by its shell, keeps running.
    HangUp,
}

/// The processes that a signal is sent to.
#[derive(Clone, Debug)]
enum Target {
    /// All processes of the sessions with these leaders.
    Sessions(Vec<Pid>),
    /// The leader of a session alone.
    Leader(Pid),
    /// The leader of a session, and the process group in the foreground of its terminal.
    Foreground { leader: Pid, group: Pid },
}

impl Target {
    fn includes(&self, pid: Pid) -> bool {
        let Some(session) = session_leader(pid) else { return false };
        match self {
            Self::Sessions(leaders) => leaders.contains(&session),
            Self::Leader(leader) => pid == *leader && session == *leader,
            Self::Foreground { leader, group } => {
                session == *leader && (pid == *leader || getpgid(Some(pid)) == Ok(*group))
            }
        }
    }
}

/// Signals of each step, and the time that the processes then have to end by themselves. A stopped
/// process handles no signal before it is continued, hence `SIGCONT`.
const END_STEPS: [(&[Signal], Duration); 3] = [
    (&[Signal::SIGHUP, Signal::SIGCONT], Duration::from_millis(500)),
    (&[Signal::SIGTERM, Signal::SIGCONT], Duration::from_secs(1)),
    (&[Signal::SIGKILL], Duration::from_secs(1)),
];

/// Number of repetitions of the last step, for processes that appear while others are being killed.
const KILL_ROUNDS: usize = 8;

/// Maximum number of processes that are waited for at a time. Each takes a descriptor, and a
/// session may have thousands.
const MAX_WATCHED: usize = 4;

/// Pause before the processes are listed again when the system has no descriptor for that.
const LIST_RETRY_PAUSE: Duration = Duration::from_millis(20);

/// Ends all processes of the sessions with these leaders. Waits until they are gone, at most a few
/// seconds.
pub async fn end(leaders: &[Pid]) {
    let all = Target::Sessions(leaders.to_vec());
    signal_until_ended(&all, &all).await;
}

/// Hangs up the terminal of a session, as the kernel does when its window is closed (termios(3),
/// "Modem disconnect"). The leader and the processes in the foreground get `SIGHUP`. A shell passes
/// that on to its jobs, except to disowned ones. Waits until the leader has ended; if it does not
/// end by itself, it alone is killed.
pub async fn hang_up(leader: Pid) {
    let only_leader = Target::Leader(leader);
    let first = match foreground_group(leader) {
        Some(group) => Target::Foreground { leader, group },
        None => only_leader.clone(),
    };
    signal_until_ended(&first, &only_leader).await;
}

/// Sends the signals of [`END_STEPS`] until the processes of `target` have ended. Those of the
/// first step are sent to `first`.
async fn signal_until_ended(first: &Target, target: &Target) {
    let last = END_STEPS[END_STEPS.len() - 1];
    for (step, (signals, grace)) in END_STEPS.into_iter().chain([last; KILL_ROUNDS]).enumerate() {
        let sought = if step == 0 { first.clone() } else { target.clone() };
        let signalled = background::run(move || signal_all(&sought, signals)).await.flatten();
        if signalled.is_ok_and(|count| count == 0) {
            return;
        }
        // The error means that the time is up.
        if timeout(grace, wait_until_all_ended(target)).await.is_ok() {
            return;
        }
    }
    tracing::error!(?target, "processes of a terminal outlived SIGKILL");
}

/// Signals every process of the target that still runs, and returns their number. Returns an error
/// if they could not be listed, or if some of them could not be opened.
fn signal_all(target: &Target, signals: &[Signal]) -> io::Result<usize> {
    let (mut count, mut result) = (0, Ok(()));
    for pid in pids(target)? {
        match open_member(target, pid) {
            Ok(Some(member)) => {
                count += 1;
                for &signal in signals {
                    if let Err(error) = pidfd_signal(member.as_fd(), signal) {
                        tracing::warn!(pid = pid.as_raw(), %signal, %error, "could not signal a process");
                    }
                }
            }
            Ok(None) => {}
            Err(error) => result = Err(error),
        }
    }
    if let Err(error) = &result {
        tracing::warn!(%error, "could not signal all processes of a terminal");
    }
    result.map(|()| count)
}

/// Waits until no process of the target runs any more.
async fn wait_until_all_ended(target: &Target) {
    loop {
        let sought = target.clone();
        let listed = background::run(move || {
            let members = pids(&sought)?.into_iter().filter_map(|pid| open_member(&sought, pid).transpose());
            members.take(MAX_WATCHED).collect::<io::Result<Vec<OwnedFd>>>()
        });
        match listed.await.flatten() {
            Ok(members) if members.is_empty() => return,
            Ok(members) => drop(join_all(members.into_iter().map(wait_until_ended)).await),
            Err(error) => {
                tracing::warn!(%error, "could not list the processes of a terminal");
                sleep(LIST_RETRY_PAUSE).await;
            }
        }
    }
}

/// Names of the programs that run in a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunningPrograms {
    /// All programs, with or without the leader.
    pub all: Vec<String>,
    /// Programs that may keep running after a [hang-up](EndMode::HangUp), because they are not in
    /// the foreground or ignore `SIGHUP`. Never includes the leader.
    pub background: Vec<String>,
}

/// Lists the programs that run in a session.
#[must_use]
pub fn running(leader: Pid, with_leader: bool) -> RunningPrograms {
    let pids = pids(&Target::Sessions(vec![leader]))
        .inspect_err(|error| tracing::error!(%error, "could not list /proc"))
        .unwrap_or_default();
    let group = foreground_group(leader);
    let survives = |&pid: &Pid| pid != leader && (getpgid(Some(pid)).ok() != group || ignores_hang_up(pid));
    RunningPrograms {
        all: names(pids.iter().copied().filter(|&pid| with_leader || pid != leader)),
        background: names(pids.iter().copied().filter(survives)),
    }
}

fn names(pids: impl Iterator<Item = Pid>) -> Vec<String> {
    let name = |pid: Pid| fs::read_to_string(format!("/proc/{pid}/comm")).ok();
    let mut names: Vec<String> = pids.filter_map(name).map(|name| name.trim_end().to_owned()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Returns the process group in the foreground of the terminal that a process belongs to.
fn foreground_group(pid: Pid) -> Option<Pid> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let group = Stat::parse(&stat)?.foreground;
    (group > 0).then(|| Pid::from_raw(group))
}

fn ignores_hang_up(pid: Pid) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    mask & (1 << (Signal::SIGHUP as u64 - 1)) != 0
}

/// Fields of `/proc/PID/stat` (proc(5)).
#[derive(Debug, PartialEq, Eq)]
struct Stat<'a> {
    name: &'a str,
    group: i32,
    /// The process group in the foreground of its terminal.
    foreground: i32,
}

impl<'a> Stat<'a> {
    /// Parses the line. The name is in parentheses, and may contain parentheses itself.
    fn parse(text: &'a str) -> Option<Self> {
        let (_, rest) = text.split_once('(')?;
        let (name, rest) = rest.rsplit_once(')')?;
        // The fields are state, parent, group, session, terminal, foreground.
        let mut fields = rest.split_ascii_whitespace().skip(2);
        let group = fields.next()?.parse().ok()?;
        let foreground = fields.nth(2)?.parse().ok()?;
        Some(Self { name, group, foreground })
    }
}

/// Maximum length of a process name, in bytes (`TASK_COMM_LEN` without its NUL).
const MAX_NAME_BYTES: usize = 15;

/// Reports whether the leader, which still has this name, is in the foreground of its terminal, and
/// none of its children is. Returns false if the system does not tell.
#[must_use]
pub fn is_alone_in_foreground(leader: Pid, name: &str) -> bool {
    let stat = |pid: &str| fs::read_to_string(format!("/proc/{pid}/stat"));
    let Ok(text) = stat(&leader.to_string()) else { return false };
    let Some(found) = Stat::parse(&text) else { return false };
    let name = name.as_bytes();
    if found.name.as_bytes() != &name[..name.len().min(MAX_NAME_BYTES)]
        || [found.group, found.foreground] != [leader.as_raw(); 2]
    {
        return false;
    }
    // Jobs are in groups of their own, unless job control is off.
    let Ok(children) = fs::read_to_string(format!("/proc/{leader}/task/{leader}/children")) else {
        return false;
    };
    let is_in_foreground = |pid: &str| {
        stat(pid).is_ok_and(|text| Stat::parse(&text).is_none_or(|child| child.group == found.group))
    };
    !children.split_ascii_whitespace().any(is_in_foreground)
}

/// Opens a process of the target, if it still runs; a zombie does not.
fn open_member(target: &Target, pid: Pid) -> io::Result<Option<OwnedFd>> {
    let pidfd = match pidfd_open(pid) {
        Ok(pidfd) => pidfd,
        Err(error) if exhausted::is_exhausted(&error) => return Err(error),
        // The process has just ended.
        Err(_) => return Ok(None),
    };
    // The check follows the opening, because the pid may have gone to another process after it was
    // listed.
    Ok((target.includes(pid) && !has_ended(&pidfd)).then_some(pidfd))
}

fn pids(target: &Target) -> io::Result<Vec<Pid>> {
    let number = |entry: io::Result<fs::DirEntry>| entry.ok()?.file_name().to_str()?.parse().ok();
    let pids = fs::read_dir("/proc")?.filter_map(number).map(Pid::from_raw);
    Ok(pids.filter(|&pid| target.includes(pid)).collect())
}

fn session_leader(pid: Pid) -> Option<Pid> {
    getsid(Some(pid)).ok()
}

fn has_ended(pidfd: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
    matches!(poll(&mut fds, PollTimeout::ZERO), Ok(n) if n > 0)
}

/// Waits until a process has ended, or for a moment if the system cannot watch it.
async fn wait_until_ended(pidfd: OwnedFd) {
    match watch(pidfd, Interest::READABLE) {
        // The call fails only if the runtime ends.
        Ok(pidfd) => drop(pidfd.readable().await),
        Err(error) => {
            tracing::warn!(%error, "could not wait for a process to end");
            sleep(LIST_RETRY_PAUSE).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_may_have_any_name() {
        let stat = |name| format!("17 ({name}) S 1 17 17 34816 23 4194304 1 2 3");
        for name in ["bash", "a b", ") S 1 2 (", ""] {
            assert_eq!(Stat::parse(&stat(name)), Some(Stat { name, group: 17, foreground: 23 }));
        }
        for broken in ["", "17 (bash", "17 (bash) S 1 x"] {
            assert_eq!(Stat::parse(broken), None);
        }
    }
}
