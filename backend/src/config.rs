//! The server's configuration, from the command line to the checked values.
//!
//! The layers, each overriding the one before: built-in defaults, the environment, arguments.
//! [`Args`] holds the arguments as written. [`Config`] holds what they mean, checked; the rest of
//! the server uses only [`Config`].

mod args;
mod base_path;
mod strength;
mod token;
mod value_parsers;

use std::{
    env,
    ffi::OsString,
    fs,
    net::SocketAddr,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use limpet_pty::check_enterable;
use limpet_shared::{Flow, Sizing};

pub use self::{
    args::{Args, Command, Format, LinkArgs, LogFormat},
    base_path::BasePath,
    token::{Token, TokenError},
};
use crate::{
    descriptor_budget::DescriptorBudget,
    session::{self, SessionSaver},
    session_files::{StateDir, StateError},
};

/// The checked configuration of the server.
#[derive(Clone, Debug)]
pub struct Config {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Path below which everything is served.
    pub base_path: BasePath,
    /// The secret.
    pub token: Token,
    /// The file that the token comes from.
    pub token_file: Option<PathBuf>,
    /// The token file, if it has just been created.
    pub created_token_file: Option<PathBuf>,
    /// Names by which clients may address the server, besides loopback names and numeric addresses.
    pub hosts: Vec<String>,
    /// Pages of other origins that may use the server.
    pub origins: Vec<String>,
    /// Maximum numbers of sessions, connections and attachments, derived from the available
    /// descriptors.
    pub budget: DescriptorBudget,
    /// Maximum number of sessions, and the limits of each.
    pub limits: session::Limits,
    /// The program that sessions run by default, or `None` for the user's login shell.
    pub command: Option<Vec<OsString>>,
    /// The absolute path of the directory in which it starts, if known.
    pub cwd: Option<PathBuf>,
    /// The directory in which sessions are saved, to be started again after a reboot.
    pub state_dir: Option<PathBuf>,
    /// Set if the contents of screens are saved as well.
    pub saves_output: bool,
    /// The rule that decides a terminal's size.
    pub sizing: Sizing,
    /// The rule that decides whether programs wait for viewers.
    pub flow: Flow,
    /// Number of threads that run sessions; 1 runs the whole server on a single thread.
    pub worker_threads: Option<usize>,
    /// Set if the link is opened in a browser.
    pub open: bool,
    /// Output format of the link.
    pub format: Format,
    /// Format of log events.
    pub log_format: LogFormat,
    /// Verbosity of the log; 0 logs warnings.
    pub verbosity: u8,
    /// Interval between heartbeats to viewers.
    pub heartbeat: Duration,
}

/// The reason why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The token cannot be used.
    #[error("{from}: {source}")]
    Token {
        /// The option or variable that it comes from.
        from: String,
        /// The reason why it is refused.
        source: TokenError,
    },
    /// The working directory cannot be used.
    #[error("--cwd {}: {source}; name a directory that exists", cwd.display())]
    Cwd {
        /// The requested directory.
        cwd: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
}

impl Config {
    /// Resolves the arguments, with the token from the environment (`LIMPET_TOKEN`) if it is set.
    /// The token is not an argument, because every user of the machine can see those. A missing
    /// token file is created.
    ///
    /// # Errors
    /// When the token or the working directory cannot be used.
    pub fn new(args: Args, token: Option<&str>) -> Result<Self, ConfigError> {
        let (token, is_new) = match (&args.token_file, token) {
            (Some(path), _) => Token::read_or_create(path).map_err(|source| from_file(path, source))?,
            (None, Some(text)) => (from_environment(text)?, false),
            (None, None) => (Token::random(), false),
        };
        let created_token_file = args.token_file.clone().filter(|_| is_new);
        if let Some(cwd) = &args.cwd {
            check_enterable(cwd).map_err(|source| ConfigError::Cwd { cwd: cwd.clone(), source })?;
        }
        Ok(Self { created_token_file, ..Self::with_token(args, token) })
    }

    /// Returns the configuration of a server that takes over running sessions. A file that has
    /// changed in the meantime must not make it fail, so a token that cannot be read is logged and
    /// the token of the `predecessor` stays valid.
    #[must_use]
    pub fn for_successor(args: Args, token: Option<&str>, predecessor: Token) -> Self {
        let chosen = match (&args.token_file, token) {
            (Some(path), _) => Some(Token::read(path).map_err(|source| from_file(path, source))),
            (None, text) => text.map(from_environment),
        };
        let chosen = chosen.and_then(|chosen| {
            chosen.inspect_err(|error| tracing::error!("{error}; the previous token stays valid")).ok()
        });
        Self::with_token(args, chosen.unwrap_or(predecessor))
    }

    fn with_token(args: Args, token: Token) -> Self {
        let here = working_directory();
        let cwd = match (here, &args.cwd) {
            (Some(here), Some(cwd)) => Some(here.join(cwd)),
            (here, cwd) => cwd.clone().or(here),
        };
        let budget = DescriptorBudget::of_this_process(args.max_sessions);
        Self {
            created_token_file: None,
            listen: args.listen,
            base_path: args.base_path,
            token,
            token_file: args.token_file,
            hosts: args.allow_host,
            origins: args.allow_origin,
            budget,
            limits: session::Limits {
                sessions: budget.sessions,
                open_files: (budget.sessions < args.max_sessions).then_some(budget.open_files),
                tail: args.tail,
                scrollback: args.scrollback as usize,
            },
            command: Some(args.command).filter(|words| !words.is_empty()),
            cwd,
            state_dir: args.state_dir,
            saves_output: args.state_output,
            sizing: args.sizing,
            flow: args.flow,
            worker_threads: args.worker_threads,
            open: args.open,
            format: args.format,
            log_format: args.log_format,
            verbosity: args.verbose,
            heartbeat: Duration::from_millis(args.heartbeat_ms),
        }
    }

    /// Opens the directory in which sessions are saved, if one is configured.
    pub(crate) fn open_state_dir(&self) -> Result<Option<SessionSaver>, StateError> {
        let Some(dir) = &self.state_dir else { return Ok(None) };
        Ok(Some(SessionSaver { dir: Arc::new(StateDir::open(dir)?), with_output: self.saves_output }))
    }
}

fn from_file(path: &Path, source: TokenError) -> ConfigError {
    ConfigError::Token { from: format!("--token-file {}", path.display()), source }
}

fn from_environment(text: &str) -> Result<Token, ConfigError> {
    Token::new(text).map_err(|source| ConfigError::Token { from: "LIMPET_TOKEN".to_owned(), source })
}

/// Returns the current directory under the name that the shell uses (`PWD`), which may contain
/// symbolic links. It is returned even if it has been removed.
fn working_directory() -> Option<PathBuf> {
    let named = env::var_os("PWD").map(PathBuf::from).filter(|named| named.is_absolute());
    let identity = |path: &Path| fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino())).ok();
    match env::current_dir() {
        Ok(here) => named.filter(|named| identity(named) == identity(&here)).or(Some(here)),
        // The directory has been removed. The kernel still knows its path (proc(5)).
        Err(_) => fs::read_link("/proc/self/cwd").ok(),
    }
}
