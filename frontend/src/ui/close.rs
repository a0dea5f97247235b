//! Whether to close a tab in which something still runs.

use leptos::prelude::*;

use super::dialog::{Dialog, Heading};
use crate::{app::App, tabs::TabKind};

/// Asks before programs are ended.
#[component]
pub fn CloseDialog(
    /// The tab.
    tab: TabKind,
    /// What runs in it.
    running: Vec<String>,
) -> impl IntoView {
    let app = App::expect();
    let close = move |_| {
        app.close_overlay();
        app.end_tab(&tab);
    };
    view! {
        <Dialog label="Close this tab?" class="form">
            <Heading title="Close this tab?"/>
            <p>{sentence(&running)}</p>
            <div class="actions">
                // The harmless answer is the one at hand.
                <button autofocus=true type="button" class="button" on:click=move |_| app.close_overlay()>
                    "Cancel"
                </button>
                <button type="button" class="button danger" on:click=close>"Close tab"</button>
            </div>
        </Dialog>
    }
}

/// Names what runs; of many, the first few.
fn sentence(running: &[String]) -> String {
    const NAMED: usize = 3;
    let ends = "Closing the tab ends it.";
    let end = "Closing the tab ends them.";
    match running {
        [one] => format!("{one} is still running. {ends}"),
        [few @ .., last] if few.len() <= NAMED => {
            format!("{} and {last} are still running. {end}", few.join(", "))
        }
        many => {
            let (named, others) = many.split_at(NAMED.min(many.len()));
            format!("{} and {} more programs are still running. {end}", named.join(", "), others.len())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::sentence;

    #[test]
    fn it_says_what_runs() {
        let names = |names: &str| names.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert!(sentence(&names("vim")).starts_with("vim is still running"));
        assert!(sentence(&names("vim make")).starts_with("vim and make are still running"));
        assert!(sentence(&names("a b c d")).starts_with("a, b, c and d are still running"));
        assert!(sentence(&names("a b c d e")).starts_with("a, b, c and 2 more programs are still running"));
    }
}
