//! xterm.js, as this page uses it. The only file that names its modules.
//!
//! `xterm-js-rs` has the types; it describes xterm.js 4. What newer versions have, and what it gets wrong for them, is
//! declared here in the same manner, on types that extend its own. xterm.js's API is described in
//! `@xterm/xterm/typings/xterm.d.ts`.

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
    /// A terminal with what `xterm-js-rs` lacks.
    #[wasm_bindgen(extends = BaseTerminal)]
    pub type Terminal;

    /// The live options: setting one takes effect at once.
    #[wasm_bindgen(method, getter)]
    pub fn options(this: &Terminal) -> Options;

    /// Types text as if the user had.
    #[wasm_bindgen(method)]
    pub fn input(this: &Terminal, text: &str);

    /// Loads an add-on that may fail to, for want of WebGL say.
    #[wasm_bindgen(method, catch, js_name = loadAddon)]
    pub fn try_load_addon(this: &Terminal, addon: &TerminalAddon) -> Result<(), JsValue>;

    /// The program rang.
    #[wasm_bindgen(method, js_name = onBell)]
    pub fn on_bell(this: &Terminal, listener: &Function) -> Disposable;

    /// Scrolls so many rows down, or up if it is less than none.
    #[wasm_bindgen(method, js_name = scrollLines)]
    pub fn scroll_by(this: &Terminal, rows: i32);

    /// Another row is the first that can be seen.
    #[wasm_bindgen(method, js_name = onScroll)]
    pub fn on_viewport(this: &Terminal, listener: &Function) -> Disposable;

    /// The cursor is somewhere else.
    #[wasm_bindgen(method, js_name = onCursorMove)]
    pub fn on_cursor(this: &Terminal, listener: &Function) -> Disposable;

    /// A cell or the grid has another size in pixels.
    #[wasm_bindgen(method, js_name = onDimensionsChange)]
    pub fn on_dimensions_change(this: &Terminal, listener: &Function) -> Disposable;

    /// The element that has the keyboard; there is none before `open`.
    #[wasm_bindgen(method, getter)]
    pub fn textarea(this: &Terminal) -> Option<HtmlTextAreaElement>;

    /// Sizes of what is drawn; none before `open`.
    #[wasm_bindgen(method, getter)]
    pub fn dimensions(this: &Terminal) -> Option<RenderDimensions>;

    /// What has been printed.
    #[wasm_bindgen(method, getter)]
    pub fn buffer(this: &Terminal) -> Buffers;

    /// `IBufferNamespace`.
    pub type Buffers;

    /// The one in use.
    #[wasm_bindgen(method, getter)]
    pub fn active(this: &Buffers) -> Buffer;

    /// `IBuffer`.
    pub type Buffer;

    /// `normal` or `alternate`.
    #[wasm_bindgen(method, getter, js_name = type)]
    pub fn kind(this: &Buffer) -> String;

    /// A row among all, counted from the first one of the scrollback.
    #[wasm_bindgen(method, js_name = getLine)]
    pub fn line(this: &Buffer, row: i32) -> Option<BufferLine>;

    /// `IBufferLine`.
    pub type BufferLine;

    /// Whether it continues the row before.
    #[wasm_bindgen(method, getter, js_name = isWrapped)]
    pub fn is_wrapped(this: &BufferLine) -> bool;

    /// The text from one column to before another, or to the row's end.
    #[wasm_bindgen(method, js_name = translateToString)]
    pub fn text(this: &BufferLine, trim: bool, from: u32, to: Option<u32>) -> String;

    /// `IBufferRange`. Its ends are part of it.
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

    /// The row, among all.
    #[wasm_bindgen(method, getter)]
    pub fn y(this: &CellPosition) -> i32;

    /// The first row that can be seen, among all.
    #[wasm_bindgen(method, getter, js_name = viewportY)]
    pub fn viewport_y(this: &Buffer) -> i32;

    /// The first row that can be seen when nothing is scrolled back.
    #[wasm_bindgen(method, getter, js_name = baseY)]
    pub fn base_y(this: &Buffer) -> i32;

    /// The cursor's column.
    #[wasm_bindgen(method, getter, js_name = cursorX)]
    pub fn cursor_x(this: &Buffer) -> u32;

    /// The cursor's row, counted from `base_y`.
    #[wasm_bindgen(method, getter, js_name = cursorY)]
    pub fn cursor_y(this: &Buffer) -> u32;

    /// What is behind the public interface.
    #[wasm_bindgen(method, getter, js_name = _core)]
    fn core(this: &Terminal) -> Core;

    type Core;

    #[wasm_bindgen(method, getter, js_name = _keyboardService)]
    fn keyboard(this: &Core) -> Keyboard;

    type Keyboard;

    #[wasm_bindgen(method, getter, js_name = useKitty)]
    fn uses_kitty(this: &Keyboard) -> bool;

    /// Modes that the program has set.
    #[wasm_bindgen(method, getter)]
    pub fn modes(this: &Terminal) -> Modes;

    /// Hooks into the parser of escape sequences.
    #[wasm_bindgen(method, getter)]
    pub fn parser(this: &Terminal) -> Parser;

    /// `ITerminalOptions`, with what `xterm-js-rs` lacks.
    #[wasm_bindgen(extends = TerminalOptions)]
    pub type Options;

    /// In CSS pixels, and fractions of them.
    #[wasm_bindgen(method, setter, js_name = fontSize)]
    pub fn set_fractional_font_size(this: &Options, px: f64);

    /// Whether the terminal ignores the keyboard.
    #[wasm_bindgen(method, setter, js_name = disableStdin)]
    pub fn set_deaf(this: &Options, deaf: bool);

    /// The contrast that text has at least, 1 to 21.
    #[wasm_bindgen(method, setter, js_name = minimumContrastRatio)]
    pub fn set_minimum_contrast(this: &Options, ratio: f64);

    /// The colours.
    #[wasm_bindgen(method, setter, js_name = theme)]
    pub fn set_colours(this: &Options, theme: &JsValue);

    /// `IModes`.
    pub type Modes;

    /// Whether the cursor is to be seen (DECTCEM).
    #[wasm_bindgen(method, getter, js_name = showCursor)]
    pub fn show_cursor(this: &Modes) -> bool;

    /// Whether arrow keys are sent in the other form (DECCKM).
    #[wasm_bindgen(method, getter, js_name = applicationCursorKeysMode)]
    pub fn application_cursor(this: &Modes) -> bool;

    /// `none` unless the program reads the mouse.
    #[wasm_bindgen(method, getter, js_name = mouseTrackingMode)]
    pub fn mouse_tracking_mode(this: &Modes) -> String;

    /// `IRenderDimensions`.
    pub type RenderDimensions;

    /// In CSS pixels.
    #[wasm_bindgen(method, getter)]
    pub fn css(this: &RenderDimensions) -> CssDimensions;

    /// The `css` of `IRenderDimensions`.
    pub type CssDimensions;

    /// One cell.
    #[wasm_bindgen(method, getter)]
    pub fn cell(this: &CssDimensions) -> Area;

    /// `IDimensions`.
    pub type Area;

    /// In the unit of what it is part of.
    #[wasm_bindgen(method, getter)]
    pub fn width(this: &Area) -> f64;

    /// In the unit of what it is part of.
    #[wasm_bindgen(method, getter)]
    pub fn height(this: &Area) -> f64;

    /// `IParser`. A handler that returns true has dealt with the sequence; those registered later are asked first.
    pub type Parser;

    /// `handler` gets the parameters.
    #[wasm_bindgen(method, js_name = registerCsiHandler)]
    pub fn on_csi(this: &Parser, id: &Object, handler: &Function) -> Disposable;

    /// `handler` gets the data and the parameters.
    #[wasm_bindgen(method, js_name = registerDcsHandler)]
    pub fn on_dcs(this: &Parser, id: &Object, handler: &Function) -> Disposable;

    /// `handler` gets what follows the first semicolon.
    #[wasm_bindgen(method, js_name = registerOscHandler)]
    pub fn on_osc(this: &Parser, ident: u32, handler: &Function) -> Disposable;

    /// The fit add-on, whose proposal can be read.
    #[wasm_bindgen(extends = FitAddon, extends = TerminalAddon)]
    pub type Fit;

    /// How many cells fit into the element; none while it is not laid out.
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

    /// The WebGL add-on, which tells when it cannot go on.
    #[wasm_bindgen(extends = WebglAddon, extends = TerminalAddon)]
    pub type Webgl;

    /// The graphics context is gone for good.
    #[wasm_bindgen(method, js_name = onContextLoss)]
    pub fn on_context_loss(this: &Webgl, listener: &Function) -> Disposable;
}

