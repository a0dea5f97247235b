//! Runs commands.

use leptos::prelude::*;
use limpet_shared::Role;

use super::{App, Overlay};
use crate::{
    commands::Action,
    connection::Phase,
    settings::{Oversized, Settings},
    tabs::{
        Tab,
        model::{Side, TabList},
    },
    terminal::PaneHandle,
};

impl App {
    /// Runs an action of a button, a key or the palette.
    pub fn run(&self, action: Action) {
        if !untrack(|| self.is_allowed(action)) {
            return self.notify(refusal(action));
        }
        match action {
            Action::NewTab => self.new_tab(),
            Action::CloseTab => self.with_active(|app, tab| app.close_tab(tab.kind)),
            Action::RenameTab => self.with_active(|app, tab| app.show(Overlay::Rename(tab.kind))),
            Action::RestartTab => self.with_active(Self::restart_tab),
            Action::PreviousTab => self.change_tabs(|tabs| tabs.select_neighbour(Side::Before)),
            Action::NextTab => self.change_tabs(|tabs| tabs.select_neighbour(Side::After)),
            Action::MoveTabBefore => self.change_tabs(|tabs| tabs.move_active(Side::Before)),
            Action::MoveTabAfter => self.change_tabs(|tabs| tabs.move_active(Side::After)),
            Action::GoToTab(place) => self.change_tabs(|tabs| tabs.select_at(place)),
            Action::SwitchTab => self.show(Overlay::Tabs),
            Action::Fit => self.with_active(|app, tab| app.fit(tab)),
            Action::ShowViewers => self.with_active(|app, _| app.show(Overlay::Viewers)),
            Action::Share => self.with_active(|app, tab| app.share(&tab)),
            Action::Copy => self.with_pane(|pane| {
                if !pane.copy() {
                    self.notify("Nothing is selected.");
                }
            }),
            Action::Paste => self.with_pane(|pane| pane.paste()),
            Action::GoToMessages => self.focus_messages(),
            Action::FocusNextPart => self.cycle_focus(Side::After),
            Action::FocusPreviousPart => self.cycle_focus(Side::Before),
            Action::SelectAll => self.with_pane(|pane| pane.select_all()),
            Action::Clear => self.with_live_pane("cleared", |pane| pane.clear()),
            Action::ResetTerminal => self.with_live_pane("reset", |pane| pane.soft_reset()),
            Action::ScrollToBottom => self.with_pane(|pane| pane.scroll_to_bottom()),
            Action::Reconnect => self.with_pane(|pane| pane.reconnect_now()),
            Action::FontLarger => self.change_settings(|settings| settings.change_font_size(1)),
            Action::FontSmaller => self.change_settings(|settings| settings.change_font_size(-1)),
            Action::FontReset => self.change_settings(|s| s.font_size = Settings::default().font_size),
            Action::ToggleOversized => self.toggle_oversized(),
            Action::ToggleFullScreen => self.toggle_full_screen(),
            Action::ChooseTheme => self.show(Overlay::Themes),
            Action::UseTheme(theme) => self.choose_theme(theme),
            Action::ShowPalette => self.show(Overlay::Palette),
            Action::ShowSettings => self.show(Overlay::Settings),
            Action::ShowHelp => self.show(Overlay::Help),
            Action::ShowSignIns => self.show(Overlay::SignIns),
            Action::LogOut => self.log_out_or_report_error(),
        }
    }

    fn share(&self, tab: &Tab) {
        if let Some(session) = tab.kind.session() {
            self.show(Overlay::Share(session.clone()));
        }
    }

    fn toggle_oversized(&self) {
        self.change_settings(|settings| settings.oversized = settings.oversized.other());
        self.notify(match self.settings.with_untracked(|settings| settings.oversized) {
            Oversized::Shrink => "Terminals larger than the window are shrunk to fit.",
            Oversized::Scroll => "Terminals larger than the window are scrolled.",
        });
    }

    /// Changes which tab is shown, or the order of the tabs, and gives the terminal the focus.
    pub fn change_tabs(&self, change: impl FnOnce(&mut TabList)) {
        self.tabs.update(change);
        self.focus_pane();
    }

    pub(super) fn with_pane(&self, act: impl FnOnce(PaneHandle)) {
        if let Some(pane) = self.pane() {
            act(pane);
            self.focus_pane();
        }
    }

    /// Acts on the active pane if it is connected, since the server has to carry out the action.
    /// Tells the user otherwise.
    fn with_live_pane(&self, done: &str, act: impl FnOnce(PaneHandle)) {
        let phase = self.tabs.with_untracked(|tabs| tabs.active().map(|tab| tab.phase));
        match phase {
            Some(Phase::Live { .. }) => self.with_pane(act),
            Some(Phase::Ended | Phase::Gone(_)) => {
                self.notify(format!("The program has ended. The terminal was not {done}."));
            }
            _ => self.notify(format!("Not connected. The terminal was not {done}.")),
        }
    }

    fn with_active(&self, act: impl FnOnce(&Self, Tab)) {
        if let Some(tab) = self.tabs.with_untracked(|tabs| tabs.active().cloned()) {
            act(self, tab);
        }
    }
}

/// Returns the message for a guest who lacks the right to run an action.
const fn refusal(action: Action) -> &'static str {
    match action.required_role() {
        Role::Owner => "Only the owner can do that.",
        Role::Writer | Role::Reader => "You can view this terminal, not change it.",
    }
}
