//! The components. Each shows a part of [`App`]'s state and calls its methods; none holds state of
//! the page.

pub mod banner;
pub mod close;
pub mod connection_status;
pub mod copy_request;
pub mod dialog;
pub mod drag;
pub mod empty;
pub mod help;
pub mod icons;
pub mod key_bar;
pub mod keys;
pub mod login;
pub mod menu;
pub mod notices;
pub mod open_link;
pub mod overflow;
pub mod overlays;
pub mod palette;
pub mod picker;
pub mod rename;
pub mod session_rules;
pub mod settings;
pub mod share;
pub mod sign_ins;
pub mod size_note;
pub mod skipped_output;
pub mod tab;
pub mod tab_bar;
pub mod tab_body;
pub mod tab_switcher;
pub mod themes;
pub mod viewers;
pub mod viewport;

use leptos::prelude::*;

use crate::app::{App, Stage};

/// The whole page.
#[component]
pub fn Shell() -> impl IntoView {
    let app = App::expect();
    viewport::follow_viewport();
    let shown = move || match app.stage.get() {
        Stage::Starting => view! { <div class="starting" aria-busy="true"></div> }.into_any(),
        Stage::LoggedOut(problem) => view! { <login::Login problem/> }.into_any(),
        Stage::Failed(problem) => view! { <login::Failed problem/> }.into_any(),
        Stage::Ready => view! { <Workspace/> }.into_any(),
    };
    view! {
        {shown}
        <notices::Notices/>
    }
}

/// The bar, the panes, the key bar and the overlays.
#[component]
fn Workspace() -> impl IntoView {
    view! {
        <div class="workspace">
            <tab_bar::TabBar/>
            <tab_body::Panes/>
            <key_bar::KeyBar/>
        </div>
        <overlays::Overlays/>
    }
}
