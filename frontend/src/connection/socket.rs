//! Carries out the decisions of the state machine: the only place where a connection meets the
//! browser.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    mem,
    rc::{Rc, Weak},
};

use js_sys::{ArrayBuffer, Math, Uint8Array};
use leptos::prelude::{document, window};
use limpet_shared::{Header, SUBPROTOCOL, SessionId, ViewerId, Winsize, theme::Colours};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{AbortController, BinaryType, CloseEvent, MessageEvent, RequestInit, Response, WebSocket};

use super::{
    event::{Effect, Event, Moment, Notification, Probe},
    inflow::Mark,
    machine::Machine,
};
use crate::{
    api,
    dom::{Listener, Timeout},
    preconnect, urls,
};

/// The code for a close without a handshake (RFC 6455, 7.4.1).
const ABNORMAL_CLOSURE: u16 = 1006;

/// The receiver of a connection's output and notifications.
pub trait Observer {
    /// Handles output, which is later reported as rendered by [`Connection::on_rendered`] with the
    /// same mark. The bytes are a view of the message, not a copy.
    fn on_output(&self, bytes: &Uint8Array, mark: Mark);

    /// Handles a notification.
    fn on_notification(&self, notification: Notification);
}

/// A connection to a session, which lasts until it is dropped.
pub struct Connection(Rc<Inner>);

struct Inner {
    session: SessionId,
    observer: Weak<dyn Observer>,
    machine: RefCell<Machine>,
    /// Effects that are not carried out yet. The consequences of an effect come after the effects
    /// that were queued before.
    effects: RefCell<VecDeque<Effect>>,
    is_performing: Cell<bool>,
    /// The socket for the first attachment, if it was opened in advance.
    pending: RefCell<Option<PendingSocket>>,
    socket: RefCell<Option<Socket>>,
    timer: RefCell<Option<Timeout>>,
    probe: RefCell<Option<Abort>>,
    listeners: RefCell<Vec<Listener>>,
}

/// A WebSocket to a session without a listener yet: it opens while the terminal is being created.
/// It closes when it is dropped.
pub struct PendingSocket {
    socket: WebSocket,
    /// The `hello` that index.html has sent over it.
    greeting: Option<preconnect::SentHello>,
    /// The messages that have arrived.
    early_messages: Vec<JsValue>,
}

impl PendingSocket {
    /// Starts to open a WebSocket, which the browser may forbid.
    #[must_use]
    pub fn open(session: &SessionId) -> Option<Self> {
        if urls::is_served_by_trunk() {
            let url = urls::ws_url(&format!("api/sockets/{session}/attach"));
            return WebSocket::new(&url).ok().map(Self::new);
        }
        let path = format!("api/sessions/{session}/attach");
        if let Some(preconnect::PreconnectedSocket { socket, hello: greeting, received: early_messages }) =
            preconnect::take_socket(&path)
        {
            return Some(Self { socket, greeting, early_messages });
        }
        WebSocket::new_with_str(&urls::ws_url(&path), SUBPROTOCOL).ok().map(Self::new)
    }

    fn new(socket: WebSocket) -> Self {
        Self { socket, greeting: None, early_messages: Vec::new() }
    }
}

impl Drop for PendingSocket {
    fn drop(&mut self) {
        // A close without code or reason cannot fail.
        let _ = self.socket.close();
    }
}

/// A WebSocket with listeners, which are removed when it is dropped.
struct Socket {
    inner: PendingSocket,
    _listeners: [Listener; 3],
}

/// A request that is aborted when this is dropped.
struct Abort(AbortController);

impl Connection {
    /// Opens a connection to `session` for a terminal of this size, over a socket that may be open
    /// already.
    #[must_use]
    pub fn new(
        session: SessionId,
        mut pending: Option<PendingSocket>,
        size: Winsize,
        observer: Weak<dyn Observer>,
    ) -> Self {
        let greeting = pending.as_ref().and_then(|pending| pending.greeting);
        let viewer = greeting.map_or_else(random_viewer_id, |greeting| greeting.viewer);
        let early_messages =
            pending.as_mut().map(|pending| mem::take(&mut pending.early_messages)).unwrap_or_default();
        let inner = Rc::new(Inner {
            session,
            observer,
            machine: RefCell::new(Machine::new(viewer, size)),
            effects: RefCell::default(),
            is_performing: Cell::new(false),
            pending: RefCell::new(pending),
            socket: RefCell::default(),
            timer: RefCell::default(),
            probe: RefCell::default(),
            listeners: RefCell::default(),
        });
        *inner.listeners.borrow_mut() = inner.listen();
        inner.handle(Event::Visible(page_visible()));
        inner.handle(Event::Start);
        inner.replay_early_messages(early_messages);
        Self(inner)
    }

    /// Sends input.
    pub fn send_input(&self, input: &[u8]) {
        self.0.handle(Event::Input(input));
    }

    /// Reports that a grid of this size now fits into the pane.
    pub fn resize(&self, size: Winsize) {
        self.0.handle(Event::Resized(size));
    }

