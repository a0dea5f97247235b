//! Logging in, and the life of sessions as tabs.

use leptos::{ev, prelude::*, task::spawn_local};
use limpet_shared::{
    Role, SessionId,
    api::{Access, CreateSession, SessionDetails, UpdateSession},
};

use super::{App, Overlay, Stage};
use crate::{
    api::{self, Error, Jobs},
    connection::Trouble,
    opening::{self, Entry, Welcome},
    storage,
    tabs::{Tab, TabKind, model::TabList},
};

/// Said when a log-in is lost at once.
const NOT_KEPT: &str = "This browser did not keep the log-in. Allow cookies for this page, then log in again. A reverse proxy must pass on the headers Cookie and Set-Cookie.";

/// Said when the key of a log-in is lost with the page.
const NOTHING_STORED: &str =
    "This browser stores nothing for this page. After a reload, limpet asks for the link again.";

/// Said when a limpet that had said goodbye does not know this browser any more.
const RESTARTED: &str = "limpet was restarted. Use the link it printed last.";

/// Why one is asked before a tab is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closing {
    /// The programs that run in it.
    pub running: Vec<String>,
    /// Those of them that may keep running.
    pub background: Vec<String>,
    /// The number of guests who watch it.
    pub guests: usize,
}

impl App {
    /// Exchanges a token for a sign-in and shows what the server has.
    pub fn log_in(self, token: String) {
        self.stage.set(Stage::Starting);
        spawn_local(async move { self.enter(opening::log_in(token).await) });
    }

    /// Signs this browser out, in all its windows.
    ///
    /// # Errors
    /// When the server does not do it.
    pub async fn log_out(self) -> Result<(), Error> {
        api::logout().await?;
        self.overlay.set(None);
        self.stage.set(Stage::LoggedOut(None));
        Ok(())
    }

    pub(super) fn log_out_or_say_why(self) {
        spawn_local(async move {
            if let Err(error) = self.log_out().await {
                self.failed(&error);
            }
        });
    }

    /// Shows what the server has.
    pub fn load(self) {
        self.stage.set(Stage::Starting);
        spawn_local(async move { self.enter(opening::ask().await) });
    }

    /// Shows what the server said.
    pub(super) fn enter(self, entry: Entry) {
        let Welcome { owner, sessions, first, problem, is_new } = match entry {
            Entry::Welcome(welcome) => welcome,
            Entry::LoggedOut(problem) => return self.stage.set(Stage::LoggedOut(problem)),
            Entry::Failed(problem) => return self.stage.set(Stage::Failed(problem)),
        };
        self.owner.set(owner);
        self.tabs.update(|tabs| tabs.enter(sessions, &storage::arrangement(), first.as_ref()));
        self.stage.set(Stage::Ready);
        if let Some(problem) = problem {
            self.start_failed(&problem);
        }
        if is_new {
            self.check_sign_in();
        }
        self.focus_pane();
    }

    /// Says so if this browser does not keep what it was just given.
    fn check_sign_in(self) {
        spawn_local(async move {
            if api::access().await.is_err_and(|error| error == Error::Unauthorized) {
                self.stage.set(Stage::LoggedOut(Some(NOT_KEPT.to_owned())));
            } else if !storage::is_kept() {
                self.notify(NOTHING_STORED);
            }
        });
    }

    /// The sign-in of this browser is not valid any more.
    pub(super) fn on_unauthorized(&self) {
        let is_stopped = |tabs: &TabList| tabs.tabs().iter().any(|tab| tab.trouble == Some(Trouble::Stopped));
        let problem = self.tabs.with_untracked(is_stopped).then(|| RESTARTED.to_owned());
        self.stage.set(Stage::LoggedOut(problem));
    }

    /// A terminal could not be started: said in the middle of the page if there is none.
    fn start_failed(&self, error: &Error) {
        if self.tabs.with_untracked(|tabs| tabs.tabs().is_empty()) && *error != Error::Unauthorized {
            self.start_problem.set(Some(error.to_string()));
        } else {
            self.failed(error);
        }
    }

    /// Keeps the list of tabs up to date with the server, and what this browser remembers with the tabs.
    pub(super) fn follow_sessions(self) {
        let focused = window_event_listener(ev::focus, move |_| self.refresh());
        on_cleanup(move || focused.remove());
        let arrangement = Memo::new(move |_| self.tabs.with(TabList::arrangement));
        Effect::new(move || {
            if self.stage.get() == Stage::Ready {
                arrangement.with(storage::keep_arrangement);
            }
        });
    }

    /// Asks the server for its list: sessions that were opened elsewhere become tabs.
    pub fn refresh(self) {
        if self.stage.get_untracked() != Stage::Ready {
            return;
        }
        spawn_local(async move {
            let before = self.tabs.with_untracked(TabList::kinds);
            match api::access().await {
                Ok(Access { owner, sessions, .. }) => {
                    self.owner.set(owner);
                    self.tabs.update(|tabs| tabs.merge(sessions, &before));
                }
                Err(Error::Unauthorized) => self.on_unauthorized(),
                // The panes tell about a connection that is down.
                Err(_) => {}
            }
        });
    }

