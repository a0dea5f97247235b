//! The description of a session. The HTTP API, the feed of events, the hand-off to the next server
//! and the state on disk contain the same types, so a property is described only here.

use serde::{Deserialize, Serialize};

use crate::{ExitStatus, Flow, Sizing};

/// A session's specification: everything about it that was decided when it was created, and that
/// only its owner changes. Servers store it for the next one, so fields are only ever added, with a
/// default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionSpec {
    /// Start time, in milliseconds since the Unix epoch.
    pub created: u64,
    /// The title that a user gave it. It overrides those that the program sets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The rule that decides the session's size.
    pub sizing: Sizing,
    /// The rule that decides when the program waits for viewers.
    pub flow: Flow,
}

/// A session's state: everything about it that changes by itself. The next server finds it out
/// anew.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionState {
    /// The text to show for the session: the title that the user gave it, else the one that the
    /// program set, else the program's name.
    pub label: String,
    /// Current columns.
    pub cols: u16,
    /// Current rows.
    pub rows: u16,
    /// Number of attached viewers.
    pub viewers: u32,
    /// Exit status of the program; `null` while it runs.
    pub exit: Option<ExitStatus>,
}
