//! Bindings to xterm.js. This is the only file that names its modules.
//!
//! `xterm-js-rs` has most of the types, but describes xterm.js 4. This file declares what newer
//! versions add, and corrects what differs in them, on types that extend those of `xterm-js-rs`.
//! The API of xterm.js is described in `@xterm/xterm/typings/xterm.d.ts`.

use js_sys::{Array, Function, Object, Reflect, Uint8Array};
use limpet_shared::{limits, theme::Theme};
use wasm_bindgen::prelude::*;
use web_sys::HtmlTextAreaElement;
pub use xterm_js_rs::{
    Disposable, Terminal as BaseTerminal, TerminalAddon, TerminalOptions,
    addons::{fit::FitAddon, webgl::WebglAddon},
};

#[wasm_bindgen]
extern "C" {
    /// A terminal with the members that `xterm-js-rs` lacks.
    #[wasm_bindgen(extends = BaseTerminal)]
    pub type Terminal;

    /// The live options: setting one takes effect at once.
    #[wasm_bindgen(method, getter)]
    pub fn options(this: &Terminal) -> Options;

    /// Types text as if the user had.
    #[wasm_bindgen(method)]
    pub fn input(this: &Terminal, text: &str);

    /// Loads an add-on that may fail to load, for example without WebGL.
    #[wasm_bindgen(method, catch, js_name = loadAddon)]
    pub fn try_load_addon(this: &Terminal, addon: &TerminalAddon) -> Result<(), JsValue>;

    /// Subscribes to the bell.
    #[wasm_bindgen(method, js_name = onBell)]
    pub fn on_bell(this: &Terminal, listener: &Function) -> Disposable;

    /// Scrolls down by this many rows, or up if the number is negative.
    #[wasm_bindgen(method, js_name = scrollLines)]
    pub fn scroll_lines(this: &Terminal, rows: i32);

    /// Subscribes to changes of the first visible row.
    #[wasm_bindgen(method, js_name = onScroll)]
    pub fn on_scroll(this: &Terminal, listener: &Function) -> Disposable;

    /// Subscribes to movements of the cursor.
    #[wasm_bindgen(method, js_name = onCursorMove)]
    pub fn on_cursor_move(this: &Terminal, listener: &Function) -> Disposable;

    /// Subscribes to changes of the size of a cell or of the grid, in pixels.
    #[wasm_bindgen(method, js_name = onDimensionsChange)]
    pub fn on_dimensions_change(this: &Terminal, listener: &Function) -> Disposable;

    /// The element that has the keyboard focus; `None` before `open`.
    #[wasm_bindgen(method, getter)]
    pub fn textarea(this: &Terminal) -> Option<HtmlTextAreaElement>;

    /// The sizes of what is drawn; `None` before `open`.
    #[wasm_bindgen(method, getter)]
    pub fn dimensions(this: &Terminal) -> Option<RenderDimensions>;

    /// The buffers of the terminal.
    #[wasm_bindgen(method, getter)]
    pub fn buffer(this: &Terminal) -> Buffers;

    /// `IBufferNamespace`.
    pub type Buffers;

    /// The active buffer.
    #[wasm_bindgen(method, getter)]
    pub fn active(this: &Buffers) -> Buffer;

    /// `IBuffer`.
    pub type Buffer;

    /// `normal` or `alternate`.
    #[wasm_bindgen(method, getter, js_name = type)]
    pub fn kind(this: &Buffer) -> String;

    /// A row, counted from the first one of the scrollback.
    #[wasm_bindgen(method, js_name = getLine)]
    pub fn line(this: &Buffer, row: i32) -> Option<BufferLine>;

    /// `IBufferLine`.
    pub type BufferLine;

    /// True if it continues the row before.
    #[wasm_bindgen(method, getter, js_name = isWrapped)]
    pub fn is_wrapped(this: &BufferLine) -> bool;

    /// The text from one column to before another, or to the row's end.
    #[wasm_bindgen(method, js_name = translateToString)]
    pub fn text(this: &BufferLine, trim: bool, from: u32, to: Option<u32>) -> String;

    /// `IBufferRange`, with both ends included.
    #[derive(Clone, Debug)]
    pub type LinkRange;

    /// The first cell.
    #[wasm_bindgen(method, getter)]
    pub fn start(this: &LinkRange) -> CellPosition;

    /// The last cell.
    #[wasm_bindgen(method, getter)]
    pub fn end(this: &LinkRange) -> CellPosition;

    /// `IBufferCellPosition`, counted from 1.
    pub type CellPosition;

    /// The column.
    #[wasm_bindgen(method, getter)]
    pub fn x(this: &CellPosition) -> u32;

    /// The row, counted from the first one of the scrollback.
    #[wasm_bindgen(method, getter)]
    pub fn y(this: &CellPosition) -> i32;

    /// The first visible row, counted from the first one of the scrollback.
    #[wasm_bindgen(method, getter, js_name = viewportY)]
    pub fn viewport_y(this: &Buffer) -> i32;

    /// The first row of the screen when nothing is scrolled back.
    #[wasm_bindgen(method, getter, js_name = baseY)]
    pub fn base_y(this: &Buffer) -> i32;

    /// The cursor's column.
    #[wasm_bindgen(method, getter, js_name = cursorX)]
    pub fn cursor_x(this: &Buffer) -> u32;

    /// The cursor's row, counted from `base_y`.
    #[wasm_bindgen(method, getter, js_name = cursorY)]
    pub fn cursor_y(this: &Buffer) -> u32;

    /// The object behind the public interface.
    #[wasm_bindgen(method, getter, js_name = _core)]
    fn core(this: &Terminal) -> Core;

    type Core;

    #[wasm_bindgen(method, getter, js_name = _keyboardService)]
    fn keyboard(this: &Core) -> Keyboard;

    type Keyboard;

    #[wasm_bindgen(method, getter, js_name = useKitty)]
    fn uses_kitty(this: &Keyboard) -> bool;

    /// The modes that the program has set.
    #[wasm_bindgen(method, getter)]
    pub fn modes(this: &Terminal) -> Modes;

    /// The registry of parser hooks.
    #[wasm_bindgen(method, getter)]
    pub fn parser(this: &Terminal) -> Parser;

    /// `ITerminalOptions`, with the members that `xterm-js-rs` lacks.
    #[wasm_bindgen(extends = TerminalOptions)]
    pub type Options;

    /// Sets the font size, in CSS pixels and fractions of them.
    #[wasm_bindgen(method, setter, js_name = fontSize)]
    pub fn set_fractional_font_size(this: &Options, px: f64);

    /// Makes the terminal ignore the keyboard, or not.
    #[wasm_bindgen(method, setter, js_name = disableStdin)]
    pub fn set_disable_stdin(this: &Options, disabled: bool);

    /// Sets the minimum contrast ratio of text, 1 to 21.
    #[wasm_bindgen(method, setter, js_name = minimumContrastRatio)]
    pub fn set_minimum_contrast(this: &Options, ratio: f64);

    /// Sets the colours.
    #[wasm_bindgen(method, setter, js_name = theme)]
    pub fn set_colours(this: &Options, theme: &JsValue);

    /// `IModes`.
    pub type Modes;

    /// True if the cursor is visible (DECTCEM).
    #[wasm_bindgen(method, getter, js_name = showCursor)]
    pub fn show_cursor(this: &Modes) -> bool;

    /// True if arrow keys are sent in their other form (DECCKM).
    #[wasm_bindgen(method, getter, js_name = applicationCursorKeysMode)]
    pub fn application_cursor(this: &Modes) -> bool;

    /// `none` unless the program reads the mouse.
    #[wasm_bindgen(method, getter, js_name = mouseTrackingMode)]
    pub fn mouse_tracking_mode(this: &Modes) -> String;

    /// `IRenderDimensions`.
    pub type RenderDimensions;

    /// The dimensions in CSS pixels.
    #[wasm_bindgen(method, getter)]
    pub fn css(this: &RenderDimensions) -> CssDimensions;

    /// The `css` of `IRenderDimensions`.
    pub type CssDimensions;

    /// The size of a cell.
    #[wasm_bindgen(method, getter)]
    pub fn cell(this: &CssDimensions) -> Area;

    /// `IDimensions`.
    pub type Area;

    /// The width, in the unit of the containing object.
    #[wasm_bindgen(method, getter)]
    pub fn width(this: &Area) -> f64;

    /// The height, in the unit of the containing object.
    #[wasm_bindgen(method, getter)]
    pub fn height(this: &Area) -> f64;

    /// `IParser`. A handler that returns true has handled the sequence. Handlers that were
    /// registered later are called first.
    pub type Parser;

    /// Registers a handler that receives the parameters.
    #[wasm_bindgen(method, js_name = registerCsiHandler)]
    pub fn on_csi(this: &Parser, id: &Object, handler: &Function) -> Disposable;

    /// Registers a handler that receives the data and the parameters.
    #[wasm_bindgen(method, js_name = registerDcsHandler)]
    pub fn on_dcs(this: &Parser, id: &Object, handler: &Function) -> Disposable;

    /// Registers a handler that receives the text after the first semicolon.
    #[wasm_bindgen(method, js_name = registerOscHandler)]
    pub fn on_osc(this: &Parser, ident: u32, handler: &Function) -> Disposable;

    /// The fit add-on, whose proposal can be read.
    #[wasm_bindgen(extends = FitAddon, extends = TerminalAddon)]
    pub type Fit;

    /// The number of cells that fit into the element; `None` while the element is not laid out.
    #[wasm_bindgen(method, js_name = proposeDimensions)]
    pub fn propose(this: &Fit) -> Option<Cells>;

    /// `ITerminalDimensions`.
    pub type Cells;

    /// Columns.
    #[wasm_bindgen(method, getter)]
    pub fn cols(this: &Cells) -> f64;

    /// Rows.
    #[wasm_bindgen(method, getter)]
    pub fn rows(this: &Cells) -> f64;

    /// The WebGL add-on, with an event for the loss of its context.
    #[wasm_bindgen(extends = WebglAddon, extends = TerminalAddon)]
    pub type Webgl;

    /// Subscribes to the permanent loss of the graphics context.
    #[wasm_bindgen(method, js_name = onContextLoss)]
    pub fn on_context_loss(this: &Webgl, listener: &Function) -> Disposable;
}

