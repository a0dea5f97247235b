//! Stores data of this browser in `localStorage`. A browser that stores nothing (a private window,
//! a full or forbidden storage) is no error: the page then starts with its defaults.

use web_sys::Storage;

use crate::{settings::Settings, tabs::arrangement::Arrangement};

/// The key of the settings. Pages in other windows listen for its changes.
pub(crate) const SETTINGS_KEY: &str = "limpet.settings";
/// The key of the tabs. index.html reads it to attach to the last active terminal.
const TABS_KEY: &str = "limpet.tabs";
/// The keys of the page's colours, by the system's preference. index.html applies them before the
/// page itself is loaded.
const PAINT_DARK_KEY: &str = "limpet.paint.dark";
const PAINT_LIGHT_KEY: &str = "limpet.paint.light";

pub(crate) fn settings() -> Settings {
    Settings::parse(&read(SETTINGS_KEY))
}

pub(crate) fn store_settings(settings: &Settings) {
    write(SETTINGS_KEY, &settings.to_json());
}

pub(crate) fn arrangement() -> Arrangement {
    Arrangement::parse(&read(TABS_KEY))
}

pub(crate) fn store_arrangement(arrangement: &Arrangement) {
    write(TABS_KEY, &arrangement.to_json());
}

pub(crate) fn store_paint(dark: &str, light: &str) {
    write(PAINT_DARK_KEY, dark);
    write(PAINT_LIGHT_KEY, light);
}

/// Reports whether this browser stores anything for this page.
pub(crate) fn is_available() -> bool {
    const PROBE_KEY: &str = "limpet.probe";
    storage().is_some_and(|storage| {
        storage.set_item(PROBE_KEY, "").is_ok() && storage.remove_item(PROBE_KEY).is_ok()
    })
}

fn storage() -> Option<Storage> {
    leptos::prelude::window().local_storage().ok().flatten()
}

fn read(key: &str) -> String {
    storage().and_then(|storage| storage.get_item(key).ok().flatten()).unwrap_or_default()
}

fn write(key: &str, value: &str) {
    if let Some(storage) = storage() {
        // A full storage cannot be helped, and only a preference is lost.
        let _ = storage.set_item(key, value);
    }
}
