//! Messages between the server and its keeper.
//!
//! The two may be of different versions, since a keeper outlives upgrades of the server. So the
//! messages are versioned by [`WIRE_FORMAT`]: fields are only added, never changed, and an added
//! field has a default. Descriptors travel beside the messages, in the order that each message
//! documents.

use std::{collections::BTreeMap, ffi::OsString, fmt, io, os::unix::ffi::OsStringExt, path::PathBuf};

use limpet_pty::{Program, SpawnError};
use limpet_shared::{ExitStatus, SessionId, Winsize};
use nix::errno::Errno;
use serde::{Deserialize, Serialize};

/// Version of these messages. A keeper serves servers of its own format and of older ones.
pub(super) const WIRE_FORMAT: u32 = 1;

/// A message with the number that links an answer to its request.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Envelope<T> {
    pub(super) number: u64,
    #[serde(rename = "what")]
    pub(super) body: T,
}

/// A message from a server to its keeper.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Request {
    /// The first message of a server. Answered by [`Answer::Welcome`] once it is the only server.
    Hello { format: u32, version: String },
    /// Asks for the first session that an earlier server has left, or for the next one `after`
    /// this. Answered by [`Answer::Session`] or [`Answer::NoSession`].
    NextSession { after: Option<SessionId> },
    /// Asks for the resources of a session. Answered by [`Answer::Resources`]; the server may ask
    /// again if that does not arrive.
    #[serde(rename = "lend")]
    GetResources { session: SessionId },
    /// Reports that the server serves. The keeper stores the `record` for the next server, the
    /// `link` for `limpet link`, and the listening socket if it comes with the message. Answered by
    /// [`Answer::Stored`].
    Serving {
        record: String,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        link: String,
    },
    /// Starts a program on a terminal, creates memory for its output, and stores a record of its
    /// session. Answered by [`Answer::Started`].
    Start {
        session: SessionId,
        program: ProgramSpec,
        size: Winsize,
        tail: usize,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        record: String,
    },
    /// Reaps a program that has ended, and closes its terminal. Answered by [`Answer::Reaped`].
    Reap { session: SessionId },
    /// Stores a record of a session for the next server.
    Record { session: SessionId, record: String },
    /// Stores the checkpoint that comes with the message, in the place of the last one. It contains
    /// the offset at which it is valid. Answered by [`Answer::Stored`].
    Checkpoint { session: SessionId },
    /// Closes all resources of a session. A program that still runs is killed.
    Forget { session: SessionId },
    /// Announces that the server ends for good, and everything with it.
    End,
    /// Reports that the server is still at work on its current task: taking over, or ending.
    Progress,
    /// Reports that the server has answered a request since [`Request::Serving`].
    Answered,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_false(value: &bool) -> bool {
    !value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

/// A message from the keeper to a server.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum KeeperMessage {
    /// The launch message, sent before the server says hello.
    Launch(Launch),
    /// The answer to a request.
    Answer(Answer),
    /// Asks the server to part from its viewers and end, because another server is about to take
    /// over.
    Leave,
}

/// The data that a server is started with, in addition to arguments and environment, which other
/// processes can see.
#[derive(Default, Serialize, Deserialize)]
pub struct Launch {
    /// The token that the user has chosen through `LIMPET_TOKEN`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// True if the server runs without screens, because servers with screens kept crashing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_without_screens: bool,
}

impl fmt::Debug for Launch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The token must not appear in logs.
        f.debug_struct("Launch").field("is_without_screens", &self.is_without_screens).finish_non_exhaustive()
    }
}

/// The answer to a request.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Answer {
    /// The reply to a hello. If an earlier server has left a record, its listening socket comes
    /// with the message.
    Welcome {
        format: u32,
        record: Option<String>,
        /// True if the sessions outlive the keeper.
        #[serde(default, skip_serializing_if = "is_false")]
        is_stored: bool,
        /// Uptime in milliseconds before which the last server must have begun the work that may
        /// have killed it. 0 if it ended normally, or if there was none.
        #[serde(default, skip_serializing_if = "is_zero")]
        suspect_before: u64,
        /// True if another server continues if this one cannot take over all sessions.
        #[serde(default, skip_serializing_if = "is_false")]
        has_fallback: bool,
    },
    /// The data has been stored.
    #[serde(rename = "kept")]
    Stored,
    /// The program runs. Descriptors: memory, master side, pidfd, and the pipe for input.
    Started { pid: i32 },
    /// The program could not be started.
    NotStarted(Failure),
    /// The exit status of a program that has ended. `None` while it still runs, or while another
    /// process has yet to reap it.
    Reaped { exit: Option<ExitStatus> },
    /// A session that an earlier server has left.
    Session(SessionReport),
    /// There is no such session.
    NoSession,
    /// The resources of a session. Descriptors: memory; then master side, pidfd and pipe unless the
    /// program has been reaped; finally the checkpoint if there is one.
    #[serde(rename = "lent")]
    Resources { is_reaped: bool, has_checkpoint: bool },
    /// The request has failed, and nothing has changed.
    Failed { errno: Option<i32>, message: String },
}