#[wasm_bindgen(module = "xterm-limits")]
extern "C" {
    /// Bounds what output can cost, as the server's own terminal does. It is loaded after the terminal was opened.
    #[wasm_bindgen(extends = TerminalAddon)]
    pub type LimitsAddon;

    /// The three constants of [`limpet_shared::limits`] by which output is cut.
    #[wasm_bindgen(constructor)]
    fn new(cluster_chars: usize, link_uri_bytes: usize, link_id_bytes: usize) -> LimitsAddon;

    /// Queues bytes for the parser, which calls back when it has processed them. The browser is given its turns meanwhile.
    #[wasm_bindgen(method)]
    pub fn write(this: &LimitsAddon, bytes: &Uint8Array, parsed: &Function);

    /// Sets what an operating system command says of colours, and leaves out what it asks.
    #[wasm_bindgen(method, js_name = setColours)]
    pub fn set_colours(this: &LimitsAddon, ident: u32, data: &str);

    /// Resizes the grid once what was written so far has been parsed.
    #[wasm_bindgen(method)]
    pub fn resize(this: &LimitsAddon, cols: u16, rows: u16);
}

#[wasm_bindgen(module = "@xterm/addon-clipboard")]
extern "C" {
    /// Carries OSC 52 out.
    #[wasm_bindgen(extends = TerminalAddon)]
    pub type ClipboardAddon;

    /// `base64` may be undefined; `provider` is an `IClipboardProvider`.
    #[wasm_bindgen(constructor)]
    pub fn new(base64: &JsValue, provider: &Object) -> ClipboardAddon;
}

