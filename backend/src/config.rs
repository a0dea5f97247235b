//! From the command line to what the server runs by.
//!
//! The layers, each above the one before: built-in defaults, the environment, arguments. [`Args`] is what was written;
//! [`Config`] is what it means, checked, and the only thing that travels further.

mod args;
mod base_path;
mod token;
mod values;

use std::{ffi::OsString, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use limpet_shared::{Flow, Sizing};

pub use self::{
    args::{Args, Command, Format, LogFormat},
    base_path::BasePath,
    token::{Token, TokenError},
};
use crate::{
    session::{self, Saving},
    state::{StateDir, StateError},
};

/// Everything the server needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Below which path everything is served.
    pub base_path: BasePath,
    /// The secret.
    pub token: Token,
    /// The file that it is from.
    pub token_file: Option<PathBuf>,
    /// Whether it was made up, for nobody has chosen one.
    is_token_random: bool,
    /// Names by which the server may be called, beside loopback names and numeric addresses.
    pub hosts: Vec<String>,
    /// Pages of other origins that may use the server.
    pub origins: Vec<String>,
    /// How many sessions, and how much of each.
    pub limits: session::Limits,
    /// What is started by default; the user's login shell if absent.
    pub command: Option<Vec<OsString>>,
    /// Where it is started.
    pub cwd: Option<PathBuf>,
    /// Where sessions are saved, to be started again after a reboot.
    pub state_dir: Option<PathBuf>,
    /// Whether what is on their screens is saved as well.
    pub saves_output: bool,
    /// Whose size a terminal has.
    pub sizing: Sizing,
    /// Whether programs wait for viewers.
    pub flow: Flow,
    /// Threads that run the server; 1 runs everything on one.
    pub worker_threads: Option<usize>,
    /// Whether to open the link in a browser.
    pub open: bool,
    /// How the link is printed.
    pub format: Format,
    /// How events are logged.
    pub log_format: LogFormat,
    /// How much is logged: 0 is warnings.
    pub verbosity: u8,
    /// How often viewers are asked for a sign of life.
    pub heartbeat: Duration,
}

/// Why the server cannot run as it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The token cannot be used.
    #[error("{from}: {source}")]
    Token {
        /// Where it was taken from.
        from: String,
        /// What is wrong with it.
        source: TokenError,
    },
    /// The working directory is none.
    #[error("--cwd {}: {source}; name a directory that exists", cwd.display())]
    Cwd {
        /// The directory that was asked for.
        cwd: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

impl Config {
    /// What the arguments mean, with the token from the environment (`LIMPET_TOKEN`) if there is one. It is no argument,
    /// since those can be seen by every user of the machine.
    ///
    /// # Errors
    /// When they ask for something that cannot be.
    pub fn new(args: Args, token: Option<&str>) -> Result<Self, ConfigError> {
        let is_token_random = args.token_file.is_none() && token.is_none();
        let token = match (&args.token_file, token) {
            (Some(path), _) => Token::read(path).map_err(|source| ConfigError::Token {
                from: format!("--token-file {}", path.display()),
                source,
            })?,
            (None, Some(text)) => Token::new(text)
                .map_err(|source| ConfigError::Token { from: "LIMPET_TOKEN".to_owned(), source })?,
            (None, None) => Token::random(),
        };
        if let Some(cwd) = &args.cwd {
            std::fs::read_dir(cwd).map_err(|source| ConfigError::Cwd { cwd: cwd.clone(), source })?;
        }
        Ok(Self {
            listen: args.listen,
            base_path: args.base_path,
            token,
            token_file: args.token_file,
            is_token_random,
            hosts: args.allow_host,
            origins: args.allow_origin,
            limits: session::Limits {
                sessions: args.max_sessions,
                tail: args.tail,
                scrollback: args.scrollback as usize,
            },
            command: Some(args.command).filter(|words| !words.is_empty()),
            cwd: args.cwd,
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
        })
    }

    /// Takes the directory that sessions are saved in, if there is one.
    pub(crate) fn saving(&self) -> Result<Option<Saving>, StateError> {
        let Some(dir) = &self.state_dir else { return Ok(None) };
        Ok(Some(Saving { dir: Arc::new(StateDir::open(dir)?), with_output: self.saves_output }))
    }

    /// Goes on with the secret of an earlier server, unless somebody has chosen one.
    pub fn keep_token(&mut self, token: &str) {
        if let (true, Ok(token)) = (self.is_token_random, Token::new(token)) {
            self.token = token;
        }
    }
}
