//! The `limpet` command.

use std::{
    os::fd::{IntoRawFd as _, OwnedFd},
    process::ExitCode,
};

use limpet::{
    config::{Args, Command, ConfigError, LinkArgs},
    keeper,
    link::Links,
    logging, serve,
};

/// What shells take for wrong usage.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    match Command::parse() {
        Command::Serve(args) => serve_or_keep(*args),
        Command::Upgrade(pid) => match keeper::upgrade(pid) {
            Ok(outcome) => say(&outcome),
            Err(error) => fail(1, &error.to_string()),
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
        Ok(Some(keeper)) => serve(args, keeper),
        // The server says what is wrong with what it was told.
        Ok(None) => match keeper::run() {
            Ok(code) => ExitCode::from(code),
            Err(error) => fail(1, &format!("could not start the server: {error}")),
        },
        Err(error) => fail(1, &format!("could not reach the process that keeps sessions: {error}")),
    }
}

fn serve(args: Args, keeper: OwnedFd) -> ExitCode {
    // What is no UTF-8 is refused as every other token with odd characters is.
    let token = std::env::var_os("LIMPET_TOKEN").map(|token| token.to_string_lossy().into_owned());
    // The keeper takes a closed connection for the end, and what went wrong is yet to be said. So one descriptor stays open until there is
    // no process any more.
    let _ = keeper.try_clone().map(OwnedFd::into_raw_fd);
    match serve::run(args, token, keeper) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<ConfigError>() => fail(USAGE, &error.to_string()),
        Err(error) => fail(1, &format!("{error:#}")),
    }
}

fn print_link(args: &LinkArgs) -> ExitCode {
    let link = match keeper::link(args.pid) {
        Ok(link) => link,
        Err(error) => return fail(1, &error.to_string()),
    };
    match Links::from_text(&link).and_then(|links| links.print(args.format)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(1, &format!("could not print the link: {error}")),
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