#[wasm_bindgen(module = "@xterm/addon-unicode-graphemes")]
extern "C" {
    /// Measures text by grapheme clusters; loading it makes it the active way.
    #[wasm_bindgen(extends = TerminalAddon)]
    pub type UnicodeGraphemesAddon;

    /// Not yet loaded.
    #[wasm_bindgen(constructor)]
    pub fn new() -> UnicodeGraphemesAddon;
}

#[wasm_bindgen(module = "xterm-addon-web-links")]
extern "C" {
    /// Finds URLs in the text; its constructor's second argument is no longer what `xterm-js-rs` takes it for.
    #[wasm_bindgen(js_name = WebLinksAddon, extends = TerminalAddon)]
    pub type WebLinks;

    /// `activate` is called with the event and the URL; `options` is an `ILinkProviderOptions`.
    #[wasm_bindgen(constructor, js_class = "WebLinksAddon")]
    pub fn new(activate: &Function, options: &Object) -> WebLinks;
}

impl Terminal {
    /// A terminal that is not yet in the page.
    #[must_use]
    pub fn create(options: &Options) -> Self {
        BaseTerminal::construct(Some(options)).unchecked_into()
    }

    /// Whether the program has asked for kitty's keyboard protocol.
    #[must_use]
    pub fn has_kitty_keyboard(&self) -> bool {
        self.core().keyboard().uses_kitty()
    }
}

impl LimitsAddon {
    /// The add-on, not yet loaded.
    #[must_use]
    pub fn create() -> Self {
        Self::new(limits::MAX_CLUSTER_CHARS, limits::MAX_LINK_URI_BYTES, limits::MAX_LINK_ID_BYTES)
    }
}

impl Options {
    /// The options of every terminal here; what is not named has xterm.js's default.
    #[must_use]
    pub fn create(link_handler: &Object) -> Self {
        // The server's own terminal keeps titles and the kitty keyboard's state as well, and hands them over in snapshots.
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
    /// The add-on, not yet loaded.
    #[must_use]
    pub fn create() -> Self {
        FitAddon::new().unchecked_into()
    }
}

impl Webgl {
    /// The add-on, not yet loaded.
    #[must_use]
    pub fn create() -> Self {
        WebglAddon::new(None).unchecked_into()
    }
}

/// An `ITheme`.
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

/// An `IFunctionIdentifier`: what tells one kind of sequence from another.
#[must_use]
pub fn sequence(prefix: &str, intermediates: &str, last: &str) -> Object {
    object(&[("prefix", prefix.into()), ("intermediates", intermediates.into()), ("final", last.into())])
}

/// The parameters of a sequence, those with sub-parameters left out.
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

/// An object literal.
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
