//! The banner over a terminal, which tells that the program has ended or that the connection has a
//! problem.

use std::time::Duration;

use leptos::prelude::*;
use limpet_client::{ConnectionProblem, GoneReason, Phase};
use limpet_shared::{ExitStatus, Role};

use super::icons::{Glyph, Icon};
use crate::{
    app::App,
    tabs::{Tab, TabKind},
};

/// Message for a limpet that answers HTTP requests while no WebSocket reaches it.
const NO_WEB_SOCKET: &str = "limpet answers, but no WebSocket reaches it. A reverse proxy must pass on the headers Upgrade and Connection (docs/proxy.md); a firewall or an extension may block it, too.";

/// The content of the banner.
#[derive(Clone, Debug, PartialEq)]
enum Message {
    Exited { words: String, success: bool },
    Closed,
    Reconnecting,
    Stopped,
    Blocked(String),
    Vanished,
    Restarted,
    OpenElsewhere,
    ProtocolMismatch,
}

/// Returns the banner for a tab, or `None` if there is nothing to report.
fn banner_message(tab: &Tab) -> Option<Message> {
    match (tab.exit, tab.phase) {
        (Some(_), Phase::Gone(GoneReason::SessionNotFound)) if tab.closed => Some(Message::Closed),
        (None, Phase::Gone(GoneReason::SessionNotFound))
            if tab.problem == Some(ConnectionProblem::Stopped) =>
        {
            Some(Message::Restarted)
        }
        (_, Phase::Gone(GoneReason::SessionNotFound)) => Some(Message::Vanished),
        (_, Phase::Gone(GoneReason::Replaced)) => Some(Message::OpenElsewhere),
        (_, Phase::Gone(GoneReason::Protocol)) => Some(Message::ProtocolMismatch),
        (Some(_), _) if tab.closed => Some(Message::Closed),
        (Some(status), _) => {
            Some(Message::Exited { words: describe_exit(status), success: status.success() })
        }
        (None, Phase::Reconnecting { .. }) => Some(match &tab.problem {
            None => Message::Reconnecting,
            Some(ConnectionProblem::Stopped) => Message::Stopped,
            Some(ConnectionProblem::NoWebSocket) => Message::Blocked(NO_WEB_SOCKET.to_owned()),
            Some(ConnectionProblem::Refused(reason)) => Message::Blocked(reason.clone()),
        }),
        (None, _) => None,
    }
}

/// A tab's banner.
#[component]
pub fn Banner(
    /// The tab.
    kind: TabKind,
) -> impl IntoView {
    let app = App::expect();
    let tab = app.tab(kind);
    let message = Memo::new(move |_| tab.with(|tab| tab.as_ref().and_then(banner_message)));
    let restart = move |_| {
        if let Some(tab) = tab.get_untracked() {
            app.restart_tab(tab);
        }
    };
    let close = move |_| {
        if let Some(tab) = tab.get_untracked() {
            app.end_tab(&tab.kind);
        }
    };
    let reconnect = move |_| app.run(crate::commands::Action::Reconnect);
    // The document was loaded once, so a reload does not fail.
    let reload = move |_| drop(window().location().reload());

    let owns = Memo::new(move |_| tab.with(|tab| tab.as_ref().is_some_and(|tab| tab.role == Role::Owner)));
    let restart_or_close = move || {
        let close_word = if owns.get() { "Close" } else { "Leave" };
        view! {
            <button type="button" class="button small" hidden=move || !owns.get() on:click=restart>
                <Glyph icon=Icon::Restart/>"Restart"
            </button>
            <button type="button" class="button small" on:click=close>{close_word}</button>
        }
    };
    let next_try = Memo::new(move |_| match tab.with(|tab| tab.as_ref().map(|tab| tab.phase)) {
        Some(Phase::Reconnecting { at_ms, .. }) => at_ms,
        _ => 0.0,
    });
    move || {
        let (tone, words, buttons) = match message.get()? {
            Message::Exited { words, success } => {
                let tone = if success { "muted" } else { "danger" };
                let hint = move || if owns.get() { "Enter restarts, Esc closes." } else { "Esc leaves." };
                let words = view! { <p>{words}" "<span class="key-hint">{hint}</span></p> };
                (tone, words.into_any(), restart_or_close().into_any())
            }
            Message::Reconnecting => (
                "warning",
                view! { <p>"Connection lost. "<Countdown at_ms=next_try/></p> }.into_any(),
                view! { <button type="button" class="button small" on:click=reconnect>"Reconnect now"</button> }.into_any(),
            ),
            Message::Closed => (
                "muted",
                view! { <p>{closed_text(owns.get())}</p> }.into_any(),
                restart_or_close().into_any(),
            ),
            Message::Stopped => (
                "danger",
                view! { <p>"limpet was stopped and its terminals ended. Start it again; this page reconnects by itself."</p> }
                    .into_any(),
                view! { <button type="button" class="button small" on:click=reconnect>"Try now"</button> }.into_any(),
            ),
            Message::Blocked(reason) => (
                "danger",
                view! { <p>{reason}" "<Countdown at_ms=next_try/></p> }.into_any(),
                view! { <button type="button" class="button small" on:click=reconnect>"Try now"</button> }.into_any(),
            ),
            Message::Restarted => (
                "danger",
                view! { <p>"limpet was restarted, and this terminal ended."</p> }.into_any(),
                restart_or_close().into_any(),
            ),
            Message::Vanished => (
                "danger",
                view! { <p>{vanished_text(owns.get())}</p> }.into_any(),
                restart_or_close().into_any(),
            ),
            Message::OpenElsewhere => (
                "warning",
                view! { <p>"You opened this terminal in another window."</p> }.into_any(),
                view! { <button type="button" class="button small" on:click=reconnect>"Use it here"</button> }.into_any(),
            ),
            Message::ProtocolMismatch => (
                "danger",
                view! { <p>"limpet was updated. Reload the page."</p> }
                    .into_any(),
                view! { <button type="button" class="button small" on:click=reload>"Reload"</button> }.into_any(),
            ),
        };
        Some(view! {
            <div class="banner" data-tone=tone>
                <i class="dot" aria-hidden="true"></i>
                {words}
                <div class="banner-actions">{buttons}</div>
            </div>
        })
    }
}

