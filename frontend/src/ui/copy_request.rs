//! The request of a program to copy text, and the possible answers. It lies over the terminal and
//! takes no keys from it.

use leptos::prelude::*;

use super::icons::{Glyph, Icon};
use crate::{
    app::App,
    clipboard_requests::{self, Answer, CopyRequests, Offer, Reason},
    tabs::TabKind,
};

/// The copy request of a terminal's program, if there is one.
#[component]
pub fn CopyRequest(
    /// The terminal.
    kind: TabKind,
) -> impl IntoView {
    let app = App::expect();
    let offer = {
        let kind = kind.clone();
        Memo::new(move |_| {
            app.copy_requests.with(|all| all.get(&kind).and_then(CopyRequests::offer).cloned())
        })
    };
    let kind = StoredValue::new(kind);
    on_cleanup(move || app.forget_copy_requests(&kind.get_value()));
    let button = move |answer: Answer, words: &'static str| {
        view! {
            <button type="button" class="button small" on:click=move |_| app.answer_copy(&kind.get_value(), answer)>
                {words}
            </button>
        }
    };
    let request = move |Offer { text, reason }: Offer| {
        let lasting = (reason == Reason::NotAllowedYet).then(|| {
            view! {
                {button(Answer::Always, "Allow for this terminal")}
                {button(Answer::Never, "Never")}
            }
        });
        view! {
            <div class="copy-request">
            <p>{describe_request(&untrack(|| app.program_name(&kind.get_value())), &text, reason)}</p>
            <button class="icon-button" type="button" aria-label="Not now"
                on:click=move |_| app.answer_copy(&kind.get_value(), Answer::NotNow)>
                <Glyph icon=Icon::Close/>
            </button>
            <p class="copy-text">{clipboard_requests::preview(&text)}</p>
            <div class="banner-actions">
                {button(Answer::Once, if reason == Reason::NotAllowedYet { "Copy once" } else { "Copy" })}
                {lasting}
            </div>
            </div>
        }
    };
    view! {
        // This element always exists, so that screen readers announce its contents.
        <div role="status" aria-label="Clipboard">{move || offer.get().map(request)}</div>
    }
}

fn describe_request(name: &str, text: &str, reason: Reason) -> String {
    let length = clipboard_requests::describe_length(text);
    match reason {
        Reason::NotAllowedYet => format!("{name} wants to copy {length} to your clipboard:"),
        Reason::Missed => format!("{name} wanted to copy {length} while you were elsewhere:"),
        Reason::Refused => format!("The browser did not let {name} copy {length} by itself:"),
    }
}
