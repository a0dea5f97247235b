//! Announces to screen readers whose size the terminal has, when that changes. Viewers who come and
//! go are not announced.

use leptos::prelude::*;

use crate::{
    app::App,
    people::People,
    tabs::{Tab, TabKind},
};

/// The window that gives a terminal its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holder {
    /// This window; its viewer number does not matter.
    Here,
    /// The window of the viewer with this number.
    Another(u64),
}

/// Returns the window that gives a tab its size. `None` if there is none, or if it is not known.
fn holder(tab: &Tab) -> Option<(TabKind, Holder)> {
    let one = tab.people.list.iter().find(|one| one.pen && tab.follows_a_window())?;
    Some((tab.kind.clone(), if one.you { Holder::Here } else { Holder::Another(one.id) }))
}

/// Returns the announcement for a change from `before`. Switching to a tab that has this window's
/// size is not announced.
fn words(before: Option<&(TabKind, Holder)>, now: &(TabKind, Holder), people: &People) -> Option<String> {
    match (now.1, before) {
        (Holder::Another(_), _) => {
            people.other_pen().map(|one| format!("The terminal is sized for {}", people.name_within(one)))
        }
        (Holder::Here, Some((kind, _))) if *kind == now.0 => {
            Some("The terminal now has this window's size".to_owned())
        }
        (Holder::Here, _) => None,
    }
}

/// The element with the announcement. It always exists, since screen readers do not read an element
/// that is added together with its text.
#[component]
pub fn PenSaid() -> impl IntoView {
    let tab = App::expect().active_tab();
    let holder = Memo::new(move |_| tab.with(|tab| tab.as_ref().and_then(holder)));
    let said = RwSignal::new(None::<String>);
    Effect::new(move |before: Option<Option<(TabKind, Holder)>>| {
        let before = before.flatten();
        // A broken connection does not change the size.
        let Some(now) = holder.get() else { return before };
        let people = tab.with_untracked(|tab| tab.as_ref().map(|tab| tab.people.clone())).unwrap_or_default();
        said.set(words(before.as_ref(), &now, &people));
        Some(now)
    });
    view! { <span class="sr-only" role="status">{said}</span> }
}

#[cfg(test)]
mod tests {
    use limpet_shared::{Presence, Role};

    use super::*;

    fn kind(name: &str) -> TabKind {
        TabKind::Terminal(name.parse().expect("an id"))
    }

    fn people() -> People {
        let agent = "curl/8".to_owned();
        let one = Presence {
            id: 3,
            role: Role::Owner,
            since: 0,
            from: String::new(),
            agent,
            pen: true,
            you: false,
        };
        People { count: 2, list: vec![one] }
    }

    #[test]
    fn another_window_s_size_is_told() {
        let (here, there) = ((kind("a"), Holder::Here), (kind("a"), Holder::Another(3)));
        assert_eq!(words(Some(&here), &there, &people()).as_deref(), Some("The terminal is sized for curl"));
        assert_eq!(
            words(Some(&there), &here, &people()).as_deref(),
            Some("The terminal now has this window's size")
        );
        assert_eq!(words(None, &there, &people()).as_deref(), Some("The terminal is sized for curl"));
    }

    #[test]
    fn nothing_is_told_where_nothing_else_was_to_be_expected() {
        assert_eq!(words(None, &(kind("a"), Holder::Here), &people()), None);
        let elsewhere = (kind("b"), Holder::Another(3));
        assert_eq!(words(Some(&elsewhere), &(kind("a"), Holder::Here), &people()), None);
    }
}
