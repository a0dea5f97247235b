//! Manages the keyboard focus, which is always in an overlay, in a control, or in the terminal.

use leptos::{ev, prelude::*};
use wasm_bindgen::JsCast as _;
use web_sys::{Element, HtmlElement, KeyboardEvent, KeyboardEventInit, MouseEvent, PointerEvent};

use super::{App, Stage};
use crate::tabs::model::Side;

/// A button of a program's copy request.
const REQUEST_BUTTON: &str = ".panel.shown .copy-request button";

/// A part of the page that the user can reach by keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// The active terminal, or the page that replaces it when there is none.
    Terminal,
    /// The tabs and buttons.
    Bar,
    /// The list of viewers, and the note that says whose size the terminal has.
    Viewers,
    /// The messages over the terminal and at the page's edge.
    Messages,
}

impl Part {
    /// All parts, in the order in which the keys visit them.
    const FOCUS_ORDER: [Self; 4] = [Self::Terminal, Self::Bar, Self::Viewers, Self::Messages];

    /// Returns a CSS selector of the elements that contain this part.
    const fn container(self) -> &'static str {
        match self {
            Self::Terminal => ".place, .empty",
            Self::Bar => ".bar",
            Self::Viewers => ".viewers-button, .size-note",
            Self::Messages => ".messages, .skipped-output, .notices",
        }
    }

    /// Returns a CSS selector of the elements that can take the focus in this part.
    const fn controls(self) -> &'static str {
        match self {
            Self::Terminal => ".panel.shown .xterm-helper-textarea, .empty button",
            Self::Bar => ".bar [role=tab][aria-selected=true], .bar .current",
            Self::Viewers => ".size-note button, .viewers-button",
            Self::Messages => ".panel.shown :is(.messages button, .skipped-output), .notices button",
        }
    }

    /// Returns the part that has the focus. An element in two parts belongs to the smaller one.
    fn focused() -> Option<Self> {
        let focused = document().active_element()?;
        let has = |part: &Self| focused.closest(part.container()).is_ok_and(|place| place.is_some());
        [Self::Viewers, Self::Bar, Self::Messages, Self::Terminal].into_iter().find(has)
    }

    /// Returns the first element of this part that can take the focus now.
    fn first(self) -> Option<HtmlElement> {
        let all = document().query_selector_all(self.controls()).ok()?;
        let mut controls =
            (0..all.length()).filter_map(|place| all.item(place)?.dyn_into::<HtmlElement>().ok());
        // Elements that are not shown have no offset parent.
        controls.find(|control| control.offset_parent().is_some())
    }
}

/// Reports whether no element has the focus.
fn nothing_is_focused() -> bool {
    document().active_element().is_none_or(|active| active.tag_name() == "BODY")
}

/// Keeps the focus in place when a control is pressed. The control's action decides what gets the
/// focus next.
fn keep_focus(event: &MouseEvent) {
    let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
    let is_within = |selector| {
        target.as_ref().is_some_and(|target| target.closest(selector).is_ok_and(|found| found.is_some()))
    };
    if is_within(".bar, .messages button, .skipped-output, .notices button") && !is_within("dialog") {
        event.prevent_default();
    }
}

impl App {
    /// Gives the terminal the focus whenever no element has it.
    pub(super) fn follow_focus(self) {
        let pressed = StoredValue::new(false);
        let down = window_event_listener(ev::pointerdown, move |_| pressed.set_value(true));
        let up = window_event_listener(ev::pointerup, move |event: PointerEvent| {
            pressed.set_value(false);
            // A tap with a finger does not ask for the on-screen keyboard.
            if event.pointer_type() != "touch" {
                self.claim_focus_soon();
            }
        });
        let cancelled = window_event_listener(ev::pointercancel, move |_| pressed.set_value(false));
        let mouse = window_event_listener(ev::mousedown, |event: MouseEvent| keep_focus(&event));
        let left = window_event_listener(ev::focusout, move |event| {
            // The user may be selecting text while the button is held.
            if event.related_target().is_none() && !pressed.get_value() {
                self.claim_focus_soon();
            }
        });
        on_cleanup(move || {
            down.remove();
            up.remove();
            cancelled.remove();
            mouse.remove();
            left.remove();
        });
    }

    /// Gives the terminal the focus if no element has it after the browser has handled the current
    /// event.
    pub fn claim_focus_soon(self) {
        request_animation_frame(move || self.claim_focus());
    }

