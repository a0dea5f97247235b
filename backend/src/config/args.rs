//! The command line.

use std::{ffi::OsString, net::SocketAddr, path::PathBuf};

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

use limpet_shared::{Flow, Sizing};

use super::{
    BasePath,
    value_parsers::{parse_address, parse_bytes, parse_host, parse_origin, parse_positive},
};

const EXAMPLES: &str = "\
Examples:
  limpet                                  your login shell, on http://127.0.0.1:7707
  limpet -- htop                          any other program
  limpet --listen 0.0.0.0:7707            for other machines too; read the warning it prints
  limpet --token-file ~/.limpet-token     the same link every time; the file is created if missing
  limpet --base-path /shell               behind a reverse proxy
  limpet link                             the link again
  limpet upgrade                          after installing a new version; sessions keep running
  ssh -L 7707:127.0.0.1:7707 HOST limpet  on another machine, through a tunnel";

const USAGE: &str = "limpet [serve] [OPTIONS] [-- COMMAND [ARG]...]";

/// A shell that holds on: puts any terminal program into a browser.
#[derive(Debug, Parser)]
#[command(name = "limpet", version, after_help = EXAMPLES, override_usage = USAGE)]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    args: Args,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Serve sessions to browsers. This is the default command.
    #[command(after_help = EXAMPLES, override_usage = USAGE)]
    Serve(Box<Args>),
    /// Replace the running limpet with the installed version. Sessions keep running.
    Upgrade {
        /// The process id of the limpet to replace, if several run.
        pid: Option<u32>,
    },
    /// Print the link of the running limpet again. Only its user and the administrator may do so,
    /// and not from within one of its terminals.
    Link(LinkArgs),
}

/// The arguments of `limpet link`.
#[derive(Debug, ClapArgs)]
pub struct LinkArgs {
    /// The process id of the limpet, if several run.
    pub pid: Option<u32>,

    /// The output format of the link.
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    pub format: Format,
}

/// The command that limpet was called with.
#[derive(Debug)]
pub enum Command {
    /// Serve sessions.
    Serve(Box<Args>),
    /// Replace the running server, or the one with this process id if several run.
    Upgrade(Option<u32>),
    /// Print the link of a running server.
    Link(LinkArgs),
}

