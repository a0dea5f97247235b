use std::collections::BTreeSet;

use limpet_shared::Role;

use super::{
    Action, action_for, all, describe,
    fuzzy::{rank, score},
    keys::KeyPress,
};

fn ctrl_shift(key: &str, code: &str) -> KeyPress {
    KeyPress { key: key.to_owned(), code: code.to_owned(), ctrl: true, shift: true, ..KeyPress::default() }
}

#[test]
fn no_two_commands_share_keys() {
    let chords: Vec<_> = all().into_iter().flat_map(|command| command.chords).collect();
    let names: BTreeSet<_> = chords.iter().map(|chord| chord.names(false)).collect();
    assert_eq!(names.len(), chords.len());
}

#[test]
fn a_button_says_what_the_palette_says() {
    let (title, chord) = describe(Action::NewTab);
    let listed = all().into_iter().find(|command| command.action == Action::NewTab).expect("a command");
    assert_eq!((title, chord), (&*listed.title, listed.chords.first().copied()));
}

#[test]
fn every_command_has_words() {
    for command in all() {
        assert!(!command.title.is_empty(), "{:?}", command.action);
    }
}

#[test]
fn guests_have_no_owner_s_commands_and_readers_no_writer_s() {
    let mine =
        |role: Role| all().into_iter().filter(move |command| command.action.is_allowed_for(role)).count();
    assert_eq!(mine(Role::Owner), all().len());
    assert!(mine(Role::Reader) < mine(Role::Writer) && mine(Role::Writer) < mine(Role::Owner));
    for action in [Action::NewTab, Action::Share, Action::RestartTab, Action::RenameTab] {
        assert!(!action.is_allowed_for(Role::Writer), "{action:?}");
    }
    assert!(Action::Fit.is_allowed_for(Role::Writer) && !Action::Fit.is_allowed_for(Role::Reader));
    assert!(Action::CloseTab.is_allowed_for(Role::Reader), "which is to leave");
}

#[test]
fn keys_ask_for_actions() {
    assert_eq!(action_for(&ctrl_shift("Enter", "Enter")), Some(Action::NewTab));
    assert_eq!(action_for(&ctrl_shift("PageUp", "PageUp")), Some(Action::MoveTabBefore));
    assert_eq!(action_for(&ctrl_shift("#", "Digit3")), Some(Action::GoToTab(2)));
    assert_eq!(action_for(&ctrl_shift("?", "Slash")), Some(Action::ShowHelp));
}

#[test]
fn other_presses_are_the_terminals() {
    let press = ctrl_shift("X", "KeyX");
    assert_eq!(action_for(&press), Some(Action::CloseTab));
    for other in [
        KeyPress { ctrl: false, ..press.clone() },
        KeyPress { shift: false, ..press.clone() },
        KeyPress { alt: true, ..press.clone() },
        KeyPress { meta: true, ..press.clone() },
        ctrl_shift("J", "KeyJ"),
    ] {
        assert_eq!(action_for(&other), None, "{other:?}");
    }
}

#[test]
fn f6_goes_round_with_and_without_shift() {
    let f6 = KeyPress { key: "F6".to_owned(), code: "F6".to_owned(), ..KeyPress::default() };
    assert_eq!(action_for(&f6), Some(Action::FocusNextPart));
    assert_eq!(action_for(&KeyPress { shift: true, ..f6.clone() }), Some(Action::FocusPreviousPart));
    assert_eq!(action_for(&KeyPress { ctrl: true, ..f6.clone() }), None);
    assert_eq!(action_for(&KeyPress { alt: true, ..f6 }), None);
    assert_eq!(
        action_for(&KeyPress { key: "F11".to_owned(), code: "F11".to_owned(), ..KeyPress::default() }),
        None
    );
}

#[test]
fn letters_follow_the_layout() {
    // On a Dvorak keyboard, P is the key that is R on a US keyboard.
    assert_eq!(action_for(&ctrl_shift("P", "KeyR")), Some(Action::ShowPalette));
    assert_eq!(action_for(&ctrl_shift("L", "KeyP")), None);
    // A Russian layout has no Latin letters, so the physical key decides.
    assert_eq!(action_for(&ctrl_shift("З", "KeyP")), Some(Action::ShowPalette));
}

#[test]
fn pasting_is_left_to_the_browser() {
    assert_eq!(action_for(&ctrl_shift("V", "KeyV")), None);
    assert!(describe(Action::Paste).1.is_some());
}

fn best(query: &str) -> Option<String> {
    let commands = all();
    let places = rank(query, commands.iter().map(|command| &*command.title));
    places.first().map(|&place| commands[place].title.to_string())
}

#[test]
fn a_few_letters_find_a_command() {
    for (query, title) in [
        ("new", "New terminal"),
        ("nt", "Next tab"),
        ("nter", "New terminal"),
        ("rename", "Rename tab…"),
        ("set", "Settings…"),
        ("tdrac", "Theme: Dracula"),
        ("rose pine", "Theme: Rosé Pine"),
        ("PASTE", "Paste"),
        ("theme nord", "Theme: Nord"),
        ("solarized light", "Theme: Solarized Light"),
    ] {
        assert_eq!(best(query).as_deref(), Some(title), "{query}");
    }
    assert_eq!(best("zzz"), None);
}

#[test]
fn letters_must_occur_in_order() {
    assert!(score("ba", "abc").is_none());
    assert!(score("ac", "abc").is_some());
}

#[test]
fn word_beginnings_and_runs_count_more() {
    assert!(score("ct", "Close tab") > score("ct", "Collect"));
    assert!(score("abc", "xabc") > score("abc", "xaxbxc"));
}

#[test]
fn nothing_asked_is_everything_in_its_order() {
    assert_eq!(rank("  ", ["b", "a"].into_iter()), [0, 1]);
}
