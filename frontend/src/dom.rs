//! Browser resources that are released when their owner is dropped: listeners, timers, observers.
//!
//! Handlers are `Fn` because the browser may call one while it is running, for example when a
//! handler moves the focus.

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

    #[wasm_bindgen(catch, js_name = pageLoaded)]
    fn page_loaded() -> Result<(), JsValue>;
}

/// Removes the explanation of a failure after the missing parts were loaded.
pub fn end_explanation() {
    let _ = page_loaded();
}

/// Lets the script of index.html explain on the page why a part of it was not loaded.
pub fn explain_failure() {
    // One of the tests loads a page without that script.
    let _ = explain();
}

/// Creates an element.
///
/// # Panics
/// Panics if `name` is not a valid element name.
#[must_use]
pub fn element(name: &str) -> HtmlElement {
    document().create_element(name).unwrap_throw().unchecked_into()
}

/// Appends an element to another one, and removes it from its previous parent.
pub fn append(element: &Element, place: &Element) {
    // This fails only if `place` lies inside `element`.
    let _ = place.append_child(element);
}

/// An event listener that is removed when this is dropped.
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

    /// Does the same, but before the elements inside `target` see the event.
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
        // The DOM refuses a listener only if it is not a function.
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

/// A scheduled call, which is cancelled when this is dropped first.
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

/// Rounds up, so that a timer never fires early.
#[expect(clippy::cast_possible_truncation, reason = "float to integer casts saturate")]
fn whole_ms(ms: f64) -> i32 {
    ms.ceil() as i32
}

/// Waits for some milliseconds.
pub async fn sleep(ms: f64) {
    let (over, pause) = promise();
    set_timeout(&over, ms);
    // Nothing rejects this promise.
    let _ = JsFuture::from(pause).await;
}

/// Schedules one call of a JavaScript function, some milliseconds from now.
pub fn set_timeout(function: &Function, ms: f64) {
    // This fails only if the argument is not a function.
    let _ = window().set_timeout_with_callback_and_timeout_and_arguments_0(function, whole_ms(ms));
}

/// Creates a promise. Returns the function that resolves it, and the promise.
pub fn promise() -> (Function, Promise) {
    let mut keep = None;
    let promise = Promise::new(&mut |resolve, _| keep = Some(resolve));
    // The constructor of a promise calls its argument before it returns.
    (keep.unwrap_throw(), promise)
}

/// An observer of an element's size, which stops when this is dropped.
pub struct SizeWatch {
    observer: ResizeObserver,
    _closure: Closure<dyn Fn()>,
}

impl SizeWatch {
    /// Calls `changed` after the first layout of `element`, and whenever its size changes.
    pub fn new(element: &Element, changed: impl Fn() + 'static) -> Self {
        let closure = Closure::new(changed);
        // The constructor fails only if its argument is not a function.
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

/// Returns the media query that tells whether the system prefers light pages, now and whenever that
/// changes.
#[must_use]
pub fn prefers_light() -> Option<MediaQueryList> {
    window().match_media("(prefers-color-scheme: light)").ok().flatten()
}
