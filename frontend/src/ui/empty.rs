//! What there is to see when no tab is open.

use leptos::prelude::*;

use super::{icons::Mark, keys::Keys};
use crate::{
    app::App,
    commands::{Action, describe},
};

/// An invitation.
#[component]
pub fn Empty() -> impl IntoView {
    let app = App::expect();
    let keys = |action| describe(action).1.map(|chord| view! { <Keys chord/> });
    view! {
        <div class="empty">
            <Mark/>
            <p>"No terminal is open."</p>
            <button type="button" class="button primary" on:click=app.on_click(Action::NewTab)>
                {describe(Action::NewTab).0}
            </button>
            <p class="hint">{keys(Action::NewTab)}" opens one, "{keys(Action::ShowPalette)}" shows all commands"</p>
        </div>
    }
}
