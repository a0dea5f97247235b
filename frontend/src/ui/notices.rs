//! The messages at the page's edge.

use leptos::prelude::*;

use super::icons::{Glyph, Icon};
use crate::app::{App, Notice};

/// The messages that are shown now; screen readers announce each new one. An overlay would cover
/// the messages and keep the focus from them, so it shows them inside itself; there they mostly
/// answer the user's last action.
#[component]
pub fn Notices(
    /// True for the instance inside an overlay.
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
