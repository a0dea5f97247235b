//! Who has the pen, where that matters: while the terminal has another size than this window's, or others answer for it.

pub mod said;

use leptos::prelude::*;
use limpet_shared::{Role, Sizing};

use super::icons::{Glyph, Icon};
use crate::{
    app::App,
    commands::{Action, describe},
    tabs::{Tab, fit::Fit},
};

/// What is said.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Chip {
    words: String,
    /// The same for where there is little room, if it is too long for that.
    short: Option<String>,
    /// Whether it is about somebody else's pen, which a sign says where there is little room.
    pen: bool,
    /// The size in force, if it is not this window's own.
    size: Option<String>,
    /// What can be done about it.
    act: Option<Action>,
}

/// What there is to say about a tab; nothing to whoever decides on the size.
fn chip(tab: &Tab) -> Option<Chip> {
    let size = tab.foreign.map(|size| format!("{} × {}", size.cols, size.rows));
    let follows_pen = matches!(tab.sizing, Sizing::Pen | Sizing::Latest);
    let pen = tab.people.other_pen().filter(|_| !tab.people.is_alone() && (follows_pen || size.is_none()));
    let plain = Chip { words: String::new(), short: None, pen: false, size, act: None };
    match pen {
        _ if tab.is_over() => None,
        _ if tab.role == Role::Reader => Some(Chip { words: "You only watch".to_owned(), ..plain }),
        Some(one) => Some(Chip {
            words: format!("{} has the pen", tab.people.name(one)),
            short: Some(tab.people.short_name(one)),
            pen: true,
            act: Some(Action::TakePen),
            ..plain
        }),
        // Before it is known who is here, nothing is.
        None if plain.size.is_some() && tab.people.count > 0 => {
            let (words, short) = rule(tab.sizing);
            let (words, short) = (words.to_owned(), short.map(str::to_owned));
            Some(Chip { words, short, act: Fit::of(tab).is_ok().then_some(Action::Fit), ..plain })
        }
        None => None,
    }
}

/// Why the size is another one, if nobody's pen decides on it: in full, and in short if that is long.
const fn rule(sizing: Sizing) -> (&'static str, Option<&'static str>) {
    match sizing {
        Sizing::Pen | Sizing::Latest => ("The size of a window that has left", Some("Another's size")),
        Sizing::Owner => ("The owner's size", None),
        Sizing::Smallest => ("The smallest window's size", Some("The smallest size")),
        Sizing::Fixed => ("A fixed size", None),
    }
}

/// The active tab's chip. In a wide window it is in the bar, in a narrow one over the terminal, which leaves room for it.
#[component]
pub fn PenChip() -> impl IntoView {
    let app = App::expect();
    let tab = app.active_tab();
    let chip = Memo::new(move |_| tab.with(|tab| tab.as_ref().and_then(chip)));
    let of = move |part: fn(&Chip) -> Option<String>| chip.with(|chip| chip.as_ref().and_then(part));
    let words = move || of(|chip| Some(chip.words.clone()));
    let offer = move |action: Action, icon: Icon| {
        let offered = move || chip.with(|chip| chip.as_ref().is_some_and(|chip| chip.act == Some(action)));
        view! {
            <button type="button" class="button small" hidden=move || !offered() on:click=app.on_click(action)>
                <Glyph icon/>{describe(action).0}
            </button>
        }
    };
    view! {
        <div class="pen-chip" hidden=move || chip.with(Option::is_none)
            class:of-pen=move || chip.with(|chip| chip.as_ref().is_some_and(|chip| chip.pen))
            data-foreign=move || of(|chip| chip.size.clone()).is_some().to_string()>
            <Glyph icon=Icon::Pen/>
            <span class="pen-words" title=words>
                <span class="in-full">{words}</span>
                <span class="in-short" aria-hidden="true">{move || of(|chip| chip.short.clone())}</span>
            </span>
            <span class="pen-size">{move || of(|chip| chip.size.clone())}</span>
            {offer(Action::TakePen, Icon::Pen)}
            {offer(Action::Fit, Icon::Fit)}
        </div>
    }
}

#[cfg(test)]
mod tests {
    use limpet_shared::{ExitStatus, Flow, Presence, Winsize, api::SessionInfo};

