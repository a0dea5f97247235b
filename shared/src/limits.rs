//! Every cap of the protocol, and the consequence of exceeding it.

/// Maximum size of a text message in either direction. A longer one is a fatal `malformed-message`.
pub const MAX_TEXT_MESSAGE_BYTES: usize = 16 * 1024;

/// Maximum payload of a data frame from the server. From 16 KiB on, the cost per frame of the
/// socket is negligible; larger frames only delay the first byte.
pub const MAX_FRAME_PAYLOAD_BYTES: usize = 64 * 1024;

/// Maximum input of a viewer in flight: sent, but not yet acknowledged as written to the pty. One
/// byte more is a fatal `input-overflow`. A client with more to send (a paste) waits for
/// acknowledgements.
pub const MAX_INPUT_IN_FLIGHT_BYTES: usize = 1024 * 1024;

/// Maximum size of a WebSocket message from a client: all of a viewer's permitted input in one
/// frame.
pub const MAX_CLIENT_MESSAGE_BYTES: usize = MAX_INPUT_IN_FLIGHT_BYTES + crate::Header::LEN;

/// The window of a viewer that requests none.
pub const DEFAULT_WINDOW_BYTES: u64 = 256 * 1024;

/// Maximum window; a `hello` that requests more gets this.
pub const MAX_WINDOW_BYTES: u64 = 8 * 1024 * 1024;

/// Maximum offset (2⁵³ − 1). Common JSON parsers represent integers exactly up to here.
pub const MAX_OFFSET: u64 = (1 << 53) - 1;

/// Maximum number of columns, and of rows, of a terminal.
pub const MAX_SIDE_CELLS: u16 = 4096;

/// Maximum number of cells of a terminal, columns times rows. A larger size is refused as
/// `bad-size`. The limit allows 4096 columns of 128 rows and the reverse, and an 8K display with
/// small print.
pub const MAX_SCREEN_CELLS: usize = 1 << 19;

/// Maximum number of code points in a cell. The excess code points of a longer grapheme cluster
/// have no effect at all. Unicode's stream-safe text has 31 at most (UAX #15), and the longest
/// family emoji has 11.
pub const MAX_CLUSTER_CHARS: usize = 32;

/// Maximum length of a hyperlink's URI (`OSC 8`), in bytes of UTF-8. A longer one ends the current
/// hyperlink and does not start another.
pub const MAX_LINK_URI_BYTES: usize = 2083;

/// Maximum length of a hyperlink's `id`, in bytes of UTF-8. A longer one has the same effect as a
/// longer URI.
pub const MAX_LINK_ID_BYTES: usize = 250;

/// Returns the maximum number of repetitions of the glyph before the cursor for `REP`
/// (`CSI count b`), whatever `count` is.
///
/// Outside of insert mode this fills the screen and one row more, counted in code points, so that
/// the row where it began has scrolled away. In insert mode, where each glyph moves the rest of its
/// row, it fills one row.
#[must_use]
pub const fn max_repeat_count(columns: usize, rows: usize, glyph_chars: usize, insert_mode: bool) -> usize {
    let cells = if insert_mode { columns } else { columns * (rows + 1) };
    let count = cells / if glyph_chars == 0 { 1 } else { glyph_chars };
    if count == 0 { 1 } else { count }
}

/// Returns the number of repetitions for a `REP` that asks for `count`. It is at most
/// [`max_repeat_count`]. Outside of insert mode, a reduced count leaves the cursor in the same
/// column as `count` would.
#[must_use]
pub const fn repeat_count(
    count: usize,
    columns: usize,
    rows: usize,
    glyph_chars: usize,
    glyph_width: usize,
    insert_mode: bool,
) -> usize {
    let most = max_repeat_count(columns, rows, glyph_chars, insert_mode);
    let per_row = columns / if glyph_width > 1 { glyph_width } else { 1 };
    if count <= most {
        count
    } else if insert_mode || most < per_row {
        most
    } else {
        most - (most - count % per_row) % per_row
    }
}

/// Maximum length of a title, in characters. A longer one is truncated.
pub const MAX_TITLE_CHARS: usize = 256;

/// Maximum number of viewers in the list of a `viewers` message.
pub const MAX_LISTED_VIEWERS: usize = 32;

/// Maximum length of a viewer's `User-Agent`, in characters. A longer one is truncated.
pub const MAX_USER_AGENT_CHARS: usize = 256;

/// Maximum size of the body of an HTTP request.
pub const MAX_HTTP_BODY_BYTES: usize = 64 * 1024;

const _: () = assert!(
    MAX_FRAME_PAYLOAD_BYTES as u64 <= DEFAULT_WINDOW_BYTES,
    "a default window must hold a whole frame"
);
const _: () = assert!(DEFAULT_WINDOW_BYTES <= MAX_WINDOW_BYTES);
