//! Messages that are shown for a while and then step back by themselves.

use std::time::Duration;

use leptos::prelude::*;

use super::App;

/// How long a message stays.
const SHOWN: Duration = Duration::from_secs(8);
/// Messages that have the pointer or the keyboard.
const IN_USE: &str = ".notices:is(:hover, :focus-within)";
/// Most messages at a time; the oldest makes room.
const MOST: usize = 4;

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Tells it from others of the same words.
    pub id: u32,
    /// Its words.
    pub text: String,
}

impl App {
    /// Shows a message for a while. The same words are not shown twice at a time.
    pub fn notify(&self, text: impl Into<String>) {
        let text = text.into();
        let notices = self.notices;
        if notices.with_untracked(|shown| shown.iter().any(|notice| notice.text == text)) {
            return;
        }
        let id = notices.with_untracked(|shown| shown.last().map_or(0, |last| last.id.wrapping_add(1)));
        notices.update(|shown| {
            shown.push(Notice { id, text });
            shown.drain(..shown.len().saturating_sub(MOST));
        });
        self.dismiss_later(id);
    }

    /// Somebody who is at the messages may be about to press something: they stay meanwhile.
    fn dismiss_later(self, id: u32) {
        let then = move || {
            let is_in_use = document().query_selector(IN_USE).is_ok_and(|found| found.is_some());
            if is_in_use { self.dismiss_later(id) } else { self.dismiss(id) }
        };
        set_timeout(then, SHOWN);
    }

    /// Takes messages away that are no longer news.
    pub fn dismiss_if(&self, is_old: impl Fn(&str) -> bool) {
        self.notices.update(|shown| shown.retain(|notice| !is_old(&notice.text)));
    }

    /// Takes a message away.
    pub fn dismiss(&self, id: u32) {
        self.notices.update(|shown| shown.retain(|notice| notice.id != id));
        self.claim_focus_soon();
    }
}
