//! The terminal component: xterm.js in a pane, attached to a session.
//!
//! * [`pane`] holds a terminal and a connection together; [`wiring`] is what it listens to.
//! * [`early`] is a pane before there is a page around it.
//! * [`screen`] is one xterm.js terminal with its add-ons, over the bindings of [`xterm`]; [`blink`] is its cursor.
//! * [`hooks`] swallows the queries that [`queries`] lists; [`keys`], [`links`], [`clipboard`] and [`extent`] decide
//!   about keys, links, the clipboard and sizes; [`pan`] scrolls a pane over a larger terminal, [`wheel`] what fills all of it;
//!   [`text`] is what is pasted and copied; [`history`] knows what can be loaded.

pub mod blink;
pub mod clipboard;
pub mod early;
pub mod extent;
pub mod font;
pub mod history;
pub mod hooks;
pub mod keys;
pub mod links;
pub mod pan;
pub mod pane;
pub mod queries;
pub mod screen;
pub mod text;
pub mod wheel;
pub mod wiring;
pub mod xterm;

use std::rc::Rc;

use leptos::{html::Div, prelude::*, task::spawn_local_scoped};
use limpet_shared::{ExitStatus, SessionId, Winsize, theme::Theme};

use self::{
    early::Early,
    pane::{Pane, Surroundings},
};
use crate::{
    connection::{Connection, Phase, Trouble},
    people::People,
    settings::{Oversized, Settings},
    themes::BuiltIn,
};

/// How terminals look; one signal for all of them.
#[derive(Clone, PartialEq)]
pub struct Appearance {
    /// Colours.
    pub theme: Theme,
    /// A CSS `font-family` value.
    pub font_family: String,
    /// In CSS pixels.
    pub font_size: u16,
    /// Whether the cursor blinks until a program says otherwise.
    pub cursor_blink: bool,
    /// Lines kept above the screen.
    pub scrollback: u32,
    /// What becomes of a terminal that is larger than the window.
    pub oversized: Oversized,
    /// Whether text that could hardly be read is drawn in another shade.
    pub minimum_contrast: bool,
}

