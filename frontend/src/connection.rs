//! One attachment after another: the WebSocket of a pane, kept alive.
//!
//! * [`machine`] decides, without a browser: [`event`]s go in, effects come out. Its parts: [`backoff`] says when to
//!   try again, [`outbox`] keeps input until it is written, of which [`keys`] counts the keys, [`inflow`] knows the place in the output, [`pulse`] tells
//!   whether anybody is there.
//! * [`socket`] does what it decides, with the browser's WebSocket, timers and fetch.

pub mod backoff;
pub mod event;
pub mod inflow;
pub mod keys;
pub mod machine;
pub mod outbox;
pub mod pulse;
pub mod socket;

pub use socket::{Connection, Line, Observer};

/// What a person is told about a connection.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Phase {
    /// The first attachment is being made.
    Connecting,
    /// Attached.
    Live {
        /// How long the last `ping` took to come back, in milliseconds.
        latency_ms: Option<u32>,
    },
    /// Attached, but nothing comes back, not even an acknowledgement of what was typed.
    Stalled {
        /// How many keys wait for that.
        keys: u32,
    },
    /// The connection broke and is tried again by itself.
    Reconnecting {
        /// When, on the clock of `performance.now()`, in milliseconds.
        at_ms: f64,
        /// How many tries have failed in a row.
        attempt: u32,
        /// How many keys wait for it.
        keys: u32,
    },
    /// The program has ended, and all of its output is here.
    Ended,
    /// The connection broke, and trying again will not help.
    Gone(GoneReason),
}

/// What stands between a page and its session, beside a network that is down. The connection is tried again all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// limpet said that it was stopped.
    Stopped,
    /// limpet answers requests and would open a WebSocket, but none gets through.
    NoWebSocket,
    /// limpet refuses a WebSocket, for this reason.
    Refused(String),
}

/// Why a connection is not tried again.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum GoneReason {
    /// No such session (any more).
    SessionNotFound,
    /// The login has passed; a new link is needed.
    Unauthorized,
    /// Page and server do not understand each other.
    Protocol,
    /// The same viewer attached elsewhere.
    Replaced,
}
