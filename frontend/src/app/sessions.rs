//! Logs in and out, and opens, closes and restarts the sessions behind the tabs.

use leptos::{ev, prelude::*, task::spawn_local};
use limpet_client::ConnectionProblem;
use limpet_shared::{
    Role, SessionId,
    api::{Access, CreateSession, SessionDetails, UpdateSession},
};

use super::{App, Overlay, Stage};
use crate::{
    api::{self, Error, Jobs},
    startup::{self, LoginResult, Welcome},
    storage,
    tabs::{Tab, TabKind, model::TabList},
};

/// Message for a browser that does not store the cookie of a log-in.
const COOKIE_NOT_STORED: &str = "This browser did not keep the log-in. Allow cookies for this page, then log in again. A reverse proxy must pass on the headers Cookie and Set-Cookie.";

/// Message for a browser that does not store the key of a log-in beyond this page.
const KEY_NOT_STORED: &str =
    "This browser stores nothing for this page. After a reload, limpet asks for the link again.";

/// Message when the server was stopped and its successor does not know this browser.
const RESTARTED: &str = "limpet was restarted. Use the link it printed last.";

/// The reasons to ask before a tab is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseReasons {
    /// The programs that run in the session.
    pub running: Vec<String>,
    /// The running programs that may keep running.
    pub background: Vec<String>,
    /// The number of guests who are watching.
    pub guests: usize,
}

impl App {
    /// Exchanges a token for a sign-in and shows the server's sessions.
    pub fn log_in(self, token: String) {
        self.stage.set(Stage::Starting);
        spawn_local(async move { self.show_login_result(startup::log_in(token).await) });
    }

    /// Signs this browser out in all its windows.
    ///
    /// # Errors
    /// Any [`Error`], if the server refuses or does not answer.
    pub async fn log_out(self) -> Result<(), Error> {
        api::logout().await?;
        self.overlay.set(None);
        self.stage.set(Stage::LoggedOut(None));
        Ok(())
    }

    pub(super) fn log_out_or_report_error(self) {
        spawn_local(async move {
            if let Err(error) = self.log_out().await {
                self.report_error(&error);
            }
        });
    }

    /// Asks the server for its sessions and shows them.
    pub fn retry_login(self) {
        self.stage.set(Stage::Starting);
        spawn_local(async move { self.show_login_result(startup::log_in_from_link().await) });
    }

    /// Shows the result of a log-in or a request.
    pub(super) fn show_login_result(self, login: LoginResult) {
        let Welcome { owner, sessions, first, problem, is_new } = match login {
            LoginResult::Welcome(welcome) => welcome,
            LoginResult::LoggedOut(problem) => return self.stage.set(Stage::LoggedOut(problem)),
            LoginResult::Failed(problem) => return self.stage.set(Stage::Failed(problem)),
        };
        self.is_owner.set(owner);
        self.tabs.update(|tabs| tabs.restore(sessions, &storage::arrangement(), first.as_ref()));
        self.stage.set(Stage::Ready);
        if let Some(problem) = problem {
            self.report_start_error(&problem);
        }
        if is_new {
            self.check_sign_in();
        }
        self.focus_pane();
    }

    /// Tells the user if this browser does not store the cookie or the key of its new sign-in.
    fn check_sign_in(self) {
        spawn_local(async move {
            if api::access().await.is_err_and(|error| error == Error::Unauthorized) {
                self.stage.set(Stage::LoggedOut(Some(COOKIE_NOT_STORED.to_owned())));
            } else if !storage::is_available() {
                self.notify(KEY_NOT_STORED);
            }
        });
    }

    /// Shows the log-in page, because this browser's sign-in is not valid any more.
    pub(super) fn on_unauthorized(&self) {
        let is_stopped =
            |tabs: &TabList| tabs.tabs().iter().any(|tab| tab.problem == Some(ConnectionProblem::Stopped));
        let problem = self.tabs.with_untracked(is_stopped).then(|| RESTARTED.to_owned());
        self.stage.set(Stage::LoggedOut(problem));
    }

    /// Reports that a terminal could not be started: in the middle of the page if there is none,
    /// else as a notice.
    fn report_start_error(&self, error: &Error) {
        if self.tabs.with_untracked(|tabs| tabs.tabs().is_empty()) && *error != Error::Unauthorized {
            self.start_problem.set(Some(error.to_string()));
        } else {
            self.report_error(error);
        }
    }

