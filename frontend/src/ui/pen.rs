//! Who has the pen, where that matters: while the terminal has another size than this window's, or others answer for it.

use leptos::prelude::*;
use limpet_shared::{Role, Sizing};

use super::icons::{Glyph, Icon};
use crate::{
    app::App,
    commands::{Action, describe},
    tabs::Tab,
};

/// What is said.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Chip {
    words: String,
    /// The size in force, if it is not this window's own.
    size: Option<String>,
    /// Whether the pen can be taken.
    takes: bool,
}

/// What there is to say about a tab; nothing to whoever is alone, or decides on the size.
fn chip(tab: &Tab) -> Option<Chip> {
    let pen = tab.people.other_pen().filter(|_| !tab.people.is_alone());
    let size = tab.foreign.map(|size| format!("{} × {}", size.cols, size.rows));
    let words = match pen {
        _ if tab.is_over() => return None,
        _ if tab.role == Role::Reader => "You only watch".to_owned(),
        Some(one) => format!("{} has the pen", tab.people.name(one)),
        None if size.is_some() && !tab.people.is_alone() => rule(tab.sizing).to_owned(),
        None => return None,
    };
    Some(Chip { words, size, takes: pen.is_some() && tab.role.may_write() })
}

/// Why the size is another one although this window has the pen.
const fn rule(sizing: Sizing) -> &'static str {
    match sizing {
        Sizing::Pen | Sizing::Latest => "The last one's size",
        Sizing::Owner => "The owner's size",
        Sizing::Smallest => "The smallest window's size",
        Sizing::Fixed => "A fixed size",
    }
}

/// The active tab's chip. In a wide window it is in the bar, in a narrow one over the terminal, which leaves room for it.
#[component]
pub fn PenChip() -> impl IntoView {
    let app = App::expect();
    let tab = app.active_tab();
    let chip = Memo::new(move |_| tab.with(|tab| tab.as_ref().and_then(chip)));
    let of = move |part: fn(&Chip) -> Option<String>| chip.with(|chip| chip.as_ref().and_then(part));
    let takes = move || chip.with(|chip| chip.as_ref().is_some_and(|chip| chip.takes));
    view! {
        <div class="pen-chip" hidden=move || chip.with(Option::is_none)
            data-foreign=move || of(|chip| chip.size.clone()).is_some().to_string()>
            <span class="pen-words" role="status" title=move || of(|chip| Some(chip.words.clone()))>
                {move || of(|chip| Some(chip.words.clone()))}
            </span>
            <span class="pen-size">{move || of(|chip| chip.size.clone())}</span>
            <button type="button" class="button small" hidden=move || !takes() on:click=app.on_click(Action::TakePen)>
                <Glyph icon=Icon::Pen/>{describe(Action::TakePen).0}
            </button>
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

    #[test]
    fn nothing_is_said_to_who_is_alone_or_decides() {
        assert_eq!(chip(&tab(Role::Owner, false)), None);
        assert_eq!(chip(&tab(Role::Owner, true)), None, "it will have its own size as soon as it is used");
        assert_eq!(chip(&with_another(tab(Role::Owner, false), false)), None);
    }

    #[test]
    fn another_s_pen_can_be_taken() {
        let words = "curl has the pen".to_owned();
        let expected = Chip { words, size: Some("160 × 50".to_owned()), takes: true };
        assert_eq!(chip(&with_another(tab(Role::Writer, true), true)), Some(expected.clone()));
        let same_size = with_another(tab(Role::Owner, false), true);
        assert_eq!(chip(&same_size), Some(Chip { size: None, ..expected }));
    }

    #[test]
    fn a_reader_is_told_always_and_takes_nothing() {
        for tab in [tab(Role::Reader, true), with_another(tab(Role::Reader, true), true)] {
            let chip = chip(&tab).expect("a chip");
            assert_eq!((chip.words.as_str(), chip.takes), ("You only watch", false));
        }
    }

    #[test]
    fn a_rule_explains_a_size_that_is_not_the_pen_s() {
        let tab = Tab { sizing: Sizing::Smallest, ..with_another(tab(Role::Owner, true), false) };
        let chip = chip(&tab).expect("a chip");
        assert_eq!((chip.words.as_str(), chip.takes), ("The smallest window's size", false));
    }

    #[test]
    fn nothing_is_said_over_what_has_ended() {
        let tab = Tab { exit: Some(ExitStatus::Code(0)), ..with_another(tab(Role::Owner, true), true) };
        assert_eq!(chip(&tab), None);
    }
}
