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
const TURN_MS: f64 = 500.0;

/// Maximum number of turns without any drawing. Then the cursor stops blinking, since nobody
/// watches.
const MOST: u32 = 600;

/// Selector of a blinking cursor in a terminal with the keyboard focus. The WebGL renderer draws
/// its own.
const CURSOR: &str = ".xterm-focus .xterm-cursor-blink";

/// The attribute that tells style sheets that the cursor of a terminal is hidden at the moment.
const GONE: &str = "data-cursor-gone";

/// Makes the cursor of a terminal blink until it is dropped.
pub struct Blink {
    element: HtmlElement,
    /// Number of turns since something was drawn.
    turns: Cell<u32>,
    /// The timer that ends the turn; `None` while the cursor does not blink.
    end: RefCell<Option<Timeout>>,
}

impl Blink {
    /// Creates it for the terminal in this element.
    pub fn new(element: &HtmlElement) -> Rc<Self> {
        Rc::new(Self { element: element.clone(), turns: Cell::new(0), end: RefCell::default() })
    }

    /// Handles a drawn frame: the cursor stays visible for the rest of this turn and for one more.
    pub fn drawn(self: &Rc<Self>) {
        if self.turns.replace(0) > 0 {
            self.show(true);
        }
        if self.end.borrow().is_none() {
            self.begin();
        }
    }

    fn begin(self: &Rc<Self>) {
        let me = Rc::downgrade(self);
        let then = move || {
            if let Some(me) = me.upgrade() {
                me.turn();
            }
        };
        self.end.replace(Some(Timeout::new(TURN_MS, then)));
    }

    fn turn(self: &Rc<Self>) {
        let turns = self.turns.get() + 1;
        // The selector is valid.
        let blinks = turns < MOST && self.element.query_selector(CURSOR).is_ok_and(|cursor| cursor.is_some());
        self.turns.set(turns);
        self.show(!blinks || turns % 2 == 1);
        if blinks {
            self.begin();
        } else {
            self.end.take();
        }
    }

    fn show(&self, shown: bool) {
        // It fails only for invalid names.
        let _ = self.element.toggle_attribute_with_force(GONE, !shown);
    }
}
