//! Asks before a tab is closed that has running programs or guests.

use leptos::prelude::*;

use super::dialog::{Dialog, Heading};
use crate::{
    api::Jobs,
    app::{App, CloseReasons},
    tabs::TabKind,
};

/// The dialog that asks before programs are ended or guests lose a terminal.
#[component]
pub fn CloseDialog(
    /// The tab.
    tab: TabKind,
    /// The reasons for asking.
    closing: CloseReasons,
) -> impl IntoView {
    let app = App::expect();
    let close = move |jobs| {
        app.close_overlay();
        app.end_tab_with(&tab, jobs);
    };
    let close_and_keep = close.clone();
    let can_keep = !closing.background.is_empty();
    view! {
        <Dialog label="Close this tab?" class="form">
            <Heading title="Close this tab?"/>
            <p>{describe_programs(&closing.running)}</p>
            <p hidden={closing.guests == 0}>{describe_guests(closing.guests)}</p>
            <p class="hint" hidden={!can_keep}>
                "“Close, keep jobs” closes the terminal only: programs started with nohup, or disowned, keep running. Others end."
            </p>
            <div class="actions">
                // The harmless button has the focus.
                <button autofocus=true type="button" class="button" on:click=move |_| app.close_overlay()>
                    "Cancel"
                </button>
                <button type="button" class="button" hidden={!can_keep}
                    on:click=move |_| close_and_keep(Jobs::Keep)>
                    "Close, keep jobs"
                </button>
                <button type="button" class="button danger" on:click=move |_| close(Jobs::End)>"Close tab"</button>
            </div>
        </Dialog>
    }
}

/// Names the running programs, at most the first few.
fn describe_programs(running: &[String]) -> Option<String> {
    const MAX_NAMED_PROGRAMS: usize = 3;
    let end = "Closing the tab ends them.";
    Some(match running {
        [] => return None,
        [one] => format!("{one} is still running. Closing the tab ends it."),
        [few @ .., last] if few.len() <= MAX_NAMED_PROGRAMS => {
            format!("{} and {last} are still running. {end}", few.join(", "))
        }
        many => {
            let (named, others) = many.split_at(MAX_NAMED_PROGRAMS.min(many.len()));
            format!("{} and {} more programs are still running. {end}", named.join(", "), others.len())
        }
    })
}

/// Tells how many guests lose the terminal.
fn describe_guests(guests: usize) -> String {
    match guests {
        1 => "A guest is watching this terminal, and will be told that you closed it.".to_owned(),
        _ => format!("{guests} guests are watching this terminal, and will be told that you closed it."),
    }
}

#[cfg(test)]
mod tests {
    use super::{describe_guests, describe_programs};

    #[test]
    fn it_says_what_runs() {
        let names = |names: &str| names.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let said = |running: &str| describe_programs(&names(running)).unwrap_or_default();
        assert!(said("vim").starts_with("vim is still running"));
        assert!(said("vim make").starts_with("vim and make are still running"));
        assert!(said("a b c d").starts_with("a, b, c and d are still running"));
        assert!(said("a b c d e").starts_with("a, b, c and 2 more programs are still running"));
        assert_eq!(describe_programs(&[]), None);
    }

    #[test]
    fn it_says_who_watches() {
        assert!(describe_guests(1).starts_with("A guest is"));
        assert!(describe_guests(3).starts_with("3 guests are"));
    }
}
