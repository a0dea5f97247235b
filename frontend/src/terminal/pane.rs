//! A pane: a terminal and its connection. [`panning`] moves a pane over a larger grid, [`copying`]
//! copies and pastes, and [`typing`] handles keys.

mod copying;
mod panning;
mod typing;

use std::{
    cell::{Cell, OnceCell, RefCell},
    collections::VecDeque,
    rc::{Rc, Weak},
};

use js_sys::Uint8Array;
use limpet_shared::{Role, SessionId, Winsize, theme::Colours};
use wasm_bindgen::{JsCast as _, closure::Closure};
use web_sys::{HtmlElement, KeyboardEvent};

use super::{
    Appearance, PaneEvent,
    grid_size::GridSize,
    history::{History, is_at_top},
    hooks,
    keys::Platform,
    pan,
    screen::Screen,
    wheel::Wheel,
    wiring,
};
use crate::{
    connection::{Connection, Observer, PendingSocket, Phase, event::Notification, inflow::Mark},
    dom::{self, Listener, SizeWatch},
    viewers::ViewerList,
};

/// Ends any unfinished sequence in the terminal, and resets it: CAN, RIS.
const RESET: &[u8] = b"\x18\x1bc";

/// Hides the cursor (DECTCEM), once no program reads input any more.
const HIDE_CURSOR: &[u8] = b"\x1b[?25l";

/// The attribute that tells style sheets that a pane shows an imposed size.
const IMPOSED_SIZE_ATTRIBUTE: &str = "data-imposed";

/// The callbacks of the parent of a pane.
#[derive(Clone)]
pub struct PaneHost {
    /// Called with the pane's events.
    pub on_event: Rc<dyn Fn(PaneEvent)>,
    /// Called first for each keydown; true means that the terminal ignores the key.
    pub take_key: Rc<dyn Fn(&KeyboardEvent) -> bool>,
}

/// A mounted terminal, attached to its session. Dropping it frees everything that it holds in
/// JavaScript.
pub struct Pane {
    session: SessionId,
    /// The socket for the connection, if it was opened in advance.
    socket: RefCell<Option<PendingSocket>>,
    host: RefCell<PaneHost>,
    element: HtmlElement,
    platform: Platform,
    screen: Screen,
    /// The connection, which begins once the pane has a size to report.
    connection: OnceCell<Connection>,
    grid_size: Cell<GridSize>,
    appearance: RefCell<Appearance>,
    /// True if a pane that is smaller than its grid follows the cursor.
    follows_cursor: Cell<bool>,
    wheel: Wheel,
    /// The last position of the finger that touches the pane.
    last_touch: Cell<(i32, i32)>,
    /// The role; `None` before the first welcome.
    role: Cell<Option<Role>>,
    /// True for the primary viewer, whose terminal answers queries.
    is_primary: Cell<bool>,
    visible: Cell<bool>,
    /// True if activity was reported since the pane was hidden.
    activity_reported: Cell<bool>,
    /// True once it has something to show.
    has_content: Cell<bool>,
    /// The pieces that xterm.js has yet to parse; it is parsing the first one. Pieces that the page
    /// itself wrote have no mark.
    unparsed: RefCell<VecDeque<Option<Mark>>>,
    /// Called by xterm.js after each piece.
    on_parsed: Closure<dyn Fn()>,
    /// True while a piece is parsed that makes xterm.js report the focus although the terminal is
    /// muted.
    focus_muted: Cell<bool>,
    history: History,
    me: Weak<Pane>,
    listeners: OnceCell<(SizeWatch, Vec<Listener>)>,
}

impl Pane {
    /// Mounts a terminal in `place`, which must be in the page.
    #[must_use]
    pub fn mount(
        place: &HtmlElement,
        session: SessionId,
        socket: Option<PendingSocket>,
        appearance: &Appearance,
        visible: bool,
        host: PaneHost,
    ) -> Rc<Self> {
        let element = dom::element("div");
        element.set_class_name("terminal");
        dom::append(&element, place);
        let platform = Platform::from_name(&wiring::platform_name());
        let pane = Rc::new_cyclic(|me: &Weak<Self>| Self {
            session,
            socket: RefCell::new(socket),
            host: RefCell::new(host),
            platform,
            screen: Screen::new(
                &element,
                appearance,
                platform,
                wiring::callback(me, |pane, text| pane.emit(PaneEvent::Copy(text))),
                wiring::callback(me, |pane, link| {
                    pane.emit(PaneEvent::Link(link, pane.screen.shared_terminal()));
                }),
            ),
            element,
            connection: OnceCell::new(),
            grid_size: Cell::default(),
            appearance: RefCell::new(appearance.clone()),
            follows_cursor: Cell::new(true),
            wheel: Wheel::default(),
            last_touch: Cell::default(),
            role: Cell::new(None),
            is_primary: Cell::new(false),
            visible: Cell::new(false),
            activity_reported: Cell::new(false),
            has_content: Cell::new(false),
            unparsed: RefCell::default(),
            on_parsed: Closure::new(wiring::callback_without_event(me, Self::on_parsed)),
            focus_muted: Cell::new(false),
            history: History::default(),
            me: me.clone(),
            listeners: OnceCell::new(),
        });
        hooks::install(&pane.screen, Rc::new(pane.me.clone()));
        // The renderer determines the size of a cell. A pane that is hidden at first measures with
        // the renderer that will show it, so that showing it does not resize the program's
        // terminal.
        pane.set_visible(true);
        if !visible {
            pane.set_visible(false);
        }
        // The cell is still empty.
        let _ = pane.listeners.set(wiring::attach(&pane));
        pane
    }

