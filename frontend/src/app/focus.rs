//! Who has the keyboard. It is always somebody: what lies over the page, a control that shows it, or else the terminal.

use leptos::{ev, prelude::*};
use wasm_bindgen::JsCast as _;
use web_sys::{Element, HtmlElement, KeyboardEvent, KeyboardEventInit, MouseEvent, PointerEvent};

use super::{App, Stage};
use crate::tabs::model::Side;

/// What a program asks.
const REQUEST: &str = ".panel.shown .copy-request button";

/// A part of the page that keys lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// The active terminal, or what stands in its place.
    Terminal,
    /// Tabs and buttons.
    Bar,
    /// Who else is here, and whose size the terminal has.
    People,
    /// What is said over the terminal and at the page's edge.
    Messages,
}

impl Part {
    /// All of them, in the order in which keys go round.
    const ROUND: [Self; 4] = [Self::Terminal, Self::Bar, Self::People, Self::Messages];

    /// The elements that it lies in, as a CSS selector.
    const fn place(self) -> &'static str {
        match self {
            Self::Terminal => ".place, .empty",
            Self::Bar => ".bar",
            Self::People => ".people-button, .pen-chip",
            Self::Messages => ".messages, .earlier, .notices",
        }
    }

    /// The elements that can have the keyboard when it comes to this part, as a CSS selector.
    const fn controls(self) -> &'static str {
        match self {
            Self::Terminal => ".panel.shown .xterm-helper-textarea, .empty button",
            Self::Bar => ".bar [role=tab][aria-selected=true], .bar .current",
            Self::People => ".pen-chip button, .people-button",
            Self::Messages => ".panel.shown :is(.messages button, .earlier), .notices button",
        }
    }

    /// The part that has the keyboard. What lies in two of them belongs to the smaller one.
    fn focused() -> Option<Self> {
        let focused = document().active_element()?;
        let has = |part: &Self| focused.closest(part.place()).is_ok_and(|place| place.is_some());
        [Self::People, Self::Bar, Self::Messages, Self::Terminal].into_iter().find(has)
    }

    /// The first element of this part that can have the keyboard now.
    fn first(self) -> Option<HtmlElement> {
        let all = document().query_selector_all(self.controls()).ok()?;
        let mut controls =
            (0..all.length()).filter_map(|place| all.item(place)?.dyn_into::<HtmlElement>().ok());
        // What is not shown is offset from nothing.
        controls.find(|control| control.offset_parent().is_some())
    }
}

/// Whether the keyboard is with no element at all.
fn is_nobodys() -> bool {
    document().active_element().is_none_or(|active| active.tag_name() == "BODY")
}

/// A press on a control leaves the keyboard where it is: what the control does decides who has it next.
fn keep_focus(event: &MouseEvent) {
    let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
    let is_within = |selector| {
        target.as_ref().is_some_and(|target| target.closest(selector).is_ok_and(|found| found.is_some()))
    };
    if is_within(".bar, .messages button, .earlier, .notices button") && !is_within("dialog") {
        event.prevent_default();
    }
}

