//! The `limpet` command.

use std::{os::fd::OwnedFd, process::ExitCode};

use limpet::{
    config::{Args, Command, ConfigError, LinkArgs},
    keeper::{self, Launch},
    link::Links,
    logging, serve,
};

/// Exit code for errors and for lost sessions.
const FAILURE: u8 = 1;

/// Exit code for wrong usage, as shells define it.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    keeper::forbid_inspection();
    match Command::parse() {
        Command::Serve(args) => serve_or_keep(*args),
        Command::Upgrade(pid) => match keeper::upgrade(pid) {
            Ok(outcome) => say(&outcome),
            Err(error) => fail(FAILURE, &error.to_string()),
        },
        Command::Link(args) => print_link(&args),
    }
}

fn serve_or_keep(args: Args) -> ExitCode {
    let filter = logging::filter_from_environment();
    if let Err(error) = logging::init(args.log_format, args.verbose, filter.as_deref()) {
        return fail(USAGE, &format!("LIMPET_LOG: {error}; write, for example, limpet=debug"));
    }
    match keeper::connection() {
        Ok(Some((keeper, launch))) => serve(args, keeper, launch),
        // The keeper starts the server, which checks the arguments and reports what is wrong.
        Ok(None) => keep(),
        Err(error) => fail(FAILURE, &format!("could not reach the process that keeps sessions: {error}")),
    }
}

fn keep() -> ExitCode {
    match keeper::take_token() {
        Ok(token) => match keeper::run(token) {
            Ok(code) => ExitCode::from(code),
            Err(error) => fail(FAILURE, &format!("could not start the server: {error}")),
        },
        Err(error) => fail(
            FAILURE,
            &format!("could not take LIMPET_TOKEN out of the environment: {error}; use --token-file instead"),
        ),
    }
}

fn serve(args: Args, keeper: OwnedFd, launch: Launch) -> ExitCode {
    match serve::run(args, launch, keeper) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<ConfigError>() => fail(USAGE, &error.to_string()),
        Err(error) => fail(FAILURE, &format!("{error:#}")),
    }
}

fn print_link(args: &LinkArgs) -> ExitCode {
    let link = match keeper::link(args.pid) {
        Ok(link) => link,
        Err(error) => return fail(FAILURE, &error.to_string()),
    };
    match Links::from_text(&link).and_then(|links| links.print(args.format)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(FAILURE, &format!("could not print the link: {error}")),
    }
}

#[expect(clippy::print_stdout, reason = "this is what was asked for")]
fn say(message: &str) -> ExitCode {
    println!("{message}");
    ExitCode::SUCCESS
}

#[expect(clippy::print_stderr, reason = "this is where errors reach people")]
fn fail(code: u8, message: &str) -> ExitCode {
    eprintln!("limpet: {message}");
    ExitCode::from(code)
}
