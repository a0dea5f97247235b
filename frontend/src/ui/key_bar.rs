//! The keys that on-screen keyboards lack. CSS shows them if the pointer is a finger.

use leptos::{ev, prelude::*};

use crate::app::{App, Modifiers};

/// The keys without a character: the button's label, its accessible name, `KeyboardEvent.key`, and
/// `keyCode`, by which xterm.js recognizes the key.
const NAMED_KEYS: [(&str, &str, &str, u32); 6] = [
    ("Esc", "Escape", "Escape", 27),
    ("Tab", "Tab", "Tab", 9),
    ("←", "Left", "ArrowLeft", 37),
    ("↑", "Up", "ArrowUp", 38),
    ("↓", "Down", "ArrowDown", 40),
    ("→", "Right", "ArrowRight", 39),
];

const CHARACTER_KEYS: [&str; 4] = ["|", "/", "-", "~"];

/// The bar above the on-screen keyboard.
#[component]
pub fn KeyBar() -> impl IntoView {
    let app = App::expect();
    let is_hidden = move || app.active().is_none() || !app.role().may_write();
    let named = |(name, words, key, code)| {
        view! {
            <button type="button" tabindex="-1" aria-label=words on:click=move |_| app.press_key(key, code)>{name}</button>
        }
    };
    let character = |text: &'static str| {
        view! { <button type="button" tabindex="-1" on:click=move |_| app.type_text(text)>{text}</button> }
    };
    let [escape, tab, arrows @ ..] = NAMED_KEYS;
    view! {
        // The terminal keeps the focus; otherwise the on-screen keyboard would disappear.
        <div class="key-bar" role="toolbar" aria-label="Keys" hidden=is_hidden
            on:mousedown=|event: ev::MouseEvent| event.prevent_default()>
            {named(escape)}
            {named(tab)}
            <ModifierKey name="Ctrl" pressed=|held| held.ctrl toggle=|held| held.ctrl = !held.ctrl/>
            <ModifierKey name="Alt" pressed=|held| held.alt toggle=|held| held.alt = !held.alt/>
            {arrows.map(named).into_iter().collect_view()}
            {CHARACTER_KEYS.map(character).into_iter().collect_view()}
        </div>
    }
}

/// A modifier that is held until the next key.
#[component]
fn ModifierKey(
    name: &'static str,
    pressed: fn(Modifiers) -> bool,
    toggle: fn(&mut Modifiers),
) -> impl IntoView {
    let held = App::expect().held_modifiers;
    view! {
        <button type="button" tabindex="-1" aria-pressed=move || pressed(held.get()).to_string()
            on:click=move |_| held.update(toggle)>
            {name}
        </button>
    }
}
