//! An xterm.js terminal with its add-ons: created in an element, freed when dropped.

use std::{any::Any, cell::RefCell, rc::Rc};

use js_sys::{Function, Uint8Array};
use limpet_shared::{
    Winsize,
    limits::{MAX_SCREEN_CELLS, MAX_SIDE_CELLS},
};
use wasm_bindgen::{JsCast as _, JsValue, UnwrapThrowExt as _, closure::Closure, convert::FromWasmAbi};
use web_sys::HtmlElement;

use super::{
    Appearance,
    blink::CursorBlink,
    clipboard::Provider,
    grid_size::Layout,
    hyperlinks::{Hyperlink, HyperlinkHandlers},
    keys::Platform,
    xterm::{
        self, ClipboardAddon, Disposable, Fit, LimitsAddon, Options, Terminal, TerminalAddon,
        UnicodeGraphemesAddon, WebLinks, Webgl,
    },
};

/// Minimum font size to which a grid of another viewer is scaled, in CSS pixels.
const MIN_FONT_PX: f64 = 4.0;

/// The contrast ratio of readable text (WCAG 2, success criterion 1.4.3).
const MINIMUM_CONTRAST: f64 = 4.5;

/// A terminal in the page.
pub struct Screen {
    terminal: Terminal,
    limits: LimitsAddon,
    fit: Fit,
    webgl: Rc<RefCell<Option<WebglRenderer>>>,
    font_size: RefCell<f64>,
    /// The objects that JavaScript calls or holds; dropped after the terminal is disposed.
    retained: RefCell<Vec<Box<dyn Any>>>,
}

/// The WebGL renderer while it draws; disposing it activates the DOM renderer.
struct WebglRenderer {
    addon: Webgl,
    _lost: Closure<dyn Fn()>,
}

impl Screen {
    /// Creates a terminal that fills `element`, which must be in the page. `on_copy` is called with
    /// text that programs write to the clipboard, and `on_follow` with links that the user opens by
    /// the gestures of this platform.
    pub fn new(
        element: &HtmlElement,
        appearance: &Appearance,
        platform: Platform,
        on_copy: impl Fn(String) + 'static,
        on_follow: impl Fn(Hyperlink) + 'static,
    ) -> Self {
        let links = HyperlinkHandlers::new(element, platform, on_follow);
        let provider = Provider::new(on_copy);
        let options = Options::create(&links.handler());
        apply_appearance(&options, appearance);
        let terminal = Terminal::create(&options);
        let fit = Fit::create();
        terminal.load_addon(fit.clone().unchecked_into());
        terminal.load_addon(UnicodeGraphemesAddon::new().unchecked_into());
        let web_links = WebLinks::new(links.activate(), &links.text_options());
        terminal.load_addon(web_links.unchecked_into());
        let clipboard = ClipboardAddon::new(&JsValue::UNDEFINED, &provider.object());
        terminal.load_addon(clipboard.unchecked_into());
        terminal.open(element.clone());
        let limits = LimitsAddon::create();
        // It fails for an xterm.js version that it was not written for. A release is never built
        // with one.
        terminal.try_load_addon(limits.unchecked_ref()).unwrap_throw();
        // xterm.js draws the next output at once, and not after an empty frame, if it believes that
        // the user has typed.
        terminal.input("");
        let retained: Vec<Box<dyn Any>> = vec![Box::new(links), Box::new(provider)];
        let screen = Self {
            terminal,
            limits,
            fit,
            webgl: Rc::default(),
            font_size: RefCell::new(appearance.font_size.into()),
            retained: RefCell::new(retained),
        };
        let blink = CursorBlink::new(element);
        screen.on(|terminal, f| terminal.on_render(f), move |_: JsValue| blink.on_render());
        screen
    }

    /// Returns the terminal of xterm.js.
    pub fn terminal(&self) -> &Terminal {
        &self.terminal
    }

    /// Returns another reference to the terminal, which can be stored.
    pub fn shared_terminal(&self) -> Rc<Terminal> {
        let terminal: &JsValue = self.terminal.as_ref();
        Rc::new(terminal.clone().unchecked_into())
    }

    /// Returns the add-on that bounds the cost of its output.
    pub fn limits(&self) -> LimitsAddon {
        let limits: &JsValue = self.limits.as_ref();
        limits.clone().unchecked_into()
    }

