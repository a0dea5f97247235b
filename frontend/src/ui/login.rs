//! What there is to see without a login, and without a server.

use leptos::{ev::SubmitEvent, html, prelude::*};

use super::icons::Mark;
use crate::{app::App, link};

/// Asks for the link or its token.
#[component]
pub fn Login(
    /// Why the last token did not do.
    problem: Option<&'static str>,
) -> impl IntoView {
    let app = App::expect();
    let input = NodeRef::<html::Input>::new();
    let problem = RwSignal::new(problem);
    let on_submit = move |event: SubmitEvent| {
        event.prevent_default();
        let text = input.get_untracked().map(|input| input.value()).unwrap_or_default();
        match link::token_in_text(&text) {
            Some(token) => app.log_in(token.to_owned()),
            None => problem.set(Some("That is not a limpet link. Paste the whole link.")),
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
                    "When limpet starts, it prints a link in the terminal it was started from. Open that link, or paste "
                    "it here, or just the part after " <code>"#token="</code> "."
                </p>
                <label class="field">
                    <span>"Link or token"</span>
                    <input node_ref=input type="password" autocomplete="off" spellcheck="false" enterkeyhint="go"
                        aria-invalid=move || problem.get().is_some().to_string() aria-describedby="login-problem"/>
                </label>
                <p id="login-problem" class="problem" role="alert">{move || problem.get()}</p>
                <button type="submit" class="button primary wide">"Log in"</button>
                <p class="hint">
                    "The link gives access to your shell: treat it like a password. This browser stays logged in until you log "
                    "out, do not use it for 30 days, or delete its data for this page."
                </p>
            </form>
        </main>
    }
}

/// Says that the server could not be asked.
#[component]
pub fn Failed(
    /// What happened.
    problem: String,
) -> impl IntoView {
    let app = App::expect();
    view! {
        <main class="welcome">
            <div class="welcome-card">
                <Mark/>
                <h1>"Cannot reach limpet"</h1>
                <p role="alert">{problem}</p>
                <button type="button" class="button primary wide" on:click=move |_| app.load()>"Try again"</button>
            </div>
        </main>
    }
}
