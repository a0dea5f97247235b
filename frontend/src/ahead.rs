//! What index.html has begun before the page's own module was there.

use js_sys::{Array, Promise, Reflect, Uint8Array};
use leptos::prelude::window;
use limpet_shared::{ViewerId, Winsize};
use wasm_bindgen::{JsCast as _, prelude::*};
use wasm_bindgen_futures::JsFuture;
use web_sys::WebSocket;

#[wasm_bindgen]
extern "C" {
    /// What was begun for a path. There is something once, and nothing for most paths.
    #[wasm_bindgen(catch, js_name = takeEarly)]
    fn take_early(path: &str) -> Result<JsValue, JsValue>;

    /// Ends what nobody has taken, and does what could wait.
    #[wasm_bindgen(catch, js_name = afterOpening)]
    fn after_opening() -> Result<(), JsValue>;

    /// Remembers the size of the terminal for the next time that the page comes in a window like this.
    #[wasm_bindgen(catch, js_name = rememberSize)]
    fn remember_size(cols: u16, rows: u16, xpixel: u16, ypixel: u16) -> Result<(), JsValue>;

    /// The key that is kept of this browser's sign-in.
    #[wasm_bindgen(catch, js_name = signInKey)]
    fn sign_in_key() -> Result<String, JsValue>;

    /// Keeps a key.
    #[wasm_bindgen(catch, js_name = signInKey)]
    fn keep_sign_in_key(key: &str) -> Result<(), JsValue>;

    /// A WebSocket to a session that was begun to be opened.
    #[wasm_bindgen(js_name = Object)]
    type Attachment;

    #[wasm_bindgen(method, getter)]
    fn socket(this: &Attachment) -> WebSocket;

    #[wasm_bindgen(method, getter)]
    fn viewer(this: &Attachment) -> Uint8Array;

    /// What hello has told, once it was said.
    #[wasm_bindgen(method, getter)]
    fn size(this: &Attachment) -> Option<Size>;

    #[wasm_bindgen(method, getter)]
    fn said(this: &Attachment) -> Array;

    /// A size in JavaScript.
    type Size;

    #[wasm_bindgen(method, getter)]
    fn cols(this: &Size) -> u16;

    #[wasm_bindgen(method, getter)]
    fn rows(this: &Size) -> u16;

    #[wasm_bindgen(method, getter)]
    fn xpixel(this: &Size) -> u16;

    #[wasm_bindgen(method, getter)]
    fn ypixel(this: &Size) -> u16;
}

/// What a hello that was said has told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Greeting {
    pub(crate) viewer: ViewerId,
    pub(crate) size: Winsize,
}

/// A WebSocket that is open, or about to be, and on which nobody listens any more.
pub(crate) struct Begun {
    pub(crate) socket: WebSocket,
    pub(crate) greeting: Option<Greeting>,
    /// The messages that have come.
    pub(crate) said: Vec<JsValue>,
}

// A page that lacks these functions is one of the tests.

/// The answer to a request.
pub(crate) fn answer(path: &str) -> Option<Promise> {
    take_early(path).ok()?.dyn_into().ok()
}

/// The attachment to a session.
pub(crate) fn attachment(path: &str) -> Option<Begun> {
    let attachment: Attachment = take_early(path).ok()?.dyn_into().ok()?;
    let socket = attachment.socket();
    socket.set_onopen(None);
    socket.set_onmessage(None);
    // Another one has to be opened where this could not be.
    (socket.ready_state() <= WebSocket::OPEN).then(|| {
        let greeting = attachment.size().map(|size| greeting(&attachment.viewer(), &size));
        Begun { socket, greeting, said: attachment.said().to_vec() }
    })
}

fn greeting(viewer: &Uint8Array, size: &Size) -> Greeting {
    let mut bytes = [0; 16];
    viewer.copy_to(&mut bytes);
    let size = Winsize { cols: size.cols(), rows: size.rows(), xpixel: size.xpixel(), ypixel: size.ypixel() };
    Greeting { viewer: ViewerId::from_bytes(bytes), size }
}

/// The half of this browser's sign-in that is no cookie; empty if there is none. Pages in other windows may change it.
pub(crate) fn key() -> String {
    sign_in_key().unwrap_or_default()
}

/// From now on the key is this one.
pub(crate) fn keep_key(key: &str) {
    let _ = keep_sign_in_key(key);
}

/// Done when there is xterm.js: it comes in a script of its own, but not under `trunk serve`.
pub(crate) async fn terminal() {
    let loaded = Reflect::get(&window(), &"terminalLoaded".into()).ok();
    if let Some(loaded) = loaded.and_then(|loaded| loaded.dyn_into::<Promise>().ok()) {
        // It never fails, but is loaded until it has come.
        let _ = JsFuture::from(loaded).await;
    }
}

/// There is a terminal, or there will be none soon: nothing more is asked for.
pub(crate) fn opened() {
    let _ = after_opening();
}

/// The next time it can be told that the terminal has this size.
pub(crate) fn remember(Winsize { cols, rows, xpixel, ypixel }: Winsize) {
    let _ = remember_size(cols, rows, xpixel, ypixel);
}
