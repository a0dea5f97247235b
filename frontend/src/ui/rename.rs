//! Renames a tab.

use leptos::{ev::SubmitEvent, html, prelude::*, task::spawn_local};
use limpet_shared::api::UpdateSession;

use super::dialog::{Dialog, Heading};
use crate::{
    app::{App, Overlay},
    tabs::TabKind,
};

/// The dialog that asks for a tab's name.
#[component]
pub fn RenameDialog(
    /// The tab.
    tab: TabKind,
) -> impl IntoView {
    let app = App::expect();
    let input = NodeRef::<html::Input>::new();
    let title =
        app.tabs.with_untracked(|tabs| tabs.get(&tab).map(|tab| tab.title.clone())).unwrap_or_default();
    let problem = RwSignal::new(None);
    let on_submit = move |event: SubmitEvent| {
        event.prevent_default();
        let name = input.get_untracked().map(|input| input.value()).unwrap_or_default();
        let title = Some(name.trim().to_owned());
        let TabKind::Terminal(session) = tab.clone();
        let this = Some(Overlay::Rename(tab.clone()));
        spawn_local(async move {
            match app.change_session(session, UpdateSession { title, ..UpdateSession::default() }).await {
                Ok(()) if app.overlay.with_untracked(|overlay| *overlay == this) => app.close_overlay(),
                Ok(()) => {}
                // The dialog may be closed by now.
                Err(error) => drop(problem.try_set(Some(error))),
            }
        });
    };
    let select_all = move |_| {
        if let Some(input) = input.get_untracked() {
            input.select();
        }
    };
    view! {
        <Dialog label="Rename tab" class="form">
            <Heading title="Rename tab"/>
            <form on:submit=on_submit>
                <label class="field">
                    <span>"Name"</span>
                    <input node_ref=input autofocus=true on:focus=select_all type="text" value=title maxlength=limpet_shared::limits::MAX_TITLE_CHARS.to_string()
                        autocomplete="off" enterkeyhint="done"/>
                </label>
                <p class="problem" role="alert">{problem}</p>
                <p class="hint">"Leave empty to use the program's title."</p>
                <div class="actions">
                    <button type="button" class="button" on:click=move |_| app.close_overlay()>"Cancel"</button>
                    <button type="submit" class="button primary">"Rename"</button>
                </div>
            </form>
        </Dialog>
    }
}
