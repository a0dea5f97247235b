//! Starting a program on a new terminal.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    io,
    os::{fd::OwnedFd, unix::process::CommandExt},
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
};

use limpet_shared::Winsize;
use nix::{
    sys::resource::rlim_t,
    unistd::{Uid, User},
};

use super::sys;
use crate::exhausted::{self, Acquiring};

/// Variables of the server's own environment that would mislead a program about its terminal or its service manager, or are secret.
const WITHHELD: [&str; 14] = [
    "COLUMNS",
    "FDSTORE",
    "LINES",
    "LIMPET_LOG",
    "LIMPET_TOKEN",
    "LISTEN_FDNAMES",
    "LISTEN_FDS",
    "LISTEN_PID",
    "NOTIFY_SOCKET",
    "STY",
    "TERMCAP",
    "TMUX",
    "TMUX_PANE",
    "WINDOWID",
];

/// Shells, by their files' names.
const SHELLS: [&str; 15] = [
    "ash", "bash", "csh", "dash", "elvish", "fish", "ksh", "mksh", "nu", "pwsh", "rbash", "sh", "tcsh",
    "xonsh", "zsh",
];

/// What to start, and in which surroundings.
#[derive(Clone, Debug)]
pub struct Program {
    /// The file to execute; looked for on the `PATH` when it has no slash.
    pub file: OsString,
    /// What the program sees as its own name. A shell whose name starts with `-` is a login shell.
    pub argv0: OsString,
    /// The arguments after the name.
    pub args: Vec<OsString>,
    /// Its working directory; the server's own when absent.
    pub cwd: Option<PathBuf>,
    /// Variables to set beside those of the server.
    pub env: BTreeMap<String, String>,
    /// Soft and hard limit of open files, where they are to differ from the server's own.
    pub nofile: Option<(rlim_t, rlim_t)>,
}

/// Why a program could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The system has run out of something.
    #[error("{0}")]
    Exhausted(String),
    /// The program, its arguments and its environment do not fit into one message to the keeper.
    #[error("the command and its environment are too large; pass less")]
    TooLarge,
    /// There is no terminal for another reason.
    #[error("could not open a terminal: {0}")]
    Open(#[source] io::Error),
    /// The working directory is none.
    #[error("could not start in {}: {source}", cwd.display())]
    Cwd {
        /// The directory that was asked for.
        cwd: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// There is no such program, or it must not be executed.
    #[error("could not start {}: {source}", file.display())]
    Exec {
        /// The program that was asked for.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl SpawnError {
    /// Why there is nothing to start a program with.
    pub(crate) fn opening(source: io::Error) -> Self {
        Self::from_io(source, Acquiring::Descriptor, Self::Open)
    }

    fn from_io(source: io::Error, acquiring: Acquiring, otherwise: impl FnOnce(io::Error) -> Self) -> Self {
        exhausted::describe(&source, acquiring).map_or_else(|| otherwise(source), Self::Exhausted)
    }
}

impl Program {
    /// The user's login shell: `SHELL`, else what the user database says, else `/bin/sh`, named with a leading `-`.
    #[must_use]
    pub fn login_shell() -> Self {
        let from_env = std::env::var_os("SHELL").map(PathBuf::from).filter(|shell| shell.is_absolute());
        let from_database = || User::from_uid(Uid::current()).ok().flatten().map(|user| user.shell);
        let exists = |shell: &PathBuf| shell.is_file();
        let shell = from_env.filter(exists).or_else(|| from_database().filter(exists));
        let shell = shell.unwrap_or_else(|| "/bin/sh".into());
        let mut argv0 = OsString::from("-");
        argv0.push(shell.file_name().unwrap_or(OsStr::new("sh")));
        Self { argv0, ..Self::new(shell.into(), Vec::new()) }
    }

    /// A program by its file and arguments.
    #[must_use]
    pub fn new(file: OsString, args: Vec<OsString>) -> Self {
        Self { argv0: file.clone(), file, args, cwd: None, env: BTreeMap::new(), nofile: None }
    }

    /// The name that people know the program by: its file's, without the folders.
    #[must_use]
    pub fn name(&self) -> String {
        let file = Path::new(&self.file);
        file.file_name().unwrap_or(&self.file).to_string_lossy().into_owned()
    }

    /// Whether it is a shell that people talk to, which at its prompt is not at work: a known one, given nothing to run.
    #[must_use]
    pub fn is_interactive_shell(&self) -> bool {
        let given = |arg: &OsString| match arg.as_encoded_bytes() {
            [b'-', b'-', ..] => false,
            [b'-', options @ ..] => options.contains(&b'c'),
            _ => true,
        };
        SHELLS.contains(&self.name().as_str()) && !self.args.iter().any(given)
    }

    /// The program and its arguments, as people read them.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let words = std::iter::once(&self.file).chain(&self.args);
        words.map(|word| word.to_string_lossy().into_owned()).collect()
    }

    fn command(&self, slave: OwnedFd) -> io::Result<Command> {
        let mut command = Command::new(&self.file);
        command.arg0(&self.argv0).args(&self.args);
        for name in WITHHELD {
            command.env_remove(name);
        }
        command.envs([
            ("TERM", "xterm-256color"),
            ("COLORTERM", "truecolor"),
            ("TERM_PROGRAM", "limpet"),
            ("TERM_PROGRAM_VERSION", env!("CARGO_PKG_VERSION")),
        ]);
        if ["LC_ALL", "LC_CTYPE", "LANG"].iter().all(|name| std::env::var_os(name).is_none()) {
            command.env("LANG", "C.UTF-8");
        }
        command.envs(&self.env);
        if let Some(cwd) = &self.cwd {
            command.current_dir(cwd).env("PWD", cwd);
        }
        command.stdin(slave.try_clone()?).stdout(slave.try_clone()?).stderr(Stdio::from(slave));
        sys::lead_terminal(&mut command, self.nofile);
        Ok(command)
    }
}

/// A program that has just been started on a terminal of its own.
#[derive(Debug)]
pub struct Started {
    /// The master side of the terminal, open and non-blocking.
    pub master: OwnedFd,
    /// The program. Whoever holds this has to reap it.
    pub child: process::Child,
}

/// Starts a program as the leader of a new process session on a new terminal.
///
/// # Errors
/// When there is no terminal to be had, or the program cannot be executed.
pub fn start(program: &Program, size: Winsize) -> Result<Started, SpawnError> {
    if let Some(cwd) = &program.cwd {
        let no_directory = |source| SpawnError::Cwd { cwd: cwd.clone(), source };
        let read = std::fs::read_dir(cwd);
        read.map_err(|source| SpawnError::from_io(source, Acquiring::Descriptor, no_directory))?;
    }
    let (master, slave) = super::open(size)
        .map_err(|source| SpawnError::from_io(source, Acquiring::Terminal, SpawnError::Open))?;
    // The command holds the slave side. It ends with this statement, and with it our last hold on that side.
    let spawned = program.command(slave).map_err(SpawnError::opening)?.spawn();
    let no_program = |source| SpawnError::Exec { file: PathBuf::from(&program.file), source };
    let child = spawned.map_err(|source| SpawnError::from_io(source, Acquiring::Process, no_program))?;
    Ok(Started { master, child })
}
