//! Starts programs on new terminals.

use std::{
    collections::BTreeMap,
    env,
    ffi::{OsStr, OsString},
    io,
    os::{fd::OwnedFd, unix::process::CommandExt},
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
};

use limpet_shared::Winsize;
use limpet_sys::{
    exhausted::{self, ResourceKind},
    terminal::lead_terminal,
};
use nix::{
    errno::Errno,
    sys::resource::rlim_t,
    unistd::{AccessFlags, eaccess},
};

use super::{login::Login, withheld::is_withheld};

/// Value of `TERM` for programs.
pub(super) const TERM: &str = "xterm-256color";

/// File names of known shells.
pub(super) const SHELLS: [&str; 15] = [
    "ash", "bash", "csh", "dash", "elvish", "fish", "ksh", "mksh", "nu", "pwsh", "rbash", "sh", "tcsh",
    "xonsh", "zsh",
];

/// A program to start, with its arguments and its environment.
#[derive(Clone, Debug)]
pub struct Program {
    /// The file to execute. Without a slash it is looked up in the `PATH`.
    pub file: OsString,
    /// The program's own name, as it sees it. A shell whose name starts with `-` is a login shell.
    pub argv0: OsString,
    /// The arguments after the name.
    pub args: Vec<OsString>,
    /// Its working directory. If absent, that of limpet.
    pub cwd: Option<PathBuf>,
    /// Variables to set in addition to those of limpet.
    pub env: BTreeMap<String, String>,
    /// Soft and hard limit of open files, if they differ from those of limpet.
    pub nofile: Option<(rlim_t, rlim_t)>,
}

/// The reason why a program could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The system has run out of a resource.
    #[error("{0}")]
    Exhausted(String),
    /// The program, its arguments and its environment do not fit into one message to the keeper.
    #[error("the command and its environment are too large; pass less")]
    TooLarge,
    /// The terminal could not be opened for another reason.
    #[error("could not open a terminal: {0}")]
    Open(#[source] io::Error),
    /// The working directory does not exist or may not be entered.
    #[error("could not start in {}: {source}; name a directory that exists", cwd.display())]
    Cwd {
        /// The requested directory.
        cwd: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The program does not exist or must not be executed.
    #[error(
        "could not start {}: {source}; check its spelling, and that it is installed in a directory of \
         limpet's PATH",
        file.display()
    )]
    Exec {
        /// The requested program.
        file: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
}

impl SpawnError {
    /// Returns the error for a failure to acquire the resources of a terminal.
    #[must_use]
    pub fn opening(source: io::Error) -> Self {
        Self::from_io(source, ResourceKind::Descriptor, Self::Open)
    }

    fn from_io(
        source: io::Error,
        acquiring: ResourceKind,
        otherwise: impl FnOnce(io::Error) -> Self,
    ) -> Self {
        exhausted::describe(&source, acquiring).map_or_else(|| otherwise(source), Self::Exhausted)
    }
}

impl Program {
    /// Returns the user's [shell](Login::shell) as a login shell: its name has a leading `-`.
    #[must_use]
    pub fn login_shell(login: &Login) -> Self {
        let shell = login.shell();
        let mut argv0 = OsString::from("-");
        argv0.push(shell.file_name().unwrap_or(OsStr::new("sh")));
        Self { argv0, ..Self::new(shell.into(), Vec::new()) }
    }

    /// Returns a program with this file and these arguments.
    #[must_use]
    pub fn new(file: OsString, args: Vec<OsString>) -> Self {
        Self { argv0: file.clone(), file, args, cwd: None, env: BTreeMap::new(), nofile: None }
    }

    /// Returns the program's name for people: its file name without directories.
    #[must_use]
    pub fn name(&self) -> String {
        let file = Path::new(&self.file);
        file.file_name().unwrap_or(&self.file).to_string_lossy().into_owned()
    }

    /// Reports whether the program is an interactive shell, which is idle at its prompt: a known
    /// shell that was given nothing to run.
    #[must_use]
    pub fn is_interactive_shell(&self) -> bool {
        let given = |arg: &OsString| match arg.as_encoded_bytes() {
            [b'-', b'-', ..] => false,
            [b'-', options @ ..] => options.contains(&b'c'),
            _ => true,
        };
        SHELLS.contains(&self.name().as_str()) && !self.args.iter().any(given)
    }

