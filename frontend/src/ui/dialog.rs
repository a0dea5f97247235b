//! The frame of everything that lies over the page: modal, closed by Esc or by a press beside it.

use leptos::{ev, html, prelude::*};
use wasm_bindgen::JsCast as _;
use web_sys::{Element, Event, HtmlElement};

use super::{
    icons::{Glyph, Icon},
    notices::Notices,
};
use crate::app::App;

/// A modal dialog; the browser keeps the keyboard inside of it. It is closed by taking it out of the page.
#[component]
pub fn Dialog(
    /// What it is called.
    #[prop(into)]
    label: String,
    /// Its CSS class.
    class: &'static str,
    /// What it holds.
    children: Children,
) -> impl IntoView {
    let app = App::expect();
    let dialog = NodeRef::<html::Dialog>::new();
    Effect::new(move || {
        if let Some(dialog) = dialog.get() {
            // It fails for an element that is not in the document (any more): then there is nothing to show.
            let _ = dialog.show_modal();
            focus_first(&dialog);
        }
    });
    let on_cancel = move |event: Event| {
        // Else the browser closes it once more, when something else may already be open.
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

/// A dialog's heading, with a button that closes it.
#[component]
pub fn Heading(
    /// Its words.
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

/// Gives the keyboard to what is marked `autofocus`, else to the dialog as a whole: its first button is rarely the one
/// that is wanted.
fn focus_first(dialog: &HtmlElement) {
    let marked = dialog.query_selector("[autofocus]").ok().flatten();
    let marked = marked.and_then(|marked| marked.dyn_into::<HtmlElement>().ok());
    // An element that cannot have the keyboard leaves it where it is.
    let _ = marked.as_ref().unwrap_or(dialog).focus();
}

/// A press on the dialog element itself is one on its backdrop: its content covers all of the rest.
fn is_backdrop(event: &Event) -> bool {
    let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
    target.is_some_and(|target| target.tag_name() == "DIALOG")
}
