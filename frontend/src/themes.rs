//! The themes that come with limpet, one file each in `frontend/themes/`, and the page's own colours made from them.

pub mod colour;
pub mod page;
#[cfg(test)]
mod tests;

use limpet_shared::theme::{Appearance, Rgb, Theme};

/// A theme that comes with limpet.
#[derive(Debug, PartialEq, Eq)]
pub struct BuiltIn {
    /// The name of its file: what settings remember.
    pub id: &'static str,
    /// The name that people know it by.
    pub name: &'static str,
    /// Dark or light.
    pub appearance: Appearance,
    background: Rgb,
    foreground: Rgb,
    cursor: Rgb,
    selection: Rgb,
    accent: Rgb,
    ansi: [Rgb; 16],
}

/// All of them, ordered by id; made by `build.rs`.
pub const BUILT_IN: &[BuiltIn] = include!(concat!(env!("OUT_DIR"), "/themes.rs"));

impl BuiltIn {
    /// The colours themselves.
    #[must_use]
    pub fn theme(&self) -> Theme {
        Theme {
            name: self.name.to_owned(),
            appearance: self.appearance,
            background: self.background,
            foreground: self.foreground,
            cursor: self.cursor,
            selection: self.selection,
            accent: self.accent,
            ansi: self.ansi,
        }
    }

    /// Seven colours that give an idea of it: the ground, the text, the accent, then red, green, yellow and blue.
    #[must_use]
    pub fn swatches(&self) -> [Rgb; 7] {
        let [_, red, green, yellow, blue, ..] = self.ansi;
        [self.background, self.foreground, self.accent, red, green, yellow, blue]
    }
}

/// The theme of this id and appearance, else limpet's own of that appearance.
#[must_use]
pub fn find(id: &str, appearance: Appearance) -> &'static BuiltIn {
    let fits = |theme: &&BuiltIn| theme.id == id && theme.appearance == appearance;
    BUILT_IN.iter().find(fits).unwrap_or_else(|| own(appearance))
}

/// Limpet's own theme.
fn own(appearance: Appearance) -> &'static BuiltIn {
    let id = default_id(appearance);
    BUILT_IN.iter().find(|theme| theme.id == id).unwrap_or(&BUILT_IN[0])
}

/// What a system prefers that does or does not prefer light.
#[must_use]
pub const fn appearance(light: bool) -> Appearance {
    if light { Appearance::Light } else { Appearance::Dark }
}

/// The id of limpet's own theme.
#[must_use]
pub const fn default_id(appearance: Appearance) -> &'static str {
    match appearance {
        Appearance::Dark => "limpet-dark",
        Appearance::Light => "limpet-light",
    }
}