/// The arguments of `limpet serve`.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// The address and port to listen on; port 0 picks a free one.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:7707", value_parser = parse_address)]
    pub listen: SocketAddr,

    /// The path below which everything is served, for a reverse proxy that forwards only a part of
    /// its site.
    #[arg(long, value_name = "PATH", default_value = "/")]
    pub base_path: BasePath,

    /// The directory in which programs start [default: the current one]. If it no longer exists,
    /// they start in your home directory and say so.
    #[arg(long, value_name = "DIR")]
    pub cwd: Option<PathBuf>,

    /// A file that holds the secret of the link [default: `LIMPET_TOKEN`, else a new random secret
    /// each time]. It is created if it does not exist. Other users must not be able to read or
    /// write it.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,

    /// The number of threads that run sessions: one for keys and echoes, the others for floods of
    /// output. One more thread serves requests. 1 runs everything on a single thread [default: one
    /// for each core, at least two].
    #[arg(long, value_name = "N", value_parser = parse_positive)]
    pub worker_threads: Option<usize>,

    /// The maximum number of sessions at once.
    #[arg(long, value_name = "N", default_value = "256", value_parser = parse_positive)]
    pub max_sessions: usize,

    /// The amount of output that is kept of each session; a viewer that comes back gets no more
    /// than that.
    #[arg(long, value_name = "BYTES", default_value = "4MiB", value_parser = parse_bytes)]
    pub tail: usize,

    /// The number of lines that are kept of each session after they have scrolled out of the
    /// screen.
    #[arg(long, value_name = "LINES", default_value = "10000", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub scrollback: u32,

    /// The window that a terminal's size follows: a chosen one (`primary`), the `latest` one that
    /// was typed in, the `owner`'s, the `smallest` one, or none, so that the size stays `fixed`.
    #[arg(long, value_name = "WHOSE", default_value = "primary")]
    pub sizing: Sizing,

    /// The treatment of viewers that are too slow: `hold` pauses the program so that they skip
    /// nothing, `free` lets them skip at once, `auto` pauses the program briefly and then lets them
    /// skip.
    #[arg(long, value_name = "RULE", default_value = "auto")]
    pub flow: Flow,

    /// A directory in which sessions are saved, to be started again after a reboot with their
    /// order, titles, sizes and working directories. Their output is not saved unless
    /// `--state-output` is given. Other users must not be able to write to the directory.
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,

    /// Also save the contents of screens and scrollback. They may hold secrets; only you can read
    /// the files.
    #[arg(long, requires = "state_dir")]
    pub state_output: bool,

    /// A name by which the server may be addressed, besides loopback names and numeric addresses;
    /// may be repeated.
    #[arg(long, value_name = "NAME", value_parser = parse_host)]
    pub allow_host: Vec<String>,

    /// Another origin whose pages may use the server, such as `https://example.org`; may be
    /// repeated.
    #[arg(long, value_name = "ORIGIN", value_parser = parse_origin)]
    pub allow_origin: Vec<String>,

    /// Open the link in a browser.
    #[arg(long)]
    pub open: bool,

    /// The output format of the link. As text it is printed to a terminal only, so that it ends up
    /// in no journal; `limpet link` prints it again.
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    pub format: Format,

    /// The format of log events on standard error.
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    pub log_format: LogFormat,

    /// Log more: once for sessions and viewers, twice for the flow of data, three times for
    /// everything. `LIMPET_LOG` sets a detailed filter.
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,

    /// Milliseconds between heartbeats, for tests.
    #[arg(long, env = "LIMPET_HEARTBEAT_MS", hide = true, default_value = "15000", value_parser = clap::value_parser!(u64).range(10..))]
    pub heartbeat_ms: u64,

    /// The program to run and its arguments [default: your login shell].
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

/// Output format of the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Text for people.
    Text,
    /// A line of JSON with `url`, `listen` and `token`.
    Json,
}

/// Format of log events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Text for people.
    Text,
    /// A JSON object per line.
    Json,
}

impl Command {
    /// Parses the command line, and ends the process if it asks for help or is invalid.
    #[must_use]
    pub fn parse() -> Self {
        Cli::parse().into()
    }
}

impl Args {
    /// Parses `words` as if they followed `limpet`.
    ///
    /// # Errors
    /// When they ask for help or are invalid.
    pub fn try_from_words(words: &[&str]) -> Result<Self, clap::Error> {
        match Cli::try_parse_from(["limpet"].iter().chain(words))?.into() {
            Command::Serve(args) => Ok(*args),
            Command::Upgrade(_) | Command::Link(_) => {
                Err(clap::Error::new(clap::error::ErrorKind::InvalidSubcommand))
            }
        }
    }
}

impl From<Cli> for Command {
    fn from(cli: Cli) -> Self {
        match cli.verb {
            Some(Verb::Serve(args)) => Self::Serve(args),
            Some(Verb::Upgrade { pid }) => Self::Upgrade(pid),
            Some(Verb::Link(args)) => Self::Link(args),
            None => Self::Serve(Box::new(cli.args)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn the_verb_may_be_left_out() {
        for words in [
            &["--max-sessions", "3", "--", "htop", "-d", "5"][..],
            &["serve", "--max-sessions", "3", "--", "htop", "-d", "5"],
        ] {
            let args = Args::try_from_words(words).unwrap();
            assert_eq!(
                (args.max_sessions, args.command),
                (3, ["htop", "-d", "5"].map(OsString::from).to_vec())
            );
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for words in [
            ["--listen", "here"],
            ["--allow-host", "https://example.org"],
            ["--allow-origin", "example.org"],
            ["--worker-threads", "0"],
            ["--max-sessions", "0"],
            ["--tail", "x"],
            ["--base-path", "/a b"],
            ["--sizing", "largest"],
            ["--flow", "never"],
            ["--state-output", "--"],
        ] {
            assert!(Args::try_from_words(&words).is_err(), "{words:?}");
        }
    }
}