    /// Moves to another place in the page, with other callbacks.
    pub fn move_to(&self, place: &HtmlElement, host: PaneHost) {
        dom::append(&self.element, place);
        self.host.replace(host);
    }

    /// Returns the session that it shows.
    pub fn session(&self) -> &SessionId {
        &self.session
    }

    /// Returns the terminal with its add-ons.
    pub fn screen(&self) -> &Screen {
        &self.screen
    }

    /// Returns its element.
    pub fn element(&self) -> &HtmlElement {
        &self.element
    }

    /// Returns its connection, once there is one.
    pub fn connection(&self) -> Option<&Connection> {
        self.connection.get()
    }

    /// Sets whether the pane is visible.
    pub fn set_visible(&self, visible: bool) {
        self.visible.set(visible);
        self.screen.set_visible(visible);
        if visible {
            self.activity_reported.set(false);
            self.fit();
        }
    }

    /// Applies another appearance.
    pub fn restyle(&self, appearance: &Appearance) {
        let before = self.appearance.replace(appearance.clone());
        if before == *appearance {
            return;
        }
        self.screen.restyle(appearance);
        if let Some(connection) = self.connection().filter(|_| before.theme != appearance.theme) {
            connection.set_colours(&self.colours());
        }
        self.fit();
    }

    /// Returns the colours that programs can query.
    fn colours(&self) -> Colours {
        self.appearance.borrow().theme.clone().into()
    }

    /// Fits the grid to the pane. A hidden pane keeps its size, but needs one to begin with.
    pub fn fit(&self) {
        let laid_out = self.element.client_width() > 0 && self.element.client_height() > 0;
        if !laid_out || !(self.visible.get() || self.connection().is_none()) {
            return;
        }
        let Some(own) = self.screen.fitting_size() else { return };
        let mut grid_size = self.grid_size.get();
        let before = grid_size.imposed();
        let has_changed = grid_size.set_own(own);
        self.grid_size.set(grid_size);
        self.apply_layout();
        if grid_size.imposed() != before {
            self.emit(PaneEvent::ImposedSize(grid_size.imposed()));
        }
        let connection = self.connection.get_or_init(|| {
            let me: Weak<dyn Observer> = self.me.clone();
            let connection = Connection::new(self.session.clone(), self.socket.take(), own, me);
            connection.set_colours(&self.colours());
            connection
        });
        if has_changed {
            connection.resize(own);
        }
    }

    /// Returns the size that fits into it.
    pub fn own_size(&self) -> Winsize {
        self.grid_size.get().own()
    }

    /// Handles a change of the size of cells or of the grid, in pixels.
    pub fn on_dimensions_change(&self) {
        if self.connection().is_none() {
            // The size of a character is only known once the pane has been laid out.
            self.fit();
        }
        self.follow_cursor();
    }

    /// Requests the rows of scrollback that the snapshot left out.
    pub fn load_earlier(&self) {
        if let Some(connection) = self.connection()
            && self.history.begin_request(self.screen.terminal())
        {
            connection.request_history();
        }
    }

    /// Loads earlier rows if the user has scrolled up to the first one.
    pub fn on_scroll(&self) {
        if self.unparsed.borrow().is_empty() && is_at_top(self.screen.terminal()) {
            self.load_earlier();
        }
    }

    /// Handles the bell.
    pub fn on_bell(&self) {
        if !self.is_replaying() {
            self.emit(PaneEvent::Bell);
        }
    }

    /// Reports whether the program reads the mouse, and therefore the right button too.
    pub fn program_reads_mouse(&self) -> bool {
        self.screen.terminal().modes().mouse_tracking_mode() != "none"
    }

    fn write(&self, bytes: &Uint8Array, mark: Option<Mark>) {
        self.unparsed.borrow_mut().push_back(mark);
        self.screen.write(bytes, self.on_parsed.as_ref().unchecked_ref());
    }

