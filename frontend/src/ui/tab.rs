//! A tab in the bar.

use leptos::{ev, html, prelude::*};
use wasm_bindgen::JsCast as _;
use web_sys::{Element, HtmlElement, ScrollIntoViewOptions, ScrollLogicalPosition};

use super::{
    connection_status,
    drag::Reorder,
    icons::{Glyph, Icon},
};
use crate::{
    app::{App, Overlay},
    commands::Action,
    connection::Phase,
    tabs::{Mark, Tab, TabKind, model::Side},
};

/// The data that every view of a tab shows.
#[derive(Clone, Copy)]
pub struct TabView {
    /// The tab's content.
    pub kind: StoredValue<TabKind>,
    /// The tab; `None` while it is being removed.
    pub tab: Memo<Option<Tab>>,
    /// True if the tab is active.
    pub active: Memo<bool>,
    /// True while the tab is being dragged.
    pub dragged: Memo<bool>,
    /// The title.
    pub title: Memo<String>,
}

impl TabView {
    /// Creates the data of a tab in a list that `reorder` can change.
    pub fn new(app: App, kind: TabKind, reorder: Reorder) -> Self {
        let kind = StoredValue::new(kind);
        let tab = app.tab(kind.get_value());
        let title =
            Memo::new(move |_| tab.with(|tab| tab.as_ref().map(|tab| tab.title.clone()).unwrap_or_default()));
        Self {
            kind,
            tab,
            active: Memo::new(move |_| app.tabs.with(|tabs| kind.with_value(|kind| tabs.is_active(kind)))),
            dragged: Memo::new(move |_| kind.with_value(|kind| reorder.is_dragging(kind))),
            title,
        }
    }
}

/// A tab. Its close button is for pointers; with the keyboard, Delete closes the tab.
#[component]
pub fn TabItem(
    /// The tab's content.
    kind: TabKind,
    /// The drag state of the list.
    reorder: Reorder,
) -> impl IntoView {
    let app = App::expect();
    let element = NodeRef::<html::Div>::new();
    let TabView { kind, tab, active, dragged, title } = TabView::new(app, kind, reorder);
    let select = move || app.change_tabs(|tabs| kind.with_value(|kind| tabs.select(kind)));
    Effect::new(move || {
        if let Some(element) = element.get().filter(|_| active.get()) {
            scroll_into_view(&element);
        }
    });
    let on_menu = move |event: ev::MouseEvent| {
        event.prevent_default();
        app.tabs.update(|tabs| kind.with_value(|kind| tabs.select(kind)));
        app.show(Overlay::Menu { x: event.client_x(), y: event.client_y() });
    };
    let close = move || app.close_tab(kind.get_value());
    let on_close = move |event: ev::MouseEvent| {
        event.stop_propagation();
        close();
    };
    let on_middle = move |event: ev::MouseEvent| {
        if event.button() == 1 {
            event.prevent_default();
            close();
        }
    };
    let dom_id = kind.with_value(TabKind::dom_id);
    view! {
        <div node_ref=element class="tab" class:dragged=dragged role="tab" id=format!("tab-{dom_id}")
            aria-controls=format!("panel-{dom_id}") aria-selected=move || active.get().to_string()
            tabindex=move || if active.get() { "0" } else { "-1" } title=title
            on:click=move |_| select() on:dblclick=app.on_click(Action::RenameTab)
            on:auxclick=on_middle on:contextmenu=on_menu on:keydown=move |event| on_key(app, &event)
            on:pointerdown=move |event| reorder.on_pointer_down(kind.get_value(), &event)>
            <span class="tab-sign">{move || tab.with(|tab| tab.as_ref().map(sign))}</span>
            <span class="tab-title">{title}</span>
            <span class="tab-close" aria-hidden="true" title="Close" on:click=on_close
                on:pointerdown=|event| event.stop_propagation() on:dblclick=|event| event.stop_propagation()>
                <Glyph icon=Icon::Close/>
            </span>
        </div>
    }
}

/// Returns a small sign for a tab's state, with a text for screen readers.
pub fn sign(tab: &Tab) -> AnyView {
    let dot = |tone: &'static str, words: String| {
        view! { <i class="dot" data-tone=tone></i><span class="sr-only">{words}</span> }.into_any()
    };
    match (tab.exit, tab.phase, tab.mark) {
        (Some(status), ..) => {
            dot(if status.success() { "muted" } else { "danger" }, format!("ended with {status}, "))
        }
        (_, phase @ (Phase::Reconnecting { .. } | Phase::Gone(_)), _) => {
            dot(connection_status::tone(phase), format!("{}, ", connection_status::phase_name(phase)))
        }
        (_, _, Mark::Bell) => {
            view! { <Glyph icon=Icon::Bell/><span class="sr-only">"bell, "</span> }.into_any()
        }
        (_, _, Mark::Activity) => dot("accent", "new output, ".to_owned()),
        (_, _, Mark::None) => ().into_any(),
    }
}

/// Handles keys while a tab has the focus (WAI-ARIA Authoring Practices, tabs pattern).
fn on_key(app: App, event: &ev::KeyboardEvent) {
    if event.ctrl_key() || event.alt_key() || event.meta_key() || event.default_prevented() {
        return;
    }
    match event.key().as_str() {
        "ArrowLeft" => activate_and_focus(app, |tabs| tabs.select_neighbour(Side::Before)),
        "ArrowRight" => activate_and_focus(app, |tabs| tabs.select_neighbour(Side::After)),
        "Home" => activate_and_focus(app, |tabs| tabs.select_at(0)),
        "End" => activate_and_focus(app, |tabs| tabs.select_at(tabs.tabs().len().saturating_sub(1))),
        "Enter" | " " => app.focus_pane(),
        "F2" => app.run(Action::RenameTab),
        "Delete" => app.run(Action::CloseTab),
        _ => return,
    }
    event.prevent_default();
}

/// Activates another tab and gives it the focus.
fn activate_and_focus(app: App, change: impl FnOnce(&mut crate::tabs::model::TabList)) {
    app.tabs.update(change);
    let tab = app.active().and_then(|kind| document().get_element_by_id(&format!("tab-{}", kind.dom_id())));
    if let Some(tab) = tab.and_then(|tab| tab.dyn_into::<HtmlElement>().ok()) {
        // A tab can always take the focus.
        let _ = tab.focus();
    }
}

/// Scrolls an element's ancestors as little as needed to make it visible.
pub fn scroll_into_view(element: &Element) {
    let options = ScrollIntoViewOptions::new();
    options.set_block(ScrollLogicalPosition::Nearest);
    options.set_inline(ScrollLogicalPosition::Nearest);
    element.scroll_into_view_with_scroll_into_view_options(&options);
}
