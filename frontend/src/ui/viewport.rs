//! Follows the part of the window that an on-screen keyboard leaves free.

use leptos::prelude::*;
use web_sys::{Event, VisualViewport};

use crate::dom::Listener;

/// Keeps the page as high as its visible part until the calling component is cleaned up.
pub fn follow_viewport() {
    let Some(viewport) = window().visual_viewport() else { return };
    set_page_height(&viewport);
    let resized = viewport.clone();
    let listener = Listener::new(&viewport, "resize", move |_: Event| set_page_height(&resized));
    let listener = StoredValue::new_local(listener);
    on_cleanup(move || listener.dispose());
}

fn set_page_height(viewport: &VisualViewport) {
    // Pinch zoom shows less of the page, but must not change its height.
    let height = viewport.height() * viewport.scale();
    if let Some(body) = document().body() {
        // This fails only if the property is read-only.
        let _ = body.style().set_property("--height", &format!("{height}px"));
    }
}
