//! Runs the server and `trunk serve` side by side.

use std::{
    ffi::OsString,
    process::{Command, Stdio},
    sync::mpsc::{SyncSender, sync_channel},
    thread,
};

use anyhow::{Context, anyhow};

use crate::{
    needs::Need,
    shell::{self, print_status},
    tools::{self, Tool},
    workspace::Workspace,
};

/// Runs both until either ends. An interrupt from the keyboard reaches both of them and this
/// program.
pub(crate) fn run(workspace: &Workspace, flags: &[OsString]) -> anyhow::Result<()> {
    for need in Need::TRUNK {
        need.ensure(workspace)?;
    }
    print_status("server", "building; the page with live reload will be at http://127.0.0.1:8080");
    shell::run(workspace.cargo(["build", "--package", "limpet"]))?;
    let mut server = workspace.cargo(["run", "--quiet", "--package", "limpet", "--", "-v"]);
    server.args(flags);
    let mut trunk = tools::trunk_command(workspace, Tool::wasm_bindgen(workspace)?.folder()?)?;
    trunk.args(["serve", "--offline"]);
    until_either_ends([server, trunk])
}

/// The result of a program.
type ProgramResult = anyhow::Result<()>;

/// A running program: its process id, and the thread that waits for it.
type Running = (u32, thread::JoinHandle<()>);

fn until_either_ends(commands: [Command; 2]) -> anyhow::Result<()> {
    let (ends, first) = sync_channel(commands.len());
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
    let result = first.recv().context("could not wait for the programs to end")?;
    stop_all(running)?;
    result
}

fn start(mut command: Command, ends: SyncSender<ProgramResult>) -> anyhow::Result<Running> {
    let mut program = command.spawn().with_context(|| shell::not_runnable(&command))?;
    let id = program.id();
    let waiter = thread::spawn(move || {
        let status = program.wait().context("could not wait for a program to end");
        // Nobody receives the second result.
        drop(ends.send(status.and_then(|status| shell::check_status(&command, status))));
    });
    Ok((id, waiter))
}

/// Asks the programs that still run to end, and waits for all of them.
fn stop_all(programs: Vec<Running>) -> anyhow::Result<()> {
    for (id, waiter) in programs {
        if !waiter.is_finished() {
            // This fails if the program has just ended.
            drop(Command::new("kill").arg(id.to_string()).stderr(Stdio::null()).status());
        }
        waiter.join().map_err(|_| anyhow!("could not wait for the programs to end"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_one_program_ends_the_other_and_is_told() {
        let mut forever = Command::new("sleep");
        forever.arg("1000");
        let error = until_either_ends([Command::new("false"), forever]).unwrap_err();
        assert!(error.to_string().starts_with("false ended"), "{error}");
    }
}
