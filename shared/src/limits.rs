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
