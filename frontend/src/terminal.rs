//! The terminal component: xterm.js in a pane, attached to a session.

use leptos::prelude::*;
use limpet_shared::{ExitStatus, SessionId, Winsize, theme::Theme};

use crate::connection::Phase;

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
}

/// What a pane tells its surroundings.
#[derive(Clone, PartialEq)]
pub enum PaneEvent {
    /// The session's title is now this.
    Title(String),
    /// The program rang.
    Bell,
    /// The program wrote something new.
    Activity,
    /// The program has ended.
    Exited(ExitStatus),
    /// The connection is in another phase.
    Phase(Phase),
    /// The size now in force.
    Size(Winsize),
    /// Something that a person should read.
    Notice(String),
}

/// What the surroundings ask of a pane. Calls before it is mounted or after it is gone do nothing.
#[derive(Clone, Copy)]
pub struct PaneHandle {}

impl Default for PaneHandle {
    fn default() -> Self {
        Self::new()
    }
}

#[expect(clippy::unused_self, reason = "the pane behind it comes next")]
impl PaneHandle {
    /// A handle to a pane that is yet to be mounted.
    #[must_use]
    pub fn new() -> Self {
        Self {}
    }

    /// Gives the pane the keyboard.
    pub fn focus(&self) {}

    /// Tries a broken connection again at once.
    pub fn reconnect_now(&self) {}

    /// Copies what is selected; false if nothing is.
    #[must_use]
    pub fn copy(&self) -> bool {
        false
    }

    /// Pastes the clipboard.
    pub fn paste(&self) {}

    /// Pastes this text, bracketed when the program wants that.
    pub fn paste_text(&self, text: &str) {
        let _ = text;
    }

    /// Types this text.
    pub fn send(&self, text: &str) {
        let _ = text;
    }

    /// Clears screen and scrollback but for the line of the cursor.
    pub fn clear(&self) {}

    /// Selects everything.
    pub fn select_all(&self) {}

    /// Shows the newest lines.
    pub fn scroll_to_bottom(&self) {}
}

/// A terminal attached to `session`.
#[component]
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
) -> impl IntoView {
    let _ = (session, handle, visible, appearance, on_event, take_key);
    view! { <div class="terminal"></div> }
}
