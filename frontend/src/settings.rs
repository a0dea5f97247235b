//! The user's settings, as this browser stores them. No DOM here.

#[cfg(test)]
mod tests;

use std::ops::RangeInclusive;

use limpet_shared::theme::Appearance;
use serde::{Deserialize, Serialize, de::IgnoredAny};

use crate::{
    json,
    themes::{self, BuiltInTheme, default_id},
};

/// The font sizes to choose from, in CSS pixels.
pub const FONT_SIZES: RangeInclusive<u16> = 8..=40;
/// The numbers of scrollback lines to choose from. xterm.js takes about 12 bytes per cell.
pub const SCROLLBACK: RangeInclusive<u32> = 0..=100_000;
/// The fallback that follows every custom font.
const FALLBACK_FONTS: &str = "ui-monospace, monospace";

/// The settings.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Settings {
    /// The rule that decides between the two themes.
    pub mode: Mode,
    /// The id of the dark theme.
    pub dark_theme: String,
    /// The id of the light theme.
    pub light_theme: String,
    /// The terminals' font.
    pub font: Font,
    /// The custom font that was typed last: a list as in CSS `font-family`.
    pub custom_font: String,
    /// The font size in CSS pixels, one of [`FONT_SIZES`].
    pub font_size: u16,
    /// Makes the cursor blink.
    pub cursor_blink: bool,
    /// Number of lines kept above the screen, one of [`SCROLLBACK`].
    pub scrollback: u32,
    /// The display of a terminal that another viewer made larger than the window.
    pub oversized: Oversized,
    /// The rule for programs that write to the clipboard.
    pub program_copies: ProgramCopies,
    /// Draws text that is hard to read in another shade.
    pub minimum_contrast: bool,
    /// Closes the tab of a program that ended successfully.
    pub close_on_success: bool,
}

/// The rule for programs that write to the clipboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProgramCopies {
    /// The user is asked for each terminal.
    Ask,
    /// Programs may write to the clipboard.
    Always,
    /// Programs may not write to the clipboard.
    Never,
}

/// The display of a terminal that is larger than the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Oversized {
    /// The text is made smaller, so that the terminal fits.
    Shrink,
    /// The terminal is scrolled.
    Scroll,
}

impl Oversized {
    /// Returns the other choice.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Shrink => Self::Scroll,
            Self::Scroll => Self::Shrink,
        }
    }
}

/// The rule that decides between the dark and the light theme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Follows the system, also when its preference changes.
    System,
    /// Always dark.
    Dark,
    /// Always light.
    Light,
}

/// Fonts that need no download. Each stack lists the fonts that come with the various systems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Font {
    /// The system's own monospace font.
    System,
    /// Modern, humanist fonts.
    Modern,
    /// Slab serif fonts, as in typewriters and early terminals.
    Slab,
    /// Narrow fonts.
    Narrow,
    /// The font in [`Settings::custom_font`].
    Custom,
}

impl Font {
    /// All fonts, with the names that the settings show.
    pub const ALL: [(Self, &str); 5] = [
        (Self::System, "System"),
        (Self::Modern, "Modern (Cascadia, JetBrains Mono, Fira)"),
        (Self::Slab, "Slab (Courier, Nimbus Mono)"),
        (Self::Narrow, "Narrow (Iosevka, Ubuntu Mono)"),
        (Self::Custom, "Custom"),
    ];

    const fn stack(self) -> &'static str {
        match self {
            Self::System | Self::Custom => {
                r#"ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", "Liberation Mono", monospace"#
            }
            Self::Modern => {
                r#""Cascadia Mono", "JetBrains Mono", "Fira Code", "Source Code Pro", Menlo, Consolas, monospace"#
            }
            Self::Slab => r#""Courier Prime", "Courier New", "Nimbus Mono PS", Courier, monospace"#,
            Self::Narrow => r#"Iosevka, "Ubuntu Mono", "Sarasa Mono SC", Inconsolata, monospace"#,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mode: Mode::System,
            dark_theme: default_id(Appearance::Dark).to_owned(),
            light_theme: default_id(Appearance::Light).to_owned(),
            font: Font::System,
            custom_font: String::new(),
            font_size: 14,
            cursor_blink: true,
            scrollback: 5_000,
            oversized: Oversized::Shrink,
            program_copies: ProgramCopies::Ask,
            minimum_contrast: true,
            close_on_success: false,
        }
    }
}

