//! Turns the settings and the system's preference into the colours and sizes of the page and its
//! terminals.

use leptos::{ev, prelude::*};
use limpet_shared::theme;
use wasm_bindgen::JsCast as _;
use web_sys::{HtmlElement, MediaQueryListEvent, StorageEvent};

use super::App;
use crate::{
    dom::{Listener, prefers_light},
    settings::Settings,
    storage,
    terminal::Appearance,
    themes::{self, BuiltInTheme, page::PageColours},
};

impl App {
    /// Returns the theme that is shown now.
    #[must_use]
    pub fn theme(&self) -> &'static BuiltInTheme {
        let system = self.system_appearance.get();
        self.preview.get().unwrap_or_else(|| self.settings.with(|settings| settings.theme(system)))
    }

    /// Returns a memo of the terminals' appearance.
    #[must_use]
    pub fn appearance(self) -> Memo<Appearance> {
        Memo::new(move |_| {
            let theme = self.theme();
            self.settings.with(|settings| Appearance::new(settings, theme))
        })
    }

    /// Changes the settings and stores them.
    pub fn change_settings(&self, change: impl FnOnce(&mut Settings)) {
        self.settings.update(change);
        self.settings.with_untracked(storage::store_settings);
    }

    /// Stores a theme as the user's choice.
    pub fn choose_theme(&self, theme: &BuiltInTheme) {
        let system = self.system_appearance.get_untracked();
        self.change_settings(|settings| settings.choose(theme, system));
    }

    /// Keeps the document's colours in step with the settings, the preview, the system and other
    /// windows.
    pub(super) fn follow_appearance(self) {
        let shown = Memo::new(move |_| PageColours::of(&self.theme().theme()));
        Effect::new(move || paint(&shown.get()));
        Effect::new(move || self.settings.with(store_paint));

        let query = prefers_light();
        let listener = query.map(|query| {
            let changed = move |event: MediaQueryListEvent| {
                self.system_appearance.set(themes::preferred_appearance(event.matches()))
            };
            Listener::new(&query, "change", changed)
        });
        let listener = StoredValue::new_local(listener);
        on_cleanup(move || listener.dispose());

        let stored = window_event_listener(ev::storage, move |event: StorageEvent| {
            if event.key().is_none_or(|key| key == storage::SETTINGS_KEY) {
                self.settings.set(storage::settings());
            }
        });
        on_cleanup(move || stored.remove());
    }
}

fn paint(colours: &PageColours) {
    let root = document().document_element().and_then(|root| root.dyn_into::<HtmlElement>().ok());
    if let Some(root) = root {
        root.style().set_css_text(&colours.css());
    }
    if let Ok(Some(meta)) = document().query_selector("meta[name=theme-color]") {
        // The colour of the browser's own bars, in browsers that support it.
        let _ = meta.set_attribute("content", &colours.bar.to_string());
    }
}

fn store_paint(settings: &Settings) {
    let css = |system| PageColours::of(&settings.theme(system).theme()).css();
    storage::store_paint(&css(theme::Appearance::Dark), &css(theme::Appearance::Light));
}
