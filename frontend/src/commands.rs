//! The commands of the page. This list is the only place that describes a command: buttons, menus,
//! shortcuts, the palette and the help all take their words and keys from here, and
//! `App::run` runs them.

pub mod fuzzy;
pub mod keys;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use keys::{Chord, KeyPress};
use limpet_shared::Role;

use crate::themes::{BUILT_IN_THEMES, BuiltInTheme};

/// An action that a command runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Opens another terminal.
    NewTab,
    /// Closes the active tab.
    CloseTab,
    /// Renames the active tab.
    RenameTab,
    /// Restarts the active tab's program.
    RestartTab,
    /// Shows the tab before the active one.
    PreviousTab,
    /// Shows the tab after the active one.
    NextTab,
    /// Moves the active tab one place towards the start.
    MoveTabBefore,
    /// Moves the active tab one place towards the end.
    MoveTabAfter,
    /// Shows the tab at this place, counted from 0.
    GoToTab(usize),
    /// Shows all tabs in a list.
    SwitchTab,
    /// Gives the active tab's terminal this window's size.
    Fit,
    /// Shows the viewers of the active tab.
    ShowViewers,
    /// Lets others into the active tab's session.
    Share,
    /// Copies the selection.
    Copy,
    /// Pastes the clipboard.
    Paste,
    /// Moves the focus to the messages, first of all to a program's request to copy.
    GoToMessages,
    /// Moves the focus to the next part of the page: terminal, bar, viewers, messages.
    FocusNextPart,
    /// Moves the focus to the previous part of the page.
    FocusPreviousPart,
    /// Selects everything in the terminal.
    SelectAll,
    /// Clears the screen and the scrollback for all viewers.
    Clear,
    /// Resets the modes that programs have set, for all viewers.
    ResetTerminal,
    /// Scrolls to the newest lines.
    ScrollToBottom,
    /// Retries a broken connection at once.
    Reconnect,
    /// Makes the font larger.
    FontLarger,
    /// Makes the font smaller.
    FontSmaller,
    /// Restores the default font size.
    FontReset,
    /// Switches between shrinking and scrolling terminals that are larger than the window.
    ToggleOversized,
    /// Enters or leaves full screen.
    ToggleFullScreen,
    /// Shows the list of themes.
    ChooseTheme,
    /// Chooses this theme.
    UseTheme(&'static BuiltInTheme),
    /// Shows the palette.
    ShowPalette,
    /// Shows the settings.
    ShowSettings,
    /// Shows the keyboard shortcuts.
    ShowHelp,
    /// Shows the browsers that are signed in.
    ShowSignIns,
    /// Signs this browser out.
    LogOut,
}

impl Action {
    /// Returns the role that the action needs at least.
    #[must_use]
    pub const fn required_role(self) -> Role {
        match self {
            Self::NewTab | Self::RenameTab | Self::RestartTab | Self::Share | Self::ShowSignIns => {
                Role::Owner
            }
            Self::Fit | Self::Paste | Self::Clear | Self::ResetTerminal => Role::Writer,
            _ => Role::Reader,
        }
    }

    /// Reports whether the action moves the focus to another part of the page.
    #[must_use]
    pub const fn cycles_focus(self) -> bool {
        matches!(self, Self::FocusNextPart | Self::FocusPreviousPart)
    }

    /// Reports whether a viewer with this role may run the action.
    #[must_use]
    pub const fn is_allowed_for(self, role: Role) -> bool {
        match self.required_role() {
            Role::Owner => matches!(role, Role::Owner),
            Role::Writer => role.may_write(),
            Role::Reader => true,
        }
    }
}

/// The groups of commands in the help and the palette.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Commands for tabs.
    Tabs,
    /// Commands for the terminal's contents.
    Terminal,
    /// Commands for the page's looks.
    View,
    /// Commands for limpet itself.
    Limpet,
}

impl Group {
    /// All groups, in the order of the help.
    pub const ALL: [Self; 4] = [Self::Tabs, Self::Terminal, Self::View, Self::Limpet];

    /// Returns the group's heading.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Tabs => "Tabs",
            Self::Terminal => "Terminal",
            Self::View => "View",
            Self::Limpet => "Limpet",
        }
    }
}

/// An action with its title and keys.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// The action.
    pub action: Action,
    /// The group in the help and the palette.
    pub group: Group,
    /// The title in menus, the palette and the help.
    pub title: Cow<'static, str>,
    /// The shortcuts, the usual one first.
    pub chords: &'static [Chord],
}

