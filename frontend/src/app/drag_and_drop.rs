//! Refuses files and text that are dropped on the page. The browser would otherwise open them in
//! the page's place.

use leptos::{ev, prelude::*};
use wasm_bindgen::JsCast as _;
use web_sys::{DataTransfer, DragEvent, Element};

use super::App;

impl App {
    /// Refuses all drops except text over a field, and tells the user.
    pub(super) fn follow_drops(self) {
        let entered = window_event_listener(ev::dragenter, move |event| self.refuse(&event));
        let moved = window_event_listener(ev::dragover, move |event| self.refuse(&event));
        let dropped = window_event_listener(ev::drop, move |event| self.refuse(&event));
        on_cleanup(move || {
            entered.remove();
            moved.remove();
            dropped.remove();
        });
    }

    fn refuse(self, event: &DragEvent) {
        let data = event.data_transfer();
        let has_files = data.as_ref().is_some_and(has_files);
        if !has_files && is_over_field(event) {
            return;
        }
        event.prevent_default();
        if let Some(data) = data {
            data.set_drop_effect("none");
        }
        self.notify(if has_files {
            "Files cannot be dropped here yet."
        } else {
            "Nothing can be dropped here yet. Copy and paste it instead."
        });
    }
}

fn has_files(data: &DataTransfer) -> bool {
    data.types().iter().any(|kind| kind == "Files")
}

/// Reports whether the pointer is over a field of a dialog or of the log-in page; these accept
/// text. (The field of xterm.js is a `textarea`, so it does not match.)
fn is_over_field(event: &DragEvent) -> bool {
    let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
    target.is_some_and(|target| target.matches("input").unwrap_or(false))
}
