//! The viewers of the active tab, kept up to date.

use std::time::Duration;

use leptos::{html, prelude::*};
use limpet_shared::{Presence, Role};

use super::{
    dialog::{Dialog, Heading},
    icons::{Glyph, Icon},
};
use crate::{
    app::App,
    commands::{Action, describe},
    people::{People, since},
    tabs::Tab,
};

/// Interval at which the durations in the list are updated.
const REFRESHED: Duration = Duration::from_secs(30);

/// The list of viewers. It shows whose size the terminal has, and can change that.
#[component]
pub fn PeopleDialog() -> impl IntoView {
    let app = App::expect();
    let tab = app.active_tab();
    let people =
        Memo::new(move |_| tab.with(|tab| tab.as_ref().map(|tab| tab.people.clone()).unwrap_or_default()));
    let ids =
        Memo::new(move |_| people.with(People::you_first).into_iter().map(|one| one.id).collect::<Vec<_>>());
    let follows = Memo::new(move |_| tab.with(|tab| tab.as_ref().is_some_and(Tab::follows_a_window)));
    let unknown = Memo::new(move |_| people.with(People::unknown));
    let more = move || match (unknown.get(), ids.with(Vec::is_empty)) {
        (0, true) => Some("The server has not said yet who they are.".to_owned()),
        (0, false) => None,
        (count, _) => Some(format!("And {count} more.")),
    };
    let now = RwSignal::new(js_sys::Date::now());
    if let Ok(ticking) = set_interval_with_handle(move || now.set(js_sys::Date::now()), REFRESHED) {
        on_cleanup(move || ticking.clear());
    }
    let share = move |_| {
        app.close_overlay();
        app.run(Action::Share);
    };
    view! {
        <Dialog label="People" class="sheet">
            <Heading title="People in this terminal"/>
            <ul class="people">
                <For each=move || ids.get() key=|id| *id children=move |id| view! { <Person id people follows now/> }/>
            </ul>
            <p class="hint people-more" role="status">{more}</p>
            <p class="hint people-more" hidden=move || !follows.get()>
                "The terminal has the size of one window, marked " <span class="in-text"><Glyph icon=Icon::Window/></span>
                ". Everyone who can type can type, whatever its size."
            </p>
            <button type="button" class="button" hidden=move || !app.may(Action::Share) on:click=share>
                <Glyph icon=Icon::Link/>{describe(Action::Share).0}
            </button>
        </Dialog>
    }
}

/// A row of the list.
#[component]
fn Person(id: u64, people: Memo<People>, follows: Memo<bool>, now: RwSignal<f64>) -> impl IntoView {
    let app = App::expect();
    let one = Memo::new(move |_| people.with(|people| people.list.iter().find(|one| one.id == id).cloned()));
    let of = move |is: fn(&Presence) -> bool| one.with(|one| one.as_ref().is_some_and(is));
    let name = move || people.with(|people| one.get().map(|one| people.name(&one)));
    let details = move || one.with(|one| one.as_ref().map(|one| details(one, now.get())));
    let mine = move || of(|one| one.you);
    let marked = move || follows.get() && of(|one| one.pen);
    let offered = move || follows.get() && of(|one| !one.pen && one.role.may_write()) && app.may(Action::Fit);
    let offer = move || if mine() { describe(Action::Fit).0 } else { "Use this size" };
    // The label of each button names its viewer.
    let offer_in_full = move || {
        let name = || people.with(|people| one.get().map(|one| people.name_within(&one)));
        if mine() { offer().to_owned() } else { format!("Use the size of {}", name().unwrap_or_default()) }
    };
    let row = NodeRef::<html::Li>::new();
    let give = move |_| {
        // The button disappears when the size has changed, and the focus would be lost.
        if let Some(row) = row.get_untracked() {
            let _ = row.focus();
        }
        if let Some(pane) = app.pane() {
            pane.pen((!one.with_untracked(|one| one.as_ref().is_some_and(|one| one.you))).then_some(id));
        }
    };
    view! {
        <li node_ref=row tabindex="-1" class="person" aria-current=move || mine().to_string()>
            <span class="person-pen">
                <Show when=marked><Glyph icon=Icon::Window/><span class="sr-only">"Gives the size: "</span></Show>
            </span>
            <p class="person-words">
                <span class="person-name">{name}</span>
                <span class="hint">{details}</span>
            </p>
            <button type="button" class="button small" hidden=move || !offered() aria-label=offer_in_full
                on:click=give>
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
fn details(one: &Presence, now_ms: f64) -> String {
    let role = match one.role {
        Role::Owner => "owner",
        Role::Writer => "can type",
        Role::Reader => "view only",
    };
    let from = if one.from.is_empty() { String::new() } else { format!(", from {}", one.from) };
    format!("{role}, {}{from}", since::words(one.since, now_ms as u64))
}
