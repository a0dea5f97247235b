//! Icons in the colour of the text. They are decoration: elements with an icon have text of their
//! own.

use leptos::prelude::*;

/// Limpet's mark: a shell in side view, with ribs from the apex down to the rock that it holds on
/// to. `icons/limpet.svg` is the same drawing, used by browsers.
#[component]
pub fn Mark() -> impl IntoView {
    view! {
        <svg class="mark" viewBox="0 0 32 32" aria-hidden="true" fill="none" stroke="currentColor"
            stroke-width="2" stroke-linecap="round" stroke-linejoin="round">
            <path d="M4.5 23.5C8.2 20.2 9.8 8.5 15.2 6.6 20 5 24 17.6 27.5 23.5Z"/>
            <path d="M13.4 14C12.2 17 11.2 20 10.4 23.5M16 12V23.5M18.6 14C19.8 17 20.8 20 21.6 23.5"/>
            <path d="M2.5 27.5H29.5"/>
        </svg>
    }
}

/// An icon.
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
    /// Sliders.
    Settings,
    /// An arrow pointing down.
    Down,
    /// Two lines, the handle of a draggable element.
    Grip,
    /// A circular arrow.
    Restart,
    /// A window with one marked quarter.
    Window,
    /// The corners of a window.
    Fit,
    /// Two people.
    People,
    /// Two links of a chain.
    Link,
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
            Self::Window => "M2.5 3h11v10h-11zM2.5 8h5.5v5",
            Self::Fit => "M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10",
            Self::People => {
                "M6 7.5a2.3 2.3 0 1 0 0-4.6 2.3 2.3 0 0 0 0 4.6zM1.8 13a4.2 4.2 0 0 1 8.4 0M10.6 3.2a2.3 2.3 0 0 1 0 4.2M12 9.6a4.2 4.2 0 0 1 2.3 3.4"
            }
            Self::Link => {
                "M6.8 9.2a2.6 2.6 0 0 0 3.7 0l2.3-2.3a2.6 2.6 0 0 0-3.7-3.7l-.8.8M9.2 6.8a2.6 2.6 0 0 0-3.7 0L3.2 9.1a2.6 2.6 0 0 0 3.7 3.7l.8-.8"
            }
            Self::Restart => "M12.8 8A4.8 4.8 0 1 1 11 4.3M11.2 1.8v2.8H8.4",
        }
    }
}

/// Shows an icon.
#[component]
pub fn Glyph(
    /// The icon.
    icon: Icon,
) -> impl IntoView {
    view! {
        <svg class="icon" viewBox="0 0 16 16" aria-hidden="true" fill="none" stroke="currentColor"
            stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round">
            <path d=icon.path()/>
        </svg>
    }
}
