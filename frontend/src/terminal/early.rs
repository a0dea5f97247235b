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
    pane::{Pane, Surroundings},
};
use crate::{ahead, connection::PendingSocket, dom};

/// Maximum time that the page waits for the first output, in milliseconds. A program may have
/// nothing to print.
const PATIENCE_MS: f64 = 300.0;

/// A pane in a temporary place.
#[derive(Clone)]
pub struct Early {
    pane: Rc<Pane>,
    told: Rc<RefCell<Vec<PaneEvent>>>,
}

impl Early {
    /// Shows the terminal of a session in `place`, with the keyboard focus. Completes when it has
    /// something to show, or after a short wait.
    pub async fn show(place: &HtmlElement, session: SessionId, look: &Appearance) -> Self {
        let socket = PendingSocket::open(&session);
        font::ready(&look.font_family, look.font_size).await;
        let told = Rc::default();
        let (drawn, seen) = dom::promise();
        let early = Self { pane: mount(place, session, socket, look, &told, drawn.clone()), told };
        dom::call_later(&drawn, PATIENCE_MS);
        // Focusing forces a layout, so the server is greeted first.
        dom::pause(0.0).await;
        early.pane.screen().terminal().focus();
        // The promise is never rejected.
        let _ = JsFuture::from(seen).await;
        if early.pane.connection().is_some() {
            ahead::remember(early.pane.own_size());
        }
        early
    }

    /// Returns the session that it shows.
    #[must_use]
    pub fn session(&self) -> &SessionId {
        self.pane.session()
    }

    /// Moves the pane to its final place, and replays the events so far.
    pub fn hand_over(self, place: &HtmlElement, around: Surroundings) -> Rc<Pane> {
        let tell = Rc::clone(&around.on_event);
        self.pane.move_to(place, around);
        // A moved element loses the keyboard focus.
        self.pane.screen().terminal().focus();
        self.told.take().into_iter().for_each(|event| tell(event));
        self.pane
    }
}

fn mount(
    place: &HtmlElement,
    session: SessionId,
    socket: Option<PendingSocket>,
    look: &Appearance,
    told: &Rc<RefCell<Vec<PaneEvent>>>,
    drawn: Function,
) -> Rc<Pane> {
    let told = Rc::clone(told);
    let on_event = move |event| match event {
        PaneEvent::Drawn => after_frame(&drawn),
        event => keep(&mut told.borrow_mut(), event),
    };
    // The page's shortcuts do not exist yet.
    let around = Surroundings { on_event: Rc::new(on_event), take_key: Rc::new(|_| false) };
    Pane::mount(place, session, socket, look, true, around)
}

/// Records the last event of each kind.
fn keep(told: &mut Vec<PaneEvent>, event: PaneEvent) {
    told.retain(|earlier| mem::discriminant(earlier) != mem::discriminant(&event));
    told.push(event);
}

/// Calls `then` once the next frame has been drawn.
fn after_frame(then: &Function) {
    let then = then.clone();
    let closure = Closure::once_into_js(move || {
        // The callback runs before the frame is drawn.
        dom::call_later(&then, 0.0);
    });
    // It does not fail for a function.
    let _ = window().request_animation_frame(closure.unchecked_ref());
}
