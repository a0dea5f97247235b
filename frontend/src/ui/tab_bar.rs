//! The bar above the terminals: limpet's mark, the tabs, the state of the connection, and buttons
//! for everything else.

use leptos::{html, prelude::*};

use super::{
    connection_status::ConnectionStatus,
    drag::{Axis, Reorder},
    icons::{Glyph, Icon, Mark},
    keys::tooltip,
    overflow::{MoreTabs, Strip},
    size_note::{SizeNoteView, announcer::SizeAnnouncer},
    tab::TabItem,
};
use crate::{
    app::App,
    commands::{Action, describe},
};

/// The bar. In a narrow window, one button replaces the tabs.
#[component]
pub fn TabBar() -> impl IntoView {
    let app = App::expect();
    let list = NodeRef::<html::Div>::new();
    let reorder = Reorder::new(list, Axis::Horizontal);
    let strip = Strip::new(list);
    let kinds = Memo::new(move |_| app.tabs.with(crate::tabs::model::TabList::kinds));
    view! {
        <header class="bar">
            <Mark/>
            <div node_ref=list class="tabs" role="tablist" aria-label="Terminals"
                class:cut-before=move || strip.is_cut_before() class:cut-after=move || strip.is_cut_after()
                on:scroll=move |_| strip.measure() on:wheel=move |event| strip.on_wheel(&event)
                on:pointermove=move |event| reorder.on_pointer_move(&event)
                on:pointerup=move |_| reorder.on_pointer_up() on:pointercancel=move |_| reorder.on_pointer_up()>
                <For each=move || kinds.get() key=Clone::clone children=move |kind| view! { <TabItem kind reorder/> }/>
            </div>
            <MoreTabs strip/>
            <CurrentTab/>
            <BarButton action=Action::NewTab icon=Icon::Plus/>
            <span class="spring"></span>
            <SizeNoteView/>
            <SizeAnnouncer/>
            <ViewersButton/>
            <ConnectionStatus/>
            <BarButton action=Action::ShowSettings icon=Icon::Settings/>
            <BarButton action=Action::ShowPalette icon=Icon::Menu/>
        </header>
    }
}

/// The active tab's title as a button that shows all tabs.
#[component]
fn CurrentTab() -> impl IntoView {
    let app = App::expect();
    let tab = app.active_tab();
    let title = Memo::new(move |_| tab.with(|tab| tab.as_ref().map(|tab| tab.title.clone())));
    let count = Memo::new(move |_| app.tabs.with(|tabs| tabs.tabs().len()));
    view! {
        <button type="button" class="current" aria-haspopup="dialog" title=describe(Action::SwitchTab).0
            on:click=app.on_click(Action::SwitchTab)>
            <span class="tab-title">{move || title.get().unwrap_or_else(|| "No terminal".to_owned())}</span>
            <span class="count" aria-hidden="true">{count}</span>
            <Glyph icon=Icon::Down/>
        </button>
    }
}

/// The number of viewers of the active tab, if there is more than one.
#[component]
fn ViewersButton() -> impl IntoView {
    let app = App::expect();
    let tab = app.active_tab();
    let count = Memo::new(move |_| tab.with(|tab| tab.as_ref().map_or(0, |tab| tab.viewers.count)));
    let label = move || format!("{} viewers", count.get());
    view! {
        <button type="button" class="viewers-button" aria-haspopup="dialog" hidden=move || count.get() < 2
            aria-label=label title=label on:click=app.on_click(Action::ShowViewers)>
            <Glyph icon=Icon::People/>
            <span aria-hidden="true">{count}</span>
        </button>
    }
}

#[component]
fn BarButton(action: Action, icon: Icon) -> impl IntoView {
    let app = App::expect();
    let (title, chord) = describe(action);
    view! {
        <button type="button" class="icon-button" hidden=move || !app.is_allowed(action) aria-label=title
            title=tooltip(title, chord) on:click=app.on_click(action)>
            <Glyph icon/>
        </button>
    }
}