/// A session that an earlier server has left.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct SessionReport {
    pub(super) session: SessionId,
    pub(super) record: String,
    pub(super) pid: i32,
    pub(super) exit: Option<ExitStatus>,
    pub(super) is_reaped: bool,
    pub(super) has_checkpoint: bool,
}

/// A program to start, in the form in which it is sent and stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProgramSpec {
    file: SystemString,
    argv0: SystemString,
    args: Vec<SystemString>,
    cwd: Option<SystemString>,
    env: BTreeMap<String, String>,
}

/// A string for the system, which need not be valid UTF-8.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum SystemString {
    Text(String),
    Bytes(Vec<u8>),
}

/// The reason why a program could not be started.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Failure {
    what: FailureKind,
    /// The `errno`, if there is one.
    errno: Option<i32>,
    message: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum FailureKind {
    Exhausted,
    Open,
    Cwd,
    Exec,
}

impl From<OsString> for SystemString {
    fn from(string: OsString) -> Self {
        string.into_string().map_or_else(|string| Self::Bytes(string.into_vec()), Self::Text)
    }
}

impl From<SystemString> for OsString {
    fn from(string: SystemString) -> Self {
        match string {
            SystemString::Text(text) => text.into(),
            SystemString::Bytes(bytes) => Self::from_vec(bytes),
        }
    }
}

impl From<&Program> for ProgramSpec {
    fn from(program: &Program) -> Self {
        let Program { file, argv0, args, cwd, env, nofile: _ } = program.clone();
        let cwd = cwd.map(|cwd| OsString::from(cwd).into());
        Self {
            file: file.into(),
            argv0: argv0.into(),
            args: args.into_iter().map(SystemString::from).collect(),
            cwd,
            env,
        }
    }
}

impl ProgramSpec {
    /// Converts it into a program that starts with these limits of open files.
    #[must_use]
    pub fn into_program(self, nofile: Option<(u64, u64)>) -> Program {
        let Self { file, argv0, args, cwd, env } = self;
        Program {
            file: file.into(),
            argv0: argv0.into(),
            args: args.into_iter().map(OsString::from).collect(),
            cwd: cwd.map(|cwd| PathBuf::from(OsString::from(cwd))),
            env,
            nofile,
        }
    }
}

impl From<SpawnError> for Failure {
    fn from(error: SpawnError) -> Self {
        let (what, source) = match error {
            SpawnError::Exhausted(message) => {
                return Self { what: FailureKind::Exhausted, errno: None, message };
            }
            SpawnError::TooLarge => (FailureKind::Open, Errno::E2BIG.into()),
            SpawnError::Open(source) => (FailureKind::Open, source),
            SpawnError::Cwd { source, .. } => (FailureKind::Cwd, source),
            SpawnError::Exec { source, .. } => (FailureKind::Exec, source),
        };
        Self { what, errno: source.raw_os_error(), message: source.to_string() }
    }
}

impl Answer {
    /// Returns the answer to a request that has failed.
    pub(super) fn failed(error: &io::Error) -> Self {
        Self::Failed { errno: error.raw_os_error(), message: error.to_string() }
    }
}

