//! The connection of a pane to its session, kept alive across attachments.
//!
//! * [`machine`] makes the decisions, without a browser: [`event`]s go in, effects come out. It
//!   consists of [`backoff`], the delay before the next attempt; [`outbox`], the input that is not
//!   yet acknowledged, whose keys [`keys`] counts; [`inflow`], the position in the output; and
//!   [`heartbeat`], the heartbeat.
//! * [`socket`] carries the effects out with the browser's WebSocket, timers and fetch.

pub mod backoff;
pub mod event;
pub mod heartbeat;
pub mod inflow;
pub mod keys;
pub mod machine;
pub mod outbox;
pub mod socket;

pub use socket::{Connection, Observer, PendingSocket};

/// The state of a connection as shown to the user.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Phase {
    /// The first attachment is being made.
    Connecting,
    /// The viewer is attached.
    Live {
        /// Round-trip time of the last `ping`, in milliseconds.
        latency_ms: Option<u32>,
    },
    /// The viewer is attached, but the server sends nothing, not even acknowledgements of input.
    Stalled {
        /// Number of keys that are not acknowledged.
        keys: u32,
    },
    /// The connection broke and is retried automatically.
    Reconnecting {
        /// Time of the next attempt on the clock of `performance.now()`, in milliseconds.
        at_ms: f64,
        /// Number of attempts that have failed in a row.
        attempt: u32,
        /// Number of keys that are not acknowledged.
        keys: u32,
    },
    /// The program has ended, and all of its output has arrived.
    Ended,
    /// The connection broke, and a retry would not help.
    Gone(GoneReason),
}

/// A problem other than a network failure that keeps a page from its session. The connection is
/// retried nevertheless.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionProblem {
    /// limpet announced that it was stopped.
    Stopped,
    /// limpet answers requests and would open a WebSocket, but no WebSocket connects.
    NoWebSocket,
    /// limpet refuses the WebSocket, for this reason.
    Refused(String),
}

/// The reason why a connection is not retried.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum GoneReason {
    /// The session does not exist, or no longer exists.
    SessionNotFound,
    /// The sign-in is no longer valid; a new link is needed.
    Unauthorized,
    /// Page and server do not understand each other.
    Protocol,
    /// The same viewer attached from elsewhere.
    Replaced,
}
