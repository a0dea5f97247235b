//! Runs other programs and reports on them.

use std::{
    io::{self, IsTerminal},
    process::{Command, ExitStatus},
};

use anyhow::{Context, bail};

/// Prints a progress or error message.
pub(crate) fn print_status(subject: &str, what: &str) {
    let name = if io::stderr().is_terminal() { "\x1b[1mlimpet\x1b[0m" } else { "limpet" };
    eprintln!("{name} {subject:>10}  {what}");
}

/// Runs a program to its end.
pub(crate) fn run(mut command: Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| not_runnable(&command))?;
    check_status(&command, status)
}

/// Runs a program to its end and returns its output.
pub(crate) fn capture(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().with_context(|| not_runnable(command))?;
    check_status(command, output.status)?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Reports whether a program is on the PATH.
pub(crate) fn is_on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

pub(crate) fn check_status(command: &Command, status: ExitStatus) -> anyhow::Result<()> {
    if !status.success() {
        bail!("{} ended with {status}", command_line(command));
    }
    Ok(())
}

pub(crate) fn not_runnable(command: &Command) -> String {
    format!("could not run {}", command_line(command))
}

fn command_line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