#[wasm_bindgen(module = "xterm-limits")]
extern "C" {
    /// An add-on that bounds the cost of output, as the server's own terminal does. It is loaded
    /// after the terminal was opened.
    #[wasm_bindgen(extends = TerminalAddon)]
    pub type LimitsAddon;

    /// Creates the add-on with the three constants of [`limpet_shared::limits`] that limit output.
    #[wasm_bindgen(constructor)]
    fn new(cluster_chars: usize, link_uri_bytes: usize, link_id_bytes: usize) -> LimitsAddon;

    /// Queues bytes for the parser, and calls `parsed` when it has processed them. The browser can
    /// run other tasks meanwhile.
    #[wasm_bindgen(method)]
    pub fn write(this: &LimitsAddon, bytes: &Uint8Array, parsed: &Function);

    /// Sets the colours of an operating system command, and ignores its queries.
    #[wasm_bindgen(method, js_name = setColours)]
    pub fn set_colours(this: &LimitsAddon, ident: u32, data: &str);

    /// Resizes the grid after all output written so far has been parsed.
    #[wasm_bindgen(method)]
    pub fn resize(this: &LimitsAddon, cols: u16, rows: u16);
}

#[wasm_bindgen(module = "@xterm/addon-clipboard")]
extern "C" {
    /// An add-on that implements OSC 52.
    #[wasm_bindgen(extends = TerminalAddon)]
    pub type ClipboardAddon;

    /// Creates the add-on. `base64` may be undefined; `provider` is an `IClipboardProvider`.
    #[wasm_bindgen(constructor)]
    pub fn new(base64: &JsValue, provider: &Object) -> ClipboardAddon;
}

