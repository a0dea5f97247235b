//! How the page and its terminals look: settings and the system's preference become colours and sizes.

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
    themes::{self, BuiltIn, page::PageColours},
};

impl App {
    /// The theme to be seen now.
    #[must_use]
    pub fn theme(&self) -> &'static BuiltIn {
        let system = self.system.get();
        self.preview.get().unwrap_or_else(|| self.settings.with(|settings| settings.theme(system)))
    }

    /// How terminals look now.
    #[must_use]
    pub fn appearance(self) -> Memo<Appearance> {
        Memo::new(move |_| {
            let theme = self.theme();
            self.settings.with(|settings| Appearance::new(settings, theme))
        })
    }

    /// Changes settings and remembers them.
    pub fn change_settings(&self, change: impl FnOnce(&mut Settings)) {
        self.settings.update(change);
        self.settings.with_untracked(storage::keep_settings);
    }

    /// Takes a theme for good.
    pub fn choose_theme(&self, theme: &BuiltIn) {
        let system = self.system.get_untracked();
        self.change_settings(|settings| settings.choose(theme, system));
    }

    /// Keeps the document's colours up to date with settings, preview, system and other windows.
    pub(super) fn follow_look(self) {
        let shown = Memo::new(move |_| PageColours::of(&self.theme().theme()));
        Effect::new(move || paint(&shown.get()));
        Effect::new(move || self.settings.with(remember_paint));

        let query = prefers_light();
        let listener = query.map(|query| {
            let changed =
                move |event: MediaQueryListEvent| self.system.set(themes::appearance(event.matches()));
            Listener::new(&query, "change", changed)
        });
        let listener = StoredValue::new_local(listener);
        on_cleanup(move || listener.dispose());

        let stored = window_event_listener(ev::storage, move |event: StorageEvent| {
            if event.key().is_none_or(|key| key == storage::SETTINGS) {
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
        // The colour of the browser's own bars, where it has such.
        let _ = meta.set_attribute("content", &colours.bar.to_string());
    }
}

fn remember_paint(settings: &Settings) {
    let css = |system| PageColours::of(&settings.theme(system).theme()).css();
    storage::keep_paint(&css(theme::Appearance::Dark), &css(theme::Appearance::Light));
}
