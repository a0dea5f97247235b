//! The core of every client of limpet: when to connect, resume, acknowledge and send again.
//!
//! It does no I/O and reads no clock. A program around it reports [`Event`]s, each with the
//! [`Moment`] at which it happened, and carries out the [`Effect`]s that follow. Page, tests and
//! benchmark are such programs.
//!
//! | module | contents |
//! |---|---|
//! | [`machine`] | the decisions |
//! | [`event`], [`phase`] | events and effects, and the state that users see |
//! | [`viewer`] | the viewer that a connection is for, and its `hello` |
//! | [`inflow`] | the position in the output, and the acknowledgement of rendered output |
//! | [`outbox`] | the input that is not yet acknowledged; [`keys`] counts the keys in it |
//! | [`heartbeat`] | the detection of a server that no longer answers |
//! | [`backoff`] | the delay before the next attempt |
//! | [`json`] | the reader and writer of text messages |

pub mod backoff;
pub mod event;
pub mod heartbeat;
pub mod inflow;
pub mod json;
pub mod keys;
pub mod machine;
pub mod outbox;
pub mod phase;
pub mod viewer;

pub use event::{Effect, Event, Moment, Notice, Notification, Probe};
pub use inflow::{Inflow, Mark, Piece};
pub use json::{Json, SerdeJson};
pub use machine::Machine;
pub use outbox::Outbox;
pub use phase::{ConnectionProblem, GoneReason, Phase};
pub use viewer::Viewer;