    fn claim_focus(self) {
        let selects =
            window().get_selection().ok().flatten().is_some_and(|selection| !selection.is_collapsed());
        if self.is_uncovered() && nothing_is_focused() && !selects {
            self.focus_part(Part::Terminal);
        }
    }

    /// Gives a part the focus. Returns false if nothing of the part is visible.
    fn focus_part(self, part: Part) -> bool {
        if let (Part::Terminal, Some(pane)) = (part, self.pane()) {
            pane.focus();
            return true;
        }
        part.first().is_some_and(|control| control.focus().is_ok())
    }

    /// Reports whether the page is ready and has no overlay.
    fn is_uncovered(self) -> bool {
        let is_covered = self.overlay.try_with_untracked(Option::is_some).unwrap_or(true);
        !is_covered && self.stage.try_get_untracked() == Some(Stage::Ready)
    }

    /// Gives the terminal the focus and a key that was pressed while no element had the focus.
    pub(super) fn forward_stray_key(self, event: &KeyboardEvent) {
        let copies = (event.ctrl_key() || event.meta_key()) && event.key().eq_ignore_ascii_case("c");
        let modifies = matches!(event.key().as_str(), "Control" | "Shift" | "Alt" | "AltGraph" | "Meta");
        if !event.is_trusted() || copies || modifies || !self.is_uncovered() || !nothing_is_focused() {
            return;
        }
        if !self.focus_part(Part::Terminal) {
            return;
        }
        // The browser still sends the key press to the old target, so a copy goes to the new one.
        // The browser types the key's text where the focus is now.
        let Some(target) = document().active_element() else { return };
        if target.dispatch_event(&copy_of(event)).is_ok_and(|wanted| !wanted) {
            event.prevent_default();
        }
    }

    /// Gives the focus to the next or the previous visible part of the page.
    pub(super) fn cycle_focus(self, side: Side) {
        let count = Part::FOCUS_ORDER.len();
        let here = Part::focused().and_then(|part| Part::FOCUS_ORDER.iter().position(|other| *other == part));
        let step = if side == Side::Before { count - 1 } else { 1 };
        let places = (1..count).map(|steps| (here.unwrap_or_default() + step * steps) % count);
        // Parts with nothing to show are skipped.
        let _ = places.map(|place| Part::FOCUS_ORDER[place]).any(|part| self.focus_part(part));
    }

    /// Gives the focus to a program's request, else to the messages, else to the bar.
    pub(super) fn focus_messages(self) {
        let request = document().query_selector(REQUEST_BUTTON).ok().flatten();
        match request.and_then(|button| button.dyn_into::<HtmlElement>().ok()) {
            // The button is visible, so it can take the focus.
            Some(button) => drop(button.focus()),
            None => drop(self.focus_part(Part::Messages) || self.focus_part(Part::Bar)),
        }
    }

    /// Returns to the terminal when Escape is pressed in one of the parts around it. Returns
    /// whether it did.
    pub(super) fn return_to_terminal(self, event: &KeyboardEvent) -> bool {
        let leaves = event.key() == "Escape"
            && self.is_uncovered()
            && matches!(Part::focused(), Some(Part::Bar | Part::Viewers | Part::Messages));
        if leaves {
            event.prevent_default();
            self.focus_part(Part::Terminal);
        }
        leaves
    }

    /// Reports whether a full-screen program has the focus. Such programs use nearly all keys.
    pub(super) fn is_in_full_screen_program(self) -> bool {
        Part::focused() == Some(Part::Terminal) && self.pane().is_some_and(|pane| pane.is_full_screen())
    }
}

/// Returns a copy of a key press that can be dispatched elsewhere.
fn copy_of(event: &KeyboardEvent) -> KeyboardEvent {
    let init = KeyboardEventInit::new();
    init.set_cancelable(true);
    init.set_key(&event.key());
    init.set_code(&event.code());
    init.set_key_code(event.key_code());
    init.set_location(event.location());
    init.set_repeat(event.repeat());
    init.set_ctrl_key(event.ctrl_key());
    init.set_shift_key(event.shift_key());
    init.set_alt_key(event.alt_key());
    init.set_meta_key(event.meta_key());
    // This fails only if the event's type is not a string.
    KeyboardEvent::new_with_keyboard_event_init_dict("keydown", &init).unwrap_or_else(|_| event.clone())
}
