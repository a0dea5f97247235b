//! The clipboard: copying and pasting by the user, and writing by programs (OSC 52).

use js_sys::{Object, Reflect};
use leptos::prelude::{document, window};
use wasm_bindgen::{JsCast as _, JsValue, closure::Closure};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Clipboard, HtmlDocument, HtmlTextAreaElement};

use super::xterm::object;
use crate::dom;

/// Returns the browser's clipboard, or `None` on a page that came over plain HTTP from another
/// host.
fn browser_clipboard() -> Option<Clipboard> {
    let navigator = window().navigator();
    let clipboard = Reflect::get(&navigator, &"clipboard".into()).ok()?;
    (!clipboard.is_undefined()).then(|| clipboard.unchecked_into())
}

/// Reports whether the page may use the clipboard other than by the browser's own commands.
#[must_use]
pub fn available() -> bool {
    browser_clipboard().is_some()
}

/// Writes text to the clipboard.
///
/// # Errors
/// If the browser does not allow it.
pub async fn write(text: &str) -> Result<(), JsValue> {
    let clipboard = browser_clipboard().ok_or(JsValue::NULL)?;
    JsFuture::from(clipboard.write_text(text)).await.map(drop)
}

/// Reads text from the clipboard. The browser may ask the user for permission.
///
/// # Errors
/// If the browser or the user does not allow it.
pub async fn read() -> Result<String, JsValue> {
    let clipboard = browser_clipboard().ok_or(JsValue::NULL)?;
    let text = JsFuture::from(clipboard.read_text()).await?;
    text.as_string().ok_or(JsValue::NULL)
}

/// Writes text to the clipboard by the browser's own command, which works on any page, but only in
/// response to a key or a click. Returns false if the browser does not allow it. The keyboard focus
/// is lost afterwards.
pub fn write_by_command(text: &str) -> bool {
    let Some(body) = document().body() else { return false };
    let field = dom::element("textarea").unchecked_into::<HtmlTextAreaElement>();
    field.set_value(text);
    field.set_class_name("copied-text");
    dom::append(&field, &body);
    field.select();
    let is_copied = document().unchecked_into::<HtmlDocument>().exec_command("copy").unwrap_or(false);
    field.remove();
    is_copied
}

/// Copies the selection of the focused terminal by the browser's own command, which works on any
/// page, but only in response to a key or a click.
pub fn copy_selection() {
    // If the browser refuses this, it refuses everything else as well.
    let _ = document().unchecked_into::<HtmlDocument>().exec_command("copy");
}

/// The provider of the clipboard add-on, by which programs may write to the clipboard but not read
/// it.
pub struct Provider {
    write: Closure<dyn Fn(String, String)>,
    read: Closure<dyn Fn() -> String>,
}

impl Provider {
    /// Creates a provider that calls `write` with the text that a program wants to write to the
    /// clipboard.
    pub fn new(write: impl Fn(String) + 'static) -> Self {
        let write = move |selection: String, text: String| {
            // "p" is the primary selection alone, which is not the clipboard. Text that cannot be
            // decoded arrives empty, and must not empty the clipboard.
            if selection != "p" && !text.is_empty() {
                write(text);
            }
        };
        Self { write: Closure::new(write), read: Closure::new(String::new) }
    }

    /// Returns the provider as an `IClipboardProvider` of xterm.js.
    #[must_use]
    pub fn object(&self) -> Object {
        object(&[("writeText", self.write.as_ref().clone()), ("readText", self.read.as_ref().clone())])
    }
}
