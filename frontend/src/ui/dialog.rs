//! The frame of every overlay: a modal dialog that Esc or a press beside it closes.

use leptos::{ev, html, prelude::*};
use wasm_bindgen::JsCast as _;
use web_sys::{Element, Event, HtmlElement};

use super::{
    icons::{Glyph, Icon},
    notices::Notices,
};
use crate::app::App;

/// A modal dialog, within which the browser keeps the focus. It closes when it is removed from the
/// page.
#[component]
pub fn Dialog(
    /// The accessible name.
    #[prop(into)]
    label: String,
    /// The CSS class.
    class: &'static str,
    /// The contents.
    children: Children,
) -> impl IntoView {
    let app = App::expect();
    let dialog = NodeRef::<html::Dialog>::new();
    Effect::new(move || {
        if let Some(dialog) = dialog.get() {
            // This fails if the element is no longer in the document; then there is nothing to
            // show.
            let _ = dialog.show_modal();
            focus_first(&dialog);
        }
    });
    let on_cancel = move |event: Event| {
        // The browser's own closing would come later, when another overlay may be open.
        event.prevent_default();
        app.close_overlay();
    };
    let on_press = move |event: ev::PointerEvent| {
        if is_backdrop(&event) {
            app.close_overlay();
        }
    };
    view! {
        <dialog node_ref=dialog tabindex="-1" class=format!("dialog {class}") aria-label=label
            on:cancel=on_cancel on:close=move |_| app.close_overlay()
            on:pointerdown=on_press>
            {children()}
            <Notices within=true/>
        </dialog>
    }
}

/// A dialog's heading, with a button that closes the dialog.
#[component]
pub fn Heading(
    /// The text.
    #[prop(into)]
    title: String,
) -> impl IntoView {
    let app = App::expect();
    view! {
        <header class="dialog-heading">
            <h2>{title}</h2>
            <button class="icon-button" type="button" aria-label="Close" on:click=move |_| app.close_overlay()>
                <Glyph icon=Icon::Close/>
            </button>
        </header>
    }
}

/// Focuses the element marked `autofocus`, else the dialog as a whole, since its first button is
/// rarely the wanted one.
fn focus_first(dialog: &HtmlElement) {
    let marked = dialog.query_selector("[autofocus]").ok().flatten();
    let marked = marked.and_then(|marked| marked.dyn_into::<HtmlElement>().ok());
    // An element that cannot take the focus leaves it where it is.
    let _ = marked.as_ref().unwrap_or(dialog).focus();
}

/// Reports whether an event is on the dialog's backdrop. Its target is then the dialog element
/// itself, which is otherwise covered by its contents.
fn is_backdrop(event: &Event) -> bool {
    let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
    target.is_some_and(|target| target.tag_name() == "DIALOG")
}
