//! Input: from keys to the program.

use std::rc::Rc;

use limpet_shared::Role;
use web_sys::KeyboardEvent;

use super::Pane;
use crate::terminal::{
    keys::{self, Key, KeyAction},
    queries,
};

/// The message to a reader who types.
const READ_ONLY: &str = "You can view this terminal, not type in it.";

impl Pane {
    /// Handles the terminal's input: typed text, and answers to queries.
    pub fn on_input(&self, input: &str) {
        if self.focus_muted.get() && queries::is_focus_report(input) {
            return;
        }
        self.follows_cursor.set(true);
        if let Some(connection) = self.connection() {
            connection.send_input(input.as_bytes());
        }
    }

    /// Does the same for bytes, one per character: old mouse reports.
    pub fn on_binary_input(&self, input: &str) {
        let bytes: Vec<u8> = input.chars().filter_map(|byte| u8::try_from(u32::from(byte)).ok()).collect();
        if let Some(connection) = self.connection() {
            connection.send_input(&bytes);
        }
    }

    /// Handles a key. Returns true if the terminal should handle it.
    pub fn on_key(&self, event: &KeyboardEvent) -> bool {
        if event.type_() != "keydown" {
            return true;
        }
        let take_key = Rc::clone(&self.host.borrow().take_key);
        if take_key(event) {
            return false;
        }
        let name = event.key();
        let key = Key {
            key: &name,
            ctrl: event.ctrl_key(),
            shift: event.shift_key(),
            alt: event.alt_key(),
            meta: event.meta_key(),
        };
        match keys::action(self.platform, key, self.screen.terminal().has_selection()) {
            KeyAction::Program => {
                if keys::is_typing(&name) {
                    self.explain_read_only();
                }
                self.send_control(event, key)
            }
            KeyAction::Browser => false,
            KeyAction::Copy => {
                event.prevent_default();
                if self.copy() {
                    self.screen.terminal().clear_selection();
                }
                false
            }
        }
    }

    /// Sends the control characters that xterm.js does not know. Returns true for any other key.
    fn send_control(&self, event: &KeyboardEvent, key: Key<'_>) -> bool {
        let terminal = self.screen.terminal();
        match keys::control_character(key).filter(|_| !terminal.has_kitty_keyboard()) {
            Some(control) => {
                event.prevent_default();
                terminal.input(control.encode_utf8(&mut [0]));
                false
            }
            None => true,
        }
    }

    /// Sends this text as if it were typed.
    pub fn send(&self, text: &str) {
        self.explain_read_only();
        self.screen.terminal().input(text);
    }

    /// Tells a reader who types why nothing happens.
    pub fn explain_read_only(&self) {
        if self.role.get() == Some(Role::Reader) {
            self.notice(READ_ONLY);
        }
    }
}
