//! Who is at the active tab, live.

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
};

/// How often the words for how long somebody has been there are looked after.
const REFRESHED: Duration = Duration::from_secs(30);

/// The list of people, with the pen to take and to give.
#[component]
pub fn PeopleDialog() -> impl IntoView {
    let app = App::expect();
    let tab = app.active_tab();
    let people =
        Memo::new(move |_| tab.with(|tab| tab.as_ref().map(|tab| tab.people.clone()).unwrap_or_default()));
    let ids =
        Memo::new(move |_| people.with(People::you_first).into_iter().map(|one| one.id).collect::<Vec<_>>());
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
                <For each=move || ids.get() key=|id| *id children=move |id| view! { <Person id people now/> }/>
            </ul>
            <p class="hint people-more" role="status">{more}</p>
            <p class="hint people-more">
                "Whoever has the pen answers for the terminal: by default it has the size of their window. All who may type "
                "can type, with or without it."
            </p>
            <button type="button" class="button" hidden=move || !app.may(Action::Share) on:click=share>
                <Glyph icon=Icon::Link/>{describe(Action::Share).0}
            </button>
        </Dialog>
    }
}

/// One of them.
#[component]
fn Person(id: u64, people: Memo<People>, now: RwSignal<f64>) -> impl IntoView {
    let app = App::expect();
    let one = Memo::new(move |_| people.with(|people| people.list.iter().find(|one| one.id == id).cloned()));
    let of = move |is: fn(&Presence) -> bool| one.with(|one| one.as_ref().is_some_and(is));
    let name = move || people.with(|people| one.get().map(|one| people.name(&one)));
    let details = move || one.with(|one| one.as_ref().map(|one| details(one, now.get())));
    let mine = move || of(|one| one.you);
    let offered = move || of(|one| !one.pen && one.role.may_write()) && app.may(Action::TakePen);
    let offer = move || if mine() { "Take the pen" } else { "Give the pen" };
    // Of several buttons, each says whom it is about.
    let offer_in_full = move || {
        if mine() { offer().to_owned() } else { format!("{} to {}", offer(), name().unwrap_or_default()) }
    };
    let row = NodeRef::<html::Li>::new();
    let give = move |_| {
        // The button goes when the pen has come, and the keyboard would be nowhere.
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
                <Show when=move || of(|one| one.pen)><Glyph icon=Icon::Pen/><span class="sr-only">"Has the pen: "</span></Show>
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
        Role::Reader => "can watch",
    };
    let from = if one.from.is_empty() { String::new() } else { format!(", from {}", one.from) };
    format!("{role}, {}{from}", since::words(one.since, now_ms as u64))
}
