//! Everything the page can be told to do. This list is the only place where a command is described: buttons, menus,
//! shortcuts, the palette and the help all take their words and keys from here; [`crate::app::run`] carries them out.

pub mod fuzzy;
pub mod keys;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use keys::{Chord, Press};
use limpet_shared::Role;

use crate::themes::{BUILT_IN, BuiltIn};

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Open another terminal.
    NewTab,
    /// Close the active tab.
    CloseTab,
    /// Name the active tab.
    RenameTab,
    /// Start the active tab's program again.
    RestartTab,
    /// Show the tab before the active one.
    PreviousTab,
    /// Show the tab after the active one.
    NextTab,
    /// Move the active tab forward.
    MoveTabBefore,
    /// Move the active tab back.
    MoveTabAfter,
    /// Show the tab at this place, counted from 0.
    GoToTab(usize),
    /// Show all tabs in a list.
    SwitchTab,
    /// Give the active tab's terminal this window's size.
    Fit,
    /// Show who is at the active tab.
    ShowPeople,
    /// Let others in to the active tab.
    Share,
    /// Copy what is selected.
    Copy,
    /// Paste the clipboard.
    Paste,
    /// Give the keyboard to what is said, above all to a program that wants to copy.
    GoToMessages,
    /// Give the keyboard to the next part of the page: terminal, bar, people, messages.
    NextPart,
    /// Give it to the part before.
    PreviousPart,
    /// Select everything in the terminal.
    SelectAll,
    /// Clear screen and scrollback, for everybody.
    Clear,
    /// Reset the modes that programs have set, for everybody.
    ResetTerminal,
    /// Show the newest lines.
    ScrollToBottom,
    /// Try a broken connection at once.
    Reconnect,
    /// A larger font.
    FontLarger,
    /// A smaller font.
    FontSmaller,
    /// The font size that limpet comes with.
    FontReset,
    /// Shrink a terminal that is larger than the window, or no longer.
    ToggleOversized,
    /// Fill the screen with the page, or no longer.
    ToggleFullScreen,
    /// Choose a theme from the list.
    ChooseTheme,
    /// Take this theme.
    UseTheme(&'static BuiltIn),
    /// Show the palette.
    ShowPalette,
    /// Show the settings.
    ShowSettings,
    /// Show the shortcuts.
    ShowHelp,
    /// Show the browsers that are signed in.
    ShowSignIns,
    /// Sign this browser out.
    LogOut,
}

impl Action {
    /// Who may do it: those who may do at least as much.
    #[must_use]
    pub const fn needs(self) -> Role {
        match self {
            Self::NewTab | Self::RenameTab | Self::RestartTab | Self::Share | Self::ShowSignIns => {
                Role::Owner
            }
            Self::Fit | Self::Paste | Self::Clear | Self::ResetTerminal => Role::Writer,
            _ => Role::Reader,
        }
    }

    /// Whether it leads round the parts of the page.
    #[must_use]
    pub const fn goes_round(self) -> bool {
        matches!(self, Self::NextPart | Self::PreviousPart)
    }

    /// Whether somebody of this role may do it.
    #[must_use]
    pub const fn is_for(self, role: Role) -> bool {
        match self.needs() {
            Role::Owner => matches!(role, Role::Owner),
            Role::Writer => role.may_write(),
            Role::Reader => true,
        }
    }
}

/// How the help and the palette arrange commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// About tabs.
    Tabs,
    /// About what is in the terminal.
    Terminal,
    /// About how it looks.
    View,
    /// About limpet.
    Limpet,
}

impl Group {
    /// All of them, in the help's order.
    pub const ALL: [Self; 4] = [Self::Tabs, Self::Terminal, Self::View, Self::Limpet];

    /// Its heading.
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

/// An action with its words and keys.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// What it does.
    pub action: Action,
    /// Where it belongs.
    pub group: Group,
    /// What it is called.
    pub title: Cow<'static, str>,
    /// The keys for it, the usual ones first.
    pub chords: &'static [Chord],
}

/// The commands that are always there. Nearly all shortcuts are `Ctrl+Shift` and one key, on every system: browsers leave
/// these to the page, programs in a terminal cannot tell most of them from `Ctrl` alone and so do without them, and
/// on a Mac `Ctrl` is not the browser's key at all. Arrows go between tabs and change the size, `Page` keys move a tab.
/// `F6` goes round the page as in browsers and desktops; a program that fills the screen keeps it.
const FIXED: &[(Action, Group, &str, &[Chord])] = {
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
        (A::ShowPeople, G::Terminal, "People…", &[]),
        (A::Share, G::Terminal, "Share…", &[]),
        (A::Copy, G::Terminal, "Copy", &[Chord::new("C", "KeyC")]),
        // The browser itself pastes on these keys, without asking for permission as a page must.
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
        (A::NextPart, G::View, "Go to the next part of the page", &[Chord::alone("F6")]),
        (A::PreviousPart, G::View, "Go to the previous part of the page", &[Chord::shifted("F6")]),
        (A::GoToMessages, G::View, "Go to messages", &[Chord::new("F6", "F6")]),
        (A::ChooseTheme, G::View, "Themes…", &[Chord::new("Y", "KeyY")]),
        // Firefox keeps the first for private windows.
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

/// The keys of the tabs at places 0 to 8.
const GO_TO_TAB: &[Chord] = &[
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

/// All commands, in the order in which the palette shows them at first.
#[must_use]
pub fn all() -> Vec<Command> {
    let fixed = FIXED.iter().map(|&(action, group, title, chords)| Command {
        action,
        group,
        title: Cow::Borrowed(title),
        chords,
    });
    let tabs = GO_TO_TAB.chunks(1).enumerate().map(|(place, chords)| Command {
        action: Action::GoToTab(place),
        group: Group::Tabs,
        title: format!("Go to tab {}", place + 1).into(),
        chords,
    });
    let themes = BUILT_IN.iter().map(|theme| Command {
        action: Action::UseTheme(theme),
        group: Group::View,
        title: format!("Theme: {}", theme.name).into(),
        chords: &[],
    });
    fixed.chain(tabs).chain(themes).collect()
}

/// The action that a pressed key asks for, if it is the page's and not the terminal's.
#[must_use]
pub fn pressed(press: &Press) -> Option<Action> {
    let takes = |chords: &[Chord]| chords.iter().any(|chord| chord.takes(press));
    let fixed = FIXED.iter().map(|&(action, _, _, chords)| (chords, action));
    let tabs = GO_TO_TAB.chunks(1).zip((0..).map(Action::GoToTab));
    fixed.chain(tabs).find(|(chords, _)| takes(chords)).map(|(_, action)| action)
}

/// What an action that is always there is called, and its usual keys.
#[must_use]
pub fn describe(action: Action) -> (&'static str, Option<Chord>) {
    let found = FIXED.iter().find(|(fixed, ..)| *fixed == action);
    found.map_or_else(Default::default, |&(_, _, title, chords)| (title, chords.first().copied()))
}
