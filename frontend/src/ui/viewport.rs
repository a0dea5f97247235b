//! The part of the window that a keyboard on the screen leaves free.

use leptos::prelude::*;
use web_sys::{Event, VisualViewport};

use crate::dom::Listener;

/// Keeps the page as high as what can be seen of it, for as long as the calling component lives.
pub fn follow() {
    let Some(viewport) = window().visual_viewport() else { return };
    fit(&viewport);
    let seen = viewport.clone();
    let listener = Listener::new(&viewport, "resize", move |_: Event| fit(&seen));
    let listener = StoredValue::new_local(listener);
    on_cleanup(move || listener.dispose());
}

fn fit(viewport: &VisualViewport) {
    // Zooming in by pinching shows less of the page, but is no reason to change it.
    let height = viewport.height() * viewport.scale();
    if let Some(body) = document().body() {
        // Refused only for a property that cannot be written.
        let _ = body.style().set_property("--height", &format!("{height}px"));
    }
}
