//! The tabs: their order and their state. No DOM here.

pub mod arrangement;
pub mod fit;
pub mod model;

use limpet_client::{ConnectionProblem, Phase};
use limpet_shared::{ExitStatus, Flow, Role, SessionId, Sizing, Winsize, api::SessionInfo};
use serde::{Deserialize, Serialize};

use crate::viewers::ViewerList;

/// The content of a tab, which also identifies it. Another kind of tab is another variant here and
/// another arm in [`TabBody`](crate::ui::tab_body::TabBody).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TabKind {
    /// A terminal attached to this session.
    Terminal(SessionId),
}

impl TabKind {
    /// Returns the session that the tab shows, if its kind has one.
    #[must_use]
    pub const fn session(&self) -> Option<&SessionId> {
        match self {
            Self::Terminal(session) => Some(session),
        }
    }

    /// Returns an id for the tab's elements in the document.
    #[must_use]
    pub fn dom_id(&self) -> String {
        match self {
            Self::Terminal(session) => format!("terminal-{session}"),
        }
    }
}

/// A tab.
#[derive(Clone, Debug, PartialEq)]
pub struct Tab {
    /// The content.
    pub kind: TabKind,
    /// The title.
    pub title: String,
    /// The program's exit status; `None` while the program runs.
    pub exit: Option<ExitStatus>,
    /// True if the program ended because an owner closed the session.
    pub closed: bool,
    /// The event that happened while another tab was active.
    pub mark: Mark,
    /// The connection's phase.
    pub phase: Phase,
    /// The problem that keeps the connection from being established.
    pub problem: Option<ConnectionProblem>,
    /// This browser's role.
    pub role: Role,
    /// The rule for the terminal's size.
    pub sizing: Sizing,
    /// The rule that says whether the program waits for its viewers.
    pub flow: Flow,
    /// The session's viewers.
    pub viewers: ViewerList,
    /// The imposed grid size, if the terminal does not have this window's own size.
    pub imposed_size: Option<Winsize>,
}

impl Tab {
    /// Reports whether the size rule makes the terminal follow a window, which may be another
    /// viewer's.
    #[must_use]
    pub const fn follows_window(&self) -> bool {
        matches!(self.sizing, Sizing::Primary | Sizing::Latest)
    }

    /// Reports whether this window is the primary viewer but the terminal still has the size of the
    /// previous one, who has left.
    #[must_use]
    pub fn should_take_size(&self) -> bool {
        let is_ours = self.viewers.you().is_some_and(|you| you.primary);
        let is_live = matches!(self.phase, Phase::Live { .. }) && !self.is_over();
        is_live && is_ours && self.follows_window() && self.role.may_write() && self.imposed_size.is_some()
    }

    /// Reports whether the tab gets no more output: its program has ended, or the server does not
    /// know the session any more.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.exit.is_some() || matches!(self.phase, Phase::Gone(_))
    }
}

/// Events in a tab that is not active. Later variants outrank earlier ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// Nothing happened.
    #[default]
    None,
    /// The program wrote output.
    Activity,
    /// The program rang the bell.
    Bell,
}

impl From<SessionInfo> for Tab {
    fn from(session: SessionInfo) -> Self {
        Self {
            kind: TabKind::Terminal(session.id),
            title: session.state.label,
            exit: session.state.exit,
            closed: false,
            mark: Mark::None,
            phase: Phase::Connecting,
            problem: None,
            role: session.role,
            sizing: session.spec.sizing,
            flow: session.spec.flow,
            viewers: ViewerList::default(),
            imposed_size: None,
        }
    }
}
