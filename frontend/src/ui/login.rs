//! The log-in page, and the page for a server that cannot be reached.

use leptos::{ev::SubmitEvent, html, prelude::*};

use super::icons::Mark;
use crate::{access_url, api::Error, app::App, storage};

/// The form that asks for the link or its token.
#[component]
pub fn Login(
    /// The reason why the last token was refused.
    problem: Option<String>,
) -> impl IntoView {
    let app = App::expect();
    let input = NodeRef::<html::Input>::new();
    let problem = RwSignal::new(problem);
    let on_submit = move |event: SubmitEvent| {
        event.prevent_default();
        let text = input.get_untracked().map(|input| input.value()).unwrap_or_default();
        match access_url::token_in_text(&text) {
            Some(token) => app.log_in(token.to_owned()),
            None => problem.set(Some("That is not a limpet link. Paste the whole link.".to_owned())),
        }
    };
    Effect::new(move || {
        if let Some(input) = input.get() {
            let _ = input.focus();
        }
    });
    view! {
        <main class="welcome">
            <form class="welcome-card" on:submit=on_submit>
                <Mark/>
                <h1>"Log in to limpet"</h1>
                <p>
                    "limpet prints a link in the terminal that it was started from; " <code>"limpet link"</code>
                    " prints it again. Open that access_url, or paste it here, or just the part after " <code>"#token="</code> "."
                </p>
                <label class="field">
                    <span>"Link or token"</span>
                    <input node_ref=input type="password" autocomplete="off" spellcheck="false" enterkeyhint="go"
                        aria-invalid=move || problem.get().is_some().to_string() aria-describedby="login-problem"/>
                </label>
                <p id="login-problem" class="problem" role="alert">{move || problem.get()}</p>
                <button type="submit" class="button primary wide">"Log in"</button>
                <p class="hint">
                    "Anyone with the link can use your shell: treat it like a password. This browser stays \
                     logged in until you log "
                    "out, or do not use it for 30 days. If its data for this page is deleted, it asks for the link again."
                </p>
                <p class="hint" hidden=storage::is_available()>
                    "This browser stores nothing for this page, so it asks for the link each time."
                </p>
            </form>
        </main>
    }
}

/// The message that the server cannot be reached, or refuses this page.
#[component]
pub fn Failed(
    /// The error.
    problem: Error,
) -> impl IntoView {
    let app = App::expect();
    view! {
        <main class="welcome">
            <div class="welcome-card">
                <Mark/>
                <h1>{heading(&problem)}</h1>
                <p role="alert">{move || problem.to_string()}</p>
                <button type="button" class="button primary wide" on:click=move |_| app.retry_login()>"Try again"</button>
            </div>
        </main>
    }
}

const fn heading(problem: &Error) -> &'static str {
    match problem {
        Error::Unreachable => "Cannot reach limpet",
        Error::Unauthorized
        | Error::NotFound
        | Error::LimitReached(_)
        | Error::Refused(_)
        | Error::UnexpectedAnswer => "limpet refused this page",
    }
}
