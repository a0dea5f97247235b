//! Links in a terminal: URLs in its text, and those of OSC 8.

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

/// URLs in text: the rule of xterm.js's add-on, and parentheses in pairs, of which one may be in another. Files are found too, so that
/// who wants to open one learns why that is not done.
const URL: &str = r#"(?:https?|HTTPS?|file):/{2}(?:C|\((?:C|\(C*\))*\))*(?:[^\s"':,.!?{}|\\^~\[\]`()<>]|\((?:C|\(C*\))*\))"#;

/// `C` in that rule: a character within a URL.
const URL_CHARACTER: &str = r#"[^\s"'!*(){}|\\^<>`]"#;

/// What xterm.js tells of a tap: it keeps the browser from making a click of it.
const TAP: &str = "-xterm-gesturetap";

/// What an element of xterm.js is called while the program reads the mouse.
const MOUSE_IS_TAKEN: &str = ".enable-mouse-events";

/// What xterm.js calls when the pointer is on a link.
type Hover = Closure<dyn Fn(MouseEvent, String, JsValue)>;

/// A link that somebody wants to open.
#[derive(Clone, Debug)]
pub struct Followed {
    /// Its address.
    pub uri: String,
    /// Where it is, if it is one of OSC 8; else its text is its address.
    range: Option<LinkRange>,
}

/// What happens on links, for as long as this lives. A link is opened by the left button with Ctrl, or Command on a Mac; by a tap
/// without. xterm.js hears nothing of that click, so it is neither reported to a program nor selects anything.
pub struct Links {
    text_hover: Hover,
    own_hover: Hover,
    leave: Closure<dyn Fn(MouseEvent, String)>,
    activate: Closure<dyn Fn()>,
    _clicks: [Listener; 3],
}

/// What the pointer is on.
struct Pointer {
    element: HtmlElement,
    platform: Platform,
    link: RefCell<Option<Followed>>,
    /// The link on which the button went down.
    pressed: RefCell<Option<Followed>>,
}

impl Links {
    /// Links are given to `followed`; `element` shows where they lead.
    pub fn new(element: &HtmlElement, platform: Platform, followed: impl Fn(Followed) + 'static) -> Self {
        let pointer = Rc::new(Pointer {
            element: element.clone(),
            platform,
            link: RefCell::default(),
            pressed: RefCell::default(),
        });
        let hover = |is_own: bool| {
            let pointer = Rc::clone(&pointer);
            Closure::new(move |_: MouseEvent, uri: String, range: JsValue| {
                pointer.enter(Followed { uri, range: is_own.then(|| range.unchecked_into()) });
            })
        };
        let (text_hover, own_hover) = (hover(false), hover(true));
        let [left, down, up] = [&pointer; 3].map(Rc::clone);
        let followed = Rc::new(followed);
        let tapped = Rc::clone(&followed);
        let clicks = [
            Listener::capturing(element, "mousedown", move |event: MouseEvent| down.press(&event)),
            Listener::capturing(element, "mouseup", move |event: MouseEvent| {
                if let Some(link) = up.release(&event) {
                    followed(link);
                }
            }),
            Listener::capturing(element, TAP, move |event: Event| {
                if let Some(link) = pointer.tap(&event) {
                    tapped(link);
                }
            }),
        ];
        Self {
            text_hover,
            own_hover,
            leave: Closure::new(move |_: MouseEvent, _: String| left.leave()),
            activate: Closure::new(|| {}),
            _clicks: clicks,
        }
    }

    /// What xterm.js calls when a link is clicked by any button, with whatever is held: nothing comes of it.
    #[must_use]
    pub fn activate(&self) -> &Function {
        self.activate.as_ref().unchecked_ref()
    }

    /// xterm.js's `ILinkHandler` of OSC 8 links.
    #[must_use]
    pub fn handler(&self) -> Object {
        object(&[
            ("activate", self.activate.as_ref().clone()),
            ("allowNonHttpProtocols", true.into()),
            ("hover", self.own_hover.as_ref().clone()),
            ("leave", self.leave.as_ref().clone()),
        ])
    }

    /// `ILinkProviderOptions`.
    #[must_use]
    pub fn text_options(&self) -> Object {
        object(&[
            ("hover", self.text_hover.as_ref().clone()),
            ("leave", self.leave.as_ref().clone()),
            ("urlRegex", RegExp::new(&URL.replace('C', URL_CHARACTER), "").into()),
        ])
    }
}

impl Pointer {
    fn enter(&self, link: Followed) {
        // The address as the browser understands it, since some characters look like others, or like none.
        let address = Url::new(&link.uri).map_or_else(|_| link.uri.clone(), |url| url.href());
        let key = if self.platform == Platform::Mac { "⌘" } else { "Ctrl" };
        let hint = if is_finger() { String::new() } else { format!("\n{key}+click to open") };
        self.element.set_title(&(address + &hint));
        self.link.replace(Some(link));
    }

    fn leave(&self) {
        // An empty title is no title.
        let _ = self.element.remove_attribute("title");
        self.link.replace(None);
    }

    fn press(&self, event: &MouseEvent) {
        let link = self.link.borrow().clone().filter(|_| self.opens(event));
        if link.is_some() {
            event.prevent_default();
            event.stop_propagation();
        }
        self.pressed.replace(link);
    }

    fn release(&self, event: &MouseEvent) -> Option<Followed> {
        if event.button() != 0 {
            return None;
        }
        let pressed = self.pressed.take()?;
        event.stop_propagation();
        let link = self.link.borrow().clone()?;
        (link.uri == pressed.uri).then_some(link)
    }

    fn opens(&self, event: &MouseEvent) -> bool {
        let held = if self.platform == Platform::Mac { event.meta_key() } else { event.ctrl_key() };
        event.button() == 0 && held
    }

    /// The link that was tapped, unless the program reads the mouse.
    fn tap(&self, event: &Event) -> Option<Followed> {
        if self.element.query_selector(MOUSE_IS_TAKEN).is_ok_and(|found| found.is_some()) {
            return None;
        }
        // A finger moves no mouse, so xterm.js has not looked for a link there.
        let place = |name: &str| Reflect::get(event, &name.into()).ok()?.as_f64();
        let init = MouseEventInit::new();
        init.set_bubbles(true);
        init.set_client_x(whole(place("pageX")?));
        init.set_client_y(whole(place("pageY")?));
        let moved = MouseEvent::new_with_mouse_event_init_dict("mousemove", &init).ok()?;
        // What nobody wants to hear of changes nothing.
        let _ = event.target()?.dispatch_event(&moved);
        self.link.take()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "float to integer casts saturate")]
fn whole(pixels: f64) -> i32 {
    pixels as i32
}

/// Whether a finger is what points: it has no keys to hold.
fn is_finger() -> bool {
    window().match_media("(pointer: coarse)").ok().flatten().is_some_and(|query| query.matches())
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
