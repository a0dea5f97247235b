//! Running other programs, and saying so.

use std::{
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
};

use anyhow::{Context, anyhow, bail};

/// Says what is being done, or why not.
pub(crate) fn say(subject: &str, what: &str) {
    eprintln!("\x1b[1mlimpet\x1b[0m {subject:>10}  {what}");
}

/// Runs a program to its end.
pub(crate) fn run(mut command: Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| missing(&command))?;
    check(&command, status)
}

/// Runs a program to its end and gives what it printed.
pub(crate) fn capture(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().with_context(|| missing(command))?;
    check(command, output.status)?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Starts a program.
pub(crate) fn spawn(command: &mut Command) -> anyhow::Result<Child> {
    command.spawn().with_context(|| missing(command))
}

/// Waits until one of the programs has ended, and ends the other one.
pub(crate) fn until_either_ends(programs: [Child; 2]) -> anyhow::Result<()> {
    let ids = programs.each_ref().map(Child::id);
    let (ended, first) = mpsc::channel();
    let watchers: Vec<_> = programs
        .into_iter()
        .map(|mut program| {
            let ended = ended.clone();
            thread::spawn(move || {
                let status = program.wait();
                // Nobody asks for the second one.
                let _ = ended.send(program.id());
                status
            })
        })
        .collect();
    let first = first.recv().context("could not wait for the programs to end")?;
    for other in ids.into_iter().filter(|&id| id != first) {
        run_quietly(Command::new("kill").arg(other.to_string()));
    }
    for watcher in watchers {
        watcher.join().map_err(|_| anyhow!("could not wait for the programs to end"))??;
    }
    Ok(())
}

/// Runs a program that may fail because its work is done already, as after an interrupt that reached everybody.
fn run_quietly(command: &mut Command) {
    let _ = command.stderr(Stdio::null()).status();
}

/// Whether a program can be found and run.
pub(crate) fn exists(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn check(command: &Command, status: ExitStatus) -> anyhow::Result<()> {
    if !status.success() {
        bail!("{} ended with {status}", line(command));
    }
    Ok(())
}

fn missing(command: &Command) -> String {
    format!("could not run {}", line(command))
}

fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
