//! The terminal that is shown before the page around it, and that records its events for the page.

use std::{cell::RefCell, mem, rc::Rc};

use js_sys::Function;
use leptos::prelude::window;
use limpet_shared::SessionId;
use wasm_bindgen::{JsCast as _, closure::Closure};
use wasm_bindgen_futures::JsFuture;
use web_sys::HtmlElement;

use super::{
    Appearance, PaneEvent, font,
    pane::{Pane, PaneHost},
};
use crate::{connection::PendingSocket, dom, preconnect};

/// Maximum time that the page waits for the first output, in milliseconds. A program may have
/// nothing to print.
const MAX_OUTPUT_WAIT_MS: f64 = 300.0;

/// A pane in a temporary place.
#[derive(Clone)]
pub struct StartupPane {
    pane: Rc<Pane>,
    recorded_events: Rc<RefCell<Vec<PaneEvent>>>,
}

impl StartupPane {
    /// Shows the terminal of a session in `place`, with the keyboard focus. Completes when it has
    /// something to show, or after a short wait.
    pub async fn show(place: &HtmlElement, session: SessionId, appearance: &Appearance) -> Self {
        let socket = PendingSocket::open(&session);
        font::ready(&appearance.font_family, appearance.font_size).await;
        let recorded_events = Rc::default();
        let (resolve_drawn, drawn) = dom::promise();
        let pane = mount(place, session, socket, appearance, &recorded_events, resolve_drawn.clone());
        let startup_pane = Self { pane, recorded_events };
        dom::set_timeout(&resolve_drawn, MAX_OUTPUT_WAIT_MS);
        // Focusing forces a layout, so the server is greeted first.
        dom::sleep(0.0).await;
        startup_pane.pane.screen().terminal().focus();
        // The promise is never rejected.
        let _ = JsFuture::from(drawn).await;
        if startup_pane.pane.connection().is_some() {
            preconnect::store_terminal_size(startup_pane.pane.own_size());
        }
        startup_pane
    }

    /// Returns the session that it shows.
    #[must_use]
    pub fn session(&self) -> &SessionId {
        self.pane.session()
    }

    /// Moves the pane to its final place, and replays the events so far.
    pub fn hand_over(self, place: &HtmlElement, host: PaneHost) -> Rc<Pane> {
        let on_event = Rc::clone(&host.on_event);
        self.pane.move_to(place, host);
        // A moved element loses the keyboard focus.
        self.pane.screen().terminal().focus();
        self.recorded_events.take().into_iter().for_each(|event| on_event(event));
        self.pane
    }
}

fn mount(
    place: &HtmlElement,
    session: SessionId,
    socket: Option<PendingSocket>,
    appearance: &Appearance,
    recorded_events: &Rc<RefCell<Vec<PaneEvent>>>,
    resolve_drawn: Function,
) -> Rc<Pane> {
    let recorded_events = Rc::clone(recorded_events);
    let on_event = move |event| match event {
        PaneEvent::Drawn => after_frame(&resolve_drawn),
        event => record(&mut recorded_events.borrow_mut(), event),
    };
    // The page's shortcuts do not exist yet.
    let host = PaneHost { on_event: Rc::new(on_event), take_key: Rc::new(|_| false) };
    Pane::mount(place, session, socket, appearance, true, host)
}

/// Records the last event of each kind.
fn record(recorded_events: &mut Vec<PaneEvent>, event: PaneEvent) {
    recorded_events.retain(|earlier| mem::discriminant(earlier) != mem::discriminant(&event));
    recorded_events.push(event);
}

/// Calls `then` once the next frame has been drawn.
fn after_frame(then: &Function) {
    let then = then.clone();
    let closure = Closure::once_into_js(move || {
        // The callback runs before the frame is drawn.
        dom::set_timeout(&then, 0.0);
    });
    // It does not fail for a function.
    let _ = window().request_animation_frame(closure.unchecked_ref());
}
