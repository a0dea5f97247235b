//! The `limpet` command.

#![forbid(unsafe_code)]

use std::{os::fd::OwnedFd, process::ExitCode};

use limpet::{
    access_urls::AccessUrls,
    config::{Args, Command, ConfigError, LinkArgs},
    logging, serve,
};
use limpet_keeper::{self as keeper, Launch};

/// Exit code for errors and for lost sessions.
const FAILURE_EXIT_CODE: u8 = 1;

/// Exit code for wrong usage, as shells define it.
const USAGE_EXIT_CODE: u8 = 2;

fn main() -> ExitCode {
    keeper::forbid_inspection();
    match Command::parse() {
        Command::Serve(args) => run_server_or_keeper(*args),
        Command::Upgrade(pid) => match keeper::upgrade(pid) {
            Ok(outcome) => print_message(&outcome),
            Err(error) => fail(FAILURE_EXIT_CODE, &error.to_string()),
        },
        Command::Link(args) => print_link(&args),
    }
}

fn run_server_or_keeper(args: Args) -> ExitCode {
    let filter = logging::filter_from_environment();
    if let Err(error) = logging::init(args.log_format, args.verbose, filter.as_deref()) {
        return fail(USAGE_EXIT_CODE, &format!("LIMPET_LOG: {error}; write, for example, limpet=debug"));
    }
    match keeper::connection() {
        Ok(Some((keeper, launch))) => run_server(args, keeper, launch),
        // The keeper starts the server, which checks the arguments and reports what is wrong.
        Ok(None) => run_keeper(),
        Err(error) => fail(FAILURE_EXIT_CODE, &format!("could not connect to the keeper: {error}")),
    }
}

fn run_keeper() -> ExitCode {
    match keeper::take_token() {
        Ok(token) => match keeper::run(token) {
            Ok(code) => ExitCode::from(code),
            Err(error) => fail(FAILURE_EXIT_CODE, &format!("could not start the server: {error}")),
        },
        Err(error) => fail(
            FAILURE_EXIT_CODE,
            &format!("could not remove LIMPET_TOKEN from the environment: {error}; use --token-file instead"),
        ),
    }
}

fn run_server(args: Args, keeper: OwnedFd, launch: Launch) -> ExitCode {
    match serve::run(args, launch, keeper) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<ConfigError>() => fail(USAGE_EXIT_CODE, &error.to_string()),
        Err(error) => fail(FAILURE_EXIT_CODE, &format!("{error:#}")),
    }
}

fn print_link(args: &LinkArgs) -> ExitCode {
    let link = match keeper::link(args.pid) {
        Ok(link) => link,
        Err(error) => return fail(FAILURE_EXIT_CODE, &error.to_string()),
    };
    match AccessUrls::from_text(&link).and_then(|links| links.print(args.format)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(FAILURE_EXIT_CODE, &format!("could not print the link: {error}")),
    }
}

#[expect(clippy::print_stdout, reason = "this is what was asked for")]
fn print_message(message: &str) -> ExitCode {
    println!("{message}");
    ExitCode::SUCCESS
}

#[expect(clippy::print_stderr, reason = "this is where errors reach people")]
fn fail(code: u8, message: &str) -> ExitCode {
    eprintln!("limpet: {message}");
    ExitCode::from(code)
}
