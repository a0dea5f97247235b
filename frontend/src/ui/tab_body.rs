//! What tabs show. A kind of tab is one arm of [`TabBody`].

use leptos::prelude::*;
use limpet_shared::SessionId;

use super::{
    banner::Banner,
    copy_request::CopyRequest,
    earlier::{Earlier, EarlierRows},
    empty::Empty,
};
use crate::{
    app::App,
    tabs::TabKind,
    terminal::{PaneEvent, PaneHandle, TerminalPane},
};

/// The bodies of all tabs, one over the other; the active one is shown.
#[component]
pub fn Panes() -> impl IntoView {
    let app = App::expect();
    // Sorted by something that never changes: reordering tabs must not move terminals about in the document.
    let kinds = Memo::new(move |_| {
        let mut kinds = app.tabs.with(crate::tabs::model::TabList::kinds);
        kinds.sort_by_key(TabKind::dom_id);
        kinds
    });
    view! {
        <main class="panes">
            <For each=move || kinds.get() key=Clone::clone children=|kind| view! { <TabBody kind/> }/>
            <Show when=move || kinds.with(Vec::is_empty)><Empty/></Show>
        </main>
    }
}

/// The body of one tab.
#[component]
pub fn TabBody(
    /// What it shows.
    kind: TabKind,
) -> impl IntoView {
    let app = App::expect();
    let shown = {
        let kind = kind.clone();
        Memo::new(move |_| app.tabs.with(|tabs| tabs.is_active(&kind)))
    };
    let dom_id = kind.dom_id();
    let body = match kind.clone() {
        TabKind::Terminal(session) => view! { <Terminal session visible=shown/> }.into_any(),
    };
    view! {
        <section class="panel" class:shown=shown role="tabpanel" id=format!("panel-{dom_id}")
            aria-labelledby=format!("tab-{dom_id}")>
            {body}
            <div class="messages">
                <Banner kind=kind.clone()/>
                <CopyRequest kind/>
            </div>
        </section>
    }
}

/// A terminal as a tab's body.
#[component]
fn Terminal(session: SessionId, visible: Memo<bool>) -> impl IntoView {
    let app = App::expect();
    let handle = PaneHandle::new();
    let kind = TabKind::Terminal(session.clone());
    app.register_pane(kind.clone(), handle);
    let early = app.take_early(&session);
    let earlier = RwSignal::new(Earlier::default());
    let of_keys = kind.clone();
    let on_event = move |event| {
        match event {
            PaneEvent::Earlier { rows, skipped } => earlier.update(|earlier| earlier.drawn(rows, skipped)),
            PaneEvent::Cleared => earlier.update(Earlier::dismiss),
            _ => {}
        }
        app.on_pane_event(&kind, event);
    };
    let take_key = move |event| app.take_key_after_end(&of_keys, &event) || app.take_key(&event);
    view! {
        <TerminalPane session handle visible appearance=app.appearance() on_event take_key early/>
        <EarlierRows earlier handle/>
    }
}
