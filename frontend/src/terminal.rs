//! The terminal component: xterm.js in a pane, attached to a session.
//!
//! * [`pane`] owns a terminal and its connection; [`wiring`] registers its event listeners.
//! * [`startup_pane`] is the pane that is shown before the page around it.
//! * [`screen`] is one xterm.js terminal with its add-ons, over the bindings of [`xterm`];
//!   [`blink`] makes its cursor blink.
//! * [`hooks`] swallows the queries that [`queries`] lists. [`keys`], [`hyperlinks`], [`clipboard`]
//!   and [`grid_size`] decide about keys, links, the clipboard and the grid size. [`pan`] scrolls a
//!   pane over a larger grid, and [`wheel`] handles the wheel over a full-screen program. [`text`]
//!   cleans up pasted and copied text. [`history`] tracks the scrollback that can be loaded.

pub mod blink;
pub mod clipboard;
pub mod font;
pub mod grid_size;
pub mod history;
pub mod hooks;
pub mod hyperlinks;
pub mod keys;
pub mod pan;
pub mod pane;
pub mod queries;
pub mod screen;
pub mod startup_pane;
pub mod text;
pub mod wheel;
pub mod wiring;
pub mod xterm;

use std::rc::Rc;

use leptos::{html::Div, prelude::*, task::spawn_local_scoped};
use limpet_client::{ConnectionProblem, Phase};
use limpet_shared::{ExitStatus, SessionId, Winsize, theme::Theme};

use self::{
    pane::{Pane, PaneHost},
    startup_pane::StartupPane,
};
use crate::{
    connection::Connection,
    settings::{Oversized, Settings},
    themes::BuiltInTheme,
    viewers::ViewerList,
};

/// The appearance of all terminals.
#[derive(Clone, PartialEq)]
pub struct Appearance {
    /// The colours.
    pub theme: Theme,
    /// A CSS `font-family` value.
    pub font_family: String,
    /// Font size in CSS pixels.
    pub font_size: u16,
    /// True if the cursor blinks until a program decides otherwise.
    pub cursor_blink: bool,
    /// Maximum number of lines of scrollback.
    pub scrollback: u32,
    /// The way to show a terminal that is larger than the window.
    pub oversized: Oversized,
    /// True if text with too little contrast is drawn in another shade.
    pub minimum_contrast: bool,
}

impl Appearance {
    /// Returns the appearance according to the settings, in this theme.
    #[must_use]
    pub fn new(settings: &Settings, theme: &BuiltInTheme) -> Self {
        Self {
            theme: theme.theme(),
            font_family: settings.font_family(),
            font_size: settings.font_size,
            cursor_blink: settings.cursor_blink,
            scrollback: settings.scrollback,
            oversized: settings.oversized,
            minimum_contrast: settings.minimum_contrast,
        }
    }
}

/// An event of a pane.
#[derive(Clone)]
pub enum PaneEvent {
    /// The session has this title now.
    Title(String),
    /// The terminal has been drawn for the first time.
    Drawn,
    /// The program rang the bell.
    Bell,
    /// The program printed something while the pane was hidden.
    Activity,
    /// The program has ended.
    Exited {
        /// The exit status.
        status: ExitStatus,
        /// True if an owner closed the session.
        closed: bool,
    },
    /// The state of the connection has changed.
    Phase(Phase),
    /// The problem in the way of the connection has changed; `None` means that it is gone.
    Problem(Option<ConnectionProblem>),
    /// The size in force, if it is not the pane's own.
    ImposedSize(Option<Winsize>),
    /// Viewers attached or left, or another one became the primary viewer.
    Viewers(ViewerList),
    /// The terminal was cleared and is drawn again.
    Redrawn {
        /// Number of rows of scrollback that can be loaded.
        rows: u64,
        /// Number of bytes of output that were left out.
        skipped: u64,
    },
    /// A message for the user.
    Notice(String),
    /// The program wants to write this text to the clipboard.
    Copy(String),
    /// The user wants to open a link in this terminal.
    Link(hyperlinks::Hyperlink, Rc<xterm::Terminal>),
    /// The program has cleared its screen.
    Cleared,
}

/// A handle to a pane. Calls before the pane is mounted or after it is gone have no effect.
#[derive(Clone, Copy)]
pub struct PaneHandle(StoredValue<Option<Rc<Pane>>, LocalStorage>);

impl Default for PaneHandle {
    fn default() -> Self {
        Self::new()
    }
}

impl PaneHandle {
    /// Creates a handle to a pane that has yet to be mounted.
    #[must_use]
    pub fn new() -> Self {
        Self(StoredValue::new_local(None))
    }

    /// Gives the pane the keyboard focus.
    pub fn focus(&self) {
        self.with(|pane| pane.screen().terminal().focus());
    }

