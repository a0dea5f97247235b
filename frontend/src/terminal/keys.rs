//! Keys that the terminal does not send to the program: copy and paste as users of each platform
//! expect them, and full screen.

/// The platform of the browser, as far as its keys matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// Command is the key for shortcuts, so the program gets everything with Control.
    Mac,
    /// Ctrl+C copies if there is a selection, and Ctrl+V pastes.
    Windows,
    /// Linux and others: the program gets Ctrl+C and Ctrl+V.
    Unix,
}

impl Platform {
    /// Returns the platform with this `navigator.platform`.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        if name.starts_with("Mac") || name.starts_with("iP") {
            Self::Mac
        } else if name.starts_with("Win") {
            Self::Windows
        } else {
            Self::Unix
        }
    }
}

/// A key with its modifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "the four modifiers of a DOM KeyboardEvent")]
pub struct Key<'a> {
    /// `KeyboardEvent.key`.
    pub key: &'a str,
    /// Control.
    pub ctrl: bool,
    /// Shift.
    pub shift: bool,
    /// Alt or Option.
    pub alt: bool,
    /// Command or the Windows key.
    pub meta: bool,
}

/// The way to handle a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyAction {
    /// The terminal encodes it for the program.
    Program,
    /// The browser handles it as usual: it pastes, or toggles full screen.
    Browser,
    /// The page copies the selection, and prevents the browser's own action.
    Copy,
}

/// Returns the way to handle a key, with or without a selection.
#[must_use]
pub fn action(platform: Platform, key: Key<'_>, selected: bool) -> KeyAction {
    let Key { key, ctrl, shift, alt, meta } = key;
    let letter = |wanted: &str| key.eq_ignore_ascii_case(wanted);
    match platform {
        _ if alt => KeyAction::Program,
        // Full screen, which the user could not leave otherwise.
        _ if key == "F11" && !ctrl && !shift && !meta => KeyAction::Browser,
        Platform::Mac if meta && !ctrl => match () {
            () if letter("c") && selected => KeyAction::Copy,
            () if letter("v") => KeyAction::Browser,
            () => KeyAction::Program,
        },
        Platform::Mac => KeyAction::Program,
        _ if meta => KeyAction::Program,
        // Chromium opens its inspector with Ctrl+Shift+C, so this is handled even without a
        // selection.
        _ if ctrl && shift && letter("c") => KeyAction::Copy,
        _ if ctrl && shift && letter("v") => KeyAction::Browser,
        _ if ctrl && !shift && key == "Insert" => KeyAction::Copy,
        _ if shift && !ctrl && key == "Insert" => KeyAction::Browser,
        Platform::Windows if ctrl && !shift && letter("c") && selected => KeyAction::Copy,
        Platform::Windows if ctrl && !shift && letter("v") => KeyAction::Browser,
        _ => KeyAction::Program,
    }
}

/// Returns the control character of a key with Control, if xterm.js sends none for it: `^@` for 2
/// and the back quote, and all that need Shift. Terminals follow the rule of X11 here
/// (`XkbToControl`), which ignores case; kitty's protocol does not.
///
/// Control with 0, 1 or 9 makes no control character, so the browser handles these.
#[must_use]
pub fn control_character(key: Key<'_>) -> Option<char> {
    let &[letter] = key.key.as_bytes() else { return None };
    if !key.ctrl || key.alt || key.meta {
        return None;
    }
    let code = match letter {
        b'2' | b'`' => 0,
        b' ' | b'@'..=b'~' if key.shift => letter & 0x1f,
        _ => return None,
    };
    Some(char::from(code))
}

