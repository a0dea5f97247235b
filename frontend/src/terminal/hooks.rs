//! Hooks into xterm.js's parser that keep a terminal from answering queries that are not its to
//! answer.

use std::rc::Rc;

use js_sys::{Array, Function};
use wasm_bindgen::{JsCast as _, closure::Closure};

use super::{
    queries::{self, Sequence},
    screen::Screen,
    xterm::{numbers, sequence},
};

/// The interface by which the hooks query and notify the pane.
pub trait QueryPolicy {
    /// Reports whether the terminal must not answer what is parsed now.
    fn is_muted(&self) -> bool;

    /// Handles a focus report that the terminal is about to send although it is muted.
    fn mute_focus_report(&self);

    /// Handles the clearing of the screen, or of the scrollback, by the program.
    fn on_clear(&self, with_scrollback: bool);
}

/// Registers all hooks. They live as long as the terminal.
pub fn install(screen: &Screen, policy: Rc<dyn QueryPolicy>) {
    let is_muted = {
        let policy = Rc::clone(&policy);
        move || policy.is_muted()
    };
    for query in queries::CSI_QUERIES {
        let is_muted = is_muted.clone();
        on_csi(screen, query, move |_| is_muted());
    }
    {
        let is_muted = is_muted.clone();
        on_csi(screen, queries::WINDOW_OPERATION, move |params| {
            queries::is_window_report(params) && is_muted()
        });
    }
    {
        let policy = Rc::clone(&policy);
        on_csi(screen, queries::ERASE_IN_DISPLAY, move |params| {
            if let [2 | 3, ..] = params {
                policy.on_clear(params[0] == 3);
            }
            false
        });
    }
    on_csi(screen, queries::SET_MODE, move |params| {
        if queries::enables_focus_reports(params) && policy.is_muted() {
            policy.mute_focus_report();
        }
        false
    });
    for query in queries::DCS_QUERIES {
        let is_muted = is_muted.clone();
        on_dcs(screen, query, is_muted);
    }
    for ident in queries::OSC_QUERIES {
        let (is_muted, limits) = (is_muted.clone(), screen.limits());
        on_osc(screen, ident, move |data| {
            let is_swallowed = queries::is_query(data) && is_muted();
            if is_swallowed {
                // The command may also set colours.
                limits.set_colours(ident, data);
            }
            is_swallowed
        });
    }
    // No program may read the clipboard, and only the viewer whose terminal answers gets what a
    // program writes to it.
    on_osc(screen, queries::CLIPBOARD_OSC, move |data| queries::is_query(data) || is_muted());
}

fn on_csi(screen: &Screen, id: Sequence, handler: impl Fn(&[u32]) -> bool + 'static) {
    let closure = Closure::<dyn Fn(Array) -> bool>::new(move |params: Array| handler(&numbers(&params)));
    screen.terminal().parser().on_csi(&identifier(id), function(&closure));
    screen.retain(closure);
}

fn on_dcs(screen: &Screen, id: Sequence, handler: impl Fn() -> bool + 'static) {
    let closure = Closure::<dyn Fn() -> bool>::new(handler);
    screen.terminal().parser().on_dcs(&identifier(id), function(&closure));
    screen.retain(closure);
}

fn on_osc(screen: &Screen, ident: u32, handler: impl Fn(&str) -> bool + 'static) {
    let closure = Closure::<dyn Fn(String) -> bool>::new(move |data: String| handler(&data));
    screen.terminal().parser().on_osc(ident, function(&closure));
    screen.retain(closure);
}

fn identifier(Sequence { prefix, intermediates, last }: Sequence) -> js_sys::Object {
    sequence(prefix, intermediates, last)
}

fn function<T: ?Sized>(closure: &Closure<T>) -> &Function {
    closure.as_ref().unchecked_ref()
}
