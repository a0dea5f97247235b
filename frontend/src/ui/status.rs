//! How the active tab's connection fares: a dot and, when all is well, the latency.

use leptos::prelude::*;

use crate::{app::App, connection::Phase, tabs::Tab};

/// What a connection's state is called in one word.
#[must_use]
pub const fn word(phase: Phase) -> &'static str {
    match phase {
        Phase::Connecting => "Connecting",
        Phase::Live { .. } => "Connected",
        Phase::Reconnecting { .. } => "Reconnecting",
        Phase::Ended => "Ended",
        Phase::Gone(_) => "Disconnected",
    }
}

/// What colours the dot, for CSS.
#[must_use]
pub const fn tone(phase: Phase) -> &'static str {
    match phase {
        Phase::Live { .. } => "good",
        Phase::Connecting | Phase::Reconnecting { .. } => "warning",
        Phase::Gone(_) => "danger",
        Phase::Ended => "muted",
    }
}

/// The active tab's connection. A screen reader is told when its word changes, not each latency.
#[component]
pub fn Status() -> impl IntoView {
    let tab = App::expect().active_tab();
    let phase = move || tab.with(|tab| tab.as_ref().map(|tab: &Tab| tab.phase));
    let shown_word = Memo::new(move |_| phase().map(word));
    let latency = move || match phase()? {
        Phase::Live { latency_ms } => latency_ms.map(|ms| format!("{ms} ms")),
        _ => None,
    };
    let detail =
        move || latency().or_else(|| shown_word.get().filter(|word| *word != "Connected").map(str::to_owned));
    view! {
        <div class="status" data-tone=move || phase().map(tone) hidden=move || phase().is_none()
            title=move || shown_word.get()>
            <i class="dot" aria-hidden="true"></i>
            <span class="sr-only" role="status">{shown_word}</span>
            <span class="status-detail" aria-hidden="true">{detail}</span>
        </div>
    }
}
