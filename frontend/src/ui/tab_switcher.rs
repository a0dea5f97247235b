//! The list of all tabs, for windows that are too small for the tab strip.

use leptos::{ev, html, prelude::*};
use wasm_bindgen::JsCast as _;
use web_sys::HtmlElement;

use super::{
    dialog::{Dialog, Heading},
    drag::{Axis, Reorder},
    icons::{Glyph, Icon},
    tab::{TabView, sign},
};
use crate::{
    app::App,
    commands::{Action, describe},
    tabs::{TabKind, model::TabList},
};

/// The list of tabs, in which tabs can be selected, moved and closed.
#[component]
pub fn TabSwitcher() -> impl IntoView {
    let app = App::expect();
    let list = NodeRef::<html::Div>::new();
    let reorder = Reorder::new(list, Axis::Vertical);
    let kinds = Memo::new(move |_| app.tabs.with(TabList::kinds));
    let new_tab = move |_| {
        app.close_overlay();
        app.run(Action::NewTab);
    };
    view! {
        <Dialog label="Tabs" class="sheet">
            <Heading title="Tabs"/>
            <div node_ref=list class="switcher" on:keydown=move |event| on_key(list, &event)
                on:pointermove=move |event| reorder.on_pointer_move(&event)
                on:pointerup=move |_| reorder.on_pointer_up() on:pointercancel=move |_| reorder.on_pointer_up()>
                <For each=move || kinds.get() key=Clone::clone children=move |kind| view! { <TabLine kind reorder/> }/>
            </div>
            <button type="button" class="button wide" hidden=move || !app.is_allowed(Action::NewTab) on:click=new_tab>
                <Glyph icon=Icon::Plus/>{describe(Action::NewTab).0}
            </button>
        </Dialog>
    }
}

#[component]
fn TabLine(kind: TabKind, reorder: Reorder) -> impl IntoView {
    let app = App::expect();
    let TabView { kind, tab, active, dragged, title } = TabView::new(app, kind, reorder);
    let choose = move |_| {
        app.tabs.update(|tabs| kind.with_value(|kind| tabs.select(kind)));
        app.close_overlay();
    };
    let close = move |_: ev::MouseEvent| {
        app.close_overlay();
        app.close_tab(kind.get_value());
    };
    view! {
        <div class="line" class:dragged=dragged>
            <span class="grip" aria-hidden="true" on:pointerdown=move |event| reorder.on_pointer_down(kind.get_value(), &event)>
                <Glyph icon=Icon::Grip/>
            </span>
            <button type="button" class="line-title" autofocus=active.get_untracked() aria-current=move || active.get().to_string() on:click=choose>
                <span class="tab-sign">{move || tab.with(|tab| tab.as_ref().map(sign))}</span>
                <span class="tab-title">{title}</span>
            </button>
            <button type="button" class="icon-button" aria-label=move || format!("Close {}", title.get())
                on:click=close>
                <Glyph icon=Icon::Close/>
            </button>
        </div>
    }
}

/// Moves the focus between the lines by the arrow keys, wrapping around at the ends.
fn on_key(list: NodeRef<html::Div>, event: &ev::KeyboardEvent) {
    let Some(lines) = list.get_untracked().and_then(|list| list.query_selector_all(".line-title").ok())
    else {
        return;
    };
    let lines: Vec<HtmlElement> =
        (0..lines.length()).filter_map(|place| lines.item(place)?.dyn_into().ok()).collect();
    let focused = document().active_element();
    let from =
        lines.iter().position(|line| Some(line.unchecked_ref()) == focused.as_ref()).unwrap_or_default();
    let to = match event.key().as_str() {
        "ArrowDown" => from + 1,
        "ArrowUp" => from + lines.len() - 1,
        _ => return,
    };
    event.prevent_default();
    if let Some(line) = lines.get(to % lines.len()) {
        // A button can always take the focus.
        let _ = line.focus();
    }
}
