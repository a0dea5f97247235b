//! The keyboard shortcuts, taken from the list of commands.

use leptos::prelude::*;

use super::{
    dialog::{Dialog, Heading},
    keys::Keys,
};
use crate::commands::{self, Command, Group};

/// The list of all commands with shortcuts.
#[component]
pub fn HelpDialog() -> impl IntoView {
    let commands = commands::all();
    let groups = Group::ALL.into_iter().map(|group| section(group, &commands)).collect_view();
    view! {
        <Dialog label="Keyboard shortcuts" class="help">
            <Heading title="Keyboard shortcuts"/>
            <div class="help-groups">{groups}</div>
            <p class="hint">
                "F6 moves to the bar, the viewers, the messages and back to the terminal; Shift+F6 moves \
                 the other way, Esc returns to "
                "the terminal. A full-screen program gets F6 itself; use Ctrl+Shift+F6 there. With a tab in \
                 focus: arrows "
                "move between tabs, F2 renames, Delete closes, Enter goes to its terminal. All other keys belong to the program."
            </p>
        </Dialog>
    }
}

fn section(group: Group, commands: &[Command]) -> impl IntoView + use<> {
    let line = |command: &Command| {
        let keys = command.chords.iter().map(|&chord| view! { <Keys chord/> }).collect_view();
        view! { <div class="help-line"><dt>{command.title.clone()}</dt><dd>{keys}</dd></div> }
    };
    let of_group = commands.iter().filter(|command| command.group == group && !command.chords.is_empty());
    let lines = of_group.map(line).collect_view();
    view! { <section><h3>{group.title()}</h3><dl>{lines}</dl></section> }
}
