//! Copying from a pane to the clipboard, and pasting.

use wasm_bindgen_futures::spawn_local;
use web_sys::ClipboardEvent;

use super::Pane;
use crate::terminal::{clipboard, text};

impl Pane {
    /// Copies the selection. Returns false if there is none.
    pub fn copy(&self) -> bool {
        let Some(text) = self.selection_text() else { return false };
        if clipboard::available() {
            self.write_clipboard(text);
        } else {
            self.screen.terminal().focus();
            clipboard::copy_selection();
        }
        true
    }

    /// Handles a copy by the browser, for example from its own menu.
    pub fn on_copy(&self, event: &ClipboardEvent) {
        // xterm.js would copy the selection unchanged.
        event.stop_propagation();
        let (Some(text), Some(data)) = (self.selection_text(), event.clipboard_data()) else {
            // xterm.js has put the selection there, and the browser would copy that.
            if let Some(textarea) = self.screen.terminal().textarea() {
                textarea.set_value("");
            }
            return;
        };
        if data.set_data("text/plain", &text).is_ok() {
            event.prevent_default();
        }
    }

    /// Returns the selection, cleaned up, if it contains more than blanks.
    fn selection_text(&self) -> Option<String> {
        let terminal = self.screen.terminal();
        terminal.has_selection().then(|| text::trim_copied(&terminal.get_selection())).flatten()
    }

    /// Pastes the clipboard.
    pub fn paste(&self) {
        let me = self.me.clone();
        spawn_local(async move {
            let text = clipboard::read().await;
            let Some(pane) = me.upgrade() else { return };
            match text {
                Ok(text) => pane.paste_text(&text),
                Err(_) => pane.notice(
                    "The browser does not let this page read the clipboard. Paste with the keyboard.",
                ),
            }
        });
    }

    /// Handles a paste by the browser.
    pub fn on_paste(&self, event: &ClipboardEvent) {
        event.prevent_default();
        event.stop_propagation();
        let data = event.clipboard_data().and_then(|data| data.get_data("text/plain").ok());
        if let Some(text) = data {
            self.paste_text(&text);
        }
    }

    /// Pastes this text.
    pub fn paste_text(&self, text: &str) {
        self.explain_read_only();
        self.screen.terminal().paste(&text::sanitize_paste(text));
    }

    pub(super) fn write_clipboard(&self, text: String) {
        let me = self.me.clone();
        spawn_local(async move {
            let refused = clipboard::write(&text).await.is_err();
            if let Some(pane) = me.upgrade().filter(|_| refused) {
                pane.notice("The browser does not let this page write to the clipboard.");
            }
        });
    }
}
