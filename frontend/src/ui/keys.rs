//! Displays the keys of a shortcut, as they are printed on the keyboard.

use leptos::prelude::*;

use crate::commands::keys::Chord;

/// The keys of a shortcut.
#[component]
pub fn Keys(
    /// The shortcut.
    chord: Chord,
) -> impl IntoView {
    let names = chord.names(is_mac());
    view! { <span class="keys">{names.into_iter().map(|name| view! { <kbd>{name}</kbd> }).collect_view()}</span> }
}

/// Returns a title with the keys of its shortcut in one line of text, for tooltips.
#[must_use]
pub fn tooltip(title: &str, chord: Option<Chord>) -> String {
    chord.map_or_else(|| title.to_owned(), |chord| format!("{title} ({})", chord.names(is_mac()).join("+")))
}

/// Reports whether this is most likely a Mac's keyboard.
fn is_mac() -> bool {
    window()
        .navigator()
        .platform()
        .is_ok_and(|platform| platform.starts_with("Mac") || platform.starts_with("iP"))
}
