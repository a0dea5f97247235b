//! The HTTP API: bodies of requests and responses, all JSON.
//!
//! | request | body | response |
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
//! | `POST {base}/api/sessions/{id}/attach` | | 204 if a WebSocket would open, else an error |
//! | `GET {base}/api/sessions/{id}/screen` | | text, or [`Screen`] if `Accept` prefers JSON |
//! | `GET {base}/api/sessions/{id}/passes` | | array of [`Pass`] |
//! | `GET {base}/api/access` | | [`Access`] |
//! | `GET {base}/api/events` | | server-sent [`events`](crate::events) |
//! | `GET` or `POST {base}/api/health` | | [`Health`]; needs no credentials |
//!
//! The body of every error response is an [`ApiError`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    ErrorCode, Flow, Role, SessionId, SessionSpec, SessionState, SignInKey, Sizing, message::is_default,
};

/// The header for the key of a sign-in, sent beside the cookie. A browser sends a cookie to every
/// port of a host, but only the page of this origin can read the key.
pub const KEY_HEADER: &str = "limpet-key";

/// The token or pass from a link, exchanged for a cookie and a key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// The secret.
    pub token: String,
}

/// A session as it appears in lists.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionInfo {
    /// Its id in URLs.
    pub id: SessionId,
    /// The requester's role in this session.
    pub role: Role,
    /// The program and its arguments. Only owners see them, since arguments may contain secrets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Decisions about it.
    #[serde(flatten)]
    pub spec: SessionSpec,
    /// State that changes by itself.
    #[serde(flatten)]
    pub state: SessionState,
}

impl SessionInfo {
    /// Returns what a client with this role may see of a session. `self` is the owner's view.
    #[must_use]
    pub fn seen_by(mut self, role: Role) -> Self {
        self.role = role;
        if role != Role::Owner {
            self.command.clear();
        }
        self
    }
}

/// A session as its own URL describes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionDetails {
    /// The fields that lists have as well.
    #[serde(flatten)]
    pub info: SessionInfo,
    /// Names of the programs that run in it, without a login shell that only waits at its prompt.
    /// Empty for guests.
    pub running: Vec<String>,
    /// Names of the programs that may keep running when the session is closed with `jobs=keep`,
    /// because they are in the background or ignore `SIGHUP`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub background: Vec<String>,
}

/// The contents of a session's screen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Screen {
    /// Columns.
    pub cols: u16,
    /// Rows.
    pub rows: u16,
    /// The session's title.
    pub title: String,
    /// The cursor.
    pub cursor: ScreenCursor,
    /// True for the alternate screen, which full-screen programs use.
    pub alternate: bool,
    /// The rows from the top, without trailing blanks.
    pub lines: Vec<String>,
}

/// The cursor of a screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScreenCursor {
    /// Column, counted from 0.
    pub x: u16,
    /// Row, counted from 0.
    pub y: u16,
    /// True if it is shown.
    pub visible: bool,
}

/// The session to start. Every field is optional.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CreateSession {
    /// A session to take defaults from: a field that is left out here has that session's value
    /// instead of the server's default. This is how a program is started again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub like: Option<SessionId>,
    /// True to put that session's screen and scrollback above the new program's output. It has no
    /// effect without `like`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub keep_output: bool,
    /// The program and its arguments; the server's default when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// Working directory; the server's default when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// Environment variables to set in addition to the server's.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Columns; 80 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cols: Option<u16>,
    /// Rows; 24 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u16>,
    /// A title that overrides those the program sets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The rule for the session's size; the server's default when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sizing: Option<Sizing>,
    /// The rule for waiting for viewers; the server's default when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flow: Option<Flow>,
}

/// The changes to a session. A field that is left out stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpdateSession {
    /// A title that overrides those the program sets; an empty one lets the program set it again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The rule for the session's size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sizing: Option<Sizing>,
    /// The rule for waiting for viewers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flow: Option<Flow>,
    /// Columns to apply. They stay until `sizing` decides on another size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cols: Option<u16>,
    /// Rows to apply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u16>,
}

/// A credential for one session. It is used like the token: in a link, and in an `Authorization`
/// header.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pass {
    /// The role that it grants.
    pub role: Role,
    /// The secret.
    pub token: String,
}

/// The rights that the credentials of the request grant. The page reads sessions by a type of its
/// own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Access<S = SessionInfo> {
    /// True if they grant everything; if not, `role` of each session says what they grant there.
    pub owner: bool,
    /// The sessions that they give access to.
    pub sessions: Vec<S>,
    /// The page's half of the new sign-in; only the response to a log-in has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<SignInKey>,
}

/// A browser that is signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignIn {
    /// Its id in URLs, which is not secret.
    pub id: String,
    /// True if it grants everything; if not, `passes` say what it grants.
    pub owner: bool,
    /// The sessions that a guest has access to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passes: Vec<SignInPass>,
    /// Creation time, in milliseconds since the Unix epoch.
    pub created: u64,
    /// Time of the last use, in milliseconds since the Unix epoch.
    pub used: u64,
    /// The client address at its creation; empty if unknown.
    #[serde(default, skip_serializing_if = "is_default")]
    pub from: String,
    /// The browser's `User-Agent` (RFC 9110, 10.1.5); empty if it sent none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub agent: String,
    /// Number of viewers attached by it now.
    pub viewers: u32,
    /// True if the request itself was made with this sign-in.
    #[serde(default, skip_serializing_if = "is_default")]
    pub you: bool,
}

/// A guest's role in one session, as part of a sign-in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignInPass {
    /// The session.
    pub session: SessionId,
    /// The role.
    pub role: Role,
}

/// The server's reply to a health check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// The server's version.
    pub version: String,
}

/// The reason why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiError {
    /// The stable name of the error.
    pub code: ErrorCode,
    /// A description for people of what happened and what to do about it.
    pub message: String,
}