impl Settings {
    /// Parses the output of [`Self::to_json`] of this or another version. Each field that is
    /// missing, unknown or out of range gets its default; the other fields are not affected.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let stored: StoredSettings = json::read(text).unwrap_or_default();
        let default = Self::default();
        Self {
            mode: stored.mode.or(default.mode),
            dark_theme: stored.dark_theme.or(default.dark_theme),
            light_theme: stored.light_theme.or(default.light_theme),
            font: stored.font.or(default.font),
            custom_font: stored.custom_font.or(default.custom_font),
            font_size: stored.font_size.within(&FONT_SIZES).or(default.font_size),
            cursor_blink: stored.cursor_blink.or(default.cursor_blink),
            scrollback: stored.scrollback.within(&SCROLLBACK).or(default.scrollback),
            oversized: stored.oversized.or(default.oversized),
            program_copies: stored.program_copies.or(default.program_copies),
            minimum_contrast: stored.minimum_contrast.or(default.minimum_contrast),
            close_on_success: stored.close_on_success.or(default.close_on_success),
        }
    }

    /// Returns the settings as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Settings contain only strings, numbers and booleans, so this never fails.
        json::write(self).unwrap_or_default()
    }

    /// Returns the appearance in force while the system prefers `system`.
    #[must_use]
    pub const fn appearance(&self, system: Appearance) -> Appearance {
        match self.mode {
            Mode::System => system,
            Mode::Dark => Appearance::Dark,
            Mode::Light => Appearance::Light,
        }
    }

    /// Returns the theme for an appearance.
    #[must_use]
    pub fn theme_for(&self, appearance: Appearance) -> &'static BuiltInTheme {
        let id = match appearance {
            Appearance::Dark => &self.dark_theme,
            Appearance::Light => &self.light_theme,
        };
        themes::find(id, appearance)
    }

    /// Returns the theme in force while the system prefers `system`.
    #[must_use]
    pub fn theme(&self, system: Appearance) -> &'static BuiltInTheme {
        self.theme_for(self.appearance(system))
    }

    /// Chooses a theme and makes it visible at once: if it has the other appearance, the mode
    /// changes too.
    pub fn choose(&mut self, theme: &BuiltInTheme, system: Appearance) {
        let (slot, mode) = match theme.appearance {
            Appearance::Dark => (&mut self.dark_theme, Mode::Dark),
            Appearance::Light => (&mut self.light_theme, Mode::Light),
        };
        theme.id.clone_into(slot);
        if self.appearance(system) != theme.appearance {
            self.mode = mode;
        }
    }

    /// Makes the font larger or smaller, within [`FONT_SIZES`].
    pub fn change_font_size(&mut self, pixels: i16) {
        let size = self.font_size.saturating_add_signed(pixels);
        self.font_size = size.clamp(*FONT_SIZES.start(), *FONT_SIZES.end());
    }

    /// Returns the CSS `font-family` value.
    #[must_use]
    pub fn font_family(&self) -> String {
        let custom = self.custom_font.trim();
        match self.font {
            Font::Custom if !custom.is_empty() => format!("{custom}, {FALLBACK_FONTS}"),
            font => font.stack().to_owned(),
        }
    }
}

/// The settings as they are stored, before validation.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct StoredSettings {
    mode: StoredField<Mode>,
    dark_theme: StoredField<String>,
    light_theme: StoredField<String>,
    font: StoredField<Font>,
    custom_font: StoredField<String>,
    font_size: StoredField<u16>,
    cursor_blink: StoredField<bool>,
    scrollback: StoredField<u32>,
    oversized: StoredField<Oversized>,
    program_copies: StoredField<ProgramCopies>,
    minimum_contrast: StoredField<bool>,
    close_on_success: StoredField<bool>,
}

/// A field's value, if this version knows it.
#[derive(Default, Deserialize)]
#[serde(untagged)]
enum StoredField<T> {
    Known(T),
    Unknown(IgnoredAny),
    #[default]
    #[serde(skip)]
    Missing,
}

impl<T> StoredField<T> {
    fn or(self, default: T) -> T {
        match self {
            Self::Known(value) => value,
            Self::Unknown(_) | Self::Missing => default,
        }
    }
}

impl<T: PartialOrd> StoredField<T> {
    fn within(self, range: &RangeInclusive<T>) -> Self {
        match self {
            Self::Known(value) if !range.contains(&value) => Self::Missing,
            found => found,
        }
    }
}
