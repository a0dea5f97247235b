//! Small pictures, drawn in the text's colour. They are decoration: what carries one has words of its own.

use leptos::prelude::*;

/// Limpet's mark: a limpet's shell seen from above, its ribs running from the apex to the rim. `icons/limpet.svg` is
/// the same drawing for browsers.
#[component]
pub fn Mark() -> impl IntoView {
    view! {
        <svg class="mark" viewBox="0 0 32 32" aria-hidden="true" fill="none" stroke="currentColor"
            stroke-width="2" stroke-linecap="round" stroke-linejoin="round">
            <path d="M16 4C23.2 4 28.5 9.6 28.5 17S23 28.5 16 28.5 3.5 24.4 3.5 17 8.8 4 16 4Z"/>
            <path d="M15 13.2 11.2 5.6M17 13.2 20.8 5.6M12.9 14.6 5.2 11.2M19.1 14.6 26.8 11.2M12.8 16.6 4.4 20.2\
                     M19.2 16.6 27.6 20.2M14.2 18.4 10.4 27.2M17.8 18.4 21.6 27.2"/>
            <circle cx="16" cy="15.6" r="3" fill="currentColor" stroke="none"/>
        </svg>
    }
}

/// One of the small pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Icon {
    /// A cross.
    Close,
    /// A plus.
    Plus,
    /// A bell.
    Bell,
    /// A tick.
    Check,
    /// Three lines.
    Menu,
    /// A cog, as sliders.
    Settings,
    /// An arrow down.
    Down,
    /// What can be dragged.
    Grip,
    /// Round once.
    Restart,
}

impl Icon {
    const fn path(self) -> &'static str {
        match self {
            Self::Close => "M4.5 4.5l7 7M11.5 4.5l-7 7",
            Self::Plus => "M8 3v10M3 8h10",
            Self::Bell => "M4 11.5c.8-.8 1.2-1.6 1.2-4a2.8 2.8 0 0 1 5.6 0c0 2.4.4 3.2 1.2 4zM7 13.6h2",
            Self::Check => "M3.5 8.5l3 3 6-7",
            Self::Menu => "M2.5 4.5h11M2.5 8h11M2.5 11.5h11",
            Self::Settings => "M2.5 5h5M11 5h2.5M9.2 3.2v3.6M2.5 11H5M8.5 11h5M6.8 9.2v3.6",
            Self::Down => "M4 6l4 4 4-4",
            Self::Grip => "M4 6h8M4 10h8",
            Self::Restart => "M12.8 8A4.8 4.8 0 1 1 11 4.3M11.2 1.8v2.8H8.4",
        }
    }
}

/// Draws a small picture.
#[component]
pub fn Glyph(
    /// Which.
    icon: Icon,
) -> impl IntoView {
    view! {
        <svg class="icon" viewBox="0 0 16 16" aria-hidden="true" fill="none" stroke="currentColor"
            stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round">
            <path d=icon.path()/>
        </svg>
    }
}
