//! The HTTP side: bodies of requests and answers, all JSON.
//!
//! | request | body | answer |
//! |---|---|---|
//! | `POST {base}/api/login` | [`Login`] | the cookie, and [`Access`] with a key, or 401 |
//! | `POST {base}/api/logout` | | 204, and the cookie is cleared |
//! | `GET {base}/api/sign-ins` | | array of [`SignIn`] |
//! | `DELETE {base}/api/sign-ins/{id}` | | 204 |
//! | `GET {base}/api/sessions` | | array of [`SessionInfo`] |
//! | `POST {base}/api/sessions` | [`CreateSession`] | 201 and [`SessionInfo`] |
//! | `GET {base}/api/sessions/{id}` | | [`SessionDetails`] |
//! | `PATCH {base}/api/sessions/{id}` | [`UpdateSession`] | [`SessionInfo`] |
//! | `DELETE {base}/api/sessions/{id}` | | 204; with `?jobs=keep` background jobs keep running |
//! | `POST {base}/api/sessions/{id}/attach` | | 204 if a WebSocket would be opened there, or why not |
//! | `GET {base}/api/sessions/{id}/screen` | | the screen as text, or as [`Screen`] if `Accept` prefers JSON |
//! | `GET {base}/api/sessions/{id}/passes` | | array of [`Pass`] |
//! | `GET {base}/api/access` | | [`Access`] |
//! | `GET` or `POST {base}/api/health` | | [`Health`]; needs no credentials |
//!
//! An answer that is no success has an [`ApiError`] as its body.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{ErrorCode, ExitStatus, Flow, Role, SessionId, SignInKey, Sizing, message::is_default};

/// The header that brings the key of a sign-in, beside the cookie. A browser sends a cookie to every port of a host, but only
/// the page of this origin can read the key.
pub const KEY_HEADER: &str = "limpet-key";

/// The token or the pass from the link, to be exchanged for a cookie and a key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// The secret itself.
    pub token: String,
}

/// One session, as lists show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionInfo {
    /// Its name in URLs.
    pub id: SessionId,
    /// What its user called it, else what its program did, else the program's name.
    pub title: String,
    /// The program and its arguments; only an owner is told, since arguments may be secret.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Columns in force.
    pub cols: u16,
    /// Rows in force.
    pub rows: u16,
    /// When it was started, in milliseconds since the Unix epoch.
    pub created: u64,
    /// How many viewers are attached.
    pub viewers: u32,
    /// How its program ended; `null` while it runs.
    pub exit: Option<ExitStatus>,
    /// What the one who asks may do with it.
    pub role: Role,
    /// Whose size it has.
    pub sizing: Sizing,
    /// Whether its program waits for viewers.
    pub flow: Flow,
}

/// One session, as its own address shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionDetails {
    /// What lists show.
    #[serde(flatten)]
    pub info: SessionInfo,
    /// Names of the programs that run in it; a login shell that only waits at its prompt is not counted. Empty for guests.
    pub running: Vec<String>,
    /// Names of those that may keep running when the session is closed with `jobs=keep`: they are in the background, or ignore `SIGHUP`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub background: Vec<String>,
}

/// What is on a session's screen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Screen {
    /// Columns.
    pub cols: u16,
    /// Rows.
    pub rows: u16,
    /// The session's title.
    pub title: String,
    /// Where the cursor is.
    pub cursor: ScreenCursor,
    /// Whether this is the alternate screen, of a program that uses all of it.
    pub alternate: bool,
    /// The rows from the top, without blanks at their ends.
    pub lines: Vec<String>,
}

/// Where a screen's cursor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScreenCursor {
    /// Column, counted from 0.
    pub x: u16,
    /// Row, counted from 0.
    pub y: u16,
    /// Whether it is shown.
    pub visible: bool,
}

/// What to start. Every field may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CreateSession {
    /// A session that this one is to be like: what is left out here is as it was there, not as the server's defaults
    /// say. This is how a program is started again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub like: Option<SessionId>,
    /// Whether what is on the screen of that session, with its scrollback, stands above the new program's output. Without `like` it
    /// has no effect.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub keep_output: bool,
    /// The program and its arguments; the server's own default when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// Its working directory; the server's default when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// Variables to set beside those of the server.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Columns; 80 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cols: Option<u16>,
    /// Rows; 24 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u16>,
    /// A title that the program's own ones do not replace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Whose size it has; the server's default when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sizing: Option<Sizing>,
    /// Whether the program waits for viewers; the server's default when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flow: Option<Flow>,
}

/// What to change. What is left out stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpdateSession {
    /// A title that the program's own ones do not replace; an empty one lets the program name itself again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Whose size it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sizing: Option<Sizing>,
    /// Whether the program waits for viewers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flow: Option<Flow>,
    /// Columns to put in force; they stay as long as `sizing` does not find others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cols: Option<u16>,
    /// Rows to put in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u16>,
}

/// Lets somebody in to one session. It stands where the token stands: in a link, and in an `Authorization` header.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pass {
    /// What it allows.
    pub role: Role,
    /// The secret itself.
    pub token: String,
}

/// What the credentials allow of which the question was asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Access {
    /// Whether that is everything; if not, it is what `role` says of each session.
    pub owner: bool,
    /// The sessions that they lead to.
    pub sessions: Vec<SessionInfo>,
    /// The half of the new sign-in that the page keeps; only the answer to a log-in has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<SignInKey>,
}

/// A browser that is signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignIn {
    /// Its name in URLs. It is no secret.
    pub id: String,
    /// Whether it allows everything; if not, it is what `passes` say.
    pub owner: bool,
    /// The sessions that a guest was let in to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passes: Vec<SignInPass>,
    /// When it was made, in milliseconds since the Unix epoch.
    pub created: u64,
    /// When it was used last, in milliseconds since the Unix epoch.
    pub used: u64,
    /// The address that it was made from; empty if that is not known.
    #[serde(default, skip_serializing_if = "is_default")]
    pub from: String,
    /// What the browser calls itself (RFC 9110, 10.1.5); empty if it does not.
    #[serde(default, skip_serializing_if = "is_default")]
    pub agent: String,
    /// How many viewers are attached by it now.
    pub viewers: u32,
    /// Whether it is the one that asks.
    #[serde(default, skip_serializing_if = "is_default")]
    pub you: bool,
}

/// What a guest's sign-in allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignInPass {
    /// At which session.
    pub session: SessionId,
    /// To do what.
    pub role: Role,
}

/// That the server lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Its version.
    pub version: String,
}

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiError {
    /// Its stable name.
    pub code: ErrorCode,
    /// What happened and what to do, for people.
    pub message: String,
}
