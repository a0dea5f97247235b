//! Logs events to standard error, as text or as JSON. Terminal bytes and secrets are never logged.

use std::io::{self, IsTerminal};

use tracing_subscriber::{
    filter::{ParseError, Targets},
    fmt,
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

use crate::{auth::AUDIT_TARGET, config::LogFormat};

/// Environment variable that selects the logged events, in the syntax of [`Targets`].
const FILTER_VARIABLE: &str = "LIMPET_LOG";

/// Starts logging for the rest of the process. `filter` is the value of `LIMPET_LOG`, if it is set.
///
/// # Errors
/// Returns an error if `LIMPET_LOG` has invalid syntax.
pub fn init(format: LogFormat, verbosity: u8, filter: Option<&str>) -> Result<(), ParseError> {
    let warnings_and_audit = format!("{AUDIT_TARGET}=info,warn");
    let default = match verbosity {
        // Audit events are logged in any case.
        0 => warnings_and_audit.as_str(),
        1 => "limpet=info,warn",
        2 => "limpet=debug,info",
        _ => "trace",
    };
    let filter: Targets = filter.unwrap_or(default).parse()?;
    let log = fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    let registry = tracing_subscriber::registry().with(filter);
    match format {
        LogFormat::Text => registry.with(log.with_target(false)).init(),
        LogFormat::Json => registry.with(log.json().flatten_event(true)).init(),
    }
    Ok(())
}

/// Returns the value of `LIMPET_LOG`, if it is set and not empty.
#[must_use]
pub fn filter_from_environment() -> Option<String> {
    std::env::var(FILTER_VARIABLE).ok().filter(|filter| !filter.is_empty())
}