    fn on_parsed(&self) {
        let mark = self.unparsed.borrow_mut().pop_front().flatten();
        self.focus_muted.set(false);
        let idle = self.unparsed.borrow().is_empty();
        if idle {
            self.history.restore_viewport(self.screen.terminal());
            if mark.is_some() && !self.has_content.replace(true) {
                self.emit(PaneEvent::Drawn);
            }
        }
        if let (Some(mark), Some(connection)) = (mark, self.connection()) {
            connection.on_rendered(mark, idle);
        }
    }

    fn is_replaying(&self) -> bool {
        self.unparsed.borrow().front().is_some_and(|mark| mark.is_none_or(|mark| mark.replayed))
    }

    fn set_announced_size(&self, size: Winsize, own: bool) {
        let mut grid_size = self.grid_size.get();
        grid_size.set_announced(size, own);
        self.grid_size.set(grid_size);
        self.apply_layout();
        self.emit(PaneEvent::ImposedSize(grid_size.imposed()));
    }

    /// Handles the end of the session, after which no output follows.
    fn on_session_ended(&self) {
        let mut grid_size = self.grid_size.get();
        grid_size.on_session_ended();
        self.grid_size.set(grid_size);
        self.apply_layout();
    }

    fn apply_layout(&self) {
        let grid_size = self.grid_size.get();
        let is_imposed = grid_size.imposed().is_some();
        // It fails only for invalid names.
        let _ = self.element.toggle_attribute_with_force(IMPOSED_SIZE_ATTRIBUTE, is_imposed);
        let oversized = self.appearance.borrow().oversized;
        self.screen.set_layout(grid_size.layout(oversized, pan::covered_share(&self.element)));
        self.follow_cursor();
    }

    fn set_role(&self, role: Role) {
        self.role.set(Some(role));
        // A reader's terminal must not even report the mouse.
        self.screen.terminal().options().set_disable_stdin(!role.may_write());
    }

    fn emit(&self, event: PaneEvent) {
        let on_event = Rc::clone(&self.host.borrow().on_event);
        on_event(event);
    }

    fn notice(&self, text: &str) {
        self.emit(PaneEvent::Notice(text.to_owned()));
    }
}

impl Observer for Pane {
    fn on_output(&self, bytes: &Uint8Array, mark: Mark) {
        self.write(bytes, Some(mark));
        if !self.visible.get() && !mark.replayed && !self.activity_reported.replace(true) {
            self.emit(PaneEvent::Activity);
        }
    }

    fn on_notification(&self, notification: Notification) {
        match notification {
            Notification::Phase(phase) => {
                if !matches!(phase, Phase::Live { .. } | Phase::Stalled { .. }) {
                    self.history.cancel_request();
                }
                self.emit(PaneEvent::Phase(phase));
            }
            Notification::Clear { skipped, earlier } => {
                // Resetting xterm.js takes longer than drawing a prompt, and an empty terminal
                // needs no reset.
                if self.has_content.get() || !self.unparsed.borrow().is_empty() {
                    self.write(&RESET.into(), None);
                }
                self.history.set_missing(earlier);
                self.emit(PaneEvent::Redrawn { rows: earlier, skipped });
            }
            Notification::Role(role) => self.set_role(role),
            Notification::Size { size, own } => self.set_announced_size(size, own),
            Notification::Primary(is_primary) => self.is_primary.set(is_primary),
            Notification::Viewers { count, list } => {
                self.emit(PaneEvent::Viewers(ViewerList { count, list }))
            }
            Notification::Title(title) => {
                self.screen.set_label(&format!("Terminal: {title}"));
                self.emit(PaneEvent::Title(title));
            }
            Notification::Exited { status, closed } => {
                self.on_session_ended();
                self.write(&HIDE_CURSOR.into(), None);
                self.screen.terminal().options().set_disable_stdin(true);
                self.emit(PaneEvent::Exited { status, closed });
            }
            Notification::Problem(problem) => self.emit(PaneEvent::Problem(problem)),
            Notification::Notice(text) => self.emit(PaneEvent::Notice(text)),
        }
    }
}

impl hooks::QueryPolicy for Weak<Pane> {
    fn is_muted(&self) -> bool {
        self.upgrade().is_none_or(|pane| !pane.is_primary.get() || pane.is_replaying())
    }

    fn mute_focus_report(&self) {
        if let Some(pane) = self.upgrade() {
            pane.focus_muted.set(true);
        }
    }

    fn on_clear(&self, with_scrollback: bool) {
        let Some(pane) = self.upgrade().filter(|pane| !pane.is_replaying()) else { return };
        if with_scrollback {
            pane.history.set_missing(0);
        }
        pane.emit(PaneEvent::Cleared);
    }
}
