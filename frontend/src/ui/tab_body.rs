//! The contents of the tabs. Each kind of tab is one arm of [`TabBody`].

use leptos::prelude::*;
use limpet_shared::SessionId;

use super::{
    banner::Banner,
    copy_request::CopyRequest,
    empty::Empty,
    skipped_output::{SkippedOutput, SkippedOutputNotice},
};
use crate::{
    app::App,
    tabs::TabKind,
    terminal::{PaneEvent, PaneHandle, TerminalPane},
};

/// The bodies of all tabs, one over the other. Only the active one is visible.
#[component]
pub fn Panes() -> impl IntoView {
    let app = App::expect();
    let kinds = Memo::new(move |before: Option<&Vec<TabKind>>| {
        stable_order(before.map_or(&[], Vec::as_slice), &app.tabs.with(crate::tabs::model::TabList::kinds))
    });
    Effect::new(move || {
        kinds.track();
        app.claim_focus_soon();
    });
    view! {
        <main class="panes">
            <For each=move || kinds.get() key=Clone::clone children=|kind| view! { <TabBody kind/> }/>
            <Show when=move || kinds.with(Vec::is_empty)><Empty/></Show>
        </main>
    }
}

/// Returns the order of the bodies in the document. An element that is moved there loses the focus
/// and its scroll position, so none is moved: new bodies take the places of removed ones, and the
/// rest of them follow at the end.
fn stable_order(before: &[TabKind], now: &[TabKind]) -> Vec<TabKind> {
    let mut new = now.iter().filter(|kind| !before.contains(kind));
    let kept = before.iter().filter_map(|kind| if now.contains(kind) { Some(kind) } else { new.next() });
    let mut order: Vec<TabKind> = kept.cloned().collect();
    order.extend(new.cloned());
    order
}

/// The body of a tab.
#[component]
pub fn TabBody(
    /// The tab's content.
    kind: TabKind,
) -> impl IntoView {
    let app = App::expect();
    let shown = {
        let kind = kind.clone();
        Memo::new(move |_| app.tabs.with(|tabs| tabs.is_active(&kind)))
    };
    let dom_id = kind.dom_id();
    let body = match kind.clone() {
        TabKind::Terminal(session) => view! { <Terminal session visible=shown/> }.into_any(),
    };
    view! {
        <section class="panel" class:shown=shown role="tabpanel" id=format!("panel-{dom_id}")
            aria-labelledby=format!("tab-{dom_id}")>
            {body}
            <div class="messages">
                <Banner kind=kind.clone()/>
                <CopyRequest kind/>
            </div>
        </section>
    }
}

/// A terminal as a tab's body.
#[component]
fn Terminal(session: SessionId, visible: Memo<bool>) -> impl IntoView {
    let app = App::expect();
    let handle = PaneHandle::new();
    let kind = TabKind::Terminal(session.clone());
    app.register_pane(kind.clone(), handle);
    let startup_pane = app.take_startup_pane(&session);
    let skipped_output = RwSignal::new(SkippedOutput::default());
    let of_keys = kind.clone();
    let on_event = move |event| {
        match event {
            PaneEvent::Redrawn { rows, skipped } => {
                skipped_output.update(|skipped_output| skipped_output.on_snapshot(rows, skipped))
            }
            PaneEvent::Cleared => skipped_output.update(SkippedOutput::dismiss),
            _ => {}
        }
        app.on_pane_event(&kind, event);
    };
    let take_key = move |event| app.take_key_after_end(&of_keys, &event) || app.take_key(&event);
    view! {
        <TerminalPane session handle visible appearance=app.appearance() on_event take_key startup_pane/>
        <SkippedOutputNotice skipped_output handle/>
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kinds(ids: &[u8]) -> Vec<TabKind> {
        ids.iter().map(|id| TabKind::Terminal(format!("s{id}").parse().expect("an id"))).collect()
    }

    #[test]
    fn who_comes_takes_the_place_of_who_went() {
        assert_eq!(stable_order(&kinds(&[]), &kinds(&[2, 1])), kinds(&[2, 1]));
        assert_eq!(stable_order(&kinds(&[1, 2]), &kinds(&[3, 2, 1, 4])), kinds(&[1, 2, 3, 4]));
        assert_eq!(stable_order(&kinds(&[1, 2, 3]), &kinds(&[4, 3, 2])), kinds(&[4, 2, 3]));
        assert_eq!(stable_order(&kinds(&[1, 2, 3]), &kinds(&[2])), kinds(&[2]));
    }

    proptest! {
        /// Leptos does not move an element whose index has changed by exactly the number of
        /// elements inserted before it, minus the number of those removed.
        #[test]
        fn whoever_stays_is_not_moved(
            before in prop::collection::hash_set(0..12_u8, 0..12),
            now in prop::collection::hash_set(0..12_u8, 0..12),
        ) {
            let [before, now] = [before, now].map(|ids| kinds(&ids.into_iter().collect::<Vec<_>>()));
            let after = stable_order(&before, &now);
            prop_assert_eq!(after.len(), now.len());
            for (from, kind) in before.iter().enumerate().filter(|(_, kind)| now.contains(kind)) {
                let to = after.iter().position(|other| other == kind).expect("it stays");
                let came = after.iter().take(from + 1).filter(|kind| !before.contains(kind)).count();
                let went = before.iter().take(from + 1).filter(|kind| !now.contains(kind)).count();
                prop_assert_eq!(to + went, from + came, "{:?} to {:?}", before, after);
            }
        }
    }
}
