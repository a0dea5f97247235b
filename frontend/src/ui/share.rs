//! Lets others into a terminal: the links, and the rules for several viewers.

use leptos::{html, prelude::*, task::spawn_local};
use limpet_shared::{Role, SessionId, api::Pass};

use super::{
    dialog::{Dialog, Heading},
    icons::{Glyph, Icon},
    session_rules::SessionRules,
};
use crate::{access_url, api, app::App, terminal::clipboard, urls};

/// The dialog with the links to a session, and its rules.
#[component]
pub fn ShareDialog(
    /// The session.
    session: SessionId,
) -> impl IntoView {
    let passes = RwSignal::new(None::<Result<Vec<Pass>, String>>);
    let load_passes = {
        let session = session.clone();
        move || {
            let session = session.clone();
            passes.set(None);
            spawn_local(async move {
                let answer = api::passes(&session).await.map_err(|error| error.to_string());
                // The dialog may be closed by now.
                passes.try_set(Some(answer));
            });
        }
    };
    load_passes();
    App::expect().refresh();
    let address = urls::url("");
    let local = access_url::is_local(&address);
    let host = location().hostname().unwrap_or_default();
    let links = move || match passes.get() {
        None => view! { <div class="invitations" aria-busy="true"></div> }.into_any(),
        Some(Err(problem)) => {
            let load_passes = load_passes.clone();
            view! {
                <p class="problem" role="alert">{problem}</p>
                <button type="button" class="button" on:click=move |_| load_passes()>"Try again"</button>
            }
            .into_any()
        }
        Some(Ok(passes)) => {
            let address = address.clone();
            let invite_link = move |Pass { role, token }| {
                view! { <InviteLink role link=access_url::with_token(&address, &token)/> }
            };
            view! { <div class="invitations">{passes.into_iter().map(invite_link).collect_view()}</div> }
                .into_any()
        }
    };
    view! {
        <Dialog label="Share" class="settings">
            <Heading title="Share this terminal"/>
            <div class="settings-body">
                <fieldset>
                    <legend>"Links"</legend>
                    {links}
                    <p class="hint">
                        "Each link opens only this terminal, and works until you close it. You cannot revoke a single access_url, but you "
                        "can sign out browsers that have used one."
                    </p>
                    <p class="hint warning" hidden=!local>
                        "These links only work on this machine (" {host} "). Open limpet by a network address to share it."
                    </p>
                </fieldset>
                <SessionRules session/>
            </div>
        </Dialog>
    }
}

/// A link and the right that it gives.
#[component]
fn InviteLink(role: Role, link: String) -> impl IntoView {
    let input = NodeRef::<html::Input>::new();
    let copied = RwSignal::new(false);
    let (title, sentence) = match role {
        Role::Owner | Role::Writer => (
            "Can type",
            "Sees the terminal and types in it as you do. Give it only to people you trust with your keyboard.",
        ),
        Role::Reader => ("View only", "Sees the terminal and its history. Cannot type."),
    };
    let copy = {
        let link = link.clone();
        move |_| {
            if !clipboard::available() {
                if let Some(input) = input.get_untracked() {
                    input.select();
                }
                clipboard::copy_selection();
                return copied.set(true);
            }
            let link = link.clone();
            spawn_local(async move {
                let done = clipboard::write(&link).await.is_ok();
                copied.try_set(done);
            });
        }
    };
    let icon = move || if copied.get() { Icon::Check } else { Icon::Link };
    let word = move || if copied.get() { "Copied" } else { "Copy link" };
    view! {
        <div class="invitation">
            <label class="field">
                <span class="invitation-title">{title}</span>
                <input node_ref=input type="text" readonly=true value=link on:focus=move |_| {
                    if let Some(input) = input.get_untracked() {
                        input.select();
                    }
                }/>
            </label>
            <button type="button" class="button" aria-label=move || format!("{}: {title}", word()) on:click=copy>
                {move || view! { <Glyph icon=icon()/> }}<span role="status">{word}</span>
            </button>
            <p class="hint">{sentence}</p>
        </div>
    }
}
