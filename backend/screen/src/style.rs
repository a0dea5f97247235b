//! The appearance of a cell: colours, attributes, hyperlink.

use std::hash::{Hash, Hasher};

/// A colour as SGR sets it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Colour {
    /// The theme's own colour.
    #[default]
    Default,
    /// A colour of the sixteen with parameters of their own (`30` to `37`, `90` to `97`). Bold
    /// may brighten it.
    Ansi(u8),
    /// An entry of the palette of 256 colours.
    Indexed(u8),
    /// Red, green, blue.
    Rgb(u8, u8, u8),
}

impl Colour {
    /// Returns a unique number for each colour.
    const fn bits(self) -> u32 {
        match self {
            Self::Default => 0,
            Self::Ansi(number) => 1 << 24 | number as u32,
            Self::Indexed(number) => 2 << 24 | number as u32,
            Self::Rgb(red, green, blue) => u32::from_be_bytes([3, red, green, blue]),
        }
    }
}

/// Attributes that are on or off, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Attributes(u16);

impl Attributes {
    pub(super) const BOLD: Self = Self(1);
    pub(super) const DIM: Self = Self(1 << 1);
    pub(super) const ITALIC: Self = Self(1 << 2);
    pub(super) const BLINK: Self = Self(1 << 3);
    pub(super) const INVERSE: Self = Self(1 << 4);
    pub(super) const INVISIBLE: Self = Self(1 << 5);
    pub(super) const STRIKETHROUGH: Self = Self(1 << 6);
    pub(super) const OVERLINE: Self = Self(1 << 7);
    /// Protects the cell against selective erase (DECSCA).
    pub(super) const PROTECTED: Self = Self(1 << 8);
    /// Underlines the cell; the kind is in [`Underline`].
    pub(super) const UNDERLINE: Self = Self(1 << 9);

    pub(super) const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) const fn set(&mut self, other: Self, on: bool) {
        if on {
            self.0 |= other.0;
        } else {
            self.0 &= !other.0;
        }
    }
}

/// The kind of underline (`SGR 4:n`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Underline {
    #[default]
    None,
    Single,
    Double,
    Curly,
    Dotted,
    Dashed,
}

impl Underline {
    /// Returns the kind for a parameter of `SGR 4`. An unknown one is a single line.
    pub(super) const fn from_parameter(number: i32) -> Self {
        match number {
            0 => Self::None,
            2 => Self::Double,
            3 => Self::Curly,
            4 => Self::Dotted,
            5 => Self::Dashed,
            _ => Self::Single,
        }
    }
}

/// The number of a hyperlink in its table; 0 stands for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LinkId(pub(super) u32);

impl LinkId {
    pub(super) const NONE: Self = Self(0);
}

/// Everything about a cell but its text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Style {
    pub(super) foreground: Colour,
    pub(super) background: Colour,
    pub(super) attributes: Attributes,
    pub(super) underline: Underline,
    pub(super) underline_colour: Colour,
    pub(super) link: LinkId,
}

/// Hashes a style in few steps, because it is looked up whenever a program changes it.
impl Hash for Style {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let pair = |low: u32, high: u32| u64::from(high) << 32 | u64::from(low);
        state.write_u64(pair(self.foreground.bits(), self.background.bits()));
        state.write_u64(pair(self.underline_colour.bits(), self.link.0));
        state.write_u32(u32::from(self.attributes.0) << 8 | self.underline as u32);
    }
}

impl Style {
    /// Returns the style of cells erased while this is the current style: only the background
    /// stays.
    pub(super) fn background_only(self) -> Self {
        Self { background: self.background, ..Self::default() }
    }

    /// Returns the style without its hyperlink.
    pub(super) fn without_link(self) -> Self {
        Self { link: LinkId::NONE, ..self }
    }

    /// Returns the style without what xterm.js calls extended attributes: the kind and colour of
    /// the underline, and the hyperlink.
    pub(super) fn without_extended(self) -> Self {
        Self { underline: Underline::None, underline_colour: Colour::Default, link: LinkId::NONE, ..self }
    }

    /// Returns the style as cells store it: without an underline and a hyperlink, the underline's
    /// colour is left out.
    pub(super) fn normalized(self) -> Self {
        let counts = self.underline != Underline::None || self.link != LinkId::NONE;
        if counts { self } else { self.without_extended() }
    }
}
