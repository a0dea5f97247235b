//! Programs that copy: asks whoever looks at their terminal, and tells what was done.

use leptos::{prelude::*, task::spawn_local};

use super::App;
use crate::{
    copies::{self, Answer, Copies, MAX_COPY_BYTES},
    tabs::TabKind,
    terminal::clipboard,
};

impl App {
    /// A terminal's program wants this text in the clipboard.
    pub(super) fn on_copy(self, kind: &TabKind, text: String) {
        if text.len() > MAX_COPY_BYTES {
            return self
                .notify(format!("{} wanted to copy more than 1 MiB, which is not done.", self.name(kind)));
        }
        let rule = self.settings.with_untracked(|settings| settings.program_copies);
        let is_seen = self.is_looked_at(kind);
        self.change_copies(kind, By::Program, |copies| copies.requested(text, rule, is_seen));
    }

    /// Somebody answers what a terminal's program asks.
    pub fn answer_copy(self, kind: &TabKind, answer: Answer) {
        self.change_copies(kind, By::Person, |copies| copies.answered(answer));
        self.focus_pane();
    }

    /// Forgets what was said about a terminal that is gone.
    pub fn forget_copies(self, kind: &TabKind) {
        // The page may be gone as well.
        self.copies.try_update(|all| all.remove(kind));
    }

    /// What the terminal's program is called in messages.
    #[must_use]
    pub fn name(self, kind: &TabKind) -> String {
        let title = self.tabs.with(|tabs| tabs.get(kind).map(|tab| tab.title.clone()));
        copies::name(&title.unwrap_or_default())
    }

    fn change_copies(self, kind: &TabKind, by: By, change: impl FnOnce(&mut Copies) -> Option<String>) {
        let mut text = None;
        self.copies.update(|all| text = change(all.entry(kind.clone()).or_default()));
        if let Some(text) = text {
            self.write_copy(kind.clone(), text, by);
        }
    }

    fn write_copy(self, kind: TabKind, text: String, by: By) {
        spawn_local(async move {
            let is_copied = clipboard::write(&text).await.is_ok()
                || (by == By::Person && clipboard::write_by_command(&text));
            if is_copied {
                self.dismiss_if(|notice| notice.starts_with(COPIED));
                let (length, name) = (copies::length(&text), untrack(|| self.name(&kind)));
                self.notify(format!("{COPIED}{length} from {name}."));
            }
            if by == By::Person {
                self.focus_pane();
            }
            self.change_copies(&kind, By::Program, |copies| copies.written(text, !is_copied));
        });
    }

    /// Whether somebody can be looking at a terminal, and has this window in use.
    fn is_looked_at(self, kind: &TabKind) -> bool {
        let document = document();
        let is_active = self.tabs.with_untracked(|tabs| tabs.is_active(kind));
        is_active && !document.hidden() && document.has_focus().unwrap_or(false)
    }
}

/// Who has something copied: the browser's own command is only for a person, and takes the keyboard for a moment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Program,
    Person,
}

/// How the message begins that something was copied.
const COPIED: &str = "Copied ";
