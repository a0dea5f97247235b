//! What is to be started, from what was asked for.

use std::{
    ffi::OsString,
    path::{self, PathBuf},
};

use limpet_shared::{Flow, Sizing, Winsize, WinsizeError, api::CreateSession};

use super::{SessionHandle, start_directory::StartDirectory};
use crate::pty::{Login, Program, SpawnError};

/// What is started when nobody says otherwise, and how.
#[derive(Clone, Debug, Default)]
pub struct SpawnDefaults {
    /// The program and its arguments; the user's login shell when absent.
    pub command: Option<Vec<OsString>>,
    /// Its working directory; the user's home when absent.
    pub cwd: Option<PathBuf>,
    /// Whose sessions they are.
    pub login: Login,
    /// Whose size a terminal has.
    pub sizing: Sizing,
    /// Whether programs wait for viewers.
    pub flow: Flow,
}

/// Why there is no new session.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// There are as many as there may be.
    #[error(
        "there are as many sessions as --max-sessions allows ({limit}); close one, or start limpet with a larger number"
    )]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// There are as many as the limit of open files allows.
    #[error(
        "there are as many sessions as the limit of open files, {open_files}, has room for ({limit}); close one, or raise \
         that limit (ulimit -Hn, LimitNOFILE=) and start limpet again"
    )]
    TooManyForOpenFiles {
        /// The limit of sessions.
        limit: usize,
        /// The limit of open files.
        open_files: usize,
    },
    /// No terminal has such a size.
    #[error(transparent)]
    BadSize(#[from] WinsizeError),
    /// The session that this one was to be like is not known.
    #[error("there is no session (any more) that this one could be like; say what to start")]
    NothingLikeIt,
    /// The command has no program.
    #[error("a command is a program and its arguments; leave it out to get the default one")]
    EmptyCommand,
    /// A text that no program can be given.
    #[error("{0} holds a NUL character, which no program can be given")]
    NulCharacter(&'static str),
    /// A name that no variable can have.
    #[error("'{0}' is no name of an environment variable")]
    BadVariable(String),
    /// The program could not be started.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// The server is about to end.
    #[error("the server is ending; start it again")]
    ShuttingDown,
}

impl CreateError {
    /// Whether the same request may be granted later.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::TooMany { .. } | Self::TooManyForOpenFiles { .. } | Self::ShuttingDown => true,
            Self::Spawn(error) => matches!(error, SpawnError::Exhausted(_)),
            Self::BadSize(_)
            | Self::NothingLikeIt
            | Self::EmptyCommand
            | Self::NulCharacter(_)
            | Self::BadVariable(_) => false,
        }
    }
}

/// All that has to be known to start a session.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) program: Program,
    pub(super) size: Winsize,
    /// A title that the program's own ones do not replace.
    pub(super) title: Option<String>,
    pub(super) rules: (Sizing, Flow),
    /// Output that is shown before the program's.
    pub(super) note: Vec<u8>,
}

impl Plan {
    /// What was asked for, with what was left out taken from the session that it is to be `like`, or from the defaults.
    pub(super) fn new(
        request: CreateSession,
        defaults: &SpawnDefaults,
        like: Option<&SessionHandle>,
    ) -> Result<Self, CreateError> {
        let status = like.map(|like| like.shared().status.borrow());
        let size = status.as_ref().map_or_else(Winsize::default, |status| status.size);
        let size = Winsize::cells(request.cols.unwrap_or(size.cols), request.rows.unwrap_or(size.rows));
        let (sizing, flow) =
            status.as_ref().map_or((defaults.sizing, defaults.flow), |status| (status.sizing, status.flow));
        let rules = (request.sizing.unwrap_or(sizing), request.flow.unwrap_or(flow));
        let title = request.title.or_else(|| status?.pinned_title().map(str::to_owned));

        let mut program = match (request.command, like) {
            (Some(words), _) => program(words.into_iter().map(OsString::from))?,
            (None, Some(like)) => like.shared().program.clone(),
            (None, None) => match &defaults.command {
                Some(words) => program(words.iter().cloned())?,
                None => Program::login_shell(&defaults.login),
            },
        };
        let model = like.map(|like| &like.shared().program);
        let note = if let Some(cwd) = request.cwd {
            // Whoever names a directory is told if it is not there.
            program.cwd = Some(path::absolute(&cwd).unwrap_or_else(|_| cwd.into()));
            Vec::new()
        } else {
            let wished = model.and_then(|model| model.cwd.as_deref()).or(defaults.cwd.as_deref());
            let directory = StartDirectory::choose(wished, defaults.login.home());
            let note = directory.output();
            program.cwd = Some(directory.path);
            note
        };
        program.env = model.map_or_else(Default::default, |model| model.env.clone());
        program.env.extend(request.env);
        check(&program)?;
        Ok(Self { program, size: size.checked()?, title, rules, note })
    }
}

fn program(mut words: impl Iterator<Item = OsString>) -> Result<Program, CreateError> {
    let file = words.next().filter(|file| !file.is_empty()).ok_or(CreateError::EmptyCommand)?;
    Ok(Program::new(file, words.collect()))
}

/// What comes from outside may hold what execve(2) and environ(7) cannot.
fn check(program: &Program) -> Result<(), CreateError> {
    let nul = |text: &OsString| text.as_encoded_bytes().contains(&0);
    if nul(&program.file) || program.args.iter().any(nul) {
        return Err(CreateError::NulCharacter("the command"));
    }
    if program.cwd.as_ref().is_some_and(|cwd| cwd.as_os_str().as_encoded_bytes().contains(&0)) {
        return Err(CreateError::NulCharacter("the working directory"));
    }
    for (name, value) in &program.env {
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(CreateError::BadVariable(name.escape_default().to_string()));
        }
        if value.contains('\0') {
            return Err(CreateError::NulCharacter("the environment"));
        }
    }
    Ok(())
}