/// The commands that always exist. Nearly all shortcuts are `Ctrl+Shift` and one key, on every
/// system: browsers leave these to the page, programs in a terminal cannot distinguish most of them
/// from `Ctrl` alone and so do not use them, and on a Mac `Ctrl` is not the browser's modifier at
/// all. Arrow keys switch tabs and change the font size, `Page` keys move a tab. `F6` moves the
/// focus around the page, as in browsers and desktops; a full-screen program keeps it.
const FIXED_COMMANDS: &[(Action, Group, &str, &[Chord])] = {
    use Action as A;
    use Group as G;
    &[
        (A::NewTab, G::Tabs, "New terminal", &[Chord::new("Enter", "Enter")]),
        (A::CloseTab, G::Tabs, "Close tab", &[Chord::new("X", "KeyX")]),
        (A::RenameTab, G::Tabs, "Rename tab…", &[Chord::new("F2", "F2")]),
        (A::RestartTab, G::Tabs, "Restart program", &[]),
        (A::PreviousTab, G::Tabs, "Previous tab", &[Chord::new("←", "ArrowLeft")]),
        (A::NextTab, G::Tabs, "Next tab", &[Chord::new("→", "ArrowRight")]),
        (A::MoveTabBefore, G::Tabs, "Move tab left", &[Chord::new("Page Up", "PageUp")]),
        (A::MoveTabAfter, G::Tabs, "Move tab right", &[Chord::new("Page Down", "PageDown")]),
        (A::SwitchTab, G::Tabs, "All tabs…", &[Chord::new("O", "KeyO")]),
        (A::Fit, G::Terminal, "Use my size", &[]),
        (A::ShowViewers, G::Terminal, "Viewers…", &[]),
        (A::Share, G::Terminal, "Share…", &[]),
        (A::Copy, G::Terminal, "Copy", &[Chord::new("C", "KeyC")]),
        // The browser itself pastes on these keys. A page would have to ask for permission.
        (A::Paste, G::Terminal, "Paste", &[Chord::new("V", "KeyV").left_to_browser()]),
        (A::SelectAll, G::Terminal, "Select all", &[Chord::new("A", "KeyA")]),
        (A::Clear, G::Terminal, "Clear", &[Chord::new("K", "KeyK")]),
        (A::ResetTerminal, G::Terminal, "Reset terminal", &[]),
        (A::ScrollToBottom, G::Terminal, "Scroll to the newest line", &[Chord::new("End", "End")]),
        (A::Reconnect, G::Terminal, "Reconnect now", &[]),
        (A::FontLarger, G::View, "Larger text", &[Chord::new("↑", "ArrowUp")]),
        (A::FontSmaller, G::View, "Smaller text", &[Chord::new("↓", "ArrowDown")]),
        (A::FontReset, G::View, "Normal text size", &[Chord::new("0", "Digit0")]),
        (A::ToggleOversized, G::View, "Switch between shrinking and scrolling", &[]),
        (A::ToggleFullScreen, G::View, "Full screen", &[Chord::alone("F11").left_to_browser()]),
        (A::FocusNextPart, G::View, "Go to the next part of the page", &[Chord::alone("F6")]),
        (A::FocusPreviousPart, G::View, "Go to the previous part of the page", &[Chord::shifted("F6")]),
        (A::GoToMessages, G::View, "Go to messages", &[Chord::new("F6", "F6")]),
        (A::ChooseTheme, G::View, "Themes…", &[Chord::new("Y", "KeyY")]),
        // Firefox uses the first chord for private windows.
        (
            A::ShowPalette,
            G::Limpet,
            "All commands…",
            &[Chord::new("P", "KeyP"), Chord::new("Space", "Space")],
        ),
        (A::ShowSettings, G::Limpet, "Settings…", &[Chord::new(",", "Comma")]),
        (A::ShowHelp, G::Limpet, "Keyboard shortcuts", &[Chord::new("?", "Slash")]),
        (A::ShowSignIns, G::Limpet, "Signed-in browsers…", &[]),
        (A::LogOut, G::Limpet, "Log out", &[]),
    ]
};

/// The shortcuts for the tabs at places 0 to 8.
const GO_TO_TAB_CHORDS: &[Chord] = &[
    Chord::new("1", "Digit1"),
    Chord::new("2", "Digit2"),
    Chord::new("3", "Digit3"),
    Chord::new("4", "Digit4"),
    Chord::new("5", "Digit5"),
    Chord::new("6", "Digit6"),
    Chord::new("7", "Digit7"),
    Chord::new("8", "Digit8"),
    Chord::new("9", "Digit9"),
];

/// Returns all commands, in the order in which the palette first shows them.
#[must_use]
pub fn all() -> Vec<Command> {
    let fixed = FIXED_COMMANDS.iter().map(|&(action, group, title, chords)| Command {
        action,
        group,
        title: Cow::Borrowed(title),
        chords,
    });
    let tabs = GO_TO_TAB_CHORDS.chunks(1).enumerate().map(|(place, chords)| Command {
        action: Action::GoToTab(place),
        group: Group::Tabs,
        title: format!("Go to tab {}", place + 1).into(),
        chords,
    });
    let themes = BUILT_IN_THEMES.iter().map(|theme| Command {
        action: Action::UseTheme(theme),
        group: Group::View,
        title: format!("Theme: {}", theme.name).into(),
        chords: &[],
    });
    fixed.chain(tabs).chain(themes).collect()
}

/// Returns the action for a key press, or `None` if the key belongs to the terminal.
#[must_use]
pub fn action_for(press: &KeyPress) -> Option<Action> {
    let takes = |chords: &[Chord]| chords.iter().any(|chord| chord.matches(press));
    let fixed = FIXED_COMMANDS.iter().map(|&(action, _, _, chords)| (chords, action));
    let tabs = GO_TO_TAB_CHORDS.chunks(1).zip((0..).map(Action::GoToTab));
    fixed.chain(tabs).find(|(chords, _)| takes(chords)).map(|(_, action)| action)
}

/// Returns the title of an action that always exists, and its usual shortcut.
#[must_use]
pub fn describe(action: Action) -> (&'static str, Option<Chord>) {
    let found = FIXED_COMMANDS.iter().find(|(fixed, ..)| *fixed == action);
    found.map_or_else(Default::default, |&(_, _, title, chords)| (title, chords.first().copied()))
}
