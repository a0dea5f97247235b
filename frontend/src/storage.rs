//! What a browser remembers, in `localStorage`. A browser that remembers nothing (a private window, storage that is
//! full or forbidden) is no error: everything is as on the first day.

use web_sys::Storage;

use crate::{settings::Settings, tabs::arrangement::Arrangement};

/// The key of the settings; pages in other windows listen for its changes.
pub(crate) const SETTINGS: &str = "limpet.settings";
/// index.html reads it to reach the terminal that was shown last.
const TABS: &str = "limpet.tabs";
/// The colours to paint before the page itself is here, by what the system prefers. index.html reads them.
const PAINT_DARK: &str = "limpet.paint.dark";
const PAINT_LIGHT: &str = "limpet.paint.light";

pub(crate) fn settings() -> Settings {
    Settings::parse(&read(SETTINGS))
}

pub(crate) fn keep_settings(settings: &Settings) {
    write(SETTINGS, &settings.to_json());
}

pub(crate) fn arrangement() -> Arrangement {
    Arrangement::parse(&read(TABS))
}

pub(crate) fn keep_arrangement(arrangement: &Arrangement) {
    write(TABS, &arrangement.to_json());
}

pub(crate) fn keep_paint(dark: &str, light: &str) {
    write(PAINT_DARK, dark);
    write(PAINT_LIGHT, light);
}

/// Whether this browser stores anything for this page.
pub(crate) fn is_kept() -> bool {
    const PROBE: &str = "limpet.probe";
    storage().is_some_and(|storage| storage.set_item(PROBE, "").is_ok() && storage.remove_item(PROBE).is_ok())
}

fn storage() -> Option<Storage> {
    leptos::prelude::window().local_storage().ok().flatten()
}

fn read(key: &str) -> String {
    storage().and_then(|storage| storage.get_item(key).ok().flatten()).unwrap_or_default()
}

fn write(key: &str, value: &str) {
    if let Some(storage) = storage() {
        // Nothing to be done about a full storage, and nothing is lost but a habit.
        let _ = storage.set_item(key, value);
    }
}
