//! Who has the pen, for those who hear the page: said when the pen changes hands, not when somebody comes or goes.

use leptos::prelude::*;

use crate::{
    app::App,
    people::People,
    tabs::{Tab, TabKind},
};

/// Who has a terminal's pen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holder {
    /// This window, under whatever number.
    Here,
    /// The viewer of this number.
    Another(u64),
}

/// Who has the pen of a tab; `None` while nobody is known to have it.
fn holder(tab: &Tab) -> Option<(TabKind, Holder)> {
    let one = tab.people.list.iter().find(|one| one.pen)?;
    Some((tab.kind.clone(), if one.you { Holder::Here } else { Holder::Another(one.id) }))
}

/// What is said when it is no longer as `before`. Who has their own pen in a tab that they turn to hears nothing.
fn words(before: Option<&(TabKind, Holder)>, now: &(TabKind, Holder), people: &People) -> Option<String> {
    match (now.1, before) {
        (Holder::Another(_), _) => people.other_pen().map(|one| format!("{} has the pen", people.name(one))),
        (Holder::Here, Some((kind, _))) if *kind == now.0 => Some("You have the pen".to_owned()),
        (Holder::Here, _) => None,
    }
}

/// The place where it is said. It is there all the time, since what comes into the page with its words is not read.
#[component]
pub fn PenSaid() -> impl IntoView {
    let tab = App::expect().active_tab();
    let holder = Memo::new(move |_| tab.with(|tab| tab.as_ref().and_then(holder)));
    let said = RwSignal::new(None::<String>);
    Effect::new(move |before: Option<Option<(TabKind, Holder)>>| {
        let before = before.flatten();
        // A connection that breaks changes nothing.
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
    fn a_pen_that_changes_hands_is_told() {
        let (here, there) = ((kind("a"), Holder::Here), (kind("a"), Holder::Another(3)));
        assert_eq!(words(Some(&here), &there, &people()).as_deref(), Some("curl has the pen"));
        assert_eq!(words(Some(&there), &here, &people()).as_deref(), Some("You have the pen"));
        assert_eq!(words(None, &there, &people()).as_deref(), Some("curl has the pen"));
    }

    #[test]
    fn nothing_is_told_where_nothing_else_was_to_be_expected() {
        assert_eq!(words(None, &(kind("a"), Holder::Here), &people()), None);
        let elsewhere = (kind("b"), Holder::Another(3));
        assert_eq!(words(Some(&elsewhere), &(kind("a"), Holder::Here), &people()), None);
    }
}