    /// Makes this viewer, or the viewer with this number, the primary one.
    pub fn make_primary(&self, to: Option<u64>) {
        self.0.handle(Event::PrimaryRequested(to));
    }

    /// Reports that the terminal has processed the output of this mark; `idle` is true if it has no
    /// more.
    pub fn on_rendered(&self, mark: Mark, idle: bool) {
        self.0.handle(Event::Rendered(mark, idle));
    }

    /// Reports the colours of the terminal.
    pub fn set_colours(&self, colours: &Colours) {
        self.0.handle(Event::Colours(colours));
    }

    /// Requests all of the scrollback.
    pub fn request_history(&self) {
        self.0.handle(Event::HistoryRequested);
    }

    /// Clears the terminal for all viewers.
    pub fn clear(&self) {
        self.0.handle(Event::ClearRequested);
    }

    /// Resets the modes that programs have set, for all viewers.
    pub fn soft_reset(&self) {
        self.0.handle(Event::SoftResetRequested);
    }

    /// Retries at once if the connection is down.
    pub fn retry_now(&self) {
        self.0.handle(Event::RetryNow);
    }
}

impl Inner {
    fn listen(self: &Rc<Self>) -> Vec<Listener> {
        let on = |event: fn() -> Event<'static>| {
            let this = Rc::downgrade(self);
            move |_: web_sys::Event| {
                if let Some(this) = this.upgrade() {
                    this.handle(event());
                }
            }
        };
        vec![
            Listener::new(&document(), "visibilitychange", on(|| Event::Visible(page_visible()))),
            Listener::new(&window(), "online", on(|| Event::Online)),
            // The page comes back from the back-forward cache.
            Listener::new(&window(), "pageshow", on(|| Event::Online)),
            // These are the first events when a machine wakes up with a visible page.
            Listener::new(&window(), "focus", on(|| Event::UserActive)),
            Listener::new(&window(), "pointerdown", on(|| Event::UserActive)),
            Listener::new(&window(), "keydown", on(|| Event::UserActive)),
            Listener::new(&document(), "resume", on(|| Event::UserActive)),
        ]
    }

    fn handle(self: &Rc<Self>, event: Event<'_>) {
        self.handle_with(event, None);
    }

    fn handle_with(self: &Rc<Self>, event: Event<'_>, message: Option<&ArrayBuffer>) {
        let effects = self.machine.borrow_mut().handle(event, moment());
        self.effects.borrow_mut().extend(effects);
        if self.is_performing.replace(true) {
            return;
        }
        while let Some(effect) = self.next_effect() {
            self.perform(effect, message);
        }
        self.is_performing.set(false);
    }

    fn next_effect(&self) -> Option<Effect> {
        self.effects.borrow_mut().pop_front()
    }

    fn perform(self: &Rc<Self>, effect: Effect, message: Option<&ArrayBuffer>) {
        match effect {
            Effect::Open => self.open(),
            Effect::Close => drop(self.socket.take()),
            Effect::SendText(text) => self.send(|socket| socket.send_with_str(&text)),
            Effect::SendFrame(frame) => self.send(|socket| socket.send_with_u8_array(&frame)),
            Effect::Probe => self.probe(),
            Effect::Timer(ms) => {
                let then = self.event_callback(|| Event::Timer);
                self.timer.replace(Some(Timeout::new(ms, then)));
            }
            Effect::NoTimer => drop(self.timer.take()),
            Effect::Write(piece) => {
                if let (Some(message), Some(observer)) = (message, self.observer.upgrade()) {
                    observer.on_output(&view(message, piece.from, piece.to), piece.mark);
                }
            }
            Effect::Notify(notification) => {
                if let Some(observer) = self.observer.upgrade() {
                    observer.on_notification(notification);
                }
            }
        }
    }

    fn event_callback(self: &Rc<Self>, event: fn() -> Event<'static>) -> impl FnOnce() + use<> {
        let this = Rc::downgrade(self);
        move || {
            if let Some(this) = this.upgrade() {
                this.handle(event());
            }
        }
    }

    /// Handles the messages that arrived before there was a listener: soon, and before any later
    /// message. It is deferred because the observer has yet to get the connection that it asked
    /// for.
    fn replay_early_messages(self: &Rc<Self>, early_messages: Vec<JsValue>) {
        if early_messages.is_empty() {
            return;
        }
        let this = Rc::downgrade(self);
        spawn_local(async move {
            if let Some(this) = this.upgrade() {
                for data in &early_messages {
                    this.on_message(data);
                }
            }
        });
    }

    fn open(self: &Rc<Self>) {
        self.probe.take();
        let Some(pending) = self.pending.take().or_else(|| PendingSocket::open(&self.session)) else {
            // The browser forbids it, which is treated like an unreachable server.
            return self.handle(Event::Closed { code: ABNORMAL_CLOSURE });
        };
        let (state, greeting) = (pending.socket.ready_state(), pending.greeting);
        self.socket.replace(Some(Socket::new(pending, self)));
        // The socket's state may have changed before there was a listener.
        match state {
            WebSocket::CONNECTING => {}
            WebSocket::OPEN => match greeting {
                Some(greeting) => self.handle(Event::HelloSent(greeting.size)),
                None => self.handle(Event::Opened(&preconnect::sign_in_key())),
            },
            _ => self.handle(Event::Closed { code: ABNORMAL_CLOSURE }),
        }
    }

    /// Sends over the socket if it is open. A message that a closing socket swallows is sent again
    /// after the next welcome.
    fn send(&self, send: impl FnOnce(&WebSocket) -> Result<(), JsValue>) {
        if let Some(Socket { inner, .. }) = &*self.socket.borrow()
            && inner.socket.ready_state() == WebSocket::OPEN
        {
            // It fails only before the socket is open.
            let _ = send(&inner.socket);
        }
    }

    fn probe(self: &Rc<Self>) {
        let Ok(controller) = AbortController::new() else { return };
        let init = RequestInit::new();
        init.set_signal(Some(&controller.signal()));
        if let Ok(headers) = api::headers() {
            init.set_headers(&headers);
        }
        // Like a WebSocket, a POST carries the page's origin.
        init.set_method("POST");
        let url = urls::url(&format!("api/sessions/{}/attach", self.session));
        let request = JsFuture::from(window().fetch_with_str_and_init(&url, &init));
        self.probe.replace(Some(Abort(controller)));
        let this = Rc::downgrade(self);
        spawn_local(async move {
            let answer = check_response(request.await).await;
            let probe = match &answer {
                Ok(()) => Probe::Alive,
                Err(api::Error::Unauthorized) => Probe::Unauthorized,
                Err(api::Error::NotFound) => Probe::NotFound,
                Err(api::Error::LimitReached(reason) | api::Error::Refused(reason)) => Probe::Refused(reason),
                Err(_) => Probe::Unreachable,
            };
            if let Some(this) = this.upgrade() {
                this.handle(Event::Probed(probe));
            }
        });
    }

    fn on_message(self: &Rc<Self>, data: &JsValue) {
        if let Some(text) = data.as_string() {
            self.handle(Event::Text(&text));
        } else if let Some(buffer) = data.dyn_ref::<ArrayBuffer>() {
            let len = buffer.byte_length() as usize;
            let mut head = [0; Header::LEN];
            let head = &mut head[..len.min(Header::LEN)];
            view(buffer, 0, head.len()).copy_to(head);
            self.handle_with(Event::Frame { head, len }, Some(buffer));
        }
    }
}

