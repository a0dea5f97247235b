//! Resolves a request for a session into a plan for starting it.

use std::{
    ffi::OsString,
    path::{self, PathBuf},
};

use limpet_pty::{Login, Program, SpawnError};
use limpet_shared::{Flow, Sizing, Winsize, WinsizeError, api::CreateSession};

use super::{SessionHandle, start_directory::StartDirectory};

/// Defaults for sessions whose request leaves something open.
#[derive(Clone, Debug, Default)]
pub struct SpawnDefaults {
    /// The program and its arguments; the user's login shell if absent.
    pub command: Option<Vec<OsString>>,
    /// Working directory; the user's home if absent.
    pub cwd: Option<PathBuf>,
    /// The user whose sessions they are.
    pub login: Login,
    /// The rule that decides the terminal's size.
    pub sizing: Sizing,
    /// The rule that decides when programs wait for viewers.
    pub flow: Flow,
}

/// The reason why a session could not be created.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The limit on sessions is reached.
    #[error(
        "the limit of {limit} sessions (--max-sessions) is reached; close one, or start limpet with a higher limit"
    )]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// The limit on sessions that follows from the limit of open files is reached.
    #[error(
        "the limit of {limit} sessions, which follows from the limit of {open_files} open files, is \
         reached; close one, or raise the limit of open files (ulimit -Hn, LimitNOFILE=) and start limpet \
         again"
    )]
    TooManyForOpenFiles {
        /// The limit on sessions.
        limit: usize,
        /// The limit of open files.
        open_files: usize,
    },
    /// No terminal can have the requested size.
    #[error(transparent)]
    BadSize(#[from] WinsizeError),
    /// The session that the new one was to be like is not known.
    #[error("the session to copy does not exist (any more); say what to start")]
    NoTemplate,
    /// The command has no program.
    #[error("the command is empty; give a program and its arguments, or leave it out for the default")]
    EmptyCommand,
    /// A text contains a NUL character, which no program can be given.
    #[error("{0} contains a NUL character, which the system does not allow")]
    NulCharacter(&'static str),
    /// The name is no name of an environment variable.
    #[error("'{0}' is not a valid name of an environment variable")]
    BadVariable(String),
    /// The program could not be started.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// The server is about to end.
    #[error("the server is ending; start it again")]
    ShuttingDown,
}

impl CreateError {
    /// Reports whether the same request may succeed later.
    pub(super) fn is_temporary(&self) -> bool {
        match self {
            Self::TooMany { .. } | Self::TooManyForOpenFiles { .. } | Self::ShuttingDown => true,
            Self::Spawn(error) => matches!(error, SpawnError::Exhausted(_)),
            Self::BadSize(_)
            | Self::NoTemplate
            | Self::EmptyCommand
            | Self::NulCharacter(_)
            | Self::BadVariable(_) => false,
        }
    }
}

/// All data that is needed to start a session.
#[derive(Debug)]
pub(super) struct SessionPlan {
    pub(super) program: Program,
    pub(super) size: Winsize,
    /// A title that the program's own titles do not replace.
    pub(super) title: Option<String>,
    pub(super) rules: (Sizing, Flow),
    /// Output that is shown before the program's.
    pub(super) note: Vec<u8>,
}

impl SessionPlan {
    /// Resolves a request. Whatever it leaves open is taken from the session that the new one is to
    /// be `like`, or else from the defaults.
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
            // A directory that the request names is not replaced: if it is missing,
            // the request fails.
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

/// Checks text from outside for characters that execve(2) and environ(7) do not allow.
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
