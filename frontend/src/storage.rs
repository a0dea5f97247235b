//! Stores data of this browser in `localStorage`. A browser that stores nothing (a private window,
//! a full or forbidden storage) is no error: the page then starts with its defaults.

use web_sys::Storage;

use crate::{settings::Settings, tabs::arrangement::Arrangement};

/// The key of the settings. Pages in other windows listen for its changes.
pub(crate) const SETTINGS: &str = "limpet.settings";
/// The key of the tabs. index.html reads it to attach to the last active terminal.
const TABS: &str = "limpet.tabs";
/// The keys of the page's colours, by the system's preference. index.html applies them before the
/// page itself is loaded.
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

/// Reports whether this browser stores anything for this page.
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
        // A full storage cannot be helped, and only a preference is lost.
        let _ = storage.set_item(key, value);
    }
}