impl App {
    /// Sees to it that the keyboard is somebody's.
    pub(super) fn follow_focus(self) {
        let pressed = StoredValue::new(false);
        let down = window_event_listener(ev::pointerdown, move |_| pressed.set_value(true));
        let up = window_event_listener(ev::pointerup, move |event: PointerEvent| {
            pressed.set_value(false);
            // A finger that taps does not ask for the keyboard on the screen.
            if event.pointer_type() != "touch" {
                self.claim_focus_soon();
            }
        });
        let cancelled = window_event_listener(ev::pointercancel, move |_| pressed.set_value(false));
        let mouse = window_event_listener(ev::mousedown, |event: MouseEvent| keep_focus(&event));
        let left = window_event_listener(ev::focusout, move |event| {
            // While the button is held, text may be selected.
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

    /// Gives the terminal the keyboard if nobody has it once the browser has done what it does.
    pub fn claim_focus_soon(self) {
        request_animation_frame(move || self.claim_focus());
    }

    fn claim_focus(self) {
        let selects =
            window().get_selection().ok().flatten().is_some_and(|selection| !selection.is_collapsed());
        if self.is_uncovered() && is_nobodys() && !selects {
            self.focus_part(Part::Terminal);
        }
    }

    /// Gives a part the keyboard. False if nothing of it can be seen.
    fn focus_part(self, part: Part) -> bool {
        if let (Part::Terminal, Some(pane)) = (part, self.pane()) {
            pane.focus();
            return true;
        }
        part.first().is_some_and(|control| control.focus().is_ok())
    }

    /// Whether the page is there, with nothing over it.
    fn is_uncovered(self) -> bool {
        let is_covered = self.overlay.try_with_untracked(Option::is_some).unwrap_or(true);
        !is_covered && self.stage.try_get_untracked() == Some(Stage::Ready)
    }

    /// Gives the terminal a key that was pressed while nobody had the keyboard, and all that follow.
    pub(super) fn hand_over(self, event: &KeyboardEvent) {
        let copies = (event.ctrl_key() || event.meta_key()) && event.key().eq_ignore_ascii_case("c");
        let modifies = matches!(event.key().as_str(), "Control" | "Shift" | "Alt" | "AltGraph" | "Meta");
        if !event.is_trusted() || copies || modifies || !self.is_uncovered() || !is_nobodys() {
            return;
        }
        if !self.focus_part(Part::Terminal) {
            return;
        }
        // The browser still sends the press to where the keyboard was. What it would type it types where it is now.
        let Some(target) = document().active_element() else { return };
        if target.dispatch_event(&copy_of(event)).is_ok_and(|wanted| !wanted) {
            event.prevent_default();
        }
    }

    /// Gives the keyboard to the next part of the page that can be seen, or to the one before.
    pub(super) fn go_round(self, side: Side) {
        let count = Part::ROUND.len();
        let here = Part::focused().and_then(|part| Part::ROUND.iter().position(|other| *other == part));
        let step = if side == Side::Before { count - 1 } else { 1 };
        let places = (1..count).map(|steps| (here.unwrap_or_default() + step * steps) % count);
        // One that has nothing to show is passed over.
        let _ = places.map(|place| Part::ROUND[place]).any(|part| self.focus_part(part));
    }

    /// Gives the keyboard to what is said, first to what a program asks, and to the bar if nothing is.
    pub(super) fn go_to_messages(self) {
        let request = document().query_selector(REQUEST).ok().flatten();
        match request.and_then(|button| button.dyn_into::<HtmlElement>().ok()) {
            // It can be seen, so it can have the keyboard.
            Some(button) => drop(button.focus()),
            None => drop(self.focus_part(Part::Messages) || self.focus_part(Part::Bar)),
        }
    }

    /// Esc leads back to the terminal from around it. Returns whether it did.
    pub(super) fn leave_part(self, event: &KeyboardEvent) -> bool {
        let leaves = event.key() == "Escape"
            && self.is_uncovered()
            && matches!(Part::focused(), Some(Part::Bar | Part::People | Part::Messages));
        if leaves {
            event.prevent_default();
            self.focus_part(Part::Terminal);
        }
        leaves
    }

    /// Whether a program that fills the screen has the keyboard. Such programs have uses for nearly all keys.
    pub(super) fn is_in_full_screen_program(self) -> bool {
        Part::focused() == Some(Part::Terminal) && self.pane().is_some_and(|pane| pane.is_full_screen())
    }
}

/// The same key press, to be sent elsewhere.
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
    // It fails only for a type that is no text.
    KeyboardEvent::new_with_keyboard_event_init_dict("keydown", &init).unwrap_or_else(|_| event.clone())
}
