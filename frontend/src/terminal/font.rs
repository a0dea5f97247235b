//! Fonts that have to be loaded first.

use std::future::Future;

use leptos::prelude::document;
use wasm_bindgen_futures::JsFuture;

/// Done once a terminal can measure this font: at once for the system's own fonts, else when the page's has come, or
/// cannot come.
pub fn ready(family: &str, size: u16) -> impl Future<Output = ()> + use<> {
    let fonts = document().fonts();
    let font = format!("{size}px {family}");
    // A font that the browser cannot even name is replaced by another one, which is there.
    let loading = (!fonts.check(&font).unwrap_or(true)).then(|| JsFuture::from(fonts.load(&font)));
    async move {
        if let Some(loading) = loading {
            let _ = loading.await;
        }
    }
}
