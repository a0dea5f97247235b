//! Where events go: standard error, readable or as JSON. Never a terminal's bytes, never a secret.

use std::io::{self, IsTerminal};

use tracing_subscriber::{EnvFilter, filter::ParseError};

use crate::{auth::AUDIT_TARGET, config::LogFormat};

/// Says in detail what is logged, in the syntax of [`EnvFilter`].
const VARIABLE: &str = "LIMPET_LOG";

/// Starts logging, for the rest of the process. `filter` is what `LIMPET_LOG` says, if anything.
///
/// # Errors
/// When `LIMPET_LOG` cannot be understood.
pub fn init(format: LogFormat, verbosity: u8, filter: Option<&str>) -> Result<(), ParseError> {
    let quiet = format!("{AUDIT_TARGET}=info,warn");
    let default = match verbosity {
        // Who was let in is noted in any case.
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

/// What `LIMPET_LOG` says.
#[must_use]
pub fn filter_from_environment() -> Option<String> {
    std::env::var(VARIABLE).ok().filter(|filter| !filter.is_empty())
}
