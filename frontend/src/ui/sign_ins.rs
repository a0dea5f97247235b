//! Lists the browsers that are signed in, and signs them out.

use leptos::{html, prelude::*, task::spawn_local};
use limpet_shared::{
    Role, SessionId,
    api::{SignIn, SignInPass},
};

use super::dialog::{Dialog, Heading};
use crate::{
    api::{self, Error},
    app::App,
    commands::{Action, describe},
    tabs::TabKind,
    viewers::{durations, user_agent},
};

/// The server's answer.
type Answer = Result<Vec<SignIn>, String>;

/// The list of signed-in browsers.
#[component]
pub fn SignInsDialog() -> impl IntoView {
    let app = App::expect();
    let answer = RwSignal::new(None::<Answer>);
    let problem = RwSignal::new(None::<String>);
    load_sign_ins(answer);
    let log_out = move |_| {
        spawn_local(async move {
            if let Err(error) = app.log_out().await {
                // The dialog may be closed by now.
                problem.try_set(Some(error.to_string()));
            }
        });
    };
    let list = move || match answer.get() {
        None => view! { <div class="sign-ins" aria-busy="true"></div> }.into_any(),
        Some(Err(problem)) => view! {
            <p class="problem" role="alert">{problem}</p>
            <button type="button" class="button" on:click=move |_| load_sign_ins(answer)>"Try again"</button>
        }
        .into_any(),
        Some(Ok(sign_ins)) => {
            let row = move |sign_in| view! { <SignInRow sign_in answer problem/> };
            view! { <ul class="entries sign-ins">{sign_ins.into_iter().map(row).collect_view()}</ul> }
                .into_any()
        }
    };
    view! {
        <Dialog label="Signed-in browsers" class="sheet">
            <Heading title="Signed-in browsers"/>
            {list}
            <p class="problem entries-more" role="alert">{move || problem.get()}</p>
            <p class="hint entries-more">
                "A browser stays signed in until you sign it out here, or until it has not been used for 30 days."
            </p>
            <button type="button" class="button" on:click=log_out>{describe(Action::LogOut).0}</button>
        </Dialog>
    }
}

fn load_sign_ins(answer: RwSignal<Option<Answer>>) {
    spawn_local(async move {
        let mut result = api::sign_ins().await.map_err(|error| error.to_string());
        if let Ok(sign_ins) = &mut result {
            // This browser comes first. The others keep the server's order, newest first.
            sign_ins.sort_by_key(|sign_in| !sign_in.you);
        }
        // The dialog may be closed by now.
        answer.try_set(Some(result));
    });
}

/// A browser.
#[component]
fn SignInRow(
    sign_in: SignIn,
    answer: RwSignal<Option<Answer>>,
    problem: RwSignal<Option<String>>,
) -> impl IntoView {
    let app = App::expect();
    let name = browser_name(&sign_in);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "such casts saturate")]
    let now = js_sys::Date::now() as u64;
    let title = |session: &SessionId| {
        let kind = TabKind::Terminal(session.clone());
        app.tabs.with_untracked(|tabs| tabs.get(&kind).map(|tab| tab.title.clone()))
    };
    let access = describe_access(&sign_in, title);
    let usage = describe_usage(&sign_in, now);
    let origin = describe_origin(&sign_in, now);
    let row = NodeRef::<html::Li>::new();
    let (id, you) = (sign_in.id, sign_in.you);
    let sign_out = move |_| {
        // The button disappears with its row, and the focus would be lost.
        if let Some(list) = row.get_untracked().and_then(|row| row.closest("dialog").ok().flatten()) {
            focus(&list);
        }
        let id = id.clone();
        spawn_local(async move {
            match api::revoke(&id).await {
                Ok(()) | Err(Error::NotFound) => drop(problem.try_set(None)),
                Err(error) => drop(problem.try_set(Some(error.to_string()))),
            }
            load_sign_ins(answer);
        });
    };
    view! {
        <li node_ref=row class="entry" aria-current=you.to_string()>
            <p class="entry-text">
                <span class="entry-name">{name.clone()}</span>
                <span class="hint">{access}", "{usage}</span>
                <span class="hint">{origin}</span>
            </p>
            <button type="button" class="button small" hidden=you aria-label=format!("Sign out {name}") on:click=sign_out>
                "Sign out"
            </button>
        </li>
    }
}