/// Reports whether a key types something, by `KeyboardEvent.key`, in contrast to modifiers and
/// navigation keys.
#[must_use]
pub fn is_typing(key: &str) -> bool {
    // On-screen keyboards do not name keys.
    key.chars().count() == 1 || matches!(key, "Enter" | "Backspace" | "Tab" | "Unidentified" | "Process")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parses `Ctrl+Shift+c` and the like.
    fn key(text: &str) -> Key<'_> {
        let (modifiers, key) = text.rsplit_once('+').unwrap_or(("", text));
        let has = |name: &str| modifiers.split('+').any(|modifier| modifier == name);
        Key { key, ctrl: has("Ctrl"), shift: has("Shift"), alt: has("Alt"), meta: has("Meta") }
    }

    fn check(platform: Platform, text: &str, selected: bool, expected: KeyAction) {
        assert_eq!(action(platform, key(text), selected), expected, "{platform:?} {text} {selected}");
    }

    #[test]
    fn control_c_interrupts_unless_windows_has_a_selection() {
        for platform in [Platform::Mac, Platform::Unix] {
            check(platform, "Ctrl+c", true, KeyAction::Program);
        }
        check(Platform::Windows, "Ctrl+c", false, KeyAction::Program);
        check(Platform::Windows, "Ctrl+c", true, KeyAction::Copy);
    }

    #[test]
    fn every_platform_copies_and_pastes_its_own_way() {
        check(Platform::Mac, "Meta+c", true, KeyAction::Copy);
        check(Platform::Mac, "Meta+v", false, KeyAction::Browser);
        check(Platform::Mac, "Ctrl+v", false, KeyAction::Program);
        for platform in [Platform::Windows, Platform::Unix] {
            check(platform, "Ctrl+Shift+C", false, KeyAction::Copy);
            check(platform, "Ctrl+Shift+V", false, KeyAction::Browser);
            check(platform, "Ctrl+Insert", true, KeyAction::Copy);
            check(platform, "Shift+Insert", false, KeyAction::Browser);
        }
        check(Platform::Windows, "Ctrl+v", false, KeyAction::Browser);
        check(Platform::Unix, "Ctrl+v", false, KeyAction::Program);
    }

    #[test]
    fn f11_is_the_browsers_on_every_platform() {
        for platform in [Platform::Mac, Platform::Windows, Platform::Unix] {
            check(platform, "F11", false, KeyAction::Browser);
            check(platform, "Shift+F11", false, KeyAction::Program);
            check(platform, "F10", false, KeyAction::Program);
        }
    }

    #[test]
    fn everything_else_is_the_programs() {
        for text in ["a", "Ctrl+a", "Alt+c", "Ctrl+Alt+c", "Insert", "Shift+C", "Ctrl+Shift+Insert"] {
            check(Platform::Unix, text, true, KeyAction::Program);
        }
    }

    #[test]
    fn control_makes_what_it_makes_in_every_terminal() {
        for (text, code) in [
            ("Ctrl+2", 0),
            ("Ctrl+`", 0),
            ("Ctrl+Shift+@", 0),
            ("Ctrl+Shift+ ", 0),
            ("Ctrl+Shift+A", 1),
            ("Ctrl+Shift+a", 1),
            ("Ctrl+Shift+Z", 26),
            ("Ctrl+Shift+{", 27),
            ("Ctrl+Shift+~", 30),
            ("Ctrl+Shift+^", 30),
            ("Ctrl+Shift+_", 31),
        ] {
            assert_eq!(control_character(key(text)), char::from_u32(code), "{text}");
        }
        let others =
            ["2", "Ctrl+a", "Ctrl+1", "Ctrl+Alt+2", "Ctrl+Shift+Alt+A", "Ctrl+Meta+2", "Ctrl+Shift+Enter"];
        for text in others.into_iter().chain(["Ctrl+Shift+é", "Ctrl+Shift+З", "Ctrl+Shift+!"]) {
            assert_eq!(control_character(key(text)), None, "{text}");
        }
    }

    #[test]
    fn a_modifier_types_nothing() {
        assert!(["a", "é", " ", "Enter", "Unidentified"].into_iter().all(is_typing));
        assert!(!["Shift", "Control", "ArrowUp", "F5", ""].into_iter().any(is_typing));
    }

    #[test]
    fn platforms_are_known_by_name() {
        use Platform::{Mac, Unix, Windows};

        let names = ["MacIntel", "iPhone", "Win32", "Linux x86_64", ""];
        let platforms = names.map(Platform::from_name);
        assert_eq!(platforms, [Mac, Mac, Windows, Unix, Unix]);
    }
}
