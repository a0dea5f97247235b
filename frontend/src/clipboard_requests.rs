//! The requests of one terminal's program to set the clipboard (OSC 52), and the user's answers. No
//! DOM here.

use crate::settings::ProgramCopies;

/// Maximum size of a text that a program may copy, in bytes of UTF-8.
pub const MAX_COPY_BYTES: usize = 1024 * 1024;

/// Maximum number of characters of a text in its preview.
const MAX_PREVIEW_CHARS: usize = 120;

/// Maximum number of characters of a terminal's title in its program's name.
const MAX_NAME_CHARS: usize = 32;

/// The reason why a text is offered instead of copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The user has not allowed it yet.
    NotAllowedYet,
    /// The user was not looking at the terminal when the request came.
    Missed,
    /// The browser did not let the page copy the text.
    Refused,
}

/// A text that the user can choose to copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The text.
    pub text: String,
    /// The reason why it was not copied.
    pub reason: Reason,
}

/// The user's answer to an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Copy this text.
    Once,
    /// Copy this text, and everything else that this terminal asks to copy.
    Always,
    /// Do not copy this text.
    NotNow,
    /// Copy nothing from this terminal.
    Never,
}

/// The copy requests of one terminal. An offer stays the same until it is answered, so that the
/// user copies the text that was shown. Of the requests that come meanwhile, the last one is kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CopyRequests {
    allowed: Option<bool>,
    is_writing: bool,
    offer: Option<Offer>,
    next: Option<String>,
}

impl CopyRequests {
    /// Handles a program's request to copy a text. Returns the text if it has to be written at
    /// once.
    pub fn on_request(&mut self, text: String, rule: ProgramCopies, is_seen: bool) -> Option<String> {
        match self.allows(rule) {
            Some(false) => None,
            Some(true) if !is_seen => {
                self.offer = Some(Offer { text, reason: Reason::Missed });
                None
            }
            Some(true) if !self.is_writing => Some(self.start_write(text)),
            None if self.offer.is_none() => {
                self.offer = Some(Offer { text, reason: Reason::NotAllowedYet });
                None
            }
            _ => {
                self.next = Some(text);
                None
            }
        }
    }

    /// Returns the current offer.
    #[must_use]
    pub fn offer(&self) -> Option<&Offer> {
        self.offer.as_ref()
    }

    /// Applies the user's answer to the offer. Returns the text that has to be written.
    pub fn on_answer(&mut self, answer: Answer) -> Option<String> {
        let Offer { text, .. } = self.offer.take()?;
        match answer {
            Answer::Once => {
                self.offer = self.next.take().map(|text| Offer { text, reason: Reason::NotAllowedYet });
                Some(self.start_write(text))
            }
            Answer::Always => {
                self.allowed = Some(true);
                let newest = self.next.take().unwrap_or(text);
                Some(self.start_write(newest))
            }
            Answer::NotNow => {
                self.next = None;
                None
            }
            Answer::Never => {
                self.allowed = Some(false);
                self.next = None;
                None
            }
        }
    }

    /// Records that a text was written, or that the browser refused it. Returns the text that has
    /// to be written next.
    pub fn on_written(&mut self, text: String, is_refused: bool) -> Option<String> {
        self.is_writing = false;
        let is_asked = self.offer.as_ref().is_some_and(|offer| offer.reason == Reason::NotAllowedYet);
        if is_refused {
            let newest = if is_asked { text } else { self.next.take().unwrap_or(text) };
            self.offer = Some(Offer { text: newest, reason: Reason::Refused });
            return None;
        }
        let next = if is_asked { None } else { self.next.take() };
        next.map(|next| self.start_write(next))
    }

    fn allows(&self, rule: ProgramCopies) -> Option<bool> {
        match rule {
            ProgramCopies::Never => Some(false),
            ProgramCopies::Always => Some(self.allowed.unwrap_or(true)),
            ProgramCopies::Ask => self.allowed,
        }
    }

    fn start_write(&mut self, text: String) -> String {
        self.is_writing = true;
        text
    }
}

/// Returns the length of a text in words, such as "1 character".
#[must_use]
pub fn describe_length(text: &str) -> String {
    match text.chars().count() {
        1 => "1 character".to_owned(),
        count => format!("{count} characters"),
    }
}

/// Returns the beginning of a text on one line.
#[must_use]
pub fn preview(text: &str) -> String {
    shorten(text, MAX_PREVIEW_CHARS)
}

/// Returns a terminal's title, shortened to serve as its program's name.
#[must_use]
pub fn program_name(title: &str) -> String {
    let name = shorten(title, MAX_NAME_CHARS);
    if name.is_empty() { "The terminal".to_owned() } else { name }
}

