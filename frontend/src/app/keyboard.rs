//! Key presses: which are the page's, and the touch key bar.

use leptos::{ev, prelude::*};
use wasm_bindgen::JsCast as _;
use web_sys::{KeyboardEvent, KeyboardEventInit};

use super::{App, Stage};
use crate::{
    commands::{self, keys::Press},
    tabs::TabKind,
};

/// Keys of the touch key bar that are held for the next key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Modifiers {
    /// Ctrl.
    pub ctrl: bool,
    /// Alt.
    pub alt: bool,
}

impl Modifiers {
    /// What a program reads when `text` is typed with these held.
    #[must_use]
    pub fn typed(self, text: &str) -> String {
        let mut bytes = String::new();
        if self.alt {
            bytes.push('\u{1b}');
        }
        bytes.extend(text.chars().map(|letter| if self.ctrl { control(letter) } else { letter }));
        bytes
    }
}

/// The control character of a letter, as terminals have always made it: the letter's code without its upper bits.
fn control(letter: char) -> char {
    match letter.to_ascii_uppercase() {
        upper @ '@'..='_' => char::from(upper as u8 & 0x1f),
        ' ' => '\0',
        '/' | '-' => '\u{1f}',
        '?' => '\u{7f}',
        _ => letter,
    }
}

impl App {
    /// Takes the page's shortcuts wherever the keyboard is.
    pub(super) fn follow_keyboard(self) {
        let pressed = window_event_listener(ev::keydown, move |event| {
            if !event.default_prevented() && !self.take_key(&event) && !self.leave_part(&event) {
                self.hand_over(&event);
            }
        });
        on_cleanup(move || pressed.remove());
    }

    /// Whether the page takes a key press, and if so does what it asks for.
    pub fn take_key(&self, event: &KeyboardEvent) -> bool {
        if self.overlay.with_untracked(Option::is_some) || self.stage.get_untracked() != Stage::Ready {
            return false;
        }
        if let Some(action) = commands::pressed(&Press::from(event)) {
            if action.goes_round() && self.is_in_full_screen_program() {
                return false;
            }
            event.prevent_default();
            self.run(action);
            return true;
        }
        self.take_with_held(event)
    }

    /// Whether the page takes a key press in a terminal whose program has ended: Enter starts it again, Escape and Ctrl+D close the tab.
    /// Tab leads to the buttons that do the same.
    pub fn take_key_after_end(&self, kind: &TabKind, event: &KeyboardEvent) -> bool {
        let tab = self.tabs.with_untracked(|tabs| tabs.get(kind).filter(|tab| tab.is_over()).cloned());
        let Some(tab) = tab else { return false };
        let owns = self.owns(kind);
        let (held, key) =
            ((event.ctrl_key(), event.shift_key(), event.alt_key(), event.meta_key()), event.key());
        match (held, key.as_str()) {
            // The browser's own, which xterm.js must not see.
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

    /// A key of a keyboard on the screen that comes after Ctrl or Alt of the touch key bar.
    fn take_with_held(&self, event: &KeyboardEvent) -> bool {
        let held = self.held.get_untracked();
        let key = event.key();
        let typed = key.chars().count() == 1 && !event.ctrl_key() && !event.alt_key() && !event.meta_key();
        if held == Modifiers::default() || !typed || !event.is_trusted() {
            return false;
        }
        event.prevent_default();
        self.type_text(&key);
        true
    }

    /// Types text, with what is held on the touch key bar, which is let go.
    pub fn type_text(&self, text: &str) {
        let held = self.held.get_untracked();
        self.held.set(Modifiers::default());
        if let Some(pane) = self.pane() {
            pane.send(&held.typed(text));
        }
    }

    /// Presses a key that is no character. The terminal knows which bytes it stands for in the mode that the program
    /// has asked for, so it gets a key press like any other one.
    pub fn press_key(&self, key: &str, key_code: u32) {
        let held = self.held.get_untracked();
        self.held.set(Modifiers::default());
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
            // A press that nobody wants is none.
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
            assert_eq!(ctrl.typed(typed), sent, "{typed}");
        }
        assert_eq!(Modifiers { ctrl: false, alt: true }.typed("b"), "\u{1b}b");
        assert_eq!(Modifiers { ctrl: true, alt: true }.typed("b"), "\u{1b}\u{2}");
        assert_eq!(Modifiers::default().typed("~"), "~");
    }
}
