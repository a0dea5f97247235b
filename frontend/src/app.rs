//! The state that the whole page shares, and the methods that change it. The components in
//! [`crate::ui`] show this state and call these methods; they decide nothing themselves.

mod appearance;
mod clipboard_requests;
mod drag_and_drop;
mod fit;
mod focus;
mod full_screen;
mod keyboard;
mod links;
mod notices;
mod panes;
mod run_command;
mod sessions;
mod title;

use std::collections::HashMap;

use leptos::prelude::*;
use limpet_shared::{Role, SessionId, theme};

pub use keyboard::Modifiers;
pub use notices::Notice;
pub use sessions::CloseReasons;

use crate::{
    api::Error,
    clipboard_requests::CopyRequests,
    commands::Action,
    dom::prefers_light,
    link_check::{Address, LinkWarning},
    settings::Settings,
    startup::Startup,
    storage,
    tabs::{Tab, TabKind, model::TabList},
    terminal::{PaneHandle, startup_pane::StartupPane},
    themes::{self, BuiltInTheme},
    ui,
};

/// The page's progress from log-in to the first tabs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The page is asking the server.
    Starting,
    /// The server wants a token. The text says why the last token was refused, if one was tried.
    LoggedOut(Option<String>),
    /// The server is unreachable, or refuses this page.
    Failed(Error),
    /// The tabs can be shown.
    Ready,
}

/// The dialog or menu that lies over the page and has the keyboard.
#[derive(Clone, Debug, PartialEq)]
pub enum Overlay {
    /// The list of all commands.
    Palette,
    /// The list of themes.
    Themes,
    /// The list of all tabs.
    Tabs,
    /// The settings.
    Settings,
    /// The keyboard shortcuts.
    Help,
    /// The menu of the active tab, at a point of the window in CSS pixels.
    Menu {
        /// Distance from the left edge.
        x: i32,
        /// Distance from the top edge.
        y: i32,
    },
    /// The field for a tab's new name.
    Rename(TabKind),
    /// The question whether to close a tab, and the reasons for asking.
    Close(TabKind, CloseReasons),
    /// The viewers of the active tab.
    Viewers,
    /// The browsers that are signed in.
    SignIns,
    /// The links that let others into a session.
    Share(SessionId),
    /// The question whether to open a link, and the reason for asking.
    OpenLink(Address, LinkWarning),
}

/// The page's state. Copies are handles to the same state.
#[derive(Clone, Copy)]
pub struct App {
    /// The page's progress from log-in to the first tabs.
    pub stage: RwSignal<Stage>,
    /// The tabs.
    pub tabs: RwSignal<TabList>,
    /// True if this browser may do everything; false if it was invited to some sessions.
    pub is_owner: RwSignal<bool>,
    /// The dialog or menu over the page.
    pub overlay: RwSignal<Option<Overlay>>,
    /// The user's settings.
    pub settings: RwSignal<Settings>,
    /// The theme that the user is previewing.
    pub preview: RwSignal<Option<&'static BuiltInTheme>>,
    /// The appearance that the system prefers.
    pub system_appearance: RwSignal<theme::Appearance>,
    /// The reason why the last terminal could not be started.
    pub start_problem: RwSignal<Option<String>>,
    /// The messages that are shown for a while.
    pub notices: RwSignal<Vec<Notice>>,
    /// The texts that programs want to copy, and the answers given so far.
    pub copy_requests: RwSignal<HashMap<TabKind, CopyRequests>>,
    /// The keys of the touch key bar that are held for the next key.
    pub held_modifiers: RwSignal<Modifiers>,
    panes: StoredValue<HashMap<TabKind, PaneHandle>>,
    startup_pane: StoredValue<Option<StartupPane>, LocalStorage>,
}

impl App {
    fn new(startup_pane: Option<StartupPane>) -> Self {
        Self {
            stage: RwSignal::new(Stage::Starting),
            tabs: RwSignal::default(),
            is_owner: RwSignal::new(true),
            overlay: RwSignal::new(None),
            settings: RwSignal::new(storage::settings()),
            preview: RwSignal::new(None),
            system_appearance: RwSignal::new(themes::preferred_appearance(
                prefers_light().is_some_and(|query| query.matches()),
            )),
            start_problem: RwSignal::new(None),
            notices: RwSignal::default(),
            copy_requests: RwSignal::default(),
            held_modifiers: RwSignal::default(),
            panes: StoredValue::default(),
            startup_pane: StoredValue::new_local(startup_pane),
        }
    }

    /// Returns the page's state. Only components below [`Page`] may call this.
    ///
    /// # Panics
    /// Panics outside of [`Page`].
    #[must_use]
    pub fn expect() -> Self {
        expect_context()
    }

    /// Returns the content of the active tab.
    #[must_use]
    pub fn active(&self) -> Option<TabKind> {
        self.tabs.with(|tabs| tabs.active().map(|tab| tab.kind.clone()))
    }

    /// Returns this browser's role in the active tab.
    #[must_use]
    pub fn role(&self) -> Role {
        let of_tab = self.tabs.with(|tabs| tabs.active().map(|tab| tab.role));
        of_tab.unwrap_or_else(|| if self.is_owner.get() { Role::Owner } else { Role::Reader })
    }

    /// Reports whether this browser may run an action now.
    #[must_use]
    pub fn is_allowed(&self, action: Action) -> bool {
        action.is_allowed_for(self.role())
    }

    /// Returns a memo of one tab, which is `None` once the tab is gone.
    #[must_use]
    pub fn tab(&self, kind: TabKind) -> Memo<Option<Tab>> {
        let tabs = self.tabs;
        Memo::new(move |_| tabs.with(|tabs| tabs.get(&kind).cloned()))
    }

    /// Returns a memo of the active tab.
    #[must_use]
    pub fn active_tab(&self) -> Memo<Option<Tab>> {
        let tabs = self.tabs;
        Memo::new(move |_| tabs.with(|tabs| tabs.active().cloned()))
    }

    /// Closes the overlay and gives the keyboard back to the terminal.
    pub fn close_overlay(&self) {
        self.preview.set(None);
        self.overlay.set(None);
        self.focus_pane();
    }

    /// Shows an overlay.
    pub fn show(&self, overlay: Overlay) {
        self.overlay.set(Some(overlay));
    }

    /// Returns a click handler that runs an action.
    pub fn on_click(self, action: Action) -> impl Fn(leptos::ev::MouseEvent) + Copy + 'static {
        move |_| self.run(action)
    }
}

/// The whole page.
#[component]
pub fn Page(
    /// The state in which the startup left the page.
    startup: Startup,
) -> impl IntoView {
    let app = App::new(startup.startup_pane);
    provide_context(app);
    app.follow_appearance();
    app.follow_keyboard();
    app.follow_focus();
    app.follow_drops();
    app.follow_departures();
    app.follow_sessions();
    app.follow_title();
    app.show_login_result(startup.login);
    view! { <ui::Shell/> }
}