fn focus(element: &web_sys::Element) {
    use wasm_bindgen::JsCast as _;
    if let Some(element) = element.dyn_ref::<web_sys::HtmlElement>() {
        let _ = element.focus();
    }
}

fn browser_name(sign_in: &SignIn) -> String {
    let browser = user_agent::short_name(&sign_in.agent);
    if sign_in.you { format!("{browser} (this browser)") } else { browser }
}

/// Describes a browser's access.
fn describe_access(sign_in: &SignIn, title: impl Fn(&SessionId) -> Option<String>) -> String {
    let words = |SignInPass { session, role }: &SignInPass| {
        let verb = if *role == Role::Reader { "Views" } else { "Types in" };
        let terminal =
            title(session).map_or_else(|| "a closed terminal".to_owned(), |title| format!("“{title}”"));
        format!("{verb} {terminal}")
    };
    match &sign_in.passes[..] {
        _ if sign_in.owner => "Owner".to_owned(),
        [] => "Guest".to_owned(),
        [pass] => words(pass),
        [pass, others @ ..] => format!("{} and {} more", words(pass), others.len()),
    }
}

/// Describes the current use of a sign-in, or when it was last used.
fn describe_usage(sign_in: &SignIn, now: u64) -> String {
    match sign_in.viewers {
        0 => format!("last used {}", durations::ago(sign_in.used, now)),
        1 => "one terminal open".to_owned(),
        count => format!("{count} terminals open"),
    }
}

/// Describes the time and the address of the sign-in.
fn describe_origin(sign_in: &SignIn, now: u64) -> String {
    let from = if sign_in.from.is_empty() { String::new() } else { format!(" from {}", sign_in.from) };
    format!("Signed in {}{from}", durations::ago(sign_in.created, now))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000;

    fn sign_in() -> SignIn {
        SignIn {
            id: "1".to_owned(),
            owner: true,
            passes: Vec::new(),
            created: 0,
            used: 58 * MINUTE,
            from: "192.0.2.1".to_owned(),
            agent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".to_owned(),
            viewers: 0,
            you: false,
        }
    }

    #[test]
    fn a_browser_is_told_by_what_it_is_and_where() {
        let (one, now) = (sign_in(), 60 * MINUTE);
        assert_eq!(browser_name(&one), "Firefox on Linux");
        assert_eq!(describe_access(&one, |_| None), "Owner");
        assert_eq!(describe_usage(&one, now), "last used 2 minutes ago");
        assert_eq!(describe_origin(&one, now), "Signed in one hour ago from 192.0.2.1");
        let here = SignIn { you: true, viewers: 2, from: String::new(), ..one };
        assert_eq!(browser_name(&here), "Firefox on Linux (this browser)");
        assert_eq!(
            (describe_usage(&here, now), describe_origin(&here, 1)),
            ("2 terminals open".to_owned(), "Signed in just now".to_owned())
        );
    }

    #[test]
    fn a_guest_is_told_by_what_they_may_see() {
        let pass = |session: &str, role| SignInPass { session: session.parse().unwrap(), role };
        let title = |session: &SessionId| (session.as_str() == "a").then(|| "build".to_owned());
        let guest = |passes: &[SignInPass]| SignIn { owner: false, passes: passes.to_vec(), ..sign_in() };
        let (views, types) = (pass("a", Role::Reader), pass("b", Role::Writer));
        assert_eq!(describe_access(&guest(std::slice::from_ref(&views)), title), "Views “build”");
        assert_eq!(
            describe_access(&guest(std::slice::from_ref(&types)), title),
            "Types in a closed terminal"
        );
        assert_eq!(describe_access(&guest(&[views, types]), title), "Views “build” and 1 more");
        assert_eq!(describe_access(&guest(&[]), title), "Guest");
    }
}
