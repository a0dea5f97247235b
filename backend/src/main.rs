//! The `limpet` command.

use std::{os::fd::OwnedFd, process::ExitCode};

use limpet::{
    config::{Args, Command, Config},
    keeper::{self, Launch},
    logging, serve,
};

/// The exit code when something went wrong, and when sessions were lost.
const FAILURE: u8 = 1;

/// What shells take for wrong usage.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    keeper::forbid_inspection();
    match Command::parse() {
        Command::Serve(args) => serve_or_keep(*args),
        Command::Upgrade(pid) => match keeper::upgrade(pid) {
            Ok(outcome) => say(&outcome),
            Err(error) => fail(FAILURE, &error.to_string()),
        },
    }
}

fn serve_or_keep(args: Args) -> ExitCode {
    let filter = logging::filter_from_environment();
    if let Err(error) = logging::init(args.log_format, args.verbose, filter.as_deref()) {
        return fail(USAGE, &format!("LIMPET_LOG: {error}; write, for example, limpet=debug"));
    }
    match keeper::connection() {
        Ok(Some((keeper, launch))) => serve(args, keeper, &launch),
        // The server says what is wrong with what it was told.
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

fn serve(args: Args, keeper: OwnedFd, launch: &Launch) -> ExitCode {
    let config = match Config::new(args, launch.token.as_deref()) {
        Ok(config) => config,
        Err(error) => return fail(USAGE, &error.to_string()),
    };
    match serve::run(config, keeper, launch.is_without_screens) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(FAILURE, &format!("{error:#}")),
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
