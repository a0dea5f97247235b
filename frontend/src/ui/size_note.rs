//! The note that tells whose size the terminal has, if it is not this window's.

pub mod announcer;

use leptos::prelude::*;
use limpet_shared::{Role, Sizing};

use super::icons::{Glyph, Icon};
use crate::{
    app::App,
    commands::{Action, describe},
    tabs::{Tab, fit::Fit},
};

/// The contents of the note.
#[derive(Clone, Debug, PartialEq, Eq)]
struct SizeNote {
    words: String,
    /// The imposed size, if the terminal does not have this window's own.
    size: Option<String>,
    /// True if this window's size can replace it.
    can_take_size: bool,
}

/// Returns the note for a tab. There is none while the terminal has this window's size, except for
/// viewers who cannot type.
fn size_note(tab: &Tab) -> Option<SizeNote> {
    let size = tab.imposed_size.map(|size| format!("{} × {}", size.cols, size.rows));
    let words = match tab.role {
        _ if tab.is_over() => None,
        Role::Reader => Some("View only".to_owned()),
        // The list of viewers is not known yet.
        Role::Owner | Role::Writer if size.is_none() || tab.viewers.count == 0 => None,
        Role::Owner | Role::Writer => Some(match tab.sizing {
            Sizing::Fixed => "Fixed size".to_owned(),
            rule => format!("Sized for {}", size_owner(rule, tab)),
        }),
    };
    words.map(|words| SizeNote { words, size, can_take_size: Fit::of(tab).is_ok() })
}

/// Returns whose size the terminal has, as part of a sentence.
fn size_owner(rule: Sizing, tab: &Tab) -> String {
    match rule {
        Sizing::Owner => "the owner".to_owned(),
        Sizing::Smallest => "the smallest window".to_owned(),
        Sizing::Primary | Sizing::Latest | Sizing::Fixed => match tab.viewers.other_primary() {
            Some(viewer) => tab.viewers.name_in_sentence(viewer),
            // The primary viewer has left, or is not in the list, which is limited.
            None => "another window".to_owned(),
        },
    }
}

/// The active tab's note. It is in the bar of a wide window, and over the terminal in a narrow one;
/// the terminal leaves room for it there.
#[component]
pub fn SizeNoteView() -> impl IntoView {
    let app = App::expect();
    let tab = app.active_tab();
    let note = Memo::new(move |_| tab.with(|tab| tab.as_ref().and_then(size_note)));
    let of = move |part: fn(&SizeNote) -> Option<String>| note.with(|note| note.as_ref().and_then(part));
    let words = move || of(|note| Some(note.words.clone()));
    view! {
        <div class="size-note" hidden=move || note.with(Option::is_none)
            data-imposed=move || of(|note| note.size.clone()).is_some().to_string()>
            <span class="size-note-text" title=words>{words}</span>
            <span class="size-note-size">{move || of(|note| note.size.clone())}</span>
            <button type="button" class="button small" on:click=app.on_click(Action::Fit)
                hidden=move || !note.with(|note| note.as_ref().is_some_and(|note| note.can_take_size))>
                <Glyph icon=Icon::Fit/>{describe(Action::Fit).0}
            </button>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use limpet_shared::{ExitStatus, SessionSpec, SessionState, ViewerInfo, Winsize, api::SessionInfo};

    use super::*;
    use crate::viewers::ViewerList;

    fn tab(role: Role, is_imposed: bool) -> Tab {
        let session = SessionInfo {
            id: "a".parse().expect("an id"),
            role,
            command: Vec::new(),
            spec: SessionSpec::default(),
            state: SessionState::default(),
        };
        Tab { imposed_size: is_imposed.then_some(Winsize::cells(160, 50)), ..Tab::from(session) }
    }

    fn with_another(tab: Tab, other_is_primary: bool) -> Tab {
        let viewer = |id, you: bool| ViewerInfo {
            id,
            role: Role::Owner,
            since: 0,
            from: String::new(),
            agent: if you { "" } else { "curl/8" }.to_owned(),
            primary: you != other_is_primary,
            you,
        };
        Tab { viewers: ViewerList { count: 2, list: vec![viewer(0, false), viewer(1, true)] }, ..tab }
    }

    fn alone(tab: Tab) -> Tab {
        let mut tab = with_another(tab, false);
        tab.viewers.list.remove(0);
        tab.viewers.count = 1;
        tab
    }

    fn words(tab: &Tab) -> Option<(String, bool)> {
        size_note(tab).map(|note| (note.words, note.can_take_size))
    }

    #[test]
    fn nothing_is_said_of_a_terminal_that_fits() {
        assert_eq!(size_note(&tab(Role::Owner, false)), None);
        assert_eq!(size_note(&tab(Role::Owner, true)), None, "nobody knows yet who is here");
        for other_is_primary in [true, false] {
            assert_eq!(size_note(&with_another(tab(Role::Owner, false), other_is_primary)), None);
        }
        assert_eq!(size_note(&alone(tab(Role::Owner, false))), None);
    }

    #[test]
    fn another_s_size_can_be_replaced_by_who_may_write() {
        let said = SizeNote {
            words: "Sized for curl".to_owned(),
            size: Some("160 × 50".to_owned()),
            can_take_size: true,
        };
        assert_eq!(size_note(&with_another(tab(Role::Writer, true), true)), Some(said));
        for role in [Role::Owner, Role::Writer] {
            let left = Some(("Sized for another window".to_owned(), true));
            assert_eq!(words(&alone(tab(role, true))), left, "until it is fitted by itself");
        }
    }

    #[test]
    fn a_rule_explains_a_size_that_nobody_chose() {
        let said = |role, sizing| words(&Tab { sizing, ..with_another(tab(role, true), true) });
        assert_eq!(said(Role::Owner, Sizing::Fixed), Some(("Fixed size".to_owned(), true)));
        assert_eq!(
            said(Role::Writer, Sizing::Fixed),
            Some(("Fixed size".to_owned(), false)),
            "only the owner may"
        );
        assert_eq!(said(Role::Writer, Sizing::Owner), Some(("Sized for the owner".to_owned(), false)));
        let smallest = Some(("Sized for the smallest window".to_owned(), false));
        assert_eq!(said(Role::Owner, Sizing::Smallest), smallest);
    }

    #[test]
    fn who_can_only_view_is_told_always() {
        for tab in
            [tab(Role::Reader, true), tab(Role::Reader, false), with_another(tab(Role::Reader, true), true)]
        {
            assert_eq!(words(&tab), Some(("View only".to_owned(), false)));
        }
    }

    #[test]
    fn nothing_is_said_over_what_has_ended() {
        let tab = Tab { exit: Some(ExitStatus::Code(0)), ..with_another(tab(Role::Owner, true), true) };
        assert_eq!(size_note(&tab), None);
    }
}