impl Failure {
    /// Returns the error for the caller that asked to start `program`.
    pub(super) fn into_error(self, program: &Program) -> SpawnError {
        let Self { what, errno, message } = self;
        let source = || errno.map_or_else(|| io::Error::other(message.clone()), io::Error::from_raw_os_error);
        match what {
            FailureKind::Exhausted => SpawnError::Exhausted(message),
            FailureKind::Open => SpawnError::Open(source()),
            FailureKind::Cwd => {
                SpawnError::Cwd { cwd: program.cwd.clone().unwrap_or_default(), source: source() }
            }
            FailureKind::Exec => SpawnError::Exec { file: PathBuf::from(&program.file), source: source() },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use serde::{Serialize, de::DeserializeOwned};
    use serde_json::Value;

    use super::*;

    /// Checks that a line written by a process of format 1 is understood, and is written the same
    /// way.
    fn check_pinned<T: Serialize + DeserializeOwned + Debug>(line: &str) -> T {
        let message: T = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        let (written, pinned): (Value, Value) =
            (serde_json::to_value(&message).unwrap(), serde_json::from_str(line).unwrap());
        assert_eq!(written, pinned);
        message
    }

    #[test]
    fn a_keeper_of_format_1_and_a_server_understand_each_other() {
        for line in [
            r#"{"number":1,"what":{"hello":{"format":1,"version":"0.1.0"}}}"#,
            r#"{"number":0,"what":{"serving":{"record":"text"}}}"#,
            r#"{"number":0,"what":{"serving":{"record":"text","link":"text"}}}"#,
            r#"{"number":2,"what":{"next-session":{"after":null}}}"#,
            r#"{"number":3,"what":{"next-session":{"after":"a"}}}"#,
            r#"{"number":4,"what":{"lend":{"session":"a"}}}"#,
            r#"{"number":2,"what":{"start":{"session":"a","program":{"file":"sh","argv0":[45,255],"args":["-c","x"],"cwd":"/tmp","env":{"A":"b"}},"size":{"cols":80,"rows":24},"tail":4194304}}}"#,
            r#"{"number":2,"what":{"start":{"session":"a","program":{"file":"sh","argv0":"sh","args":[],"cwd":null,"env":{}},"size":{"cols":80,"rows":24},"tail":0,"record":"text"}}}"#,
            r#"{"number":3,"what":{"reap":{"session":"a"}}}"#,
            r#"{"number":0,"what":{"record":{"session":"a","record":"text"}}}"#,
            r#"{"number":8,"what":{"checkpoint":{"session":"a"}}}"#,
            r#"{"number":0,"what":{"forget":{"session":"a"}}}"#,
            r#"{"number":0,"what":"end"}"#,
            r#"{"number":0,"what":"progress"}"#,
            r#"{"number":0,"what":"answered"}"#,
        ] {
            check_pinned::<Envelope<Request>>(line);
        }
        for line in [
            r#"{"number":0,"what":{"launch":{}}}"#,
            r#"{"number":0,"what":{"launch":{"token":"t","is_without_screens":true}}}"#,
            r#"{"number":1,"what":{"answer":{"welcome":{"format":1,"record":null}}}}"#,
            r#"{"number":1,"what":{"answer":{"welcome":{"format":1,"record":null,"is_stored":true}}}}"#,
            r#"{"number":1,"what":{"answer":{"welcome":{"format":1,"record":null,"suspect_before":7}}}}"#,
            r#"{"number":1,"what":{"answer":{"welcome":{"format":1,"record":"text","has_fallback":true}}}}"#,
            r#"{"number":1,"what":{"answer":"kept"}}"#,
            r#"{"number":2,"what":{"answer":{"started":{"pid":7}}}}"#,
            r#"{"number":2,"what":{"answer":{"not-started":{"what":"exec","errno":2,"message":"No such file"}}}}"#,
            r#"{"number":3,"what":{"answer":{"reaped":{"exit":{"code":3}}}}}"#,
            r#"{"number":2,"what":{"answer":{"not-started":{"what":"exhausted","errno":null,"message":"no more"}}}}"#,
            r#"{"number":4,"what":{"answer":{"session":{"session":"a","record":"text","pid":7,"exit":{"signal":9},"is_reaped":true,"has_checkpoint":false}}}}"#,
            r#"{"number":5,"what":{"answer":"no-session"}}"#,
            r#"{"number":6,"what":{"answer":{"lent":{"is_reaped":false,"has_checkpoint":true}}}}"#,
            r#"{"number":7,"what":{"answer":{"failed":{"errno":24,"message":"no more"}}}}"#,
            r#"{"number":0,"what":"leave"}"#,
        ] {
            check_pinned::<Envelope<KeeperMessage>>(line);
        }
        assert_eq!(WIRE_FORMAT, 1, "a new format keeps this test, and gets one of its own");
    }

    #[test]
    fn what_a_later_version_adds_is_passed_over() {
        let line = r#"{"number":1,"later":1,"what":{"hello":{"format":2,"version":"9","more":[]}}}"#;
        let Envelope { body, .. } = serde_json::from_str::<Envelope<Request>>(line).unwrap();
        assert!(matches!(body, Request::Hello { format: 2, .. }));
    }

    #[test]
    fn a_program_and_its_failure_arrive_as_they_are() {
        let mut program = Program::new("sh".into(), vec![OsString::from_vec(vec![b'a', 0xff]), "é".into()]);
        program.cwd = Some("/no such".into());
        program.env.insert("A".into(), "b".into());
        let sent: ProgramSpec =
            serde_json::from_str(&serde_json::to_string(&ProgramSpec::from(&program)).unwrap()).unwrap();
        let arrived = sent.into_program(Some((1, 2)));
        assert_eq!(
            (&arrived.file, &arrived.args, &arrived.cwd),
            (&program.file, &program.args, &program.cwd)
        );
        assert_eq!((arrived.env, arrived.nofile), (program.env.clone(), Some((1, 2))));
        let error = SpawnError::Cwd { cwd: "/no such".into(), source: io::Error::from_raw_os_error(2) };
        let words = error.to_string();
        assert_eq!(Failure::from(error).into_error(&program).to_string(), words);
    }
}
