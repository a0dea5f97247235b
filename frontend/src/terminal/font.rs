//! Loading of fonts.

use std::future::Future;

use leptos::prelude::document;
use wasm_bindgen_futures::JsFuture;

/// Waits until a terminal can measure this font: not at all for a font of the system, else until
/// the page's font is loaded or has failed to load.
pub fn ready(family: &str, size: u16) -> impl Future<Output = ()> + use<> {
    let fonts = document().fonts();
    let font = format!("{size}px {family}");
    // The browser replaces a font that it cannot parse by another one, which is available.
    let loading = (!fonts.check(&font).unwrap_or(true)).then(|| JsFuture::from(fonts.load(&font)));
    async move {
        if let Some(loading) = loading {
            let _ = loading.await;
        }
    }
}
