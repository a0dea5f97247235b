//! The event listeners of a pane.

use std::rc::{Rc, Weak};

use leptos::prelude::window;
use wasm_bindgen::{JsCast as _, closure::Closure};
use web_sys::{ClipboardEvent, Event, KeyboardEvent, MouseEvent, TouchEvent, WheelEvent};

use super::pane::Pane;
use crate::dom::{Listener, SizeWatch};

/// Connects a pane to the events of its terminal and of its element, and to its keys.
pub fn attach(pane: &Rc<Pane>) -> (SizeWatch, Vec<Listener>) {
    let me = Rc::downgrade(pane);
    let screen = pane.screen();
    screen.on(|terminal, f| terminal.on_data(f), callback(&me, |pane, input: String| pane.on_input(&input)));
    screen.on(
        |terminal, f| terminal.on_binary(f),
        callback(&me, |pane, input: String| pane.on_binary_input(&input)),
    );
    screen.on(super::xterm::Terminal::on_bell, callback(&me, |pane, ()| pane.on_bell()));
    screen.on(super::xterm::Terminal::on_scroll, callback(&me, |pane, _: i32| pane.on_scroll()));
    screen.on(super::xterm::Terminal::on_cursor_move, callback(&me, |pane, ()| pane.follow_cursor()));
    screen.on(
        super::xterm::Terminal::on_dimensions_change,
        callback(&me, |pane, _: wasm_bindgen::JsValue| pane.on_dimensions_change()),
    );
    attach_keys(pane);
    (SizeWatch::new(pane.element(), callback_without_event(&me, Pane::fit)), listeners(pane))
}

fn attach_keys(pane: &Rc<Pane>) {
    let me = Rc::downgrade(pane);
    let on_key = Closure::<dyn Fn(KeyboardEvent) -> bool>::new(move |event: KeyboardEvent| {
        me.upgrade().is_some_and(|pane| pane.on_key(&event))
    });
    pane.screen().terminal().attach_custom_key_event_handler(on_key.as_ref().unchecked_ref());
    pane.screen().retain(on_key);
}

fn listeners(pane: &Rc<Pane>) -> Vec<Listener> {
    let me = Rc::downgrade(pane);
    let element = pane.element();
    let touch = |event| {
        Listener::capturing(element, event, callback(&me, |pane, event: TouchEvent| pane.on_touch(&event)))
    };
    let menu = Listener::capturing(
        element,
        "contextmenu",
        callback(&me, |pane, event: MouseEvent| {
            if pane.program_reads_mouse() && !event.shift_key() {
                event.prevent_default();
            }
        }),
    );
    vec![
        Listener::capturing(
            element,
            "paste",
            callback(&me, |pane, event: ClipboardEvent| pane.on_paste(&event)),
        ),
        Listener::capturing(
            element,
            "copy",
            callback(&me, |pane, event: ClipboardEvent| pane.on_copy(&event)),
        ),
        Listener::capturing(element, "wheel", callback(&me, |pane, event: WheelEvent| pane.on_wheel(&event))),
        Listener::new(element, "scroll", callback(&me, |pane, _: Event| pane.on_pane_scroll())),
        touch("touchstart"),
        touch("touchmove"),
        touch("touchend"),
        menu,
    ]
}

/// Returns a closure for JavaScript that does nothing once the pane is gone.
pub fn callback<E, F: Fn(&Pane, E)>(me: &Weak<Pane>, handler: F) -> impl Fn(E) + use<E, F> {
    let me = me.clone();
    move |event| {
        if let Some(pane) = me.upgrade() {
            handler(&pane, event);
        }
    }
}

/// Does the same for a handler without an argument.
pub fn callback_without_event<F: Fn(&Pane)>(me: &Weak<Pane>, handler: F) -> impl Fn() + use<F> {
    let me = me.clone();
    move || {
        if let Some(pane) = me.upgrade() {
            handler(&pane);
        }
    }
}

/// Returns the browser's name for its platform.
#[must_use]
pub fn platform_name() -> String {
    window().navigator().platform().unwrap_or_default()
}