    /// Updates the list of tabs whenever the window gets the focus, and stores the arrangement of
    /// the tabs whenever it changes.
    pub(super) fn follow_sessions(self) {
        let focused = window_event_listener(ev::focus, move |_| self.refresh());
        on_cleanup(move || focused.remove());
        let arrangement = Memo::new(move |_| self.tabs.with(TabList::arrangement));
        Effect::new(move || {
            if self.stage.get() == Stage::Ready {
                arrangement.with(storage::store_arrangement);
            }
        });
    }

    /// Asks the server for its list of sessions. Sessions that were opened elsewhere become tabs.
    pub fn refresh(self) {
        if self.stage.get_untracked() != Stage::Ready {
            return;
        }
        spawn_local(async move {
            let before = self.tabs.with_untracked(TabList::kinds);
            match api::access().await {
                Ok(Access { owner, sessions, .. }) => {
                    self.is_owner.set(owner);
                    self.tabs.update(|tabs| tabs.merge(sessions, &before));
                }
                Err(Error::Unauthorized) => self.on_unauthorized(),
                // The panes report a broken connection.
                Err(_) => {}
            }
        });
    }

    /// Opens another terminal.
    pub fn new_tab(&self) {
        let app = *self;
        spawn_local(async move {
            match api::create(&app.sized_request()).await {
                Ok(session) => {
                    app.start_problem.set(None);
                    app.change_tabs(|tabs| tabs.open(Tab::from(session)));
                }
                Err(error) => app.report_start_error(&error),
            }
        });
    }

    /// Returns a request for a session that starts with the size of the terminal shown now. A
    /// program can miss a change of the size while it is starting.
    fn sized_request(self) -> CreateSession {
        let size = self.pane().and_then(|pane| pane.own_size());
        let (cols, rows) = (size.map(|size| size.cols), size.map(|size| size.rows));
        CreateSession { cols, rows, ..CreateSession::default() }
    }

    /// Closes a tab. Asks first if that would end a running program or disconnect guests.
    pub fn close_tab(&self, kind: TabKind) {
        let app = *self;
        let ended = app.tabs.with_untracked(|tabs| tabs.get(&kind).is_some_and(|tab| tab.exit.is_some()));
        let ends = !ended && app.owns(&kind);
        let Some(session) = kind.session().filter(|_| ends).cloned() else {
            return app.end_tab(&kind);
        };
        spawn_local(async move {
            let guests =
                app.tabs.with_untracked(|tabs| tabs.get(&kind).map_or(0, |tab| tab.viewers.guests()));
            match api::details(&session).await {
                Ok(SessionDetails { info, running, background })
                    if info.state.exit.is_none() && (!running.is_empty() || guests > 0) =>
                {
                    app.show(Overlay::Close(kind, CloseReasons { running, background, guests }));
                }
                Ok(_) | Err(Error::NotFound) => app.end_tab(&kind),
                Err(error) => app.report_error(&error),
            }
        });
    }

    /// Closes a tab without asking. The session is ended if this browser owns it; a guest only
    /// leaves.
    pub fn end_tab(&self, kind: &TabKind) {
        self.end_tab_with(kind, Jobs::End);
    }

    /// Does the same, with a choice for background jobs.
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

    /// Shows the sessions again that a guest has left.
    pub fn rejoin(self) {
        self.tabs.update(TabList::forget_all_closed);
        self.refresh();
    }

    /// Restarts the same program in the tab's place, and forgets the old session.
    pub fn restart_tab(&self, tab: Tab) {
        if !tab.is_over() {
            return self.notify("The program is still running. Close the tab to end it.");
        }
        let app = *self;
        spawn_local(async move {
            // The new session has the old one's size, since its size rule may be a fixed one.
            let like = tab.kind.session().cloned();
            let request = CreateSession { like, keep_output: true, ..CreateSession::default() };
            let session = match api::create(&request).await {
                // The server no longer knows how the program was started, so its default program is
                // started.
                Err(Error::NotFound) => api::create(&app.sized_request()).await,
                session => session,
            };
            match session {
                Ok(session) => app.change_tabs(|tabs| tabs.replace(&tab.kind, Tab::from(session))),
                Err(error) => return app.report_error(&error),
            }
            if let Some(session) = tab.kind.session() {
                app.delete(session.clone(), Jobs::End);
            }
        });
    }

    /// Changes a session on the server. The caller shows the error text where the user is looking.
    pub(crate) async fn change_session(
        self,
        session: SessionId,
        update: UpdateSession,
    ) -> Result<(), String> {
        match api::update(&session, &update).await {
            Ok(session) => {
                self.tabs.update(|tabs| tabs.merge_session(session));
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
                    self.report_error(&error);
                }
            }
        });
    }

    pub(super) fn report_error(&self, error: &Error) {
        match error {
            Error::Unauthorized => self.on_unauthorized(),
            error => self.notify(error.to_string()),
        }
    }
}