/// Returns the text for a closed terminal. Only owners can close one.
const fn closed_text(owns: bool) -> &'static str {
    if owns { "This terminal was closed in another window." } else { "The owner closed this terminal." }
}

/// Describes a program's exit status.
fn describe_exit(status: ExitStatus) -> String {
    match status {
        ExitStatus::Code(0) => "Finished.".to_owned(),
        ExitStatus::Code(code) => format!("Exited with code {code}."),
        ExitStatus::Signal(_) => format!("Ended by {status}."),
    }
}

/// Returns the text for a terminal that no longer exists.
const fn vanished_text(owns: bool) -> &'static str {
    if owns {
        "This terminal no longer exists: it was closed elsewhere, or limpet was restarted."
    } else {
        "This terminal no longer exists: its owner closed it, or limpet was restarted."
    }
}

/// A countdown in seconds to a moment on the clock of `performance.now()`.
#[component]
fn Countdown(
    /// The moment, in milliseconds.
    at_ms: Memo<f64>,
) -> impl IntoView {
    let ticks = Trigger::new();
    if let Ok(ticking) = set_interval_with_handle(move || ticks.notify(), Duration::from_millis(250)) {
        on_cleanup(move || ticking.clear());
    }
    let left = move || {
        ticks.track();
        seconds_until(at_ms.get())
    };
    let words = Memo::new(move |_| match left() {
        0 => "Reconnecting…".to_owned(),
        seconds => format!("Reconnecting in {seconds} s."),
    });
    view! { <span class="countdown">{words}</span> }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "float to integer casts saturate"
)]
fn seconds_until(at_ms: f64) -> u32 {
    let now = window().performance().map_or(at_ms, |performance| performance.now());
    ((at_ms - now) / 1000.0).ceil() as u32
}

#[cfg(test)]
mod tests {
    use limpet_shared::{SessionSpec, SessionState, api::SessionInfo};

    use super::*;

    fn tab(exit: Option<ExitStatus>, phase: Phase) -> Tab {
        let session = SessionInfo {
            id: "a".parse().expect("an id"),
            role: Role::Owner,
            command: Vec::new(),
            spec: SessionSpec::default(),
            state: SessionState { exit, ..SessionState::default() },
        };
        Tab { phase, ..Tab::from(session) }
    }

    #[test]
    fn nothing_is_said_when_all_is_well() {
        assert_eq!(banner_message(&tab(None, Phase::Live { latency_ms: None })), None);
        assert_eq!(banner_message(&tab(None, Phase::Connecting)), None);
    }

    #[test]
    fn an_end_is_told_whether_or_not_the_connection_holds() {
        for phase in
            [Phase::Ended, Phase::Connecting, Phase::Reconnecting { at_ms: 0.0, attempt: 1, keys: 0 }]
        {
            let words = "Exited with code 2.".to_owned();
            let expected = Some(Message::Exited { words, success: false });
            assert_eq!(banner_message(&tab(Some(ExitStatus::Code(2)), phase)), expected);
        }
    }

    #[test]
    fn a_terminal_that_was_closed_says_so_and_not_by_which_signal() {
        for phase in [Phase::Ended, Phase::Gone(GoneReason::SessionNotFound)] {
            let tab = Tab { closed: true, ..tab(Some(ExitStatus::Signal(1)), phase) };
            assert_eq!(banner_message(&tab), Some(Message::Closed));
        }
        assert_eq!(
            [true, false].map(closed_text),
            ["This terminal was closed in another window.", "The owner closed this terminal."]
        );
    }

    #[test]
    fn what_stands_in_the_way_is_said_while_it_does() {
        let phase = Phase::Reconnecting { at_ms: 0.0, attempt: 1, keys: 0 };
        let stopped = Tab { problem: Some(ConnectionProblem::Stopped), ..tab(None, phase) };
        assert_eq!(banner_message(&stopped), Some(Message::Stopped));
        let vanished = Tab { phase: Phase::Gone(GoneReason::SessionNotFound), ..stopped };
        assert_eq!(banner_message(&vanished), Some(Message::Restarted));
        let refused = Tab { problem: Some(ConnectionProblem::Refused("no".to_owned())), ..tab(None, phase) };
        assert_eq!(banner_message(&refused), Some(Message::Blocked("no".to_owned())));
        let live = Tab { phase: Phase::Live { latency_ms: None }, ..refused };
        assert_eq!(banner_message(&live), None);
    }

    #[test]
    fn a_terminal_that_has_gone_says_so_even_if_it_had_ended() {
        let phase = Phase::Gone(GoneReason::SessionNotFound);
        assert_eq!(banner_message(&tab(Some(ExitStatus::Code(0)), phase)), Some(Message::Vanished));
    }
}
