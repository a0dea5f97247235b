//! The rules of a session with several viewers: whose size it has, and whether the program waits
//! for slow viewers.

use leptos::{html, prelude::*, task::spawn_local};
use limpet_shared::{Flow, SessionId, Sizing, api::UpdateSession};

use crate::{
    app::App,
    tabs::{Tab, TabKind},
};

const fn describe_sizing(sizing: Sizing) -> (&'static str, &'static str) {
    match sizing {
        Sizing::Primary => ("A chosen window", "“Use my size” chooses another one."),
        Sizing::Latest => ("Whoever typed last", "It follows the window that was last typed in."),
        Sizing::Owner => ("The owner", "The terminal has the size of the owner's window."),
        Sizing::Smallest => ("The smallest window", "Everyone sees all of it without scrolling."),
        Sizing::Fixed => ("Nothing: it stays", "The size does not change when viewers come or go."),
    }
}

const fn describe_flow(flow: Flow) -> (&'static str, &'static str) {
    match flow {
        Flow::Auto => {
            ("Hold output back briefly, then skip", "Slow viewers skip ahead to what is on the screen now.")
        }
        Flow::Hold => {
            ("Hold output back, skip nothing", "The program runs only as fast as its fastest viewer reads.")
        }
        Flow::Free => ("Skip at once", "The program runs at full speed. Slow viewers skip ahead."),
    }
}

/// The rules of a session. A change takes effect at once.
#[component]
pub fn SessionRules(
    /// The session.
    session: SessionId,
) -> impl IntoView {
    let app = App::expect();
    let tab = app.tab(TabKind::Terminal(session.clone()));
    let of = move |default, part: fn(&Tab) -> usize| tab.with(|tab| tab.as_ref().map_or(default, part));
    let sizing = Memo::new(move |_| of(0, |tab| position(Sizing::ALL, &tab.sizing)));
    let flow = Memo::new(move |_| of(0, |tab| position(Flow::ALL, &tab.flow)));
    let session = StoredValue::new(session);
    let sizing_of =
        |at: usize| UpdateSession { sizing: Sizing::ALL.get(at).copied(), ..UpdateSession::default() };
    let flow_of = |at: usize| UpdateSession { flow: Flow::ALL.get(at).copied(), ..UpdateSession::default() };
    view! {
        <fieldset>
            <legend>"When others are here"</legend>
            <Choice label="Terminal size follows"
                words=Sizing::ALL.iter().copied().map(describe_sizing).collect()
                chosen=sizing session update=sizing_of/>
            <Choice label="Slow viewers" words=Flow::ALL.iter().copied().map(describe_flow).collect()
                chosen=flow session update=flow_of/>
        </fieldset>
    }
}

/// A list of choices, with an explanation of the current one below.
#[component]
fn Choice(
    label: &'static str,
    words: Vec<(&'static str, &'static str)>,
    chosen: Memo<usize>,
    session: StoredValue<SessionId>,
    update: fn(usize) -> UpdateSession,
) -> impl IntoView {
    let app = App::expect();
    let select = NodeRef::<html::Select>::new();
    let problem = RwSignal::new(None);
    let sentences: Vec<_> = words.iter().map(|&(_, sentence)| sentence).collect();
    let options = words.into_iter().enumerate().map(|(at, (name, _))| {
        view! { <option value=at.to_string() selected=move || chosen.get() == at>{name}</option> }
    });
    let choose = move |event| {
        let Ok(at) = event_target_value(&event).parse() else { return };
        problem.set(None);
        let changed = app.change_session(session.get_value(), update(at));
        spawn_local(async move {
            let Err(error) = changed.await else { return };
            // The dialog may be closed by now. If it is open, it shows the rule in force and the
            // reason.
            problem.try_set(Some(format!("Not changed. {error}")));
            if let (Some(Some(select)), Some(chosen)) =
                (select.try_get_untracked(), chosen.try_get_untracked())
            {
                select.set_value(&chosen.to_string());
            }
        });
    };
    view! {
        <label class="field inline stacks">
            <span>{label}</span>
            <select node_ref=select prop:value=move || chosen.get().to_string() on:change=choose>{options.collect_view()}</select>
        </label>
        <p class="problem" role="alert">{problem}</p>
        <p class="hint choice-hint" role="status">{move || sentences.get(chosen.get()).copied()}</p>
    }
}

fn position<T: PartialEq>(all: &[T], wanted: &T) -> usize {
    all.iter().position(|other| other == wanted).unwrap_or_default()
}
