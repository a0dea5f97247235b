//! Registers the panes and handles their events.

use leptos::{
    prelude::*,
    task::{spawn_local, tick},
};

use limpet_shared::{ExitStatus, SessionId, Winsize};

use super::App;
use crate::{
    connection::{GoneReason, Phase},
    tabs::{Mark, TabKind},
    terminal::{PaneEvent, PaneHandle, startup_pane::StartupPane},
};

impl App {
    /// Registers a pane's handle until the calling component is cleaned up.
    pub fn register_pane(self, kind: TabKind, handle: PaneHandle) {
        self.panes.update_value(|panes| {
            panes.insert(kind.clone(), handle);
        });
        on_cleanup(move || {
            self.panes.try_update_value(|panes| panes.remove(&kind));
        });
    }

    /// Takes the terminal that was opened before the page, if it is this session's. Returns it
    /// once.
    #[must_use]
    pub fn take_startup_pane(self, session: &SessionId) -> Option<StartupPane> {
        let mut startup_pane = self.startup_pane.write_value();
        startup_pane.take_if(|pane| pane.session() == session)
    }

    /// Returns the active tab's pane.
    #[must_use]
    pub fn pane(&self) -> Option<PaneHandle> {
        let active = self.tabs.with_untracked(|tabs| tabs.active().map(|tab| tab.kind.clone()))?;
        self.panes.with_value(|panes| panes.get(&active).copied())
    }

    /// Gives the active tab's pane the focus, unless there is an overlay. Pending changes are
    /// rendered first, since an element that is not shown yet cannot take the focus.
    pub fn focus_pane(&self) {
        let app = *self;
        let focus = move || {
            let covered = app.overlay.try_with_untracked(Option::is_some).unwrap_or(true);
            if let (false, Some(pane)) = (covered, app.pane()) {
                pane.focus();
            }
        };
        // Focuses at the next tick, so that the next key is not lost. A pane that is still being
        // created exists one frame later, so the focus is requested again then.
        spawn_local(async move {
            tick().await;
            focus();
        });
        request_animation_frame(focus);
    }

    /// Handles an event of a pane.
    pub fn on_pane_event(&self, kind: &TabKind, event: PaneEvent) {
        match event {
            PaneEvent::Title(title) => self.tabs.update(|tabs| tabs.set_title(kind, title)),
            PaneEvent::Activity => self.mark(kind, Mark::Activity),
            PaneEvent::Bell => self.mark(kind, Mark::Bell),
            PaneEvent::Exited { status, closed } => self.on_exit(kind, status, closed),
            PaneEvent::Problem(problem) => self.tabs.update(|tabs| tabs.set_problem(kind, problem)),
            PaneEvent::Phase(phase) => self.on_phase(kind, phase),
            PaneEvent::Notice(text) => self.notify(text),
            PaneEvent::Copy(text) => self.on_copy(kind, text),
            PaneEvent::Link(link, terminal) => self.on_link(&link, &terminal),
            PaneEvent::Viewers(viewers) => self.tabs.update(|tabs| tabs.set_viewers(kind, viewers)),
            PaneEvent::ImposedSize(size) => self.on_imposed_size(kind, size),
            // The tab's body handles these.
            PaneEvent::Redrawn { .. } | PaneEvent::Cleared | PaneEvent::Drawn => {}
        }
    }

    /// Marks a tab, if the mark is new. Output arrives many times a second, so the tab list is not
    /// changed for a mark that is already there.
    fn mark(&self, kind: &TabKind, mark: Mark) {
        let news = self.tabs.with_untracked(|tabs| {
            !tabs.is_active(kind) && tabs.get(kind).is_some_and(|tab| tab.mark < mark)
        });
        if news {
            self.tabs.update(|tabs| tabs.add_mark(kind, mark));
        }
    }

    fn on_exit(&self, kind: &TabKind, status: ExitStatus, closed: bool) {
        // A program that had ended before has its tab because the user wants to see it.
        let is_news = self.tabs.with_untracked(|tabs| tabs.get(kind).is_some_and(|tab| tab.exit.is_none()));
        self.tabs.update(|tabs| tabs.set_exit(kind, status, closed));
        let ends_tab = self.settings.with_untracked(|settings| settings.close_on_success);
        if is_news && ends_tab && status.success() && self.owns(kind) {
            self.end_tab(kind);
        }
    }

    fn on_imposed_size(&self, kind: &TabKind, size: Option<Winsize>) {
        let fitted =
            self.tabs.with_untracked(|tabs| tabs.get(kind).is_some_and(|tab| tab.imposed_size.is_none()));
        self.tabs.update(|tabs| tabs.set_imposed_size(kind, size));
        if fitted && size.is_some() {
            // The size rule may have changed.
            self.refresh();
        }
    }

    fn on_phase(&self, kind: &TabKind, phase: Phase) {
        let earlier = self.tabs.with_untracked(|tabs| tabs.get(kind).map(|tab| tab.phase));
        self.tabs.update(|tabs| tabs.set_phase(kind, phase));
        match (earlier, phase) {
            // Sessions may have changed meanwhile, also in other browsers.
            (Some(Phase::Reconnecting { .. }), Phase::Live { .. }) => self.refresh(),
            (_, Phase::Gone(GoneReason::Unauthorized)) => self.on_unauthorized(),
            _ => {}
        }
    }
}