    /// Opens another terminal.
    pub fn new_tab(&self) {
        let app = *self;
        spawn_local(async move {
            match api::create(&app.fitting()).await {
                Ok(session) => {
                    app.start_problem.set(None);
                    app.change_tabs(|tabs| tabs.open(Tab::from(session)));
                }
                Err(error) => app.start_failed(&error),
            }
        });
    }

    /// A session whose terminal has the size of what is shown now from the start: a program that only starts can miss it when that
    /// changes.
    fn fitting(self) -> CreateSession {
        let size = self.pane().and_then(|pane| pane.own_size());
        let (cols, rows) = (size.map(|size| size.cols), size.map(|size| size.rows));
        CreateSession { cols, rows, ..CreateSession::default() }
    }

    /// Closes a tab, after asking when that ends something that still runs in it.
    pub fn close_tab(&self, kind: TabKind) {
        let app = *self;
        let ended = app.tabs.with_untracked(|tabs| tabs.get(&kind).is_some_and(|tab| tab.exit.is_some()));
        let ends = !ended && app.owns(&kind);
        let Some(session) = kind.session().filter(|_| ends).cloned() else {
            return app.end_tab(&kind);
        };
        spawn_local(async move {
            let guests = app.tabs.with_untracked(|tabs| tabs.get(&kind).map_or(0, |tab| tab.people.guests()));
            match api::details(&session).await {
                Ok(SessionDetails { info, running, background })
                    if info.exit.is_none() && (!running.is_empty() || guests > 0) =>
                {
                    app.show(Overlay::Close(kind, Closing { running, background, guests }));
                }
                Ok(_) | Err(Error::NotFound) => app.end_tab(&kind),
                Err(error) => app.failed(&error),
            }
        });
    }

    /// Closes a tab without asking, and ends its session if it is one's own; a guest merely leaves.
    pub fn end_tab(&self, kind: &TabKind) {
        self.end_tab_with(kind, Jobs::End);
    }

    /// The same, and says what becomes of background jobs.
    pub fn end_tab_with(&self, kind: &TabKind, jobs: Jobs) {
        let owns = self.owns(kind);
        self.change_tabs(|tabs| tabs.close(kind));
        if let Some(session) = kind.session().filter(|_| owns) {
            self.delete(session.clone(), jobs);
        }
    }

    pub(super) fn owns(&self, kind: &TabKind) -> bool {
        self.tabs.with_untracked(|tabs| tabs.get(kind).is_some_and(|tab| tab.role == Role::Owner))
    }

    /// Shows again what a guest has left.
    pub fn come_back(self) {
        self.tabs.update(TabList::forget_all_closed);
        self.refresh();
    }

    /// Starts the same program again, in the tab's place, and forgets the old session.
    pub fn restart_tab(&self, tab: Tab) {
        if !tab.is_over() {
            return self.notify("The program is still running. Close the tab to end it.");
        }
        let app = *self;
        spawn_local(async move {
            // As large as it was, too: its size may be a fixed one.
            let like = tab.kind.session().cloned();
            let again = CreateSession { like, keep_output: true, ..CreateSession::default() };
            let session = match api::create(&again).await {
                // The server does not know how it was started any more, only how it starts programs by itself.
                Err(Error::NotFound) => api::create(&app.fitting()).await,
                session => session,
            };
            match session {
                Ok(session) => app.change_tabs(|tabs| tabs.replace(&tab.kind, Tab::from(session))),
                Err(error) => return app.failed(&error),
            }
            if let Some(session) = tab.kind.session() {
                app.delete(session.clone(), Jobs::End);
            }
        });
    }

    /// Changes a session on the server. What stands in the way is said by whoever asked, where the person looks.
    pub(crate) async fn change_session(
        self,
        session: SessionId,
        update: UpdateSession,
    ) -> Result<(), String> {
        match api::update(&session, &update).await {
            Ok(session) => {
                self.tabs.update(|tabs| tabs.take_over(session));
                Ok(())
            }
            Err(error) => {
                if error == Error::Unauthorized {
                    self.on_unauthorized();
                }
                Err(error.to_string())
            }
        }
    }

    fn delete(self, session: SessionId, jobs: Jobs) {
        spawn_local(async move {
            match api::delete(&session, jobs).await {
                Ok(()) | Err(Error::NotFound) => {}
                Err(error) => {
                    self.tabs.update(|tabs| tabs.forget_closed(&session));
                    self.failed(&error);
                }
            }
        });
    }

    pub(super) fn failed(&self, error: &Error) {
        match error {
            Error::Unauthorized => self.on_unauthorized(),
            error => self.notify(error.to_string()),
        }
    }
}
