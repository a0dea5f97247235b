//! Shortcuts: which key presses belong to the page.

/// A key press, as a `keydown` event tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "the four modifiers of a DOM KeyboardEvent")]
pub struct Press {
    /// What the key means in the layout in use (`KeyboardEvent.key`).
    pub key: String,
    /// Which key it is (`KeyboardEvent.code`, the UI Events `KeyboardEvent` code values).
    pub code: String,
    /// Whether Ctrl is held.
    pub ctrl: bool,
    /// Whether Shift is held.
    pub shift: bool,
    /// Whether Alt (Option) is held.
    pub alt: bool,
    /// Whether Meta (Command, Windows) is held.
    pub meta: bool,
}

impl From<&web_sys::KeyboardEvent> for Press {
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

/// What is held with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    Nothing,
    Shift,
    CtrlShift,
}

/// A key and what is held with it, nearly always `Ctrl+Shift`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chord {
    held: Held,
    name: &'static str,
    code: &'static str,
    left_to_browser: bool,
}

impl Chord {
    /// `Ctrl+Shift` and the key that is called `name`, and is `code` where layouts do not matter.
    #[must_use]
    pub const fn new(name: &'static str, code: &'static str) -> Self {
        Self { held: Held::CtrlShift, name, code, left_to_browser: false }
    }

    /// A function key alone.
    #[must_use]
    pub const fn alone(name: &'static str) -> Self {
        Self { held: Held::Nothing, ..Self::new(name, name) }
    }

    /// `Shift` and a function key.
    #[must_use]
    pub const fn shifted(name: &'static str) -> Self {
        Self { held: Held::Shift, ..Self::new(name, name) }
    }

    /// The same chord, shown to people but not taken: the browser does the right thing by itself.
    #[must_use]
    pub const fn left_to_browser(self) -> Self {
        Self { left_to_browser: true, ..self }
    }

    /// Whether the page takes this press. Letters follow the layout in use, as far as it has Latin ones; all
    /// other keys are where they are, since what Shift makes of them differs.
    #[must_use]
    pub fn takes(self, press: &Press) -> bool {
        let held = match self.held {
            Held::Nothing => !press.ctrl && !press.shift,
            Held::Shift => !press.ctrl && press.shift,
            Held::CtrlShift => press.ctrl && press.shift,
        };
        held && !press.alt && !press.meta && !self.left_to_browser && self.is_key(press)
    }

    fn is_key(self, press: &Press) -> bool {
        let latin = |text: &str| matches!(text.as_bytes(), [letter] if letter.is_ascii_alphabetic());
        if latin(&press.key) { press.key.eq_ignore_ascii_case(self.name) } else { press.code == self.code }
    }

    /// The names of its keys, as they stand on the keyboard.
    #[must_use]
    pub fn names(self, mac: bool) -> Vec<&'static str> {
        let (ctrl, shift) = if mac { ("⌃", "⇧") } else { ("Ctrl", "Shift") };
        match self.held {
            Held::Nothing => vec![self.name],
            Held::Shift => vec![shift, self.name],
            Held::CtrlShift => vec![ctrl, shift, self.name],
        }
    }
}
