//! `limpet.v1`: what a page, a native client and the server say to each other.
//!
//! One WebSocket is one *attachment* of one *viewer* to one *session*. The endpoint is
//! `GET {base}/api/sessions/{id}/attach` with `Sec-WebSocket-Protocol: limpet.v1`.
//!
//! * **Data is binary**: a nine-byte [`Header`] (kind and offset), then raw terminal bytes, see [`frame`].
//! * **Control is JSON text**: one object with a `type`, [`ClientMessage`] or [`ServerMessage`]. Unknown fields
//!   are ignored; an unknown `type` is answered by an `error` and otherwise ignored.
//!
//! The order of an attachment: the client says `hello`, the server says `welcome`, then both send data and control
//! freely. The server sends no more than the viewer's *window* beyond what the viewer has acknowledged as rendered.
//! Output and input are both addressed by absolute byte offsets, so that a new attachment continues exactly where
//! the old one broke off: output at `resume.output`, input at `welcome.input`. After the last byte of a session that
//! has ended comes `exit`, then the close.
//!
//! Neither side trusts the other: every size has a cap in [`limits`], and what breaks a rule is answered by an
//! `error` with a stable [`ErrorCode`]; a fatal one is followed by a close with a documented [`CloseCode`].
//!
//! The crate does no I/O and compiles for WebAssembly and for native targets. Its modules:
//!
//! * [`frame`]: binary messages; [`message`]: text messages; [`api`]: the HTTP side.
//! * [`identity`], [`offset`], [`winsize`], [`exit`]: the values these are made of.
//! * [`presence`]: who is at a session, what they may do, and whose wishes count.
//! * [`error`]: what can go wrong, by name; [`limits`]: every cap of the protocol.
//! * [`theme`]: the colours of a terminal.

pub mod api;
pub mod error;
pub mod exit;
pub mod frame;
pub mod identity;
pub mod limits;
pub mod message;
pub mod offset;
pub mod presence;
pub mod theme;
pub mod winsize;

pub use error::{CloseCode, ErrorCode};
pub use exit::ExitStatus;
pub use frame::{FrameError, Header, Kind};
pub use identity::{Epoch, SessionId, SignInKey, ViewerId};
pub use message::{ClientMessage, Follow, Hello, MessageError, Resume, ServerMessage, Welcome};
pub use offset::{InputOffset, OutputOffset};
pub use presence::{Flow, Presence, Role, Sizing};
pub use winsize::{Winsize, WinsizeError};

/// The WebSocket subprotocol, and with it the version of everything in this crate.
pub const SUBPROTOCOL: &str = "limpet.v1";
