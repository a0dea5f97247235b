//! Links in a terminal: URLs in its text, and hyperlinks of OSC 8.

use std::{cell::RefCell, ops::RangeInclusive, rc::Rc};

use js_sys::{Function, Object, Reflect, RegExp};
use leptos::prelude::window;
use wasm_bindgen::{JsCast as _, JsValue, closure::Closure};
use web_sys::{Event, HtmlElement, MouseEvent, MouseEventInit, Url};

use super::{
    keys::Platform,
    xterm::{LinkRange, Terminal, object},
};
use crate::dom::Listener;

/// The pattern of URLs in text: that of xterm.js's add-on, with support for balanced parentheses,
/// nested once. It also matches `file` URLs, so that a user who tries to open one learns why that
/// is not possible.
const URL_PATTERN: &str = r#"(?:https?|HTTPS?|file):/{2}(?:C|\((?:C|\(C*\))*\))*(?:[^\s"':,.!?{}|\\^~\[\]`()<>]|\((?:C|\(C*\))*\))"#;

/// `C` in that pattern: a character within a URL.
const URL_CHARACTER: &str = r#"[^\s"'!*(){}|\\^<>`]"#;

/// The event by which xterm.js reports a tap, since it keeps the browser from turning taps into
/// clicks.
const TAP_EVENT: &str = "-xterm-gesturetap";

/// Selector of an element of xterm.js whose program reads the mouse.
const READS_MOUSE_SELECTOR: &str = ".enable-mouse-events";

/// A callback of xterm.js for a pointer that enters a link.
type Hover = Closure<dyn Fn(MouseEvent, String, JsValue)>;

/// A link that the user wants to open.
#[derive(Clone, Debug)]
pub struct Hyperlink {
    /// Its URI.
    pub uri: String,
    /// Its range, if it is a hyperlink of OSC 8. Otherwise its text is its URI.
    range: Option<LinkRange>,
}

/// The handlers of links, which are active as long as this lives. A link is opened by the left
/// button with Ctrl, or Command on a Mac, or by a tap without any key. xterm.js does not see that
/// click, so it neither reports the click to a program nor selects anything.
pub struct HyperlinkHandlers {
    text_hover: Hover,
    hyperlink_hover: Hover,
    leave: Closure<dyn Fn(MouseEvent, String)>,
    activate: Closure<dyn Fn()>,
    _clicks: [Listener; 3],
}

/// The link under the pointer.
struct Pointer {
    element: HtmlElement,
    platform: Platform,
    link: RefCell<Option<Hyperlink>>,
    /// The link on which the button was pressed.
    pressed: RefCell<Option<Hyperlink>>,
}

impl HyperlinkHandlers {
    /// Creates the handlers. They call `on_follow` with links to open, and set the title of
    /// `element` to the URI under the pointer.
    pub fn new(element: &HtmlElement, platform: Platform, on_follow: impl Fn(Hyperlink) + 'static) -> Self {
        let pointer = Rc::new(Pointer {
            element: element.clone(),
            platform,
            link: RefCell::default(),
            pressed: RefCell::default(),
        });
        let hover = |is_hyperlink: bool| {
            let pointer = Rc::clone(&pointer);
            Closure::new(move |_: MouseEvent, uri: String, range: JsValue| {
                pointer.enter(Hyperlink { uri, range: is_hyperlink.then(|| range.unchecked_into()) });
            })
        };
        let (text_hover, hyperlink_hover) = (hover(false), hover(true));
        let [left, down, up] = [&pointer; 3].map(Rc::clone);
        let on_follow = Rc::new(on_follow);
        let on_tap = Rc::clone(&on_follow);
        let clicks = [
            Listener::capturing(element, "mousedown", move |event: MouseEvent| down.press(&event)),
            Listener::capturing(element, "mouseup", move |event: MouseEvent| {
                if let Some(link) = up.release(&event) {
                    on_follow(link);
                }
            }),
            Listener::capturing(element, TAP_EVENT, move |event: Event| {
                if let Some(link) = pointer.tap(&event) {
                    on_tap(link);
                }
            }),
        ];
        Self {
            text_hover,
            hyperlink_hover,
            leave: Closure::new(move |_: MouseEvent, _: String| left.leave()),
            activate: Closure::new(|| {}),
            _clicks: clicks,
        }
    }

    /// Returns the callback of xterm.js for a click on a link by any button and with any modifier,
    /// which does nothing.
    #[must_use]
    pub fn activate(&self) -> &Function {
        self.activate.as_ref().unchecked_ref()
    }

    /// Returns the `ILinkHandler` of xterm.js for OSC 8 hyperlinks.
    #[must_use]
    pub fn handler(&self) -> Object {
        object(&[
            ("activate", self.activate.as_ref().clone()),
            ("allowNonHttpProtocols", true.into()),
            ("hover", self.hyperlink_hover.as_ref().clone()),
            ("leave", self.leave.as_ref().clone()),
        ])
    }

