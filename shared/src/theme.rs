//! The colours of a terminal.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A named set of terminal colours. The page derives its own colours from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Theme {
    /// The name shown to people.
    pub name: String,
    /// Light text on a dark background, or the reverse.
    pub appearance: Appearance,
    /// The background.
    pub background: Rgb,
    /// Text in the default colour.
    pub foreground: Rgb,
    /// The cursor's colour.
    pub cursor: Rgb,
    /// The background of selected text.
    pub selection: Rgb,
    /// The colour that stands out on `background`: focus, links, the active tab.
    pub accent: Rgb,
    /// The sixteen colours of SGR 30-37 and 90-97: black, red, green, yellow, blue, magenta, cyan
    /// and white, then their bright versions in the same order.
    pub ansi: [Rgb; 16],
}

/// The colours of a theme that a program can query from its terminal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Colours {
    /// Light text on a dark background, or the reverse.
    pub appearance: Appearance,
    /// The background.
    pub background: Rgb,
    /// Text in the default colour.
    pub foreground: Rgb,
    /// The cursor's colour.
    pub cursor: Rgb,
    /// The sixteen colours of SGR 30-37 and 90-97.
    pub ansi: [Rgb; 16],
}

impl Default for Colours {
    /// Returns the colours of limpet's own dark theme.
    fn default() -> Self {
        Self {
            appearance: Appearance::Dark,
            background: Rgb::from_number(0x14_19_1c),
            foreground: Rgb::from_number(0xd6_de_dd),
            cursor: Rgb::from_number(0x7f_d1_c0),
            ansi: [
                0x25_2d_31, 0xe5_74_7a, 0x86_c3_8a, 0xdf_b5_6c, 0x6f_a8_dc, 0xb9_95_d6, 0x66_bf_c0,
                0xc3_cd_cc, 0x66_75_7a, 0xf1_94_99, 0xa3_d9_a5, 0xf0_cd_8d, 0x93_c1_ec, 0xd0_b3_e6,
                0x8d_d8_d5, 0xf1_f5_f4,
            ]
            .map(Rgb::from_number),
        }
    }
}

impl From<Theme> for Colours {
    fn from(theme: Theme) -> Self {
        let Theme { appearance, background, foreground, cursor, ansi, .. } = theme;
        Self { appearance, background, foreground, cursor, ansi }
    }
}

/// Dark or light, as in CSS `prefers-color-scheme`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Appearance {
    /// Light text on a dark background.
    Dark,
    /// Dark text on a light background.
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

/// The error for a text that is not a colour.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a colour; use #rrggbb")]
pub struct RgbError(String);

impl Rgb {
    /// Returns the colour `0xrrggbb`.
    #[must_use]
    pub const fn from_number(number: u32) -> Self {
        let [_, red, green, blue] = number.to_be_bytes();
        Self { red, green, blue }
    }
}

impl FromStr for Rgb {
    type Err = RgbError;

    fn from_str(text: &str) -> Result<Self, RgbError> {
        let digits =
            text.strip_prefix('#').filter(|d| d.len() == 6 && d.bytes().all(|b| b.is_ascii_hexdigit()));
        let number = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        number.map(Self::from_number).ok_or_else(|| RgbError(text.to_owned()))
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
