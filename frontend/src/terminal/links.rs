//! Links in a terminal: URLs in its text, and those of OSC 8.

use js_sys::{Function, Object};
use leptos::prelude::window;
use wasm_bindgen::{JsCast as _, closure::Closure};
use web_sys::{HtmlElement, MouseEvent};

use super::xterm::object;

/// What a program may make a person open. Other schemes start programs, run scripts, or read files.
const SCHEMES: [&str; 3] = ["http://", "https://", "mailto:"];

/// What xterm.js calls when the pointer is on a link.
type Handler = Closure<dyn Fn(MouseEvent, String)>;

/// What happens on links, for as long as this lives.
pub struct Links {
    activate: Handler,
    hover: Handler,
    leave: Handler,
}

impl Links {
    /// Links open in a tab of their own, which learns nothing of this page; `element` shows where they lead.
    #[must_use]
    pub fn new(element: &HtmlElement) -> Self {
        let (hovered, left) = (element.clone(), element.clone());
        Self {
            activate: Closure::new(|_: MouseEvent, uri: String| open(&uri)),
            hover: Closure::new(move |_: MouseEvent, uri: String| hovered.set_title(&uri)),
            leave: Closure::new(move |_: MouseEvent, _: String| {
                // An empty title is no title.
                let _ = left.remove_attribute("title");
            }),
        }
    }

    /// Called with the event and the URI.
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

fn open(uri: &str) {
    if may_open(uri) {
        // A blocked window says so by itself.
        let _ = window().open_with_url_and_target_and_features(uri, "_blank", "noopener,noreferrer");
    }
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