fn shorten(text: &str, max: usize) -> String {
    let mut chars = text.trim().chars();
    let mut short: String = chars.by_ref().take(max).filter_map(sanitize_char).collect();
    if chars.next().is_some() {
        short.push('…');
    }
    short
}

/// Replaces characters that break lines, and drops those that change the direction of the
/// surrounding text.
fn sanitize_char(c: char) -> Option<char> {
    match c {
        '\n' | '\r' => Some('⏎'),
        c if c.is_control() => Some(' '),
        '\u{2028}' | '\u{2029}' => Some('⏎'),
        '\u{61c}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}'
        | '\u{feff}' => None,
        c => Some(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(requests: &CopyRequests) -> Option<(&str, Reason)> {
        requests.offer().map(|offer| (offer.text.as_str(), offer.reason))
    }

    fn ask(requests: &mut CopyRequests, text: &str, is_seen: bool) -> Option<String> {
        requests.on_request(text.to_owned(), ProgramCopies::Ask, is_seen)
    }

    #[test]
    fn nothing_is_copied_before_it_is_allowed() {
        let mut requests = CopyRequests::default();
        assert_eq!(ask(&mut requests, "a", true), None);
        assert_eq!(offered(&requests), Some(("a", Reason::NotAllowedYet)));
        assert_eq!(requests.on_answer(Answer::Once).as_deref(), Some("a"));
        assert_eq!(requests.on_written("a".to_owned(), false), None);
        assert_eq!(ask(&mut requests, "b", true), None, "it was allowed once");
    }

    #[test]
    fn what_is_read_is_what_is_copied() {
        let mut requests = CopyRequests::default();
        for text in ["shown", "later", "last"] {
            ask(&mut requests, text, true);
        }
        assert_eq!(requests.on_answer(Answer::Once).as_deref(), Some("shown"));
        assert_eq!(offered(&requests), Some(("last", Reason::NotAllowedYet)));
        assert_eq!(requests.on_written("shown".to_owned(), false), None);
        assert_eq!(requests.on_answer(Answer::NotNow), None);
        assert_eq!(offered(&requests), None);
    }

    #[test]
    fn an_allowed_terminal_copies_the_newest() {
        let mut requests = CopyRequests::default();
        ask(&mut requests, "a", true);
        ask(&mut requests, "b", true);
        assert_eq!(requests.on_answer(Answer::Always).as_deref(), Some("b"));
        assert_eq!(ask(&mut requests, "c", true), None, "one at a time");
        assert_eq!(ask(&mut requests, "d", true), None);
        assert_eq!(requests.on_written("b".to_owned(), false).as_deref(), Some("d"));
        assert_eq!(requests.on_written("d".to_owned(), false), None);
        assert_eq!(ask(&mut requests, "e", true).as_deref(), Some("e"));
    }

    #[test]
    fn nothing_is_copied_behind_somebody_s_back() {
        let mut requests = CopyRequests::default();
        assert_eq!(requests.on_request("a".to_owned(), ProgramCopies::Always, false), None);
        assert_eq!(requests.on_request("b".to_owned(), ProgramCopies::Always, false), None);
        assert_eq!(offered(&requests), Some(("b", Reason::Missed)));
        assert_eq!(requests.on_answer(Answer::Once).as_deref(), Some("b"));
    }

    #[test]
    fn never_is_never() {
        let mut requests = CopyRequests::default();
        assert_eq!(requests.on_request("a".to_owned(), ProgramCopies::Never, true), None);
        assert_eq!(offered(&requests), None);
        ask(&mut requests, "a", true);
        assert_eq!(requests.on_answer(Answer::Never), None);
        for rule in [ProgramCopies::Ask, ProgramCopies::Always] {
            assert_eq!(requests.on_request("b".to_owned(), rule, true), None);
        }
        assert_eq!(offered(&requests), None);
    }

    #[test]
    fn what_the_browser_refuses_is_kept() {
        let mut requests = CopyRequests::default();
        assert_eq!(requests.on_request("a".to_owned(), ProgramCopies::Always, true).as_deref(), Some("a"));
        assert_eq!(requests.on_written("a".to_owned(), true), None);
        assert_eq!(offered(&requests), Some(("a", Reason::Refused)));
        assert_eq!(requests.on_answer(Answer::Once).as_deref(), Some("a"));
    }

    #[test]
    fn a_preview_is_short_and_harmless() {
        assert_eq!(preview(" a\nb\u{1b}[c\u{202e}d "), "a⏎b [cd");
        assert_eq!(preview(&"x".repeat(500)).chars().count(), MAX_PREVIEW_CHARS + 1);
        assert_eq!((program_name("htop").as_str(), program_name("\n").as_str()), ("htop", "The terminal"));
        assert_eq!(
            (describe_length("é").as_str(), describe_length("ab").as_str()),
            ("1 character", "2 characters")
        );
    }
}
