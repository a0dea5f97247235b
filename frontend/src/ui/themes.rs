//! The list of themes. Moving through it previews each theme; closing it changes nothing.

use leptos::prelude::*;
use limpet_shared::theme::Appearance;

use super::picker::{Item, Picker};
use crate::{
    app::App,
    themes::{BUILT_IN_THEMES, BuiltInTheme},
};

/// The list of all themes.
#[component]
pub fn ThemePicker() -> impl IntoView {
    let app = App::expect();
    let now = untrack(|| app.theme());
    let item = |theme: &'static BuiltInTheme| Item {
        value: theme,
        title: theme.name.to_owned(),
        note: match theme.appearance {
            Appearance::Dark => "Dark",
            Appearance::Light => "Light",
        },
        chord: None,
        theme: Some(theme),
    };
    let mut themes: Vec<_> = BUILT_IN_THEMES.iter().collect();
    // Themes with the current appearance come first.
    themes.sort_by_key(|theme| theme.appearance != now.appearance);
    let start = themes.iter().position(|theme| *theme == now).unwrap_or_default();
    let items = themes.into_iter().map(item).collect();
    let preview = move |theme| app.preview.set(theme);
    let choose = move |theme: &BuiltInTheme| {
        app.choose_theme(theme);
        app.close_overlay();
    };
    view! { <Picker label="Themes" placeholder="Find a theme" items start on_mark=preview on_choose=choose/> }
}
