//! What the whole page shares, and everything that can happen to it. The components in [`crate::ui`] show this state
//! and call these methods; they decide nothing themselves.

mod copies;
mod drops;
mod fit;
mod focus;
mod full_screen;
mod keyboard;
mod links;
mod look;
mod notices;
mod panes;
mod run;
mod sessions;
mod title;

use std::collections::HashMap;

use leptos::prelude::*;
use limpet_shared::{Role, SessionId, theme};

pub use keyboard::Modifiers;
pub use notices::Notice;
pub use sessions::Closing;

use crate::{
    api::Error,
    commands::Action,
    copies::Copies,
    dom::prefers_light,
    link_check::{Address, Doubt},
    opening::Opening,
    settings::Settings,
    storage,
    tabs::{Tab, TabKind, model::TabList},
    terminal::{PaneHandle, early::Early},
    themes::{self, BuiltIn},
    ui,
};

/// How far the page has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Asking the server.
    Starting,
    /// The server wants a token; why, if one was tried.
    LoggedOut(Option<String>),
    /// The server could not be asked, or refuses this page.
    Failed(Error),
    /// Tabs can be shown.
    Ready,
}

/// What lies over the page and has the keyboard.
#[derive(Clone, Debug, PartialEq)]
pub enum Overlay {
    /// All commands.
    Palette,
    /// The list of themes.
    Themes,
    /// All tabs, one below the other.
    Tabs,
    /// The settings.
    Settings,
    /// The shortcuts.
    Help,
    /// What can be done with the active tab, at a point of the window in CSS pixels.
    Menu {
        /// From the left.
        x: i32,
        /// From the top.
        y: i32,
    },
    /// A new name for a tab.
    Rename(TabKind),
    /// Whether to close a tab, for these reasons.
    Close(TabKind, Closing),
    /// Who is at the active tab.
    People,
    /// The browsers that are signed in.
    SignIns,
    /// How to let others in to a session.
    Share(SessionId),
    /// Whether to open a link, and why that is asked.
    OpenLink(Address, Doubt),
}

/// The page's state. Copies are handles to the same state.
#[derive(Clone, Copy)]
pub struct App {
    /// How far the page has come.
    pub stage: RwSignal<Stage>,
    /// The tabs.
    pub tabs: RwSignal<TabList>,
    /// Whether this browser may do everything; if not, it was invited to some sessions.
    pub owner: RwSignal<bool>,
    /// What lies over the page.
    pub overlay: RwSignal<Option<Overlay>>,
    /// What was chosen.
    pub settings: RwSignal<Settings>,
    /// A theme that is only looked at.
    pub preview: RwSignal<Option<&'static BuiltIn>>,
    /// What the system prefers.
    pub system: RwSignal<theme::Appearance>,
    /// Why the last terminal could not be started.
    pub start_problem: RwSignal<Option<String>>,
    /// Messages that are shown for a while.
    pub notices: RwSignal<Vec<Notice>>,
    /// What programs want to copy, and what was said to that.
    pub copies: RwSignal<HashMap<TabKind, Copies>>,
    /// Keys of the touch key bar that are held for the next key.
    pub held: RwSignal<Modifiers>,
    panes: StoredValue<HashMap<TabKind, PaneHandle>>,
    early: StoredValue<Option<Early>, LocalStorage>,
}

impl App {
    fn new(early: Option<Early>) -> Self {
        Self {
            stage: RwSignal::new(Stage::Starting),
            tabs: RwSignal::default(),
            owner: RwSignal::new(true),
            overlay: RwSignal::new(None),
            settings: RwSignal::new(storage::settings()),
            preview: RwSignal::new(None),
            system: RwSignal::new(themes::appearance(prefers_light().is_some_and(|query| query.matches()))),
            start_problem: RwSignal::new(None),
            notices: RwSignal::default(),
            copies: RwSignal::default(),
            held: RwSignal::default(),
            panes: StoredValue::default(),
            early: StoredValue::new_local(early),
        }
    }

    /// The page's state, anywhere below [`Page`].
    ///
    /// # Panics
    /// Elsewhere.
    #[must_use]
    pub fn expect() -> Self {
        expect_context()
    }

    /// What the active tab shows.
    #[must_use]
    pub fn active(&self) -> Option<TabKind> {
        self.tabs.with(|tabs| tabs.active().map(|tab| tab.kind.clone()))
    }

    /// What this browser may do with the active tab.
    #[must_use]
    pub fn role(&self) -> Role {
        let of_tab = self.tabs.with(|tabs| tabs.active().map(|tab| tab.role));
        of_tab.unwrap_or_else(|| if self.owner.get() { Role::Owner } else { Role::Reader })
    }

    /// Whether this browser may do something now.
    #[must_use]
    pub fn may(&self, action: Action) -> bool {
        action.is_for(self.role())
    }

    /// One tab, followed as it changes; `None` once it is gone.
    #[must_use]
    pub fn tab(&self, kind: TabKind) -> Memo<Option<Tab>> {
        let tabs = self.tabs;
        Memo::new(move |_| tabs.with(|tabs| tabs.get(&kind).cloned()))
    }

    /// The active tab, followed as it changes.
    #[must_use]
    pub fn active_tab(&self) -> Memo<Option<Tab>> {
        let tabs = self.tabs;
        Memo::new(move |_| tabs.with(|tabs| tabs.active().cloned()))
    }

    /// Takes away what lies over the page; the terminal has the keyboard again.
    pub fn close_overlay(&self) {
        self.preview.set(None);
        self.overlay.set(None);
        self.focus_pane();
    }

    /// Shows something over the page.
    pub fn show(&self, overlay: Overlay) {
        self.overlay.set(Some(overlay));
    }

    /// A button's handler for an action.
    pub fn on_click(self, action: Action) -> impl Fn(leptos::ev::MouseEvent) + Copy + 'static {
        move |_| self.run(action)
    }
}

/// The whole page.
#[component]
pub fn Page(
    /// What there is already.
    opening: Opening,
) -> impl IntoView {
    let app = App::new(opening.early);
    provide_context(app);
    app.follow_look();
    app.follow_keyboard();
    app.follow_focus();
    app.follow_drops();
    app.follow_company();
    app.follow_sessions();
    app.follow_title();
    app.enter(opening.entry);
    view! { <ui::Shell/> }
}
