//! The cursor blinks, turn by turn.
//!
//! xterm.js has the browser do it, by an animation, which makes frames even when nothing changes. After a key Chromium holds back
//! what comes over a socket until the next frame has been drawn, if one is to come: with an animation a key's echo is seen one frame
//! or two late, and without one at once. So the style sheet (`panes.css`) takes the animation away, and the cursor when it is told here.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use web_sys::HtmlElement;

use crate::dom::Timeout;

/// How long the cursor is there, and how long it is not, in milliseconds.
const TURN_MS: f64 = 500.0;

/// After so many turns in which nothing was drawn it rests: nobody is there to see it.
const MOST: u32 = 600;

/// A cursor that is to blink, in a terminal that has the keyboard. WebGL draws its own.
const CURSOR: &str = ".xterm-focus .xterm-cursor-blink";

/// Marks, for style sheets, the element of a terminal whose cursor is not there at the moment.
const GONE: &str = "data-cursor-gone";

/// What makes the cursor blink until it is dropped.
pub struct Blink {
    element: HtmlElement,
    /// Turns since something was drawn.
    turns: Cell<u32>,
    /// Ends the turn. There is none while the cursor rests.
    end: RefCell<Option<Timeout>>,
}

impl Blink {
    /// For the terminal in this element.
    pub fn new(element: &HtmlElement) -> Rc<Self> {
        Rc::new(Self { element: element.clone(), turns: Cell::new(0), end: RefCell::default() })
    }

    /// Something was drawn: for a turn, and what is left of this one, the cursor stays where it can be seen.
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
        // The selector is a valid one.
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
        // It fails only for names that are none.
        let _ = self.element.toggle_attribute_with_force(GONE, !shown);
    }
}
