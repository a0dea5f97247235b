//! The `limpet` command.

use std::process::ExitCode;

use limpet::{
    config::{Args, Config},
    logging, serve,
};

/// What shells take for wrong usage.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let args = Args::parse();
    let filter = logging::filter_from_environment();
    if let Err(error) = logging::init(args.log_format, args.verbose, filter.as_deref()) {
        return fail(USAGE, &format!("LIMPET_LOG: {error}; write, for example, limpet=debug"));
    }
    // What is no UTF-8 is refused as every other token with odd characters is.
    let token = std::env::var_os("LIMPET_TOKEN").map(|token| token.to_string_lossy().into_owned());
    let config = match Config::new(args, token.as_deref()) {
        Ok(config) => config,
        Err(error) => return fail(USAGE, &error.to_string()),
    };
    match serve::run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(1, &format!("{error:#}")),
    }
}

#[expect(clippy::print_stderr, reason = "this is where errors reach people")]
fn fail(code: u8, message: &str) -> ExitCode {
    eprintln!("limpet: {message}");
    ExitCode::from(code)
}
