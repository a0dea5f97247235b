//! The page's own colours, made from a terminal's theme so that everything around a terminal belongs to it.
//!
//! Text stands out from every ground it is written on by 4.5:1 or more, edges of controls and the focus ring by
//! 3:1 (WCAG 2.2, 1.4.3 and 1.4.11), whatever the theme.

use std::fmt::Write as _;

use limpet_shared::theme::{Appearance, Rgb, Theme};

use super::colour::{ink_on, mix, readable};

/// Contrast that text needs.
pub const TEXT: f64 = 4.5;
/// Contrast that edges of controls, icons and the focus ring need.
pub const EDGE: f64 = 3.0;

/// The colours of everything but the terminals' inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageColours {
    appearance: Appearance,
    /// The terminal's ground.
    pub terminal: Rgb,
    /// The ground of bars around the terminal.
    pub bar: Rgb,
    /// The ground of dialogs, menus and banners.
    pub surface: Rgb,
    /// The ground of what the pointer or the selection is on, in bars and on surfaces.
    pub raised: Rgb,
    /// Lines that only separate.
    pub line: Rgb,
    /// Edges of controls.
    pub edge: Rgb,
    /// Text.
    pub text: Rgb,
    /// Text that steps back.
    pub muted: Rgb,
    /// The focus ring, the active tab's mark, switches that are on.
    pub accent: Rgb,
    /// Text on a ground of `accent`.
    pub on_accent: Rgb,
    /// What went well.
    pub good: Rgb,
    /// What needs attention.
    pub warning: Rgb,
    /// What went wrong.
    pub danger: Rgb,
}

impl PageColours {
    /// The colours that go with `theme`.
    #[must_use]
    pub fn of(theme: &Theme) -> Self {
        let ground = theme.background;
        let ink = readable(theme.foreground, &[ground], 7.0);
        let bar = mix(ground, ink, 5);
        let surface = mix(ground, ink, 8);
        let raised = mix(ground, ink, 15);
        let grounds = [ground, bar, surface, raised];
        let [_, red, green, yellow, ..] = theme.ansi;
        let accent = readable(theme.accent, &grounds, TEXT);
        Self {
            appearance: theme.appearance,
            terminal: ground,
            bar,
            surface,
            raised,
            line: mix(ground, ink, 18),
            edge: readable(mix(ground, ink, 40), &grounds, EDGE),
            text: readable(ink, &grounds, TEXT),
            muted: readable(mix(ground, ink, 60), &grounds, TEXT),
            accent,
            on_accent: ink_on(accent, ground, ink),
            good: readable(green, &grounds, TEXT),
            warning: readable(yellow, &grounds, TEXT),
            danger: readable(red, &grounds, TEXT),
        }
    }

    /// The colours as custom properties, in the syntax of a `style` attribute.
    #[must_use]
    pub fn css(&self) -> String {
        let scheme = match self.appearance {
            Appearance::Dark => "dark",
            Appearance::Light => "light",
        };
        let mut css = format!("color-scheme:{scheme};");
        for (name, colour) in self.named() {
            // Writing to a string cannot fail.
            let _ = write!(css, "--{name}:{colour};");
        }
        css
    }

    const fn named(&self) -> [(&'static str, Rgb); 13] {
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
