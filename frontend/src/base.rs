//! Addresses under the base path that the page was served from.

use wasm_bindgen::UnwrapThrowExt as _;

/// The absolute URL of `path` (without a leading slash), as http or https.
#[must_use]
pub fn url(path: &str) -> String {
    let document = leptos::prelude::document();
    // Every document has a base URI, and index.html sets one that is a legal base.
    let base = document.base_uri().ok().flatten().unwrap_or_default();
    web_sys::Url::new_with_base(path, &base).unwrap_throw().href()
}

/// The absolute URL of `path`, as ws or wss.
#[must_use]
pub fn ws_url(path: &str) -> String {
    // "http" is replaced by "ws", so https becomes wss.
    url(path).replacen("http", "ws", 1)
}

/// Whether the page comes from `trunk serve`. Its proxy passes sockets on by a path of their own, and agrees on their
/// subprotocol with the server alone; see `Trunk.toml`.
#[must_use]
pub fn is_served_by_trunk() -> bool {
    let mark = leptos::prelude::document().query_selector("meta[name=trunk]").ok().flatten();
    let content = mark.and_then(|mark| mark.get_attribute("content"));
    content.is_some_and(|content| !content.starts_with("{{"))
}
