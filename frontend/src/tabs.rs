//! Tabs: what is open, in which order, and what each one has to say. No DOM here.

pub mod arrangement;
pub mod fit;
pub mod model;

use limpet_shared::{ExitStatus, Flow, Role, SessionId, Sizing, Winsize, api::SessionInfo};
use serde::{Deserialize, Serialize};

use crate::{
    connection::{Phase, Trouble},
    people::People,
};

/// What a tab shows; also what tells tabs apart. Another kind of tab is another arm here and one in
/// [`TabBody`](crate::ui::tab_body::TabBody).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TabKind {
    /// A terminal attached to this session.
    Terminal(SessionId),
}

impl TabKind {
    /// The session whose life is the tab's life, if it is of such a kind.
    #[must_use]
    pub const fn session(&self) -> Option<&SessionId> {
        match self {
            Self::Terminal(session) => Some(session),
        }
    }

    /// An id for the tab's elements in the document.
    #[must_use]
    pub fn dom_id(&self) -> String {
        match self {
            Self::Terminal(session) => format!("terminal-{session}"),
        }
    }
}

/// One tab.
#[derive(Clone, Debug, PartialEq)]
pub struct Tab {
    /// What it shows.
    pub kind: TabKind,
    /// What it is called.
    pub title: String,
    /// How its program ended; `None` while it runs.
    pub exit: Option<ExitStatus>,
    /// Whether it ended because an owner closed the session.
    pub closed: bool,
    /// What happened in it while nobody looked.
    pub mark: Mark,
    /// How its connection fares.
    pub phase: Phase,
    /// What stands in its connection's way.
    pub trouble: Option<Trouble>,
    /// What this browser may do with it.
    pub role: Role,
    /// Whose size it has.
    pub sizing: Sizing,
    /// Whether its program waits for viewers.
    pub flow: Flow,
    /// Who is at it.
    pub people: People,
    /// The size in force, if it is not this window's own.
    pub foreign: Option<Winsize>,
}

impl Tab {
    /// Whether its terminal has the size of one of the windows that show it, which can be another one's.
    #[must_use]
    pub const fn follows_a_window(&self) -> bool {
        matches!(self.sizing, Sizing::Pen | Sizing::Latest)
    }

    /// Whether this window's size is the one to have, but not the one in force: whoever had it before has left.
    #[must_use]
    pub fn is_left_alone(&self) -> bool {
        let is_ours = self.people.you().is_some_and(|you| you.pen);
        let is_live = matches!(self.phase, Phase::Live { .. }) && !self.is_over();
        is_live && is_ours && self.follows_a_window() && self.role.may_write() && self.foreign.is_some()
    }

    /// Whether nothing more will come from it: its program has ended, or the server does not know it any more.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.exit.is_some() || matches!(self.phase, Phase::Gone(_))
    }
}

/// What happened in a tab while another one was shown; the later one outranks the earlier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// Nothing.
    #[default]
    None,
    /// The program wrote something.
    Activity,
    /// The program rang.
    Bell,
}

impl From<SessionInfo> for Tab {
    fn from(session: SessionInfo) -> Self {
        Self {
            kind: TabKind::Terminal(session.id),
            title: session.title,
            exit: session.exit,
            closed: false,
            mark: Mark::None,
            phase: Phase::Connecting,
            trouble: None,
            role: session.role,
            sizing: session.sizing,
            flow: session.flow,
            people: People::default(),
            foreign: None,
        }
    }
}
