//! Takes over the requests and the socket that the script in index.html opened before the page's
//! own module was loaded.

use js_sys::{Array, Promise, Reflect, Uint8Array};
use leptos::prelude::window;
use limpet_shared::{ViewerId, Winsize};
use wasm_bindgen::{JsCast as _, prelude::*};
use wasm_bindgen_futures::JsFuture;
use web_sys::WebSocket;

#[wasm_bindgen]
extern "C" {
    /// Takes the request or attachment that the script started for a path. Most paths have none,
    /// and each is returned only once.
    #[wasm_bindgen(catch, js_name = takePreconnected)]
    fn take_preconnected(path: &str) -> Result<JsValue, JsValue>;

    /// Closes everything that nobody has taken, and does the work that could wait.
    #[wasm_bindgen(catch, js_name = afterStartup)]
    fn after_startup() -> Result<(), JsValue>;

    /// Stores the terminal's size for the next visit in a window of the same extent.
    #[wasm_bindgen(catch, js_name = rememberSize)]
    fn remember_size(cols: u16, rows: u16, xpixel: u16, ypixel: u16) -> Result<(), JsValue>;

    /// Returns the stored key of this browser's sign-in.
    #[wasm_bindgen(catch, js_name = signInKey)]
    fn read_sign_in_key() -> Result<String, JsValue>;

    /// Stores the key of this browser's sign-in.
    #[wasm_bindgen(catch, js_name = signInKey)]
    fn write_sign_in_key(key: &str) -> Result<(), JsValue>;

    /// An attachment to a session, whose WebSocket the script has opened.
    #[wasm_bindgen(js_name = Object)]
    type Attachment;

    #[wasm_bindgen(method, getter)]
    fn socket(this: &Attachment) -> WebSocket;

    #[wasm_bindgen(method, getter)]
    fn viewer(this: &Attachment) -> Uint8Array;

    /// The size that the hello contained, once the hello was sent.
    #[wasm_bindgen(method, getter)]
    fn size(this: &Attachment) -> Option<Size>;

    #[wasm_bindgen(method, getter)]
    fn received(this: &Attachment) -> Array;

    /// A terminal size as a JavaScript object.
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

/// The contents of a hello that was sent already.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SentHello {
    pub(crate) viewer: ViewerId,
    pub(crate) size: Winsize,
}

/// A WebSocket that is open or connecting, and that has no listeners any more.
pub(crate) struct PreconnectedSocket {
    pub(crate) socket: WebSocket,
    pub(crate) hello: Option<SentHello>,
    /// The messages received so far.
    pub(crate) received: Vec<JsValue>,
}

// One of the tests loads a page without these functions.

/// Takes the pending answer to a request.
pub(crate) fn take_response(path: &str) -> Option<Promise> {
    take_preconnected(path).ok()?.dyn_into().ok()
}

/// Takes the attachment to a session.
pub(crate) fn take_socket(path: &str) -> Option<PreconnectedSocket> {
    let attachment: Attachment = take_preconnected(path).ok()?.dyn_into().ok()?;
    let socket = attachment.socket();
    socket.set_onopen(None);
    socket.set_onmessage(None);
    // A socket that failed is not returned; the caller opens another.
    (socket.ready_state() <= WebSocket::OPEN).then(|| {
        let hello = attachment.size().map(|size| sent_hello(&attachment.viewer(), &size));
        PreconnectedSocket { socket, hello, received: attachment.received().to_vec() }
    })
}

fn sent_hello(viewer: &Uint8Array, size: &Size) -> SentHello {
    let mut bytes = [0; 16];
    viewer.copy_to(&mut bytes);
    let size = Winsize { cols: size.cols(), rows: size.rows(), xpixel: size.xpixel(), ypixel: size.ypixel() };
    SentHello { viewer: ViewerId::from_bytes(bytes), size }
}

/// Returns the key of this browser's sign-in, the half that is not a cookie. It is empty if there
/// is no sign-in. Pages in other windows may change it.
pub(crate) fn sign_in_key() -> String {
    read_sign_in_key().unwrap_or_default()
}

/// Stores the key of this browser's sign-in.
pub(crate) fn store_sign_in_key(key: &str) {
    let _ = write_sign_in_key(key);
}

/// Waits until xterm.js is loaded. It comes in a script of its own, except under `trunk serve`.
pub(crate) async fn xterm_loaded() {
    let loaded = Reflect::get(&window(), &"terminalLoaded".into()).ok();
    if let Some(loaded) = loaded.and_then(|loaded| loaded.dyn_into::<Promise>().ok()) {
        // This promise never rejects: loading is retried until it succeeds.
        let _ = JsFuture::from(loaded).await;
    }
}

/// Tells the script that the terminal is shown, or that none will be shown soon. The script closes
/// the requests that the page has not taken by then.
pub(crate) fn finish_startup() {
    let _ = after_startup();
}

/// Stores the terminal's size, so that the next hello can be sent before the terminal exists.
pub(crate) fn store_terminal_size(Winsize { cols, rows, xpixel, ypixel }: Winsize) {
    let _ = remember_size(cols, rows, xpixel, ypixel);
}
