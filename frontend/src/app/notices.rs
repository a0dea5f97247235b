//! Messages that are shown for a while and then disappear by themselves.

use std::time::Duration;

use leptos::prelude::*;

use super::App;

/// Time for which a message is shown.
const NOTICE_DURATION: Duration = Duration::from_secs(8);
/// Selects the messages that have the pointer or the keyboard focus.
const IN_USE_SELECTOR: &str = ".notices:is(:hover, :focus-within)";
/// Maximum number of messages at a time; a new one replaces the oldest.
const MAX_NOTICES: usize = 4;

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Distinguishes this message from others with the same text.
    pub id: u32,
    /// The text.
    pub text: String,
}

impl App {
    /// Shows a message for a while. A text that is already shown is not shown twice.
    pub fn notify(&self, text: impl Into<String>) {
        let text = text.into();
        let notices = self.notices;
        if notices.with_untracked(|shown| shown.iter().any(|notice| notice.text == text)) {
            return;
        }
        let id = notices.with_untracked(|shown| shown.last().map_or(0, |last| last.id.wrapping_add(1)));
        notices.update(|shown| {
            shown.push(Notice { id, text });
            shown.drain(..shown.len().saturating_sub(MAX_NOTICES));
        });
        self.dismiss_later(id);
    }

    /// Schedules the removal of a message. The messages stay while the pointer or the focus is on
    /// them, since the user may be about to press a button.
    fn dismiss_later(self, id: u32) {
        let then = move || {
            let is_in_use = document().query_selector(IN_USE_SELECTOR).is_ok_and(|found| found.is_some());
            if is_in_use { self.dismiss_later(id) } else { self.dismiss(id) }
        };
        set_timeout(then, NOTICE_DURATION);
    }

    /// Removes the messages that are out of date.
    pub fn dismiss_if(&self, is_old: impl Fn(&str) -> bool) {
        self.notices.update(|shown| shown.retain(|notice| !is_old(&notice.text)));
    }

    /// Removes a message.
    pub fn dismiss(&self, id: u32) {
        self.notices.update(|shown| shown.retain(|notice| notice.id != id));
        self.claim_focus_soon();
    }
}
