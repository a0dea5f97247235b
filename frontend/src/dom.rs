//! Things of the browser that are given back when their owner goes: listeners, timers, observers.
//!
//! Handlers are `Fn`, because the browser may call one while it runs: a handler that moves the focus, say, is told so.

use std::any::Any;

use js_sys::{Function, Promise};
use leptos::prelude::{document, window};
use wasm_bindgen::{JsCast as _, UnwrapThrowExt as _, closure::Closure, convert::FromWasmAbi, prelude::*};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Element, EventTarget, HtmlElement, MediaQueryList, ResizeObserver};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_name = explainFailure)]
    fn explain() -> Result<(), JsValue>;

    #[wasm_bindgen(catch, js_name = pageHasCome)]
    fn page_has_come() -> Result<(), JsValue>;
}

/// Takes away what was said on the page about parts of it that have come after all.
pub fn end_explanation() {
    let _ = page_has_come();
}

/// Says on the page why a part of it could not be loaded, by the script of index.html.
pub fn explain_failure() {
    // A page that lacks that script is one of the tests.
    let _ = explain();
}

/// A new element.
///
/// # Panics
/// For what HTML has no element of.
#[must_use]
pub fn element(name: &str) -> HtmlElement {
    document().create_element(name).unwrap_throw().unchecked_into()
}

/// Puts an element at the end of another one, wherever it was before.
pub fn put(element: &Element, place: &Element) {
    // An element is refused only by what lies inside of it.
    let _ = place.append_child(element);
}

/// A listener that is removed when this is dropped.
pub struct Listener {
    target: EventTarget,
    event: &'static str,
    capture: bool,
    function: Function,
    /// Keeps the Rust side of `function` alive.
    _closure: Box<dyn Any>,
}

impl Listener {
    /// Calls `handler` for each `event` that reaches `target`.
    pub fn new<E>(target: &EventTarget, event: &'static str, handler: impl Fn(E) + 'static) -> Self
    where
        E: FromWasmAbi + 'static,
    {
        Self::with_phase(target, event, false, handler)
    }

    /// The same, before the elements inside of `target` see the event.
    pub fn capturing<E>(target: &EventTarget, event: &'static str, handler: impl Fn(E) + 'static) -> Self
    where
        E: FromWasmAbi + 'static,
    {
        Self::with_phase(target, event, true, handler)
    }

    fn with_phase<E>(
        target: &EventTarget,
        event: &'static str,
        capture: bool,
        handler: impl Fn(E) + 'static,
    ) -> Self
    where
        E: FromWasmAbi + 'static,
    {
        let closure = Closure::<dyn Fn(E)>::new(handler);
        let function: Function = closure.as_ref().unchecked_ref::<Function>().clone();
        // The DOM refuses a listener only when it is no function.
        target.add_event_listener_with_callback_and_bool(event, &function, capture).unwrap_throw();
        Self { target: target.clone(), event, capture, function, _closure: Box::new(closure) }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let Self { target, event, capture, function, .. } = self;
        target.remove_event_listener_with_callback_and_bool(event, function, *capture).unwrap_throw();
    }
}

/// A call in the future that does not happen when this is dropped first.
pub struct Timeout {
    id: i32,
    _closure: Closure<dyn FnMut()>,
}

impl Timeout {
    /// Calls `then` once, `ms` milliseconds from now.
    pub fn new(ms: f64, then: impl FnOnce() + 'static) -> Self {
        let closure = Closure::once(then);
        let function = closure.as_ref().unchecked_ref();
        let id = window()
            .set_timeout_with_callback_and_timeout_and_arguments_0(function, whole_ms(ms))
            .unwrap_throw();
        Self { id, _closure: closure }
    }
}

impl Drop for Timeout {
    fn drop(&mut self) {
        window().clear_timeout_with_handle(self.id);
    }
}

/// Rounds up, so that a timer never runs out before its moment.
#[expect(clippy::cast_possible_truncation, reason = "float to integer casts saturate")]
fn whole_ms(ms: f64) -> i32 {
    ms.ceil() as i32
}

/// Done some milliseconds from now.
pub async fn pause(ms: f64) {
    let (over, pause) = promise();
    call_later(&over, ms);
    // Nobody rejects it.
    let _ = JsFuture::from(pause).await;
}

/// Has the browser call a function of its own once, some milliseconds from now.
pub fn call_later(function: &Function, ms: f64) {
    // It fails only for what is no function.
    let _ = window().set_timeout_with_callback_and_timeout_and_arguments_0(function, whole_ms(ms));
}

/// A promise, and what keeps it.
pub fn promise() -> (Function, Promise) {
    let mut keep = None;
    let promise = Promise::new(&mut |resolve, _| keep = Some(resolve));
    // A promise's maker is called before there is one.
    (keep.unwrap_throw(), promise)
}

/// Watches the size of an element until it is dropped.
pub struct SizeWatch {
    observer: ResizeObserver,
    _closure: Closure<dyn Fn()>,
}

impl SizeWatch {
    /// Calls `changed` when `element` has been laid out first, and whenever its size changes.
    pub fn new(element: &Element, changed: impl Fn() + 'static) -> Self {
        let closure = Closure::new(changed);
        // The constructor refuses only what is no function.
        let observer = ResizeObserver::new(closure.as_ref().unchecked_ref()).unwrap_throw();
        observer.observe(element);
        Self { observer, _closure: closure }
    }
}

impl Drop for SizeWatch {
    fn drop(&mut self) {
        self.observer.disconnect();
    }
}

/// What tells whether the system prefers light pages, now and when that changes.
#[must_use]
pub fn prefers_light() -> Option<MediaQueryList> {
    window().match_media("(prefers-color-scheme: light)").ok().flatten()
}