    /// Subscribes `handler` to an event of the terminal, for the terminal's lifetime.
    pub fn on<E: FromWasmAbi + 'static>(
        &self,
        subscribe: impl FnOnce(&Terminal, &Function) -> Disposable,
        handler: impl Fn(E) + 'static,
    ) {
        let closure = Closure::<dyn Fn(E)>::new(handler);
        subscribe(&self.terminal, closure.as_ref().unchecked_ref());
        self.retain(closure);
    }

    /// Keeps an object that JavaScript uses alive for the terminal's lifetime.
    pub fn retain(&self, object: impl Any) {
        self.retained.borrow_mut().push(Box::new(object));
    }

    /// Queues output; `on_parsed` is called when it is parsed.
    pub fn write(&self, bytes: &Uint8Array, on_parsed: &Function) {
        self.limits.write(bytes, on_parsed);
    }

    /// Applies another appearance.
    pub fn restyle(&self, appearance: &Appearance) {
        *self.font_size.borrow_mut() = appearance.font_size.into();
        apply_appearance(&self.terminal.options(), appearance);
    }

    /// Returns the size that fits into the element in the chosen font, or `None` while the element
    /// is not laid out.
    pub fn fitting_size(&self) -> Option<Winsize> {
        self.terminal.options().set_fractional_font_size(*self.font_size.borrow());
        let cells = self.fit.propose()?;
        let cell = self.terminal.dimensions()?.css().cell();
        let cols = whole(cells.cols()).min(MAX_SIDE_CELLS);
        let rows = whole(cells.rows()).min(MAX_SIDE_CELLS).min(max_rows(cols));
        let pixels = |count: u16, size: f64| whole((f64::from(count) * size).round());
        let size =
            Winsize { cols, rows, xpixel: pixels(cols, cell.width()), ypixel: pixels(rows, cell.height()) };
        size.checked().ok()
    }

    /// Lays the grid out.
    pub fn set_layout(&self, layout: Layout) {
        let Layout { size, scale } = layout;
        let chosen = *self.font_size.borrow();
        // A smaller step than half a pixel makes no visible difference.
        let scaled = (chosen * scale * 2.0).floor() / 2.0;
        self.terminal.options().set_fractional_font_size(scaled.max(MIN_FONT_PX).min(chosen));
        self.limits.resize(size.cols, size.rows);
    }

    /// Draws with WebGL while the terminal is visible, since browsers limit the number of contexts
    /// of a page.
    pub fn set_visible(&self, visible: bool) {
        if !visible {
            self.webgl.take();
        } else if self.webgl.borrow().is_none() {
            let renderer = WebglRenderer::start(&self.terminal, &self.webgl);
            self.webgl.replace(renderer);
        }
    }

    /// Sets the label for assistive technology.
    pub fn set_label(&self, label: &str) {
        if let Some(textarea) = self.terminal.textarea() {
            // Any text is a legal value.
            let _ = textarea.set_attribute("aria-label", label);
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.webgl.take();
        self.terminal.dispose();
    }
}

impl WebglRenderer {
    /// Starts the renderer. Without WebGL it returns `None`, and the DOM renderer continues.
    fn start(terminal: &Terminal, slot: &Rc<RefCell<Option<Self>>>) -> Option<Self> {
        let addon = Webgl::create();
        let owner = Rc::downgrade(slot);
        let lost = Closure::new(move || {
            if let Some(owner) = owner.upgrade() {
                owner.take();
            }
        });
        addon.on_context_loss(lost.as_ref().unchecked_ref());
        if terminal.try_load_addon(addon.unchecked_ref::<TerminalAddon>()).is_err() {
            addon.unchecked_ref::<Disposable>().dispose();
            return None;
        }
        Some(Self { addon, _lost: lost })
    }
}

impl Drop for WebglRenderer {
    fn drop(&mut self) {
        self.addon.unchecked_ref::<Disposable>().dispose();
    }
}

/// Returns the maximum number of rows of a terminal with this many columns.
fn max_rows(cols: u16) -> u16 {
    u16::try_from(MAX_SCREEN_CELLS / usize::from(cols.max(1))).unwrap_or(u16::MAX)
}

fn apply_appearance(options: &Options, appearance: &Appearance) {
    options.set_colours(&xterm::colours(&appearance.theme));
    options.set_font_family(&appearance.font_family);
    options.set_fractional_font_size(appearance.font_size.into());
    options.set_cursor_blink(appearance.cursor_blink);
    options.set_scrollback(appearance.scrollback);
    options.set_minimum_contrast(if appearance.minimum_contrast { MINIMUM_CONTRAST } else { 1.0 });
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "float to integer casts saturate"
)]
fn whole(number: f64) -> u16 {
    number as u16
}
