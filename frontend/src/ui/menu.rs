//! The context menu of a tab.

use leptos::{ev, html, prelude::*};
use wasm_bindgen::JsCast as _;
use web_sys::HtmlElement;

use super::{dialog::Dialog, keys::Keys};
use crate::{
    app::App,
    commands::{Action, describe},
};

const ITEMS: [Action; 9] = [
    Action::RenameTab,
    Action::Share,
    Action::MoveTabBefore,
    Action::MoveTabAfter,
    Action::Clear,
    Action::ResetTerminal,
    Action::RestartTab,
    Action::NewTab,
    Action::CloseTab,
];

/// The active tab's menu, at a point of the window in CSS pixels.
#[component]
pub fn TabMenu(
    /// Distance from the left edge.
    x: i32,
    /// Distance from the top edge.
    y: i32,
) -> impl IntoView {
    let app = App::expect();
    let menu = NodeRef::<html::Div>::new();
    let on_key = move |event: ev::KeyboardEvent| {
        let Some(menu) = menu.get_untracked() else { return };
        let count = menu.child_element_count();
        let now = focused_child(&menu).unwrap_or_default();
        let next = match event.key().as_str() {
            "ArrowDown" => (now + 1) % count,
            "ArrowUp" => (now + count - 1) % count,
            "Home" => 0,
            "End" => count - 1,
            _ => return,
        };
        event.prevent_default();
        focus_child(&menu, next);
    };
    let ended = app.active_tab().get_untracked().is_some_and(|tab| tab.is_over());
    let role = untrack(|| app.role());
    let is_offered =
        move |action: &Action| (ended || *action != Action::RestartTab) && action.is_allowed_for(role);
    let item = move |action| {
        let (title, chord) = describe(action);
        let choose = move |_| {
            app.close_overlay();
            app.run(action);
        };
        view! {
            <button type="button" role="menuitem" tabindex="-1" autofocus=true class="menu-item" on:click=choose>
                <span>{title}</span>{chord.map(|chord| view! { <Keys chord/> })}
            </button>
        }
    };
    view! {
        <Dialog label="Tab" class="menu" {..} style:--x=format!("{x}px") style:--y=format!("{y}px")>
            <div node_ref=menu role="menu" class="menu-items" on:keydown=on_key>
                {ITEMS.into_iter().filter(is_offered).map(item).collect_view()}
            </div>
        </Dialog>
    }
}

fn focus_child(menu: &HtmlElement, place: u32) {
    let child = menu.children().item(place).and_then(|child| child.dyn_into::<HtmlElement>().ok());
    if let Some(child) = child {
        // An element that cannot take the focus leaves it where it is.
        let _ = child.focus();
    }
}

fn focused_child(menu: &HtmlElement) -> Option<u32> {
    let focused = document().active_element()?;
    let children = menu.children();
    (0..children.length()).find(|&place| children.item(place).is_some_and(|child| child == focused))
}
