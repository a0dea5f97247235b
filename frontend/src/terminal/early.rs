//! A terminal that is there before the page around it: it keeps what the page is to be told.

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
use crate::{ahead, connection::Line, dom};

/// How long the page waits for the first output, in milliseconds: a program may have nothing to say.
const PATIENCE_MS: f64 = 300.0;

/// A pane in a place that is not its last.
#[derive(Clone)]
pub struct Early {
    pane: Rc<Pane>,
    told: Rc<RefCell<Vec<PaneEvent>>>,
}

impl Early {
    /// Shows the terminal of a session in `place`, with the keyboard; done when it has something to show, or is not likely to
    /// have that soon.
    pub async fn show(place: &HtmlElement, session: SessionId, look: &Appearance) -> Self {
        let line = Line::to(&session);
        font::ready(&look.font_family, look.font_size).await;
        let told = Rc::default();
        let (drawn, seen) = dom::promise();
        let early = Self { pane: mount(place, session, line, look, &told, drawn.clone()), told };
        dom::call_later(&drawn, PATIENCE_MS);
        // To focus is to lay out: before that the server can be greeted.
        dom::pause(0.0).await;
        early.pane.screen().terminal().focus();
        // Nobody rejects it.
        let _ = JsFuture::from(seen).await;
        if early.pane.connection().is_some() {
            ahead::remember(early.pane.own_size());
        }
        early
    }

    /// What it shows.
    #[must_use]
    pub fn session(&self) -> &SessionId {
        self.pane.session()
    }

    /// Goes where it stays, and tells what has happened so far.
    pub fn hand_over(self, place: &HtmlElement, around: Surroundings) -> Rc<Pane> {
        let tell = Rc::clone(&around.on_event);
        self.pane.move_to(place, around);
        // What is moved loses the keyboard.
        self.pane.screen().terminal().focus();
        self.told.take().into_iter().for_each(|event| tell(event));
        self.pane
    }
}

fn mount(
    place: &HtmlElement,
    session: SessionId,
    line: Option<Line>,
    look: &Appearance,
    told: &Rc<RefCell<Vec<PaneEvent>>>,
    drawn: Function,
) -> Rc<Pane> {
    let told = Rc::clone(told);
    let on_event = move |event| match event {
        PaneEvent::Drawn => after_frame(&drawn),
        event => keep(&mut told.borrow_mut(), event),
    };
    // The page's shortcuts are not here yet.
    let around = Surroundings { on_event: Rc::new(on_event), take_key: Rc::new(|_| false) };
    Pane::mount(place, session, line, look, true, around)
}

/// What is kept is what was told last of each kind.
fn keep(told: &mut Vec<PaneEvent>, event: PaneEvent) {
    told.retain(|earlier| mem::discriminant(earlier) != mem::discriminant(&event));
    told.push(event);
}

/// Calls `then` once the next frame has been drawn.
fn after_frame(then: &Function) {
    let then = then.clone();
    let closure = Closure::once_into_js(move || {
        // In a frame's own turn it is yet to be drawn.
        dom::call_later(&then, 0.0);
    });
    // Fails for no function.
    let _ = window().request_animation_frame(closure.unchecked_ref());
}
