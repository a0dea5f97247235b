//! Runs programs side by side until one of them ends or this program is asked to end. Nothing of
//! them is left then, even if this program was killed.

use std::{
    ffi::OsString,
    process::Command,
    sync::mpsc::{Sender, channel},
    thread,
};

use anyhow::{Context, anyhow};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

use crate::{leash, shell};

/// The result of the program that has ended first, or nothing if this program was asked to end.
type End = Option<anyhow::Result<()>>;

/// A running program: the process id of its leash, and the thread that waits for it.
type Running = (Pid, thread::JoinHandle<()>);

/// Runs shell commands, each of which is one word.
pub(crate) fn run_shell_commands(words: &[OsString]) -> anyhow::Result<()> {
    let shell = |word| {
        let mut command = Command::new("sh");
        command.arg("-c").arg(word);
        command
    };
    run(words.iter().map(shell))
}

/// Runs programs until one of them ends, and returns its result.
pub(crate) fn run(commands: impl IntoIterator<Item = Command>) -> anyhow::Result<()> {
    let (ends, first) = channel();
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM]).context("could not handle signals")?;
    let asked = ends.clone();
    // Nobody receives the ends after the first one.
    thread::spawn(move || signals.forever().for_each(|_| drop(asked.send(None))));
    let mut running = Vec::new();
    for command in commands {
        match start(command, ends.clone()) {
            Ok(program) => running.push(program),
            Err(error) => {
                stop_all(running)?;
                return Err(error);
            }
        }
    }
    let end = first.recv().context("could not wait for the programs to end")?;
    stop_all(running)?;
    end.unwrap_or(Ok(()))
}

fn start(command: Command, ends: Sender<End>) -> anyhow::Result<Running> {
    let mut leash = leash::on_leash(&command)?;
    let mut program = leash.spawn().with_context(|| shell::not_runnable(&leash))?;
    let id = Pid::from_raw(program.id().try_into().context("a process id is too large")?);
    let waiter = thread::spawn(move || {
        let status = program.wait().context("could not wait for a program to end");
        drop(ends.send(Some(status.and_then(|status| shell::check_status(&command, status)))));
    });
    Ok((id, waiter))
}

/// Asks the programs that still run to end, and waits for all of them.
fn stop_all(programs: Vec<Running>) -> anyhow::Result<()> {
    for (leash, waiter) in &programs {
        if !waiter.is_finished() {
            // This fails if the program has just ended.
            let _ = kill(*leash, Signal::SIGTERM);
        }
    }
    for (_, waiter) in programs {
        waiter.join().map_err(|_| anyhow!("could not wait for the programs to end"))?;
    }
    Ok(())
}
