//! Keys of a shortcut, as they stand on the keyboard.

use leptos::prelude::*;

use crate::commands::keys::Chord;

/// The keys of a shortcut.
#[component]
pub fn Keys(
    /// The shortcut.
    chord: Chord,
) -> impl IntoView {
    let names = chord.names(on_mac());
    view! { <span class="keys">{names.into_iter().map(|name| view! { <kbd>{name}</kbd> }).collect_view()}</span> }
}

/// The keys of a shortcut in one line of text, for tooltips.
#[must_use]
pub fn in_words(title: &str, chord: Option<Chord>) -> String {
    chord.map_or_else(|| title.to_owned(), |chord| format!("{title} ({})", chord.names(on_mac()).join("+")))
}

/// Whether the keyboard is most likely a Mac's.
fn on_mac() -> bool {
    window()
        .navigator()
        .platform()
        .is_ok_and(|platform| platform.starts_with("Mac") || platform.starts_with("iP"))
}
