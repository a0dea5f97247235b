//! A blinking cursor without a CSS animation.
//!
//! xterm.js uses an animation, which makes frames even when nothing changes. After a key, Chromium
//! holds back messages from a socket until the next frame is drawn, if one is due: with an
//! animation the echo of a key appears one or two frames late, and without one at once. So the
//! style sheet (`panes.css`) removes the animation and hides the cursor while this module sets an
//! attribute.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use web_sys::HtmlElement;

use crate::dom::Timeout;

/// Duration of each half of the blink cycle, cursor shown or hidden, in milliseconds.
const HALF_PERIOD_MS: f64 = 500.0;

/// Maximum number of turns without any drawing. Then the cursor stops blinking, since nobody
/// watches.
const MAX_IDLE_TURNS: u32 = 600;

/// Selector of a blinking cursor in a terminal with the keyboard focus. The WebGL renderer draws
/// its own.
const BLINKING_CURSOR_SELECTOR: &str = ".xterm-focus .xterm-cursor-blink";

/// The attribute that tells style sheets that the cursor of a terminal is hidden at the moment.
const CURSOR_HIDDEN_ATTRIBUTE: &str = "data-cursor-gone";

/// Makes the cursor of a terminal blink until it is dropped.
pub struct CursorBlink {
    element: HtmlElement,
    /// Number of turns since something was drawn.
    turns: Cell<u32>,
    /// The timer that ends the turn; `None` while the cursor does not blink.
    turn_timer: RefCell<Option<Timeout>>,
}

impl CursorBlink {
    /// Creates it for the terminal in this element.
    pub fn new(element: &HtmlElement) -> Rc<Self> {
        Rc::new(Self { element: element.clone(), turns: Cell::new(0), turn_timer: RefCell::default() })
    }

    /// Handles a drawn frame: the cursor stays visible for the rest of this turn and for one more.
    pub fn on_render(self: &Rc<Self>) {
        if self.turns.replace(0) > 0 {
            self.show(true);
        }
        if self.turn_timer.borrow().is_none() {
            self.start_turn();
        }
    }

    fn start_turn(self: &Rc<Self>) {
        let me = Rc::downgrade(self);
        let then = move || {
            if let Some(me) = me.upgrade() {
                me.end_turn();
            }
        };
        self.turn_timer.replace(Some(Timeout::new(HALF_PERIOD_MS, then)));
    }

    fn end_turn(self: &Rc<Self>) {
        let turns = self.turns.get() + 1;
        // The selector is valid.
        let blinks = turns < MAX_IDLE_TURNS
            && self.element.query_selector(BLINKING_CURSOR_SELECTOR).is_ok_and(|cursor| cursor.is_some());
        self.turns.set(turns);
        self.show(!blinks || turns % 2 == 1);
        if blinks {
            self.start_turn();
        } else {
            self.turn_timer.take();
        }
    }

    fn show(&self, shown: bool) {
        // It fails only for invalid names.
        let _ = self.element.toggle_attribute_with_force(CURSOR_HIDDEN_ATTRIBUTE, !shown);
    }
}
