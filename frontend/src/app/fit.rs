//! Gives a terminal the size of this window.

use leptos::{prelude::*, task::spawn_local};
use limpet_shared::api::UpdateSession;

use super::App;
use crate::{
    api,
    dom::Timeout,
    tabs::{Tab, TabKind, fit::Fit},
};

/// Time that a viewer who has left has to come back, for example by reloading the page, before this
/// window takes over the size.
const TAKE_SIZE_AFTER_MS: f64 = 5_000.0;

impl App {
    /// Resizes a terminal to this window when the viewer who had decided its size has left and this
    /// window is visible.
    pub(super) fn follow_departures(self) {
        let is_visible = RwSignal::new(!document().hidden());
        let changed =
            window_event_listener_untyped("visibilitychange", move |_| is_visible.set(!document().hidden()));
        on_cleanup(move || changed.remove());
        let abandoned = Memo::new(move |_| {
            self.tabs
                .with(|tabs| tabs.active().filter(|tab| tab.should_take_size()).map(|tab| tab.kind.clone()))
        });
        let timeout = StoredValue::new_local(None::<Timeout>);
        Effect::new(move || {
            let is_due = abandoned.with(Option::is_some) && is_visible.get();
            let fit = move || self.with_pane(|pane| pane.make_primary(None));
            timeout.set_value(is_due.then(|| Timeout::new(TAKE_SIZE_AFTER_MS, fit)));
        });
    }

    /// Resizes a tab's terminal to this window, or tells the user why that is impossible.
    pub fn fit(self, tab: Tab) {
        self.focus_pane();
        if tab.imposed_size.is_none() {
            return self.notify("This terminal has this window's size already.");
        }
        let TabKind::Terminal(session) = &tab.kind;
        let session = session.clone();
        spawn_local(async move {
            // Another client may have changed the size rule.
            match api::details(&session).await {
                Ok(details) => self.tabs.update(|tabs| tabs.merge_session(details.info)),
                Err(error) => return self.report_error(&error),
            }
            let fit = self.tabs.with_untracked(|tabs| tabs.get(&tab.kind).map(Fit::of));
            match (fit, self.pane()) {
                (Some(Ok(Fit::BecomePrimary)), Some(pane)) => pane.make_primary(None),
                (Some(Ok(Fit::Resize)), Some(pane)) => {
                    let size = pane.own_size();
                    let (cols, rows) = (size.map(|size| size.cols), size.map(|size| size.rows));
                    let update = UpdateSession { cols, rows, ..UpdateSession::default() };
                    if let Err(problem) = self.change_session(session, update).await {
                        self.notify(problem);
                    }
                }
                (Some(Err(why)), _) => self.notify(why),
                // The tab was closed meanwhile.
                _ => {}
            }
        });
    }
}
