//! Links in a terminal: URLs in its text, and those of OSC 8.

use std::ops::RangeInclusive;

use js_sys::{Function, Object};
use wasm_bindgen::{JsCast as _, JsValue, closure::Closure};
use web_sys::{HtmlElement, MouseEvent, Url};

use super::xterm::{LinkRange, Terminal, object};

/// What a program may make a person open. Other schemes start programs, run scripts, or read files.
const SCHEMES: [&str; 3] = ["http://", "https://", "mailto:"];

/// What xterm.js calls when the pointer is on a link.
type Handler = Closure<dyn Fn(MouseEvent, String)>;

/// A link that somebody clicked.
#[derive(Clone)]
pub struct Followed {
    /// Its address.
    pub uri: String,
    /// Where it is, if it is one of OSC 8; else its text is its address.
    range: Option<LinkRange>,
}

/// What happens on links, for as long as this lives.
pub struct Links {
    activate: Closure<dyn Fn(MouseEvent, String, JsValue)>,
    hover: Handler,
    leave: Handler,
}

impl Links {
    /// Links are given to `followed`; `element` shows where they lead.
    pub fn new(element: &HtmlElement, followed: impl Fn(Followed) + 'static) -> Self {
        let (hovered, left) = (element.clone(), element.clone());
        let activate = move |_: MouseEvent, uri: String, range: JsValue| {
            if may_open(&uri) {
                followed(Followed { uri, range: range.is_object().then(|| range.unchecked_into()) });
            }
        };
        Self {
            activate: Closure::new(activate),
            // The address as the browser understands it, since some characters look like others, or like none.
            hover: Closure::new(move |_: MouseEvent, uri: String| {
                hovered.set_title(&Url::new(&uri).map_or(uri, |url| url.href()));
            }),
            leave: Closure::new(move |_: MouseEvent, _: String| {
                // An empty title is no title.
                let _ = left.remove_attribute("title");
            }),
        }
    }

    /// Called with the event, the URI, and for a link of OSC 8 its range.
    #[must_use]
    pub fn activate(&self) -> &Function {
        self.activate.as_ref().unchecked_ref()
    }

    /// xterm.js's `ILinkHandler` of OSC 8 links.
    #[must_use]
    pub fn handler(&self) -> Object {
        let handler = self.hover_options();
        let fields = [("activate", self.activate.as_ref().clone()), ("allowNonHttpProtocols", true.into())];
        Object::assign(&handler, &object(&fields))
    }

    /// `ILinkProviderOptions`.
    #[must_use]
    pub fn hover_options(&self) -> Object {
        object(&[("hover", self.hover.as_ref().clone()), ("leave", self.leave.as_ref().clone())])
    }
}

impl Followed {
    /// What `terminal`, in which it is, shows of it now.
    #[must_use]
    pub fn text(&self, terminal: &Terminal) -> Text {
        match &self.range {
            Some(range) => Text::of(range, terminal),
            None => Text { link: self.uri.clone(), ..Text::default() },
        }
    }
}

/// What is shown of a link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// What stands before it in its line.
    pub before: String,
    /// Its own text.
    pub link: String,
    /// What follows it in its line.
    pub after: String,
}

impl Text {
    fn of(range: &LinkRange, terminal: &Terminal) -> Self {
        let (start, end) = (range.start(), range.end());
        // Only what can be seen was clicked.
        let top = terminal.buffer().active().viewport_y();
        let seen = top..=top + i32::try_from(terminal.get_rows()).unwrap_or(i32::MAX) - 1;
        let (first, last) = (start.y() - 1, end.y() - 1);
        let rows = *seen.start().max(&first)..=*seen.end().min(&last);
        let link = rows.map(|row| {
            let from = if row == first { start.x() - 1 } else { 0 };
            row_text(terminal, row, from, (row == last).then(|| end.x()))
        });
        Self {
            link: link.collect(),
            before: wrapped_before(terminal, &seen, first)
                + &row_text(terminal, first, 0, Some(start.x() - 1)),
            after: row_text(terminal, last, end.x(), None) + &wrapped_after(terminal, &seen, last),
        }
    }
}

/// The text of a row from a column to another one, or to the row's end.
fn row_text(terminal: &Terminal, row: i32, from: u32, to: Option<u32>) -> String {
    let line = terminal.buffer().active().line(row);
    line.map(|line| line.text(false, from, to)).unwrap_or_default()
}

/// The rows before this one which it continues.
fn wrapped_before(terminal: &Terminal, seen: &RangeInclusive<i32>, row: i32) -> String {
    let buffer = terminal.buffer().active();
    let mut first = row;
    while seen.contains(&(first - 1)) && buffer.line(first).is_some_and(|line| line.is_wrapped()) {
        first -= 1;
    }
    (first..row).map(|row| row_text(terminal, row, 0, None)).collect()
}

/// The rows after this one that continue it.
fn wrapped_after(terminal: &Terminal, seen: &RangeInclusive<i32>, row: i32) -> String {
    let buffer = terminal.buffer().active();
    let wrapped = |row: &i32| seen.contains(row) && buffer.line(*row).is_some_and(|line| line.is_wrapped());
    (row + 1..).take_while(wrapped).map(|row| row_text(terminal, row, 0, None)).collect()
}

/// Whether it has one of the [`SCHEMES`], spelt as any browser would understand it.
fn may_open(uri: &str) -> bool {
    let starts_with =
        |scheme: &str| uri.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    SCHEMES.into_iter().any(starts_with)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_harmless_schemes_open() {
        for uri in ["http://a", "HTTPS://example.org/?q=1#f", "mailto:a@b.c"] {
            assert!(may_open(uri), "{uri}");
        }
        for uri in
            ["javascript:alert(1)", "file:///etc/passwd", "java\nscript:x", " https://a", "data:,x", "ä", ""]
        {
            assert!(!may_open(uri), "{uri}");
        }
    }
}
