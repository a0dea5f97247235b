//! Opens links that are clicked in a terminal.

use leptos::prelude::window;
use web_sys::Url;

use super::{App, Overlay};
use crate::{
    link_check::{self, Address, is_address_char},
    terminal::{
        hyperlinks::{Hyperlink, HyperlinkText},
        xterm::Terminal,
    },
};

/// The schemes that links in a terminal may have. Other schemes start programs, run scripts, or
/// read files.
const SCHEMES: [&str; 3] = ["http", "https", "mailto"];

/// Message for a link that is not a valid address.
const NO_ADDRESS_MESSAGE: &str = "This link has no address that a browser could open.";

impl App {
    /// Opens a link. Asks first if the link's text shows another address.
    pub(super) fn on_link(&self, link: &Hyperlink, terminal: &Terminal) {
        if let Some(refusal) = refusal(&link.uri) {
            return self.notify(refusal);
        }
        // The browser cannot open an address that it cannot parse.
        let Some(address) = parse(&link.uri) else { return self.notify(NO_ADDRESS_MESSAGE) };
        match link_check::find_warning(&address, &whole_words(&link.text(terminal)), parse) {
            Some(warning) => self.show(Overlay::OpenLink(address, warning)),
            None => self.open_link(&address.href),
        }
    }

    /// Opens a link in a new tab, which gets neither the referrer nor a handle of this page.
    pub fn open_link(&self, href: &str) {
        // The browser itself reports a blocked window.
        let _ = window().open_with_url_and_target_and_features(href, "_blank", "noopener,noreferrer");
    }
}

/// Returns the reason not to open a link if its scheme is not one of the [`SCHEMES`].
fn refusal(uri: &str) -> Option<String> {
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    };
    let scheme = uri.split_once(':').map(|(scheme, _)| scheme).filter(|scheme| is_scheme(scheme));
    let Some(scheme) = scheme.map(str::to_ascii_lowercase) else {
        return Some(NO_ADDRESS_MESSAGE.to_owned());
    };
    match scheme.as_str() {
        scheme if SCHEMES.contains(&scheme) => None,
        "file" => Some(
            "This link is a file on limpet's machine. The browser cannot open it; use its path in the terminal."
                .to_owned(),
        ),
        scheme => {
            Some(format!("Links that begin with “{scheme}:” are not opened, only http, https and mailto."))
        }
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

/// Returns the link's text together with the adjacent characters that look like parts of the same
/// address.
fn whole_words(HyperlinkText { before, link, after }: &HyperlinkText) -> String {
    let start = before.char_indices().rev().take_while(|&(_, c)| is_address_char(c)).last();
    let before = &before[start.map_or(before.len(), |(at, _)| at)..];
    let after = after.split(|c| !is_address_char(c)).next().unwrap_or_default();
    format!("{before}{link}{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_harmless_schemes_open() {
        for uri in ["http://a", "HTTPS://example.org/?q=1#f", "mailto:a@b.c"] {
            assert_eq!(refusal(uri), None, "{uri}");
        }
        for uri in
            ["javascript:alert(1)", "file:///etc/passwd", "java\nscript:x", " https://a", "data:,x", "ä", ""]
        {
            assert!(refusal(uri).is_some(), "{uri}");
        }
        assert!(refusal("FILE:///x").is_some_and(|why| why.contains("file on limpet")));
    }

    #[test]
    fn a_link_on_part_of_an_address_is_read_as_all_of_it() {
        let text = |before: &str, link: &str, after: &str| {
            whole_words(&HyperlinkText { before: before.into(), link: link.into(), after: after.into() })
        };
        assert_eq!(text("see ba", "nk.exa", "mple for"), "bank.example");
        assert_eq!(text("see ", "this", ", or"), "this");
        assert_eq!(text("a.example|", "b.example", "|c.example"), "b.example");
        assert_eq!(text("é", "x", ""), "éx");
    }
}
