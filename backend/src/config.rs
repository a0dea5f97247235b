//! From the command line to what the server runs by.
//!
//! The layers, each above the one before: built-in defaults, the environment, arguments. [`Args`] is what was written;
//! [`Config`] is what it means, checked, and the only thing that travels further.

mod args;
mod base_path;
mod strength;
mod token;
mod values;

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

use limpet_shared::{Flow, Sizing};

pub use self::{
    args::{Args, Command, Format, LinkArgs, LogFormat},
    base_path::BasePath,
    token::{Token, TokenError},
};
use crate::{
    limits::DescriptorBudget,
    pty::check_enterable,
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
    /// The token file, if it has just been created.
    pub made_token_file: Option<PathBuf>,
    /// Names by which the server may be called, beside loopback names and numeric addresses.
    pub hosts: Vec<String>,
    /// Pages of other origins that may use the server.
    pub origins: Vec<String>,
    /// How many sessions, connections and attachments fit into the descriptors that there are.
    pub budget: DescriptorBudget,
    /// How many sessions, and how much of each.
    pub limits: session::Limits,
    /// What is started by default; the user's login shell if absent.
    pub command: Option<Vec<OsString>>,
    /// The absolute path of the directory where it is started, if known.
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
    /// since those can be seen by every user of the machine. A missing token file is created.
    ///
    /// # Errors
    /// When they ask for something that cannot be.
    pub fn new(args: Args, token: Option<&str>) -> Result<Self, ConfigError> {
        let (token, is_new) = match (&args.token_file, token) {
            (Some(path), _) => Token::read_or_create(path).map_err(|source| from_file(path, source))?,
            (None, Some(text)) => (from_environment(text)?, false),
            (None, None) => (Token::random(), false),
        };
        let made_token_file = args.token_file.clone().filter(|_| is_new);
        if let Some(cwd) = &args.cwd {
            check_enterable(cwd).map_err(|source| ConfigError::Cwd { cwd: cwd.clone(), source })?;
        }
        Ok(Self { made_token_file, ..Self::with_token(args, token) })
    }

    /// Returns the configuration of a server that takes over running sessions. It must not fail because a file has changed
    /// meanwhile, so a token that cannot be read is logged and that of the `predecessor` stays valid.
    #[must_use]
    pub fn of_successor(args: Args, token: Option<&str>, predecessor: Token) -> Self {
        let chosen = match (&args.token_file, token) {
            (Some(path), _) => Some(Token::read(path).map_err(|source| from_file(path, source))),
            (None, text) => text.map(from_environment),
        };
        let chosen = chosen.and_then(|chosen| {
            chosen.inspect_err(|error| tracing::error!("{error}; the token stays as it was")).ok()
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
            made_token_file: None,
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

    /// Takes the directory that sessions are saved in, if there is one.
    pub(crate) fn saving(&self) -> Result<Option<Saving>, StateError> {
        let Some(dir) = &self.state_dir else { return Ok(None) };
        Ok(Some(Saving { dir: Arc::new(StateDir::open(dir)?), with_output: self.saves_output }))
    }
}

fn from_file(path: &Path, source: TokenError) -> ConfigError {
    ConfigError::Token { from: format!("--token-file {}", path.display()), source }
}

fn from_environment(text: &str) -> Result<Token, ConfigError> {
    Token::new(text).map_err(|source| ConfigError::Token { from: "LIMPET_TOKEN".to_owned(), source })
}

/// Returns the current directory as the shell calls it (`PWD`), which may contain symbolic links, also if it has been removed.
fn working_directory() -> Option<PathBuf> {
    let named = env::var_os("PWD").map(PathBuf::from).filter(|named| named.is_absolute());
    let identity = |path: &Path| fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino())).ok();
    match env::current_dir() {
        Ok(here) => named.filter(|named| identity(named) == identity(&here)).or(Some(here)),
        // It has been removed. The kernel still knows its path (proc(5)).
        Err(_) => fs::read_link("/proc/self/cwd").ok(),
    }
}
