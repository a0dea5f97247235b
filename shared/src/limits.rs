//! Every cap of the protocol, in bytes unless said otherwise, and what happens there.

/// Largest text message either side sends. A longer one is `malformed-message`, fatal.
pub const TEXT_MESSAGE: usize = 16 * 1024;

/// Largest payload of a data frame that the server sends. Frames of 16 KiB and more make the socket's own cost
/// disappear; larger ones only delay the first byte.
pub const OUTPUT_FRAME: usize = 64 * 1024;

/// Input that a viewer may have on its way: sent, and not yet acknowledged as written to the pty. One more byte is
/// `input-overflow`, fatal. A client with more to send (a paste) waits for acknowledgements.
pub const INPUT_IN_FLIGHT: usize = 1024 * 1024;

/// Largest WebSocket message that the server accepts: all of a viewer's permitted input in one frame.
pub const CLIENT_MESSAGE: usize = INPUT_IN_FLIGHT + crate::Header::LEN;

/// The window of a viewer that names none.
pub const DEFAULT_WINDOW: u64 = 256 * 1024;

/// The largest window; a `hello` that asks for more gets this.
pub const MAX_WINDOW: u64 = 8 * 1024 * 1024;

/// The largest offset: integers up to here are exact in JSON's most common readers (2⁵³ − 1).
pub const MAX_OFFSET: u64 = (1 << 53) - 1;

/// Most columns, and most rows, of a terminal.
pub const MAX_CELLS: u16 = 4096;

/// Most cells of a terminal: columns times rows. A larger size is refused as `bad-size`, or `malformed-message` from a viewer.
/// It holds 4096 columns of 128 rows as well as the reverse, and all of an 8K display in small print.
pub const MAX_SCREEN_CELLS: usize = 1 << 19;

/// Code points that a cell holds. Of a longer grapheme cluster the first ones are kept; the others have no effect at all.
/// Unicode's stream-safe text has 31 at most (UAX #15), the longest emoji of a family 11.
pub const MAX_CLUSTER_CHARS: usize = 32;

/// Longest URI of a hyperlink (`OSC 8`), in bytes of UTF-8. A longer one ends the hyperlink at hand, and is none itself.
pub const MAX_LINK_URI_BYTES: usize = 2083;

/// Longest `id` of a hyperlink, in bytes of UTF-8. What happens is the same.
pub const MAX_LINK_ID_BYTES: usize = 250;

/// How often the glyph before the cursor is printed again at most, whatever `REP` (`CSI count b`) asks for.
///
/// That is until as many code points have been printed as the screen has cells, and one row more, so that the row where it began has
/// scrolled away. Where each glyph moves the rest of its row (insert mode), it is as often as the row has cells.
#[must_use]
pub const fn max_repeat_count(columns: usize, rows: usize, glyph_chars: usize, insert_mode: bool) -> usize {
    let cells = if insert_mode { columns } else { columns * (rows + 1) };
    let count = cells / if glyph_chars == 0 { 1 } else { glyph_chars };
    if count == 0 { 1 } else { count }
}

/// How often the glyph before the cursor is printed again where `REP` asks for `count`: no more than [`max_repeat_count`], and outside of
/// insert mode so often that the cursor comes to the same column.
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

/// Longest title, in characters; what is longer is cut.
pub const TITLE: usize = 256;

/// Most viewers that a `viewers` message names.
pub const PRESENCES: usize = 32;

/// Longest name that a viewer's program gives itself, in characters; what is longer is cut.
pub const AGENT: usize = 256;

/// Largest body of an HTTP request.
pub const HTTP_BODY: usize = 64 * 1024;

const _: () = assert!(OUTPUT_FRAME as u64 <= DEFAULT_WINDOW, "a default window must hold a whole frame");
const _: () = assert!(DEFAULT_WINDOW <= MAX_WINDOW);
