//! The viewers of the active tab, kept up to date.

use std::time::Duration;

use leptos::{html, prelude::*};
use limpet_shared::{Role, ViewerInfo};

use super::{
    dialog::{Dialog, Heading},
    icons::{Glyph, Icon},
};
use crate::{
    app::App,
    commands::{Action, describe},
    tabs::Tab,
    viewers::{ViewerList, durations},
};

/// Interval at which the durations in the list are updated.
const REFRESH_INTERVAL: Duration = Duration::from_secs(30);

/// The list of viewers. It shows whose size the terminal has, and can change that.
#[component]
pub fn ViewersDialog() -> impl IntoView {
    let app = App::expect();
    let tab = app.active_tab();
    let viewers =
        Memo::new(move |_| tab.with(|tab| tab.as_ref().map(|tab| tab.viewers.clone()).unwrap_or_default()));
    let ids = Memo::new(move |_| {
        viewers.with(ViewerList::you_first).into_iter().map(|viewer| viewer.id).collect::<Vec<_>>()
    });
    let follows = Memo::new(move |_| tab.with(|tab| tab.as_ref().is_some_and(Tab::follows_window)));
    let unlisted = Memo::new(move |_| viewers.with(ViewerList::unlisted));
    let more = move || match (unlisted.get(), ids.with(Vec::is_empty)) {
        (0, true) => Some("Waiting for the list of viewers.".to_owned()),
        (0, false) => None,
        (count, _) => Some(format!("And {count} more.")),
    };
    let now = RwSignal::new(js_sys::Date::now());
    if let Ok(ticking) = set_interval_with_handle(move || now.set(js_sys::Date::now()), REFRESH_INTERVAL) {
        on_cleanup(move || ticking.clear());
    }
    let share = move |_| {
        app.close_overlay();
        app.run(Action::Share);
    };
    view! {
        <Dialog label="Viewers" class="sheet">
            <Heading title="Viewers of this terminal"/>
            <ul class="entries">
                <For each=move || ids.get() key=|id| *id children=move |id| view! { <ViewerRow id viewers follows now/> }/>
            </ul>
            <p class="hint entries-more" role="status">{more}</p>
            <p class="hint entries-more" hidden=move || !follows.get()>
                "The terminal has the size of one window, marked " <span class="in-text"><Glyph icon=Icon::Window/></span>
                ". Everyone with the right to type can type, whatever the size."
            </p>
            <button type="button" class="button" hidden=move || !app.is_allowed(Action::Share) on:click=share>
                <Glyph icon=Icon::Link/>{describe(Action::Share).0}
            </button>
        </Dialog>
    }
}

/// A row of the list.
#[component]
fn ViewerRow(id: u64, viewers: Memo<ViewerList>, follows: Memo<bool>, now: RwSignal<f64>) -> impl IntoView {
    let app = App::expect();
    let viewer = Memo::new(move |_| {
        viewers.with(|viewers| viewers.list.iter().find(|viewer| viewer.id == id).cloned())
    });
    let of = move |is: fn(&ViewerInfo) -> bool| viewer.with(|viewer| viewer.as_ref().is_some_and(is));
    let name = move || viewers.with(|viewers| viewer.get().map(|viewer| viewers.name(&viewer)));
    let details = move || viewer.with(|viewer| viewer.as_ref().map(|viewer| details(viewer, now.get())));
    let mine = move || of(|viewer| viewer.you);
    let marked = move || follows.get() && of(|viewer| viewer.primary);
    let offered = move || {
        follows.get()
            && of(|viewer| !viewer.primary && viewer.role.may_write())
            && app.is_allowed(Action::Fit)
    };
    let offer = move || if mine() { describe(Action::Fit).0 } else { "Use this size" };
    // The label of each button names its viewer.
    let offer_label = move || {
        let name = || viewers.with(|viewers| viewer.get().map(|viewer| viewers.name_in_sentence(&viewer)));
        if mine() { offer().to_owned() } else { format!("Use the size of {}", name().unwrap_or_default()) }
    };
    let row = NodeRef::<html::Li>::new();
    let give_size = move |_| {
        // The button disappears when the size has changed, and the focus would be lost.
        if let Some(row) = row.get_untracked() {
            let _ = row.focus();
        }
        if let Some(pane) = app.pane() {
            let is_you = viewer.with_untracked(|viewer| viewer.as_ref().is_some_and(|viewer| viewer.you));
            pane.make_primary((!is_you).then_some(id));
        }
    };
    view! {
        <li node_ref=row tabindex="-1" class="entry" aria-current=move || mine().to_string()>
            <span class="entry-primary">
                <Show when=marked><Glyph icon=Icon::Window/><span class="sr-only">"Gives the size: "</span></Show>
            </span>
            <p class="entry-text">
                <span class="entry-name">{name}</span>
                <span class="hint">{details}</span>
            </p>
            <button type="button" class="button small" hidden=move || !offered() aria-label=offer_label
                on:click=give_size>
                {offer}
            </button>
        </li>
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "float to integer casts saturate"
)]
fn details(viewer: &ViewerInfo, now_ms: f64) -> String {
    let role = match viewer.role {
        Role::Owner => "owner",
        Role::Writer => "can type",
        Role::Reader => "view only",
    };
    let from = if viewer.from.is_empty() { String::new() } else { format!(", from {}", viewer.from) };
    format!("{role}, {}{from}", durations::attached_for(viewer.since, now_ms as u64))
}
