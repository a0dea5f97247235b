//! Logs to standard error, as text or JSON, but never a terminal's bytes or a secret.

use std::io::{self, IsTerminal};

use tracing_subscriber::{EnvFilter, filter::ParseError};

use crate::{auth::AUDIT_TARGET, config::LogFormat};

/// Environment variable with a detailed filter, in the syntax of [`EnvFilter`].
const VARIABLE: &str = "LIMPET_LOG";

/// Starts logging for the rest of the process. `filter` is the value of `LIMPET_LOG`, if it is set.
///
/// # Errors
/// When `filter` cannot be parsed.
pub fn init(format: LogFormat, verbosity: u8, filter: Option<&str>) -> Result<(), ParseError> {
    let quiet = format!("{AUDIT_TARGET}=info,warn");
    let default = match verbosity {
        // Sign-ins and refusals are logged in any case.
        0 => quiet.as_str(),
        1 => "limpet=info,warn",
        2 => "limpet=debug,info",
        _ => "trace",
    };
    let filter = EnvFilter::builder().parse(filter.unwrap_or(default))?;
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let subscriber = subscriber.with_ansi(io::stderr().is_terminal());
    match format {
        LogFormat::Text => subscriber.with_target(false).init(),
        LogFormat::Json => subscriber.json().flatten_event(true).init(),
    }
    Ok(())
}

/// Returns the value of `LIMPET_LOG`, if it is set and not empty.
#[must_use]
pub fn filter_from_environment() -> Option<String> {
    std::env::var(VARIABLE).ok().filter(|filter| !filter.is_empty())
}
