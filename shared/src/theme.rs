//! The colours of a terminal.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A named set of terminal colours. The page derives its own colours from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Theme {
    /// The name that people know it by.
    pub name: String,
    /// Whether it is light text on a dark ground or the other way round.
    pub appearance: Appearance,
    /// The ground.
    pub background: Rgb,
    /// Text in the default colour.
    pub foreground: Rgb,
    /// The cursor.
    pub cursor: Rgb,
    /// The ground of selected text.
    pub selection: Rgb,
    /// The colour that stands out on `background`: focus, links, the active tab.
    pub accent: Rgb,
    /// The sixteen colours of SGR 30-37 and 90-97: black, red, green, yellow, blue, magenta, cyan, white, then the
    /// bright ones in the same order.
    pub ansi: [Rgb; 16],
}

/// Dark or light, as in CSS `prefers-color-scheme`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Appearance {
    /// Light text on a dark ground.
    Dark,
    /// Dark text on a light ground.
    Light,
}

/// An sRGB colour, written `#rrggbb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rgb {
    /// Red, 0 to 255.
    pub red: u8,
    /// Green, 0 to 255.
    pub green: u8,
    /// Blue, 0 to 255.
    pub blue: u8,
}

/// A text that is no colour.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no colour; write #rrggbb")]
pub struct RgbError(String);

impl FromStr for Rgb {
    type Err = RgbError;

    fn from_str(text: &str) -> Result<Self, RgbError> {
        let digits =
            text.strip_prefix('#').filter(|d| d.len() == 6 && d.bytes().all(|b| b.is_ascii_hexdigit()));
        let number = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let [_, red, green, blue] = number.ok_or_else(|| RgbError(text.to_owned()))?.to_be_bytes();
        Ok(Self { red, green, blue })
    }
}

impl TryFrom<String> for Rgb {
    type Error = RgbError;

    fn try_from(text: String) -> Result<Self, RgbError> {
        text.parse()
    }
}

impl From<Rgb> for String {
    fn from(colour: Rgb) -> Self {
        colour.to_string()
    }
}

impl fmt::Display for Rgb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.red, self.green, self.blue)
    }
}
