//! Shows the page in full screen.

use js_sys::{Array, Function, Promise, Reflect};
use leptos::{prelude::*, task::spawn_local};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;

use super::App;

impl App {
    /// Enters or leaves full screen.
    pub(super) fn toggle_full_screen(self) {
        let document = document();
        if document.fullscreen_element().is_some() {
            return document.exit_fullscreen();
        }
        let root = document.document_element().map(JsValue::from).unwrap_or_default();
        let request = call(&root, "requestFullscreen", &Array::new());
        // Programs need Esc. Browsers without the keyboard lock leave full screen on Esc instead.
        let keyboard = Reflect::get(&window().navigator(), &"keyboard".into()).unwrap_or_default();
        let lock = call(&keyboard, "lock", &Array::of1(&Array::of1(&"Escape".into())));
        spawn_local(async move {
            let is_full = match request {
                Some(request) => JsFuture::from(request).await.is_ok(),
                // Phones support full screen for videos only.
                None => false,
            };
            if !is_full {
                self.notify("This browser does not let pages fill the screen.");
            }
            if let Some(lock) = lock {
                // The lock is refused to pages that were loaded over plain HTTP.
                let _ = JsFuture::from(lock).await;
            }
        });
    }
}

/// Calls a method that not every browser has.
fn call(of: &JsValue, name: &str, arguments: &Array) -> Option<Promise> {
    let method = Reflect::get(of, &name.into()).ok()?.dyn_into::<Function>().ok()?;
    method.apply(of, arguments).ok()?.dyn_into().ok()
}
