//! Giving a terminal the size of this window.

use leptos::{prelude::*, task::spawn_local};
use limpet_shared::api::UpdateSession;

use super::App;
use crate::{
    api,
    tabs::{Tab, TabKind, fit::Fit},
};

impl App {
    /// Makes a tab's terminal fit into this window, or says why that cannot be.
    pub fn fit(self, tab: Tab) {
        self.focus_pane();
        if tab.foreign.is_none() {
            return self.notify("This terminal fits already.");
        }
        let TabKind::Terminal(session) = &tab.kind;
        let session = session.clone();
        spawn_local(async move {
            // The rule may have been changed elsewhere.
            match api::details(&session).await {
                Ok(details) => self.tabs.update(|tabs| tabs.take_over(details.info)),
                Err(error) => return self.failed(&error),
            }
            let fit = self.tabs.with_untracked(|tabs| tabs.get(&tab.kind).map(Fit::of));
            match (fit, self.pane()) {
                (Some(Ok(Fit::TakePen)), Some(pane)) => pane.pen(None),
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
