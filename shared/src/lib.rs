//! `limpet.v1`, the protocol between the server and its clients (the page and native programs).
//!
//! Each WebSocket is one *attachment* of one *viewer* to one *session*. The endpoint is
//! `GET {base}/api/sessions/{id}/attach` with `Sec-WebSocket-Protocol: limpet.v1`.
//!
//! * **Data is binary**: a nine-byte [`Header`] (kind and offset), then raw terminal bytes; see
//!   [`frame`].
//! * **Control is JSON text**: one object with a `type`, a [`ClientMessage`] or a
//!   [`ServerMessage`]. Unknown fields are ignored. An unknown `type` is answered by an `error` and
//!   otherwise ignored.
//!
//! An attachment begins with the client's `hello` and the server's `welcome`; then both sides send
//! data and control messages freely. The server sends at most the viewer's *window* beyond what the
//! viewer has acknowledged as rendered. Output and input are both addressed by absolute byte
//! offsets, so a new attachment continues exactly where the old one broke off: output at
//! `resume.output`, input at `welcome.input`. After the last byte of a session that has ended, the
//! server sends `exit` and closes.
//!
//! Neither side trusts the other. Every size has a cap in [`limits`]. A violation is answered by an
//! `error` with a stable [`ErrorCode`]; after a fatal one the server closes with a documented
//! [`CloseCode`].
//!
//! The crate does no I/O and compiles for WebAssembly and for native targets. Its modules:
//!
//! * [`frame`]: binary messages; [`message`]: text messages; [`api`]: the HTTP API.
//! * [`identity`], [`offset`], [`winsize`], [`exit`]: the values that messages are made of.
//! * [`viewers`]: the viewers of a session, their roles, and the rules for size and flow.
//! * [`error`]: error and close codes; [`limits`]: every cap of the protocol.
//! * [`theme`]: the colours of a terminal.

#![forbid(unsafe_code)]

pub mod api;
pub mod error;
pub mod exit;
pub mod frame;
pub mod identity;
pub mod limits;
pub mod message;
pub mod offset;
pub mod theme;
pub mod viewers;
pub mod winsize;

pub use error::{CloseCode, ErrorCode};
pub use exit::ExitStatus;
pub use frame::{FrameError, Header, Kind};
pub use identity::{Epoch, SessionId, SignInKey, ViewerId};
pub use message::{ClientMessage, Follow, Hello, MessageError, Resume, ServerMessage, Welcome};
pub use offset::{InputOffset, OutputOffset};
pub use viewers::{Flow, Role, Sizing, ViewerInfo};
pub use winsize::{Winsize, WinsizeError};

/// The WebSocket subprotocol. It carries the version of everything in this crate.
pub const SUBPROTOCOL: &str = "limpet.v1";