    /// Reports whether the program uses the alternate screen, as full-screen programs do.
    #[must_use]
    pub fn is_full_screen(&self) -> bool {
        self.with(|pane| pane.screen().terminal().buffer().active().kind() == "alternate").unwrap_or(false)
    }

    /// Retries a broken connection at once.
    pub fn reconnect_now(&self) {
        self.with(|pane| pane.connection().map(Connection::retry_now));
    }

    /// Makes this viewer, or the viewer with this number, the primary one.
    pub fn make_primary(&self, to: Option<u64>) {
        self.with(|pane| pane.connection().map(|connection| connection.make_primary(to)));
    }

    /// Returns the size that fits into the pane, if it is mounted.
    #[must_use]
    pub fn own_size(&self) -> Option<Winsize> {
        self.with(Pane::own_size)
    }

    /// Copies the selection. Returns false if there is none.
    #[must_use]
    pub fn copy(&self) -> bool {
        self.with(Pane::copy).unwrap_or(false)
    }

    /// Pastes the clipboard, if the browser lets the page read it.
    pub fn paste(&self) {
        self.with(Pane::paste);
    }

    /// Pastes this text, bracketed if the program has asked for that.
    pub fn paste_text(&self, text: &str) {
        self.with(|pane| pane.paste_text(text));
    }

    /// Sends this text as if it were typed.
    pub fn send(&self, text: &str) {
        self.with(|pane| pane.send(text));
    }

    /// Clears screen and scrollback except for the cursor's line, for all viewers.
    pub fn clear(&self) {
        self.with(|pane| pane.connection().map(Connection::clear));
    }

    /// Resets the modes that programs have set, for all viewers.
    pub fn soft_reset(&self) {
        self.with(|pane| pane.connection().map(Connection::soft_reset));
    }

    /// Loads the scrollback that the snapshot left out.
    pub fn load_earlier(&self) {
        self.with(Pane::load_earlier);
    }

    /// Selects everything.
    pub fn select_all(&self) {
        self.with(|pane| pane.screen().terminal().select_all());
    }

    /// Scrolls to the newest lines.
    pub fn scroll_to_bottom(&self) {
        self.with(|pane| pane.screen().terminal().scroll_to_bottom());
    }

    /// Calls `ask` with a clone of the pane's reference, since the call may end the pane.
    fn with<T>(&self, ask: impl FnOnce(&Pane) -> T) -> Option<T> {
        let pane = self.0.try_get_value().flatten()?;
        Some(ask(&pane))
    }

    fn set(self, pane: Option<Rc<Pane>>) {
        // A handle whose owner is gone is never used again.
        let _ = self.0.try_set_value(pane);
    }
}

/// A terminal attached to `session`.
#[component]
#[must_use]
pub fn TerminalPane(
    /// The session to attach to.
    session: SessionId,
    /// The handle by which the parent controls the pane.
    handle: PaneHandle,
    /// True while the pane is visible.
    #[prop(into)]
    visible: Signal<bool>,
    /// The appearance of the terminal.
    #[prop(into)]
    appearance: Signal<Appearance>,
    /// Called with the pane's events.
    #[prop(into)]
    on_event: Callback<PaneEvent>,
    /// Called first for each keydown; true means that the page has handled the key and the terminal
    /// ignores it.
    #[prop(into)]
    take_key: Callback<web_sys::KeyboardEvent, bool>,
    /// The terminal of this session that was shown before the component existed.
    startup_pane: Option<StartupPane>,
) -> impl IntoView {
    let node = NodeRef::<Div>::new();
    let pane = RwSignal::new_local(None::<Rc<Pane>>);
    let host = PaneHost {
        on_event: Rc::new(move |event| {
            on_event.try_run(event);
        }),
        take_key: Rc::new(move |event| take_key.try_run(event.clone()).unwrap_or_default()),
    };
    let set = move |mounted: Rc<Pane>| {
        handle.set(Some(Rc::clone(&mounted)));
        pane.set(Some(mounted));
    };

    node.on_load(move |place| match startup_pane {
        Some(startup_pane) => set(startup_pane.hand_over(&place, host)),
        None => spawn_local_scoped(async move {
            let current = appearance.get_untracked();
            font::ready(&current.font_family, current.font_size).await;
            let Some(visible) = visible.try_get_untracked() else { return };
            set(Pane::mount(&place, session, None, &appearance.get_untracked(), visible, host));
        }),
    });
    Effect::new(move || {
        let current = appearance.get();
        pane.with(|pane| pane.as_ref().map(|pane| pane.restyle(&current)));
    });
    Effect::new(move || {
        let visible = visible.get();
        pane.with(|pane| pane.as_ref().map(|pane| pane.set_visible(visible)));
    });
    on_cleanup(move || {
        handle.set(None);
        pane.try_set(None);
    });
    view! { <div class="place" node_ref=node></div> }
}
