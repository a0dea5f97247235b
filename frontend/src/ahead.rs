//! What index.html has begun before the page's own module was there.

use js_sys::Promise;
use wasm_bindgen::{JsCast as _, prelude::*};
use web_sys::WebSocket;

#[wasm_bindgen]
extern "C" {
    /// What was begun for a path. There is something once, and nothing for most paths.
    #[wasm_bindgen(catch, js_name = takeEarly)]
    fn take_early(path: &str) -> Result<JsValue, JsValue>;
}

/// The answer to a request.
pub(crate) fn answer(path: &str) -> Option<Promise> {
    take(path)
}

/// A WebSocket that is open, or about to be.
pub(crate) fn socket(path: &str) -> Option<WebSocket> {
    take(path).filter(|socket: &WebSocket| socket.ready_state() <= WebSocket::OPEN)
}

fn take<T: JsCast>(path: &str) -> Option<T> {
    // A page that has no such function is one of the tests.
    take_early(path).ok()?.dyn_into().ok()
}
