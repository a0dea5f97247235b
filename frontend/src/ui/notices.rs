//! Messages at the page's edge.

use leptos::prelude::*;

use super::icons::{Glyph, Icon};
use crate::app::{App, Notice};

/// The messages that are shown now; a screen reader reads each as it comes. What lies over the page would cover them and
/// keep the keyboard from them, so that they are shown in there, where mostly they answer what was just done.
#[component]
pub fn Notices(
    /// Whether it is in what lies over the page.
    #[prop(optional)]
    within: bool,
) -> impl IntoView {
    let app = App::expect();
    let shown =
        move || if app.overlay.with(Option::is_some) == within { app.notices.get() } else { Vec::new() };
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
        <div class="notices" role=if within { "alert" } else { "status" }>
            <For each=shown key=|notice| notice.id children=notice/>
        </div>
    }
}
