//! The page's own colours. They are derived from the terminal's theme, so that the page matches the
//! terminal.
//!
//! Text has a contrast of at least 4.5:1 with every background that it is written on. Edges of
//! controls and the focus ring have at least 3:1 (WCAG 2.2, 1.4.3 and 1.4.11). This holds for every
//! theme.

use std::fmt::Write as _;

use limpet_shared::theme::{Appearance, Rgb, Theme};

use super::colour::{mix, readable, text_on};

/// Minimum contrast of text.
pub const MIN_TEXT_CONTRAST: f64 = 4.5;
/// Minimum contrast of icons, the focus ring and the edges of controls.
pub const MIN_EDGE_CONTRAST: f64 = 3.0;

/// The colours of everything around the terminals' contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageColours {
    appearance: Appearance,
    /// The terminal's background.
    pub terminal: Rgb,
    /// The background of the bars around the terminal.
    pub bar: Rgb,
    /// The background of dialogs, menus and banners.
    pub surface: Rgb,
    /// The background of hovered or selected elements, in bars and on surfaces.
    pub raised: Rgb,
    /// Separating lines.
    pub line: Rgb,
    /// The edges of controls.
    pub edge: Rgb,
    /// Text.
    pub text: Rgb,
    /// Less prominent text.
    pub muted: Rgb,
    /// The focus ring, the active tab's mark, and switches that are on.
    pub accent: Rgb,
    /// Text on a background of `accent`.
    pub on_accent: Rgb,
    /// Success.
    pub good: Rgb,
    /// Warnings.
    pub warning: Rgb,
    /// Errors.
    pub danger: Rgb,
}

impl PageColours {
    /// Derives the page's colours from `theme`.
    #[must_use]
    pub fn of(theme: &Theme) -> Self {
        let ground = theme.background;
        let ink = readable(theme.foreground, &[ground], 7.0);
        let bar = mix(ground, ink, 5);
        let surface = mix(ground, ink, 8);
        let raised = mix(ground, ink, 15);
        let grounds = [ground, bar, surface, raised];
        let [_, red, green, yellow, ..] = theme.ansi;
        let accent = readable(theme.accent, &grounds, MIN_TEXT_CONTRAST);
        Self {
            appearance: theme.appearance,
            terminal: ground,
            bar,
            surface,
            raised,
            line: mix(ground, ink, 18),
            edge: readable(mix(ground, ink, 40), &grounds, MIN_EDGE_CONTRAST),
            text: readable(ink, &grounds, MIN_TEXT_CONTRAST),
            muted: readable(mix(ground, ink, 60), &grounds, MIN_TEXT_CONTRAST),
            accent,
            on_accent: text_on(accent, ground, ink),
            good: readable(green, &grounds, MIN_TEXT_CONTRAST),
            warning: readable(yellow, &grounds, MIN_TEXT_CONTRAST),
            danger: readable(red, &grounds, MIN_TEXT_CONTRAST),
        }
    }

    /// Returns the colours as custom properties, in the syntax of a `style` attribute.
    #[must_use]
    pub fn css(&self) -> String {
        let scheme = match self.appearance {
            Appearance::Dark => "dark",
            Appearance::Light => "light",
        };
        let mut css = format!("color-scheme:{scheme};");
        for (name, colour) in self.named_colours() {
            // Writing to a string cannot fail.
            let _ = write!(css, "--{name}:{colour};");
        }
        css
    }

    const fn named_colours(&self) -> [(&'static str, Rgb); 13] {
        [
            ("terminal", self.terminal),
            ("bar", self.bar),
            ("surface", self.surface),
            ("raised", self.raised),
            ("line", self.line),
            ("edge", self.edge),
            ("text", self.text),
            ("muted", self.muted),
            ("accent", self.accent),
            ("on-accent", self.on_accent),
            ("good", self.good),
            ("warning", self.warning),
            ("danger", self.danger),
        ]
    }
}
