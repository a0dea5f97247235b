//! Starting a program on a new terminal.

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
use nix::{
    errno::Errno,
    sys::resource::rlim_t,
    unistd::{AccessFlags, eaccess},
};

use super::{login::Login, sys, withheld::is_withheld};
use crate::exhausted::{self, Acquiring};

/// The terminal that programs are told of.
pub(super) const TERM: &str = "xterm-256color";

/// Shells, by their files' names.
pub(super) const SHELLS: [&str; 15] = [
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
    #[error("could not start in {}: {source}; name a directory that exists", cwd.display())]
    Cwd {
        /// The directory that was asked for.
        cwd: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// There is no such program, or it must not be executed.
    #[error(
        "could not start {}: {source}; check that it is spelled right, installed, and in a directory of limpet's PATH",
        file.display()
    )]
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
    /// The user's [shell](Login::shell) as a login shell: named with a leading `-`.
    #[must_use]
    pub fn login_shell(login: &Login) -> Self {
        let shell = login.shell();
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

    /// Checks that there is a file to execute, as execvp(3) looks for it. Whether it can be executed shows when it is.
    ///
    /// # Errors
    /// Why a file of that name cannot be executed, else `ENOENT`.
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

    /// The program and its arguments, as people read them.
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
        // What was asked for counts most.
        command.envs(&self.env);
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

/// Starts a program as the leader of a new process session on a new terminal, in the environment of this user.
///
/// # Errors
/// When there is no terminal to be had, or the program cannot be executed.
pub fn start(program: &Program, size: Winsize, login: &Login) -> Result<Started, SpawnError> {
    let check_cwd = || match &program.cwd {
        Some(cwd) => check_enterable(cwd).map_err(|source| SpawnError::Cwd { cwd: cwd.clone(), source }),
        None => Ok(()),
    };
    check_cwd()?;
    let (master, slave) = super::open(size)
        .map_err(|source| SpawnError::from_io(source, Acquiring::Terminal, SpawnError::Open))?;
    // The command holds the slave side. It ends with this statement, and with it our last hold on that side.
    let spawned = program.command(login, slave).map_err(SpawnError::opening)?.spawn();
    match spawned {
        Ok(child) => Ok(Started { master, child }),
        Err(source) => {
            // It may have gone in between.
            check_cwd()?;
            let no_program = |source| SpawnError::Exec { file: PathBuf::from(&program.file), source };
            Err(SpawnError::from_io(source, Acquiring::Process, no_program))
        }
    }
}

fn check_executable(path: &Path) -> io::Result<()> {
    if path.metadata()?.is_dir() {
        return Err(Errno::EISDIR.into());
    }
    Ok(eaccess(path, AccessFlags::X_OK)?)
}

/// Checks that a path is a directory and that this user may enter it. It need not be readable.
///
/// # Errors
/// Those of access(2), and `ENOTDIR`.
pub fn check_enterable(directory: &Path) -> io::Result<()> {
    if !directory.metadata()?.is_dir() {
        return Err(Errno::ENOTDIR.into());
    }
    Ok(eaccess(directory, AccessFlags::X_OK)?)
}
