//! The page without any tab.

use leptos::prelude::*;

use super::{icons::Mark, keys::Keys};
use crate::{
    app::App,
    commands::{Action, describe},
    tabs::model::TabList,
};

/// The message when no tab is open.
#[component]
pub fn Empty() -> impl IntoView {
    let app = App::expect();
    move || {
        if app.is_owner.get() { view! { <StartPage/> }.into_any() } else { view! { <GuestLeft/> }.into_any() }
    }
}

/// The message for a guest who has left, or whose terminal is gone.
#[component]
fn GuestLeft() -> impl IntoView {
    let app = App::expect();
    let left = Memo::new(move |_| app.tabs.with(TabList::has_closed));
    let words = move || {
        if left.get() {
            "You left this terminal. It is still running."
        } else {
            "This terminal has been closed."
        }
    };
    view! {
        <div class="empty">
            <Mark/>
            <p role="status">{words}</p>
            <button type="button" class="button primary" hidden=move || !left.get() on:click=move |_| app.rejoin()>
                "Rejoin"
            </button>
        </div>
    }
}

/// The message for an owner, with a button that starts a terminal.
#[component]
fn StartPage() -> impl IntoView {
    let app = App::expect();
    let keys = |action| describe(action).1.map(|chord| view! { <Keys chord/> });
    view! {
        <div class="empty">
            <Mark/>
            {move || match app.start_problem.get() {
                None => view! { <p>"No terminal is open."</p> }.into_any(),
                Some(problem) => view! {
                    <div class="start-problem" role="alert">
                        <h1>"The terminal could not be started"</h1>
                        <p>{problem}</p>
                    </div>
                }.into_any(),
            }}
            <button type="button" class="button primary" on:click=app.on_click(Action::NewTab)>
                {move || if app.start_problem.with(Option::is_some) { "Try again" } else { describe(Action::NewTab).0 }}
            </button>
            <p class="hint">{keys(Action::NewTab)}" opens one, "{keys(Action::ShowPalette)}" shows all commands"</p>
        </div>
    }
}
