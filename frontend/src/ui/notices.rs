//! Messages at the page's edge.

use leptos::prelude::*;

use super::icons::{Glyph, Icon};
use crate::app::{App, Notice};

/// The messages that are shown now; a screen reader reads each as it comes.
#[component]
pub fn Notices() -> impl IntoView {
    let app = App::expect();
    let notice = move |Notice { id, text }: Notice| {
        view! {
            <div class="notice">
                <p>{text}</p>
                <button class="icon-button" type="button" aria-label="Dismiss" on:click=move |_| app.dismiss(id)>
                    <Glyph icon=Icon::Close/>
                </button>
            </div>
        }
    };
    view! {
        <div class="notices" role="status" aria-live="polite">
            <For each=move || app.notices.get() key=|notice| notice.id children=notice/>
        </div>
    }
}
