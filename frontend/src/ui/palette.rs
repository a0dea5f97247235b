//! The palette, which finds commands by a few letters.

use leptos::prelude::*;

use super::picker::{Item, Picker};
use crate::{
    app::App,
    commands::{self, Action, Command},
};

/// The list of all commands.
#[component]
pub fn Palette() -> impl IntoView {
    let app = App::expect();
    let role = untrack(|| app.role());
    let listed = commands::all()
        .into_iter()
        .filter(|command| command.action != Action::ShowPalette && command.action.is_allowed_for(role));
    let items = listed.map(item).collect();
    let preview = move |action| {
        app.preview.set(match action {
            Some(Action::UseTheme(theme)) => Some(theme),
            _ => None,
        });
    };
    let choose = move |action| {
        app.close_overlay();
        app.run(action);
    };
    view! { <Picker label="All commands" placeholder="What do you want to do?" items on_mark=preview on_choose=choose/> }
}

fn item(command: Command) -> Item<Action> {
    let theme = match command.action {
        Action::UseTheme(theme) => Some(theme),
        _ => None,
    };
    Item {
        value: command.action,
        title: command.title.into_owned(),
        note: if theme.is_some() { "" } else { command.group.title() },
        chord: command.chords.first().copied(),
        theme,
    }
}
