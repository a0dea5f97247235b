//! Announces to screen readers whose size the terminal has, when that changes. Viewers who come and
//! go are not announced.

use leptos::prelude::*;

use crate::{
    app::App,
    tabs::{Tab, TabKind},
    viewers::ViewerList,
};

/// The window that gives a terminal its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SizeSource {
    /// This window; its viewer number does not matter.
    Here,
    /// The window of the viewer with this number.
    Another(u64),
}

/// Returns the window that gives a tab its size. `None` if there is none, or if it is not known.
fn size_source(tab: &Tab) -> Option<(TabKind, SizeSource)> {
    let viewer = tab.viewers.list.iter().find(|viewer| viewer.primary && tab.follows_window())?;
    Some((tab.kind.clone(), if viewer.you { SizeSource::Here } else { SizeSource::Another(viewer.id) }))
}

/// Returns the announcement for a change from `before`. Switching to a tab that has this window's
/// size is not announced.
fn announcement(
    before: Option<&(TabKind, SizeSource)>,
    now: &(TabKind, SizeSource),
    viewers: &ViewerList,
) -> Option<String> {
    match (now.1, before) {
        (SizeSource::Another(_), _) => {
            let viewer = viewers.other_primary();
            viewer.map(|viewer| format!("The terminal is sized for {}", viewers.name_in_sentence(viewer)))
        }
        (SizeSource::Here, Some((kind, _))) if *kind == now.0 => {
            Some("The terminal now has this window's size".to_owned())
        }
        (SizeSource::Here, _) => None,
    }
}

/// The element with the announcement. It always exists, since screen readers do not read an element
/// that is added together with its text.
#[component]
pub fn SizeAnnouncer() -> impl IntoView {
    let tab = App::expect().active_tab();
    let source = Memo::new(move |_| tab.with(|tab| tab.as_ref().and_then(size_source)));
    let text = RwSignal::new(None::<String>);
    Effect::new(move |before: Option<Option<(TabKind, SizeSource)>>| {
        let before = before.flatten();
        // A broken connection does not change the size.
        let Some(now) = source.get() else { return before };
        let viewers =
            tab.with_untracked(|tab| tab.as_ref().map(|tab| tab.viewers.clone())).unwrap_or_default();
        text.set(announcement(before.as_ref(), &now, &viewers));
        Some(now)
    });
    view! { <span class="sr-only" role="status">{text}</span> }
}

#[cfg(test)]
mod tests {
    use limpet_shared::{Role, ViewerInfo};

    use super::*;

    fn kind(name: &str) -> TabKind {
        TabKind::Terminal(name.parse().expect("an id"))
    }

    fn viewers() -> ViewerList {
        let agent = "curl/8".to_owned();
        let one = ViewerInfo {
            id: 3,
            role: Role::Owner,
            since: 0,
            from: String::new(),
            agent,
            primary: true,
            you: false,
        };
        ViewerList { count: 2, list: vec![one] }
    }

    #[test]
    fn another_window_s_size_is_told() {
        let (here, there) = ((kind("a"), SizeSource::Here), (kind("a"), SizeSource::Another(3)));
        assert_eq!(
            announcement(Some(&here), &there, &viewers()).as_deref(),
            Some("The terminal is sized for curl")
        );
        assert_eq!(
            announcement(Some(&there), &here, &viewers()).as_deref(),
            Some("The terminal now has this window's size")
        );
        assert_eq!(announcement(None, &there, &viewers()).as_deref(), Some("The terminal is sized for curl"));
    }

    #[test]
    fn nothing_is_told_where_nothing_else_was_to_be_expected() {
        assert_eq!(announcement(None, &(kind("a"), SizeSource::Here), &viewers()), None);
        let elsewhere = (kind("b"), SizeSource::Another(3));
        assert_eq!(announcement(Some(&elsewhere), &(kind("a"), SizeSource::Here), &viewers()), None);
    }
}
