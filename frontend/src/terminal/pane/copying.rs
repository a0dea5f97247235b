//! What goes from a pane into the clipboard, and back.

use wasm_bindgen_futures::spawn_local;

use super::Pane;
use crate::terminal::clipboard;

impl Pane {
    /// Copies the selection; false if there is none.
    pub fn copy(&self) -> bool {
        let terminal = self.screen.terminal();
        if !terminal.has_selection() {
            return false;
        }
        if clipboard::available() {
            self.copy_out(terminal.get_selection());
        } else {
            terminal.focus();
            clipboard::copy_selection();
        }
        true
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

    /// Pastes this text.
    pub fn paste_text(&self, text: &str) {
        self.hint();
        self.screen.terminal().paste(text);
    }

    pub(super) fn copy_out(&self, text: String) {
        let me = self.me.clone();
        spawn_local(async move {
            let refused = clipboard::write(&text).await.is_err();
            if let Some(pane) = me.upgrade().filter(|_| refused) {
                pane.notice("The browser does not let this page write to the clipboard.");
            }
        });
    }
}
