//! Tests of the code that uses browser APIs, in a real browser but without a limpet server.

#![cfg(target_arch = "wasm32")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
};

use js_sys::Uint8Array;
use limpet_frontend::{
    connection::{Connection, GoneReason, Observer, Phase, event::Notification, inflow::Mark},
    dom::{Listener, SizeWatch, Timeout},
};
use limpet_shared::{SessionId, Winsize};
use wasm_bindgen::JsCast as _;
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};
use web_sys::{Event, EventTarget, HtmlElement};

wasm_bindgen_test_configure!(run_in_browser);

/// Lets the browser continue until `done` returns true, checking after each turn of its timers.
async fn until(done: impl Fn() -> bool) {
    while !done() {
        turn().await;
    }
}

/// Waits for one turn of the browser's timers.
async fn turn() {
    let promise = js_sys::Promise::new(&mut |resolve, _| {
        web_sys::window().unwrap().set_timeout_with_callback(&resolve).unwrap();
    });
    JsFuture::from(promise).await.unwrap();
}

fn counter() -> (Rc<Cell<u32>>, impl Fn()) {
    let count = Rc::new(Cell::new(0));
    let counted = Rc::clone(&count);
    (count, move || counted.set(counted.get() + 1))
}

#[wasm_bindgen_test]
fn a_dropped_listener_hears_nothing() {
    let target = EventTarget::new().unwrap();
    let (count, heard) = counter();
    let listener = Listener::new(&target, "ring", move |_: Event| heard());
    target.dispatch_event(&Event::new("ring").unwrap()).unwrap();
    drop(listener);
    target.dispatch_event(&Event::new("ring").unwrap()).unwrap();
    assert_eq!(count.get(), 1);
}

#[wasm_bindgen_test]
fn a_listener_may_be_called_while_it_runs() {
    let target = EventTarget::new().unwrap();
    let (count, heard) = counter();
    let again = target.clone();
    let _listener = Listener::new(&target, "ring", move |event: Event| {
        heard();
        if event.bubbles() {
            again.dispatch_event(&Event::new("ring").unwrap()).unwrap();
        }
    });
    let init = web_sys::EventInit::new();
    init.set_bubbles(true);
    target.dispatch_event(&Event::new_with_event_init_dict("ring", &init).unwrap()).unwrap();
    assert_eq!(count.get(), 2);
}

#[wasm_bindgen_test]
async fn a_dropped_timeout_never_comes() {
    let (dropped, drop_it) = counter();
    let (kept, keep_it) = counter();
    drop(Timeout::new(0.0, drop_it));
    let _timeout = Timeout::new(1.0, keep_it);
    until(|| kept.get() == 1).await;
    assert_eq!(dropped.get(), 0);
}

#[wasm_bindgen_test]
async fn a_size_watch_tells_of_every_size() {
    let document = web_sys::window().unwrap().document().unwrap();
    let element: HtmlElement = document.create_element("div").unwrap().unchecked_into();
    document.body().unwrap().append_child(&element).unwrap();
    let (count, changed) = counter();
    let watch = SizeWatch::new(&element, changed);
    until(|| count.get() == 1).await;
    element.set_attribute("style", "height: 7px").unwrap();
    until(|| count.get() == 2).await;
    drop(watch);
    element.remove();
}

/// Records the phases that it is told.
#[derive(Default)]
struct Recorder {
    phases: RefCell<Vec<Phase>>,
}

impl Observer for Recorder {
    fn on_output(&self, _: &Uint8Array, _: Mark) {}

    fn on_notification(&self, notification: Notification) {
        if let Notification::Phase(phase) = notification {
            self.phases.borrow_mut().push(phase);
        }
    }
}

/// The server of the test page has no sessions and accepts no WebSocket.
#[wasm_bindgen_test]
async fn a_socket_that_cannot_open_asks_over_http_why() {
    let recorder = Rc::new(Recorder::default());
    let observer: Weak<dyn Observer> = Rc::downgrade(&recorder) as Weak<dyn Observer>;
    let session = SessionId::from_random([1; 8]);
    let _connection = Connection::new(session, None, Winsize::default(), observer);
    assert_eq!(*recorder.phases.borrow(), [Phase::Connecting]);
    let gone = Phase::Gone(GoneReason::SessionNotFound);
    until(|| recorder.phases.borrow().last() == Some(&gone)).await;
}
