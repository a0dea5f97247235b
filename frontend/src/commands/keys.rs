//! Keyboard shortcuts, and the key presses that match them.

/// A key press, as reported by a `keydown` event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "the four modifiers of a DOM KeyboardEvent")]
pub struct KeyPress {
    /// The key's meaning in the current layout (`KeyboardEvent.key`).
    pub key: String,
    /// The physical key (`KeyboardEvent.code`, see the UI Events `KeyboardEvent` code values).
    pub code: String,
    /// True while Ctrl is held.
    pub ctrl: bool,
    /// True while Shift is held.
    pub shift: bool,
    /// True while Alt (Option) is held.
    pub alt: bool,
    /// True while Meta (Command, Windows) is held.
    pub meta: bool,
}

impl From<&web_sys::KeyboardEvent> for KeyPress {
    fn from(event: &web_sys::KeyboardEvent) -> Self {
        Self {
            key: event.key(),
            code: event.code(),
            ctrl: event.ctrl_key(),
            shift: event.shift_key(),
            alt: event.alt_key(),
            meta: event.meta_key(),
        }
    }
}

/// The modifiers of a shortcut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ChordModifiers {
    None,
    Shift,
    CtrlShift,
}

/// A shortcut: a key and its modifiers, nearly always `Ctrl+Shift`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chord {
    modifiers: ChordModifiers,
    name: &'static str,
    code: &'static str,
    left_to_browser: bool,
}

impl Chord {
    /// Creates a shortcut of `Ctrl+Shift` and a key. `name` is the key's label, `code` the physical
    /// key that counts where the layout does not matter.
    #[must_use]
    pub const fn new(name: &'static str, code: &'static str) -> Self {
        Self { modifiers: ChordModifiers::CtrlShift, name, code, left_to_browser: false }
    }

    /// Creates a shortcut of a function key without modifiers.
    #[must_use]
    pub const fn alone(name: &'static str) -> Self {
        Self { modifiers: ChordModifiers::None, ..Self::new(name, name) }
    }

    /// Creates a shortcut of `Shift` and a function key.
    #[must_use]
    pub const fn shifted(name: &'static str) -> Self {
        Self { modifiers: ChordModifiers::Shift, ..Self::new(name, name) }
    }

    /// Makes the shortcut one that is displayed but not handled: the browser does the right thing
    /// by itself.
    #[must_use]
    pub const fn left_to_browser(self) -> Self {
        Self { left_to_browser: true, ..self }
    }

    /// Reports whether the page handles this key press. Letters follow the current layout if it has
    /// Latin ones. All other keys count by their physical place, since Shift changes their meaning
    /// differently in each layout.
    #[must_use]
    pub fn matches(self, press: &KeyPress) -> bool {
        let are_held = match self.modifiers {
            ChordModifiers::None => !press.ctrl && !press.shift,
            ChordModifiers::Shift => !press.ctrl && press.shift,
            ChordModifiers::CtrlShift => press.ctrl && press.shift,
        };
        are_held && !press.alt && !press.meta && !self.left_to_browser && self.is_key(press)
    }

    fn is_key(self, press: &KeyPress) -> bool {
        let latin = |text: &str| matches!(text.as_bytes(), [letter] if letter.is_ascii_alphabetic());
        if latin(&press.key) { press.key.eq_ignore_ascii_case(self.name) } else { press.code == self.code }
    }

    /// Returns the names of the keys, as they are printed on the keyboard.
    #[must_use]
    pub fn names(self, mac: bool) -> Vec<&'static str> {
        let (ctrl, shift) = if mac { ("⌃", "⇧") } else { ("Ctrl", "Shift") };
        match self.modifiers {
            ChordModifiers::None => vec![self.name],
            ChordModifiers::Shift => vec![shift, self.name],
            ChordModifiers::CtrlShift => vec![ctrl, shift, self.name],
        }
    }
}