    /// Checks that there is a file to execute, by the lookup rules of execvp(3). Only its execution
    /// shows whether it can be executed.
    ///
    /// # Errors
    /// Returns the reason why a file of that name cannot be executed, or else `ENOENT`.
    pub fn check(&self, login: &Login) -> Result<(), SpawnError> {
        let file = Path::new(&self.file);
        let base = self.cwd.as_deref().unwrap_or(Path::new("."));
        let found = if self.file.as_encoded_bytes().contains(&b'/') {
            check_executable(&base.join(file))
        } else {
            let path = self.env.get("PATH").map(OsString::from);
            let missing = || login.variables().find_map(|(name, value)| (name == "PATH").then_some(value));
            let path = path.or_else(missing).or_else(|| env::var_os("PATH")).unwrap_or_default();
            let mut result = Err(Errno::ENOENT.into());
            for directory in env::split_paths(&path) {
                match check_executable(&base.join(directory).join(file)) {
                    Ok(()) => return Ok(()),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => result = Err(error),
                }
            }
            result
        };
        found.map_err(|source| SpawnError::Exec { file: PathBuf::from(&self.file), source })
    }

    /// Returns the program and its arguments for people to read.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let words = std::iter::once(&self.file).chain(&self.args);
        words.map(|word| word.to_string_lossy().into_owned()).collect()
    }

    fn command(&self, login: &Login, slave: OwnedFd) -> io::Result<Command> {
        let mut command = Command::new(&self.file);
        command.arg0(&self.argv0).args(&self.args);
        for (name, _) in env::vars_os().filter(|(name, value)| is_withheld(name, value)) {
            command.env_remove(name);
        }
        command.envs(login.variables());
        command.envs([
            ("TERM", TERM),
            ("COLORTERM", "truecolor"),
            ("TERM_PROGRAM", "limpet"),
            ("TERM_PROGRAM_VERSION", env!("CARGO_PKG_VERSION")),
        ]);
        if let Some(cwd) = &self.cwd {
            command.current_dir(cwd).env("PWD", cwd);
        }
        // The requested variables take precedence.
        command.envs(&self.env);
        command.stdin(slave.try_clone()?).stdout(slave.try_clone()?).stderr(Stdio::from(slave));
        lead_terminal(&mut command, self.nofile);
        Ok(command)
    }
}

/// A program that has just been started on a terminal of its own.
#[derive(Debug)]
pub struct Started {
    /// The master side of the terminal, open and non-blocking.
    pub master: OwnedFd,
    /// The program. The holder of this value has to reap it.
    pub child: process::Child,
}

/// Starts a program as the leader of a new process session on a new terminal, in the environment of
/// this user.
///
/// # Errors
/// Returns an error if no terminal can be opened or the program cannot be executed.
pub fn start(program: &Program, size: Winsize, login: &Login) -> Result<Started, SpawnError> {
    let check_cwd = || match &program.cwd {
        Some(cwd) => check_enterable(cwd).map_err(|source| SpawnError::Cwd { cwd: cwd.clone(), source }),
        None => Ok(()),
    };
    check_cwd()?;
    let (master, slave) = super::open(size)
        .map_err(|source| SpawnError::from_io(source, ResourceKind::Terminal, SpawnError::Open))?;
    // The command owns the slave side. Dropping it at the end of this statement closes our last
    // descriptor of that side.
    let spawned = program.command(login, slave).map_err(SpawnError::opening)?.spawn();
    match spawned {
        Ok(child) => Ok(Started { master, child }),
        Err(source) => {
            // The directory may have been removed in between.
            check_cwd()?;
            let no_program = |source| SpawnError::Exec { file: PathBuf::from(&program.file), source };
            Err(SpawnError::from_io(source, ResourceKind::Process, no_program))
        }
    }
}

fn check_executable(path: &Path) -> io::Result<()> {
    if path.metadata()?.is_dir() {
        return Err(Errno::EISDIR.into());
    }
    Ok(eaccess(path, AccessFlags::X_OK)?)
}

/// Checks that a path is a directory and that this user may enter it. The directory need not be
/// readable.
///
/// # Errors
/// Returns the errors of access(2), and `ENOTDIR`.
pub fn check_enterable(directory: &Path) -> io::Result<()> {
    if !directory.metadata()?.is_dir() {
        return Err(Errno::ENOTDIR.into());
    }
    Ok(eaccess(directory, AccessFlags::X_OK)?)
}