    use super::*;
    use crate::people::People;

    fn tab(role: Role, foreign: bool) -> Tab {
        let session = SessionInfo {
            id: "a".parse().expect("an id"),
            title: String::new(),
            command: Vec::new(),
            cols: 80,
            rows: 24,
            created: 0,
            viewers: 1,
            exit: None,
            role,
            sizing: Sizing::Pen,
            flow: Flow::Auto,
        };
        Tab { foreign: foreign.then_some(Winsize::cells(160, 50)), ..Tab::from(session) }
    }

    fn with_another(tab: Tab, others_pen: bool) -> Tab {
        let presence = |id, you: bool| Presence {
            id,
            role: Role::Owner,
            since: 0,
            from: String::new(),
            agent: if you { "" } else { "curl/8" }.to_owned(),
            pen: you != others_pen,
            you,
        };
        Tab { people: People { count: 2, list: vec![presence(0, false), presence(1, true)] }, ..tab }
    }

    fn alone(tab: Tab) -> Tab {
        let mut tab = with_another(tab, false);
        tab.people.list.remove(0);
        tab.people.count = 1;
        tab
    }

    #[test]
    fn nothing_is_said_to_who_is_alone_or_decides() {
        assert_eq!(chip(&tab(Role::Owner, false)), None);
        assert_eq!(chip(&tab(Role::Owner, true)), None, "nobody knows yet who is here");
        assert_eq!(chip(&with_another(tab(Role::Owner, false), false)), None);
    }

    #[test]
    fn who_is_left_alone_with_another_s_size_learns_why_and_what_to_do() {
        let chip_of = |role, sizing| {
            let chip = chip(&Tab { sizing, ..alone(tab(role, true)) }).expect("a chip");
            (chip.words, chip.act)
        };
        for role in [Role::Owner, Role::Writer] {
            let left = ("The size of a window that has left".to_owned(), Some(Action::Fit));
            assert_eq!(chip_of(role, Sizing::Pen), left);
        }
        assert_eq!(chip_of(Role::Owner, Sizing::Fixed), ("A fixed size".to_owned(), Some(Action::Fit)));
        assert_eq!(
            chip_of(Role::Writer, Sizing::Fixed),
            ("A fixed size".to_owned(), None),
            "only the owner may"
        );
        assert_eq!(chip_of(Role::Reader, Sizing::Pen), ("You only watch".to_owned(), None));
        assert_eq!(chip(&alone(tab(Role::Owner, false))), None);
    }

    #[test]
    fn another_s_pen_can_be_taken() {
        let words = "curl has the pen".to_owned();
        let (short, size) = (Some("curl".to_owned()), Some("160 × 50".to_owned()));
        let expected = Chip { words, short, pen: true, size, act: Some(Action::TakePen) };
        assert_eq!(chip(&with_another(tab(Role::Writer, true), true)), Some(expected.clone()));
        let same_size = with_another(tab(Role::Owner, false), true);
        assert_eq!(chip(&same_size), Some(Chip { size: None, ..expected }));
    }

    #[test]
    fn a_reader_is_told_always_and_takes_nothing() {
        for tab in [tab(Role::Reader, true), with_another(tab(Role::Reader, true), true)] {
            let chip = chip(&tab).expect("a chip");
            assert_eq!((chip.words.as_str(), chip.pen, chip.act), ("You only watch", false, None));
        }
    }

    #[test]
    fn a_rule_explains_a_size_that_is_not_the_pen_s() {
        for others_pen in [false, true] {
            let chip_of = |foreign| {
                let tab = with_another(tab(Role::Owner, foreign), others_pen);
                chip(&Tab { sizing: Sizing::Smallest, ..tab })
            };
            let chip = chip_of(true).expect("a chip");
            assert_eq!((chip.words.as_str(), chip.act), ("The smallest window's size", None));
            assert_eq!(
                chip_of(false).map(|chip| chip.pen),
                others_pen.then_some(true),
                "that is worth saying too"
            );
        }
    }

    #[test]
    fn nothing_is_said_over_what_has_ended() {
        let tab = Tab { exit: Some(ExitStatus::Code(0)), ..with_another(tab(Role::Owner, true), true) };
        assert_eq!(chip(&tab), None);
    }
}