impl Socket {
    fn new(inner: PendingSocket, owner: &Rc<Inner>) -> Self {
        let socket = &inner.socket;
        socket.set_binary_type(BinaryType::Arraybuffer);
        let on_open = owner_handler(owner, |owner, _: web_sys::Event| {
            owner.handle(Event::Opened(&preconnect::sign_in_key()));
        });
        let on_message = owner_handler(owner, |owner, event: MessageEvent| owner.on_message(&event.data()));
        let on_close = owner_handler(owner, |owner, event: CloseEvent| {
            owner.handle(Event::Closed { code: event.code() });
        });
        let listeners = [
            Listener::new(socket, "open", on_open),
            Listener::new(socket, "message", on_message),
            // An error is always followed by a close, which says more.
            Listener::new(socket, "close", on_close),
        ];
        Self { inner, _listeners: listeners }
    }
}

impl Drop for Abort {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn owner_handler<E, F: Fn(&Rc<Inner>, E)>(owner: &Rc<Inner>, handler: F) -> impl Fn(E) + use<E, F> {
    let owner = Rc::downgrade(owner);
    move |event| {
        if let Some(owner) = owner.upgrade() {
            handler(&owner, event);
        }
    }
}

async fn check_response(answer: Result<JsValue, JsValue>) -> Result<(), api::Error> {
    let response = answer.ok().and_then(|answer| answer.dyn_into::<Response>().ok());
    api::ensure_success(response.ok_or(api::Error::Unreachable)?).await.map(drop)
}

/// Returns the bytes of a message from `from` to `to`, without a copy. Messages are far smaller
/// than 4 GiB.
fn view(message: &ArrayBuffer, from: usize, to: usize) -> Uint8Array {
    let offset = u32::try_from(from).unwrap_or(u32::MAX);
    let length = u32::try_from(to - from).unwrap_or(u32::MAX);
    Uint8Array::new_with_byte_offset_and_length(message, offset, length)
}

fn page_visible() -> bool {
    !document().hidden()
}

fn moment() -> Moment {
    let now_ms = window().performance().map_or(0.0, |clock| clock.now());
    Moment { now_ms, wall_ms: js_sys::Date::now(), jitter: Math::random() }
}

/// Returns a random id for this viewer, valid for its lifetime.
fn random_viewer_id() -> ViewerId {
    let mut bytes = [0; 16];
    if let Ok(crypto) = window().crypto() {
        // It fails only for more than 64 KiB.
        let _ = crypto.get_random_values_with_u8_array(&mut bytes);
    }
    ViewerId::from_random(bytes)
}
