//! Handles the page's shortcuts and the touch key bar.

use leptos::{ev, prelude::*};
use wasm_bindgen::JsCast as _;
use web_sys::{KeyboardEvent, KeyboardEventInit};

use super::{App, Stage};
use crate::{
    commands::{self, keys::KeyPress},
    tabs::TabKind,
};

/// The keys of the touch key bar that are held for the next key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Modifiers {
    /// Ctrl.
    pub ctrl: bool,
    /// Alt.
    pub alt: bool,
}

impl Modifiers {
    /// Returns what a program reads when `text` is typed with these keys held.
    #[must_use]
    pub fn apply_to(self, text: &str) -> String {
        let mut bytes = String::new();
        if self.alt {
            bytes.push('\u{1b}');
        }
        bytes.extend(text.chars().map(|letter| if self.ctrl { control_character(letter) } else { letter }));
        bytes
    }
}

/// Returns a letter's control character: the letter's code without its upper three bits.
fn control_character(letter: char) -> char {
    match letter.to_ascii_uppercase() {
        upper @ '@'..='_' => char::from(upper as u8 & 0x1f),
        ' ' => '\0',
        '/' | '-' => '\u{1f}',
        '?' => '\u{7f}',
        _ => letter,
    }
}

impl App {
    /// Handles the page's shortcuts, wherever the focus is.
    pub(super) fn follow_keyboard(self) {
        let pressed = window_event_listener(ev::keydown, move |event| {
            if !event.default_prevented() && !self.take_key(&event) && !self.return_to_terminal(&event) {
                self.forward_stray_key(&event);
            }
        });
        on_cleanup(move || pressed.remove());
    }

    /// Handles a key press if it is a shortcut of the page. Returns whether it was.
    pub fn take_key(&self, event: &KeyboardEvent) -> bool {
        if self.overlay.with_untracked(Option::is_some) || self.stage.get_untracked() != Stage::Ready {
            return false;
        }
        if let Some(action) = commands::action_for(&KeyPress::from(event)) {
            if action.cycles_focus() && self.is_in_full_screen_program() {
                return false;
            }
            event.prevent_default();
            self.run(action);
            return true;
        }
        self.take_key_with_modifiers(event)
    }

    /// Handles a key press in a terminal whose program has ended: Enter restarts the program,
    /// Escape and Ctrl+D close the tab. Tab moves to the buttons that do the same. Returns whether
    /// the page takes the key.
    pub fn take_key_after_end(&self, kind: &TabKind, event: &KeyboardEvent) -> bool {
        let tab = self.tabs.with_untracked(|tabs| tabs.get(kind).filter(|tab| tab.is_over()).cloned());
        let Some(tab) = tab else { return false };
        let owns = self.owns(kind);
        let (held, key) =
            ((event.ctrl_key(), event.shift_key(), event.alt_key(), event.meta_key()), event.key());
        match (held, key.as_str()) {
            // The browser handles Tab, so xterm.js must not see it.
            ((false, _, false, false), "Tab") => return true,
            _ if event.repeat() => return false,
            ((false, false, false, false), "Enter") if owns => self.restart_tab(tab),
            ((false, false, false, false), "Escape") | ((true, false, false, false), "d") => {
                self.end_tab(kind);
            }
            _ => return false,
        }
        event.prevent_default();
        true
    }

    /// Handles a key of an on-screen keyboard that follows Ctrl or Alt of the touch key bar.
    /// Returns whether it did.
    fn take_key_with_modifiers(&self, event: &KeyboardEvent) -> bool {
        let held = self.held_modifiers.get_untracked();
        let key = event.key();
        let typed = key.chars().count() == 1 && !event.ctrl_key() && !event.alt_key() && !event.meta_key();
        if held == Modifiers::default() || !typed || !event.is_trusted() {
            return false;
        }
        event.prevent_default();
        self.type_text(&key);
        true
    }

    /// Types text with the keys that are held on the touch key bar, and releases them.
    pub fn type_text(&self, text: &str) {
        let held = self.held_modifiers.get_untracked();
        self.held_modifiers.set(Modifiers::default());
        if let Some(pane) = self.pane() {
            pane.send(&held.apply_to(text));
        }
    }

    /// Presses a key that is not a character. The terminal knows which bytes the key stands for in
    /// the current mode, so it gets an ordinary key press.
    pub fn press_key(&self, key: &str, key_code: u32) {
        let held = self.held_modifiers.get_untracked();
        self.held_modifiers.set(Modifiers::default());
        let Some(pane) = self.pane() else { return };
        pane.focus();
        let init = KeyboardEventInit::new();
        init.set_bubbles(true);
        init.set_cancelable(true);
        init.set_key(key);
        init.set_code(key);
        init.set_key_code(key_code);
        init.set_ctrl_key(held.ctrl);
        init.set_alt_key(held.alt);
        let event = KeyboardEvent::new_with_keyboard_event_init_dict("keydown", &init);
        if let (Some(target), Ok(event)) = (document().active_element(), event) {
            // A key press that nothing handles has no effect.
            let _ = target.dispatch_event(event.unchecked_ref());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn held_keys_make_control_characters() {
        let ctrl = Modifiers { ctrl: true, alt: false };
        for (typed, sent) in
            [("c", "\u{3}"), ("C", "\u{3}"), ("[", "\u{1b}"), (" ", "\0"), ("/", "\u{1f}"), ("é", "é")]
        {
            assert_eq!(ctrl.apply_to(typed), sent, "{typed}");
        }
        assert_eq!(Modifiers { ctrl: false, alt: true }.apply_to("b"), "\u{1b}b");
        assert_eq!(Modifiers { ctrl: true, alt: true }.apply_to("b"), "\u{1b}\u{2}");
        assert_eq!(Modifiers::default().apply_to("~"), "~");
    }
}
