//! URLs under the base path that the page was served from.

use wasm_bindgen::UnwrapThrowExt as _;

/// Returns the absolute http or https URL of `path` (without a leading slash).
#[must_use]
pub fn url(path: &str) -> String {
    let document = leptos::prelude::document();
    // Every document has a base URI, and index.html sets one that is a legal base.
    let base = document.base_uri().ok().flatten().unwrap_or_default();
    web_sys::Url::new_with_base(path, &base).unwrap_throw().href()
}

/// Returns the absolute ws or wss URL of `path`.
#[must_use]
pub fn ws_url(path: &str) -> String {
    // Replacing "http" with "ws" also turns https into wss.
    url(path).replacen("http", "ws", 1)
}

/// Reports whether `trunk serve` serves the page. Its proxy forwards sockets under a path of their
/// own, and negotiates their subprotocol with the server only; see `Trunk.toml`.
#[must_use]
pub fn is_served_by_trunk() -> bool {
    let meta = leptos::prelude::document().query_selector("meta[name=trunk]").ok().flatten();
    let content = meta.and_then(|meta| meta.get_attribute("content"));
    content.is_some_and(|content| !content.starts_with("{{"))
}
