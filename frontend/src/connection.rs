//! The connection of a pane to its session, kept alive across attachments.
//!
//! The state machine of `limpet-client` makes the decisions. [`socket`] carries them out with the
//! browser's WebSocket, timers and fetch.

pub mod socket;

pub use socket::{Connection, Observer, PendingSocket};
