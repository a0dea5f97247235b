//! Links that somebody clicked in a terminal.

use leptos::prelude::window;
use web_sys::Url;

use super::{App, Overlay};
use crate::{
    link_check::{self, Address, is_address_char},
    terminal::{
        links::{Followed, Text},
        xterm::Terminal,
    },
};

impl App {
    /// Opens a link, or asks first if its text says something else.
    pub(super) fn on_link(&self, link: &Followed, terminal: &Terminal) {
        // What the browser cannot parse it cannot open.
        let Some(address) = parse(&link.uri) else { return };
        match link_check::doubt(&address, &whole_words(&link.text(terminal)), parse) {
            Some(doubt) => self.show(Overlay::OpenLink(address, doubt)),
            None => self.open_link(&address.href),
        }
    }

    /// Opens a link in a tab of its own, which learns nothing of this page.
    pub fn open_link(&self, href: &str) {
        // A blocked window says so by itself.
        let _ = window().open_with_url_and_target_and_features(href, "_blank", "noopener,noreferrer");
    }
}

fn parse(text: &str) -> Option<Address> {
    let url = Url::new(text).ok()?;
    let mailbox = (url.protocol() == "mailto:").then(|| url.pathname());
    let host = match &mailbox {
        Some(mailbox) => mailbox.rsplit('@').next().unwrap_or_default().to_owned(),
        None => url.hostname(),
    };
    Some(Address { href: url.href(), host, user: url.username(), mailbox })
}

/// The link's text, with what a reader takes for a part of the same address.
fn whole_words(Text { before, link, after }: &Text) -> String {
    let start = before.char_indices().rev().take_while(|&(_, c)| is_address_char(c)).last();
    let before = &before[start.map_or(before.len(), |(at, _)| at)..];
    let after = after.split(|c| !is_address_char(c)).next().unwrap_or_default();
    format!("{before}{link}{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_on_part_of_an_address_is_read_as_all_of_it() {
        let text = |before: &str, link: &str, after: &str| {
            whole_words(&Text { before: before.into(), link: link.into(), after: after.into() })
        };
        assert_eq!(text("see ba", "nk.exa", "mple for"), "bank.example");
        assert_eq!(text("see ", "this", ", or"), "this");
        assert_eq!(text("a.example|", "b.example", "|c.example"), "b.example");
        assert_eq!(text("é", "x", ""), "éx");
    }
}
