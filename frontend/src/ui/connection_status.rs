//! The state of the active tab's connection: a dot and, while the connection works, its latency.

use leptos::prelude::*;

use crate::{app::App, connection::Phase, tabs::Tab};

/// Describes a connection's phase in a word or two.
#[must_use]
pub const fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Connecting => "Connecting",
        Phase::Live { .. } => "Connected",
        Phase::Stalled { .. } => "Not responding",
        Phase::Reconnecting { .. } => "Reconnecting",
        Phase::Ended => "Ended",
        Phase::Gone(_) => "Disconnected",
    }
}

/// Returns the CSS tone of the dot.
#[must_use]
pub const fn tone(phase: Phase) -> &'static str {
    match phase {
        Phase::Live { .. } => "good",
        Phase::Connecting | Phase::Stalled { .. } | Phase::Reconnecting { .. } => "warning",
        Phase::Gone(_) => "danger",
        Phase::Ended => "muted",
    }
}

/// Returns the text beside the dot in two parts, which narrow windows show in two lines.
fn phase_details(phase: Phase) -> (String, String) {
    let first = match phase {
        Phase::Live { latency_ms } => latency_ms.map(|ms| format!("{ms} ms")).unwrap_or_default(),
        Phase::Connecting | Phase::Stalled { .. } | Phase::Reconnecting { .. } => {
            format!("{}…", phase_name(phase))
        }
        _ => phase_name(phase).to_owned(),
    };
    let keys = match phase {
        Phase::Stalled { keys } | Phase::Reconnecting { keys, .. } => keys,
        _ => 0,
    };
    let second = match keys {
        0 => String::new(),
        1 => "1 key waiting".to_owned(),
        2..1000 => format!("{keys} keys waiting"),
        _ => "999+ keys waiting".to_owned(),
    };
    (first, second)
}

/// The state of the active tab's connection. Screen readers announce a change of the phase, but not
/// each latency and key.
#[component]
pub fn ConnectionStatus() -> impl IntoView {
    let tab = App::expect().active_tab();
    let phase = move || tab.with(|tab| tab.as_ref().map(|tab: &Tab| tab.phase));
    let shown_name = Memo::new(move |_| phase().map(phase_name));
    let details = Memo::new(move |_| phase().map(phase_details).unwrap_or_default());
    view! {
        <div class="status" data-tone=move || phase().map(tone) hidden=move || phase().is_none()
            title=move || shown_name.get()>
            <i class="dot" aria-hidden="true"></i>
            <span class="sr-only" role="status">{shown_name}</span>
            <span class="status-detail" aria-hidden="true">
                <span>{move || details.get().0}</span>
                <span>{move || details.get().1}</span>
            </span>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_wait_are_counted_as_people_do() {
        let second = |keys| phase_details(Phase::Stalled { keys }).1;
        assert_eq!(
            [0, 1, 5, 999, 4096].map(second),
            ["", "1 key waiting", "5 keys waiting", "999 keys waiting", "999+ keys waiting"]
        );
    }
}