    /// Returns the `ILinkProviderOptions` for URLs in text.
    #[must_use]
    pub fn text_options(&self) -> Object {
        object(&[
            ("hover", self.text_hover.as_ref().clone()),
            ("leave", self.leave.as_ref().clone()),
            ("urlRegex", RegExp::new(&URL_PATTERN.replace('C', URL_CHARACTER), "").into()),
        ])
    }
}

impl Pointer {
    fn enter(&self, link: Hyperlink) {
        // The title shows the URL as the browser parses it, since some characters resemble others
        // or are invisible.
        let address = Url::new(&link.uri).map_or_else(|_| link.uri.clone(), |url| url.href());
        let key = if self.platform == Platform::Mac { "⌘" } else { "Ctrl" };
        let hint = if is_finger() { String::new() } else { format!("\n{key}+click to open") };
        self.element.set_title(&(address + &hint));
        self.link.replace(Some(link));
    }

    fn leave(&self) {
        // An empty title counts as none.
        let _ = self.element.remove_attribute("title");
        self.link.replace(None);
    }

    fn press(&self, event: &MouseEvent) {
        let link = self.link.borrow().clone().filter(|_| self.is_open_gesture(event));
        if link.is_some() {
            event.prevent_default();
            event.stop_propagation();
        }
        self.pressed.replace(link);
    }

    fn release(&self, event: &MouseEvent) -> Option<Hyperlink> {
        if event.button() != 0 {
            return None;
        }
        let pressed = self.pressed.take()?;
        event.stop_propagation();
        let link = self.link.borrow().clone()?;
        (link.uri == pressed.uri).then_some(link)
    }

    fn is_open_gesture(&self, event: &MouseEvent) -> bool {
        let held = if self.platform == Platform::Mac { event.meta_key() } else { event.ctrl_key() };
        event.button() == 0 && held
    }

    /// Returns the link that was tapped, unless the program reads the mouse.
    fn tap(&self, event: &Event) -> Option<Hyperlink> {
        if self.element.query_selector(READS_MOUSE_SELECTOR).is_ok_and(|found| found.is_some()) {
            return None;
        }
        // A finger does not move the mouse, so xterm.js has not looked for a link there.
        let place = |name: &str| Reflect::get(event, &name.into()).ok()?.as_f64();
        let init = MouseEventInit::new();
        init.set_bubbles(true);
        init.set_client_x(whole(place("pageX")?));
        init.set_client_y(whole(place("pageY")?));
        let moved = MouseEvent::new_with_mouse_event_init_dict("mousemove", &init).ok()?;
        // An event without a listener has no effect.
        let _ = event.target()?.dispatch_event(&moved);
        self.link.take()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "float to integer casts saturate")]
fn whole(pixels: f64) -> i32 {
    pixels as i32
}

/// Reports whether the primary pointer is a finger, which has no modifiers.
fn is_finger() -> bool {
    window().match_media("(pointer: coarse)").ok().flatten().is_some_and(|query| query.matches())
}

impl Hyperlink {
    /// Returns the text that `terminal`, which contains the link, shows for it now.
    #[must_use]
    pub fn text(&self, terminal: &Terminal) -> HyperlinkText {
        match &self.range {
            Some(range) => HyperlinkText::of(range, terminal),
            None => HyperlinkText { link: self.uri.clone(), ..HyperlinkText::default() },
        }
    }
}

/// The visible text of a link and of its line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HyperlinkText {
    /// The text before the link in its line.
    pub before: String,
    /// The link's own text.
    pub link: String,
    /// The text after the link in its line.
    pub after: String,
}

impl HyperlinkText {
    fn of(range: &LinkRange, terminal: &Terminal) -> Self {
        let (start, end) = (range.start(), range.end());
        // The user can only have clicked on visible rows.
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

/// Returns the text of a row from one column to another, or to the row's end.
fn row_text(terminal: &Terminal, row: i32, from: u32, to: Option<u32>) -> String {
    let line = terminal.buffer().active().line(row);
    line.map(|line| line.text(false, from, to)).unwrap_or_default()
}

/// Returns the text of the visible rows before this one that belong to the same line.
fn wrapped_before(terminal: &Terminal, seen: &RangeInclusive<i32>, row: i32) -> String {
    let buffer = terminal.buffer().active();
    let mut first = row;
    while seen.contains(&(first - 1)) && buffer.line(first).is_some_and(|line| line.is_wrapped()) {
        first -= 1;
    }
    (first..row).map(|row| row_text(terminal, row, 0, None)).collect()
}

/// Returns the text of the visible rows after this one that belong to the same line.
fn wrapped_after(terminal: &Terminal, seen: &RangeInclusive<i32>, row: i32) -> String {
    let buffer = terminal.buffer().active();
    let wrapped = |row: &i32| seen.contains(row) && buffer.line(*row).is_some_and(|line| line.is_wrapped());
    (row + 1..).take_while(wrapped).map(|row| row_text(terminal, row, 0, None)).collect()
}