#[wasm_bindgen(module = "@xterm/addon-unicode-graphemes")]
extern "C" {
    /// An add-on that measures text by grapheme clusters, from the moment it is loaded.
    #[wasm_bindgen(extends = TerminalAddon)]
    pub type UnicodeGraphemesAddon;

    /// Creates the add-on, not yet loaded.
    #[wasm_bindgen(constructor)]
    pub fn new() -> UnicodeGraphemesAddon;
}

#[wasm_bindgen(module = "xterm-addon-web-links")]
extern "C" {
    /// An add-on that finds URLs in the text. The second argument of its constructor differs from
    /// what `xterm-js-rs` declares.
    #[wasm_bindgen(js_name = WebLinksAddon, extends = TerminalAddon)]
    pub type WebLinks;

    /// Creates the add-on. `activate` is called with the event and the URL; `options` is an
    /// `ILinkProviderOptions`.
    #[wasm_bindgen(constructor, js_class = "WebLinksAddon")]
    pub fn new(activate: &Function, options: &Object) -> WebLinks;
}

impl Terminal {
    /// Creates a terminal that is not yet in the page.
    #[must_use]
    pub fn create(options: &Options) -> Self {
        BaseTerminal::construct(Some(options)).unchecked_into()
    }

    /// Reports whether the program has requested kitty's keyboard protocol.
    #[must_use]
    pub fn has_kitty_keyboard(&self) -> bool {
        self.core().keyboard().uses_kitty()
    }
}

