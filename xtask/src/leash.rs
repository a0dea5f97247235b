//! Runs a program that does not outlive this one.
//!
//! A leash is a process between this one and the program. The program and everything that it starts
//! form a process group. The leash ends that group when the program has ended, when the leash is
//! asked to end, or when the process that started the leash is gone, even if that was killed.

use std::{
    env,
    ffi::OsString,
    os::unix::process::CommandExt,
    process::{self, Command, ExitCode, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use nix::{
    errno::Errno,
    sys::{
        prctl,
        signal::{Signal, killpg},
        wait::{Id, WaitPidFlag, WaitStatus, waitid},
    },
    unistd::{Pid, getppid},
};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

use crate::shell;

/// The command of this program that is a leash.
pub(crate) const COMMAND: &str = "leash";

/// Time that a group has to end by itself, once it was asked to.
const GRACE: Duration = Duration::from_secs(10);

/// Base of the exit code of a program that was ended by a signal, as in shells.
const SIGNAL_EXIT_CODE: i32 = 128;

/// Returns a call of this program that runs `command` on a leash.
pub(crate) fn on_leash(command: &Command) -> anyhow::Result<Command> {
    let mut leash = Command::new(env::current_exe().context("could not find this program itself")?);
    leash.arg(COMMAND).arg(process::id().to_string());
    leash.arg(command.get_program()).args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        leash.current_dir(folder);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => leash.env(name, value),
            None => leash.env_remove(name),
        };
    }
    Ok(leash)
}

/// Runs a program on a leash, given the process id of the leash's parent and the program's command
/// line. Returns the program's exit code.
pub(crate) fn run(words: &[OsString]) -> anyhow::Result<ExitCode> {
    let [parent, program, arguments @ ..] = words else {
        bail!("write: {COMMAND} PARENT PROGRAM [ARGUMENT ...]");
    };
    let (sender, events) = channel();
    report_signals(sender.clone())?;
    prctl::set_pdeathsig(Signal::SIGTERM).context("could not follow the parent")?;
    // Processes of the group that lose their parent become children of the leash.
    prctl::set_child_subreaper(true).context("could not become the parent of orphans")?;
    if *parent != *getppid().to_string() {
        bail!("the parent is gone");
    }
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).process_group(0);
    let leader = command.spawn().with_context(|| shell::not_runnable(&command))?.id();
    let leader = Pid::from_raw(leader.try_into().context("a process id is too large")?);
    thread::spawn(move || report_ends(leader, &sender));
    hold(leader, &events)
}

/// An event on which a leash acts.
enum Event {
    /// The leash is asked to end, or its parent is gone.
    AskedToEnd,
    /// The program has ended.
    LeaderEnded(WaitStatus),
    /// Every process of the group has ended.
    GroupEnded,
}

fn report_signals(events: Sender<Event>) -> anyhow::Result<()> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM]).context("could not handle signals")?;
    thread::spawn(move || {
        // Nobody receives the events once the leash is about to end.
        signals.forever().for_each(|_| drop(events.send(Event::AskedToEnd)));
    });
    Ok(())
}

/// Reaps the processes of the leader's group, and reports their ends.
fn report_ends(leader: Pid, events: &Sender<Event>) {
    loop {
        match waitid(Id::PGid(leader), WaitPidFlag::WEXITED) {
            Ok(status) if status.pid() == Some(leader) => drop(events.send(Event::LeaderEnded(status))),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => break,
        }
    }
    drop(events.send(Event::GroupEnded));
}

/// Waits for the first event, and ends the group. Returns the leader's exit code.
fn hold(leader: Pid, events: &Receiver<Event>) -> anyhow::Result<ExitCode> {
    let mut exit_code = ExitCode::FAILURE;
    let mut deadline = None;
    loop {
        let event = match deadline {
            None => events.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(deadline) => {
                events.recv_timeout(Instant::saturating_duration_since(&deadline, Instant::now()))
            }
        };
        match event {
            Ok(Event::GroupEnded) => return Ok(exit_code),
            Ok(Event::AskedToEnd) => {}
            Ok(Event::LeaderEnded(status)) => exit_code = exit_code_of(status),
            Err(RecvTimeoutError::Timeout) => {
                killpg(leader, Signal::SIGKILL).context("could not kill a program")?;
                return Ok(exit_code);
            }
            Err(RecvTimeoutError::Disconnected) => bail!("could not wait for the program to end"),
        }
        // This fails if all processes of the group have just ended.
        let _ = killpg(leader, Signal::SIGTERM);
        deadline = deadline.or_else(|| Instant::now().checked_add(GRACE));
    }
}

fn exit_code_of(status: WaitStatus) -> ExitCode {
    let code = match status {
        WaitStatus::Exited(_, code) => code,
        WaitStatus::Signaled(_, signal, _) => SIGNAL_EXIT_CODE + signal as i32,
        _ => return ExitCode::FAILURE,
    };
    u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from)
}