impl Appearance {
    /// As it was chosen, in this theme.
    #[must_use]
    pub fn new(settings: &Settings, theme: &BuiltIn) -> Self {
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

/// What a pane tells its surroundings.
#[derive(Clone)]
pub enum PaneEvent {
    /// The session's title is now this.
    Title(String),
    /// There is something to see, for the first time.
    Drawn,
    /// The program rang.
    Bell,
    /// The program wrote something new.
    Activity,
    /// The program has ended.
    Exited {
        /// How.
        status: ExitStatus,
        /// Whether an owner closed the session.
        closed: bool,
    },
    /// The connection is in another phase.
    Phase(Phase),
    /// Something stands in the connection's way, or nothing does any more.
    Trouble(Option<Trouble>),
    /// The size in force, if it is not the pane's own.
    Foreign(Option<Winsize>),
    /// Others came or went, or the pen changed hands.
    People(People),
    /// The terminal was drawn anew.
    Earlier {
        /// So many rows of scrollback can be loaded.
        rows: u64,
        /// So many bytes of output were left out.
        skipped: u64,
    },
    /// Something that a person should read.
    Notice(String),
    /// The program wants this text in the clipboard.
    Copy(String),
    /// Somebody wants to open a link in this terminal.
    Link(links::Followed, Rc<xterm::Terminal>),
    /// The program has cleared its screen.
    Cleared,
}

/// What the surroundings ask of a pane. Calls before it is mounted or after it is gone do nothing.
#[derive(Clone, Copy)]
pub struct PaneHandle(StoredValue<Option<Rc<Pane>>, LocalStorage>);

impl Default for PaneHandle {
    fn default() -> Self {
        Self::new()
    }
}

impl PaneHandle {
    /// A handle to a pane that is yet to be mounted.
    #[must_use]
    pub fn new() -> Self {
        Self(StoredValue::new_local(None))
    }

    /// Gives the pane the keyboard.
    pub fn focus(&self) {
        self.with(|pane| pane.screen().terminal().focus());
    }

    /// Whether its program fills the screen: it uses the alternate one.
    #[must_use]
    pub fn is_full_screen(&self) -> bool {
        self.with(|pane| pane.screen().terminal().buffer().active().kind() == "alternate").unwrap_or(false)
    }

    /// Tries a broken connection again at once.
    pub fn reconnect_now(&self) {
        self.with(|pane| pane.connection().map(Connection::retry_now));
    }

    /// Takes the pen, or gives it to the viewer of this number.
    pub fn pen(&self, to: Option<u64>) {
        self.with(|pane| pane.connection().map(|connection| connection.pen(to)));
    }

    /// What fits into the pane, if it is mounted.
    #[must_use]
    pub fn own_size(&self) -> Option<Winsize> {
        self.with(Pane::own_size)
    }

    /// Copies what is selected; false if nothing is.
    #[must_use]
    pub fn copy(&self) -> bool {
        self.with(Pane::copy).unwrap_or(false)
    }

    /// Pastes the clipboard, if the browser lets the page read it.
    pub fn paste(&self) {
        self.with(Pane::paste);
    }

    /// Pastes this text, bracketed when the program wants that.
    pub fn paste_text(&self, text: &str) {
        self.with(|pane| pane.paste_text(text));
    }

    /// Types this text.
    pub fn send(&self, text: &str) {
        self.with(|pane| pane.send(text));
    }

    /// Clears screen and scrollback but for the line of the cursor, for everybody.
    pub fn clear(&self) {
        self.with(|pane| pane.connection().map(Connection::clear));
    }

    /// Resets the modes that programs have set, for everybody.
    pub fn soft_reset(&self) {
        self.with(|pane| pane.connection().map(Connection::soft_reset));
    }

    /// Loads what has scrolled out of what was drawn.
    pub fn load_earlier(&self) {
        self.with(Pane::load_earlier);
    }

    /// Selects everything.
    pub fn select_all(&self) {
        self.with(|pane| pane.screen().terminal().select_all());
    }

    /// Shows the newest lines.
    pub fn scroll_to_bottom(&self) {
        self.with(|pane| pane.screen().terminal().scroll_to_bottom());
    }

    /// The pane is taken out first: what is asked of it may end it.
    fn with<T>(&self, ask: impl FnOnce(&Pane) -> T) -> Option<T> {
        let pane = self.0.try_get_value().flatten()?;
        Some(ask(&pane))
    }

    fn set(self, pane: Option<Rc<Pane>>) {
        // A handle whose owner is gone has nobody left to ask anything.
        let _ = self.0.try_set_value(pane);
    }
}

/// A terminal attached to `session`.
#[component]
#[must_use]
pub fn TerminalPane(
    /// What it shows.
    session: SessionId,
    /// What the surroundings hold to ask something of it.
    handle: PaneHandle,
    /// Whether it can be seen now.
    #[prop(into)]
    visible: Signal<bool>,
    /// How it looks.
    #[prop(into)]
    appearance: Signal<Appearance>,
    /// Told what happens.
    #[prop(into)]
    on_event: Callback<PaneEvent>,
    /// Asked for each keydown first; true means that the page took it and the terminal must not see it.
    #[prop(into)]
    take_key: Callback<web_sys::KeyboardEvent, bool>,
    /// The terminal of this session that was there before the component.
    early: Option<Early>,
) -> impl IntoView {
    let node = NodeRef::<Div>::new();
    let pane = RwSignal::new_local(None::<Rc<Pane>>);
    let around = Surroundings {
        on_event: Rc::new(move |event| {
            on_event.try_run(event);
        }),
        take_key: Rc::new(move |event| take_key.try_run(event.clone()).unwrap_or_default()),
    };
    let set = move |mounted: Rc<Pane>| {
        handle.set(Some(Rc::clone(&mounted)));
        pane.set(Some(mounted));
    };

    node.on_load(move |place| match early {
        Some(early) => set(early.hand_over(&place, around)),
        None => spawn_local_scoped(async move {
            let look = appearance.get_untracked();
            font::ready(&look.font_family, look.font_size).await;
            let Some(visible) = visible.try_get_untracked() else { return };
            set(Pane::mount(&place, session, None, &appearance.get_untracked(), visible, around));
        }),
    });
    Effect::new(move || {
        let look = appearance.get();
        pane.with(|pane| pane.as_ref().map(|pane| pane.restyle(&look)));
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
