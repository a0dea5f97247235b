//! Lets programs copy text to the clipboard: asks the user, and reports the result.

use leptos::{prelude::*, task::spawn_local};

use super::App;
use crate::{
    clipboard_requests::{self, Answer, CopyRequests, MAX_COPY_BYTES},
    tabs::TabKind,
    terminal::clipboard,
};

impl App {
    /// Handles a program's request to put text into the clipboard.
    pub(super) fn on_copy(self, kind: &TabKind, text: String) {
        if text.len() > MAX_COPY_BYTES {
            return self
                .notify(format!("{} wanted to copy more than the limit of 1 MiB.", self.program_name(kind)));
        }
        let rule = self.settings.with_untracked(|settings| settings.program_copies);
        let is_seen = self.is_visible_and_focused(kind);
        self.change_copy_requests(kind, Initiator::Program, |requests| {
            requests.on_request(text, rule, is_seen)
        });
    }

    /// Applies the user's answer to a program's request.
    pub fn answer_copy(self, kind: &TabKind, answer: Answer) {
        self.change_copy_requests(kind, Initiator::User, |requests| requests.on_answer(answer));
        self.focus_pane();
    }

    /// Drops the state of a terminal that is gone.
    pub fn forget_copy_requests(self, kind: &TabKind) {
        // The page may be gone as well.
        self.copy_requests.try_update(|all| all.remove(kind));
    }

    /// Returns the name by which messages refer to the terminal's program.
    #[must_use]
    pub fn program_name(self, kind: &TabKind) -> String {
        let title = self.tabs.with(|tabs| tabs.get(kind).map(|tab| tab.title.clone()));
        clipboard_requests::program_name(&title.unwrap_or_default())
    }

    fn change_copy_requests(
        self,
        kind: &TabKind,
        initiator: Initiator,
        change: impl FnOnce(&mut CopyRequests) -> Option<String>,
    ) {
        let mut text = None;
        self.copy_requests.update(|all| text = change(all.entry(kind.clone()).or_default()));
        if let Some(text) = text {
            self.write_copy(kind.clone(), text, initiator);
        }
    }

    fn write_copy(self, kind: TabKind, text: String, initiator: Initiator) {
        spawn_local(async move {
            let is_copied = clipboard::write(&text).await.is_ok()
                || (initiator == Initiator::User && clipboard::write_by_command(&text));
            if is_copied {
                self.dismiss_if(|notice| notice.starts_with(COPIED_PREFIX));
                let (length, name) =
                    (clipboard_requests::describe_length(&text), untrack(|| self.program_name(&kind)));
                self.notify(format!("{COPIED_PREFIX}{length} from {name}."));
            }
            if initiator == Initiator::User {
                self.focus_pane();
            }
            self.change_copy_requests(&kind, Initiator::Program, |requests| {
                requests.on_written(text, !is_copied)
            });
        });
    }

    /// Reports whether the terminal is in the active tab of a visible, focused window.
    fn is_visible_and_focused(self, kind: &TabKind) -> bool {
        let document = document();
        let is_active = self.tabs.with_untracked(|tabs| tabs.is_active(kind));
        is_active && !document.hidden() && document.has_focus().unwrap_or(false)
    }
}

/// The party that caused a copy. The browser's own copy command needs a user's gesture and takes
/// the keyboard for a moment, so it is used only for the user.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Initiator {
    Program,
    User,
}

/// Start of the message that reports a copy.
const COPIED_PREFIX: &str = "Copied ";
