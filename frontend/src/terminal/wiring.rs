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
    screen.on(|terminal, f| terminal.on_data(f), with(&me, |pane, input: String| pane.typed(&input)));
    screen.on(|terminal, f| terminal.on_binary(f), with(&me, |pane, input: String| pane.typed_bytes(&input)));
    screen.on(super::xterm::Terminal::on_bell, with(&me, |pane, ()| pane.rang()));
    screen.on(super::xterm::Terminal::on_viewport, with(&me, |pane, _: i32| pane.scrolled()));
    screen.on(super::xterm::Terminal::on_cursor, with(&me, |pane, ()| pane.follow_cursor()));
    screen.on(
        super::xterm::Terminal::on_dimensions_change,
        with(&me, |pane, _: wasm_bindgen::JsValue| pane.resized()),
    );
    attach_keys(pane);
    (SizeWatch::new(pane.element(), call(&me, Pane::fit)), listeners(pane))
}

fn attach_keys(pane: &Rc<Pane>) {
    let me = Rc::downgrade(pane);
    let wants = Closure::<dyn Fn(KeyboardEvent) -> bool>::new(move |event: KeyboardEvent| {
        me.upgrade().is_some_and(|pane| pane.wants_key(&event))
    });
    pane.screen().terminal().attach_custom_key_event_handler(wants.as_ref().unchecked_ref());
    pane.screen().keep(wants);
}

fn listeners(pane: &Rc<Pane>) -> Vec<Listener> {
    let me = Rc::downgrade(pane);
    let element = pane.element();
    let touch =
        |event| Listener::capturing(element, event, with(&me, |pane, event: TouchEvent| pane.touch(&event)));
    let menu = Listener::capturing(
        element,
        "contextmenu",
        with(&me, |pane, event: MouseEvent| {
            if pane.mouse_is_taken() && !event.shift_key() {
                event.prevent_default();
            }
        }),
    );
    vec![
        Listener::capturing(element, "paste", with(&me, |pane, event: ClipboardEvent| pane.pasted(&event))),
        Listener::capturing(element, "copy", with(&me, |pane, event: ClipboardEvent| pane.copied(&event))),
        Listener::capturing(element, "wheel", with(&me, |pane, event: WheelEvent| pane.wheel(&event))),
        Listener::new(element, "scroll", with(&me, |pane, _: Event| pane.panned())),
        touch("touchstart"),
        touch("touchmove"),
        touch("touchend"),
        menu,
    ]
}

/// Returns a closure for JavaScript that does nothing once the pane is gone.
pub fn with<E, F: Fn(&Pane, E)>(me: &Weak<Pane>, handler: F) -> impl Fn(E) + use<E, F> {
    let me = me.clone();
    move |event| {
        if let Some(pane) = me.upgrade() {
            handler(&pane, event);
        }
    }
}

/// Does the same for a handler without an argument.
pub fn call<F: Fn(&Pane)>(me: &Weak<Pane>, handler: F) -> impl Fn() + use<F> {
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