impl LimitsAddon {
    /// Creates the add-on, not yet loaded.
    #[must_use]
    pub fn create() -> Self {
        Self::new(limits::MAX_CLUSTER_CHARS, limits::MAX_LINK_URI_BYTES, limits::MAX_LINK_ID_BYTES)
    }
}

impl Options {
    /// Creates the options of all terminals. Options that are not named have xterm.js's defaults.
    #[must_use]
    pub fn create(link_handler: &Object) -> Self {
        // The server's own terminal also keeps titles and the state of the kitty keyboard protocol,
        // and includes them in snapshots.
        let reports = object(&[
            ("pushTitle", true.into()),
            ("popTitle", true.into()),
            ("getWinSizePixels", true.into()),
            ("getCellSizePixels", true.into()),
            ("getWinSizeChars", true.into()),
        ]);
        object(&[
            ("allowProposedApi", true.into()),
            ("cursorInactiveStyle", "outline".into()),
            ("linkHandler", link_handler.into()),
            ("macOptionClickForcesSelection", true.into()),
            ("rightClickSelectsWord", false.into()),
            ("showCursorImmediately", true.into()),
            ("vtExtensions", object(&[("kittyKeyboard", true.into())]).into()),
            ("windowOptions", reports.into()),
        ])
        .unchecked_into()
    }
}

impl Fit {
    /// Creates the add-on, not yet loaded.
    #[must_use]
    pub fn create() -> Self {
        FitAddon::new().unchecked_into()
    }
}

impl Webgl {
    /// Creates the add-on, not yet loaded.
    #[must_use]
    pub fn create() -> Self {
        WebglAddon::new(None).unchecked_into()
    }
}

/// Returns an `ITheme`.
#[must_use]
pub fn colours(theme: &Theme) -> JsValue {
    const NAMES: [&str; 16] = [
        "black",
        "red",
        "green",
        "yellow",
        "blue",
        "magenta",
        "cyan",
        "white",
        "brightBlack",
        "brightRed",
        "brightGreen",
        "brightYellow",
        "brightBlue",
        "brightMagenta",
        "brightCyan",
        "brightWhite",
    ];
    let text = |colour: limpet_shared::theme::Rgb| JsValue::from(colour.to_string());
    let colours = object(&[
        ("background", text(theme.background)),
        ("foreground", text(theme.foreground)),
        ("cursor", text(theme.cursor)),
        ("cursorAccent", text(theme.background)),
        ("selectionBackground", text(theme.selection)),
    ]);
    for (name, colour) in NAMES.into_iter().zip(theme.ansi) {
        set(&colours, name, &text(colour));
    }
    colours.into()
}

/// Returns an `IFunctionIdentifier`, which identifies a kind of sequence.
#[must_use]
pub fn sequence(prefix: &str, intermediates: &str, last: &str) -> Object {
    object(&[("prefix", prefix.into()), ("intermediates", intermediates.into()), ("final", last.into())])
}

/// Returns the parameters of a sequence, without those that have sub-parameters.
pub fn numbers(params: &Array) -> Vec<u32> {
    params.iter().filter_map(|param| param.as_f64()).map(whole).collect()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "float to integer casts saturate"
)]
fn whole(number: f64) -> u32 {
    number as u32
}

/// Returns a JavaScript object with these fields.
#[must_use]
pub fn object(fields: &[(&str, JsValue)]) -> Object {
    let object = Object::new();
    for (name, value) in fields {
        set(&object, name, value);
    }
    object
}

fn set(object: &Object, name: &str, value: &JsValue) {
    // It fails only for frozen objects.
    let _ = Reflect::set(object, &name.into(), value);
}
