//! Whole-program tests: the real binary, real ptys, real programs, real sockets.
//!
//! * [`harness`]: starts a server, speaks to it as a client, cuts its connections or slows them down, counts what it holds.
//! * [`hostile`]: output that is meant to harm.
//! * [`http`]: who may ask, and for what.
//! * [`protocol`]: what is said over a socket, and what must not be.
//! * [`integrity`]: no byte lost or doubled, whatever happens to connections.
//! * [`lifecycle`]: how programs start and end, and what they find.
//! * [`reboot`]: what is there again when nothing was left but a directory.
//! * [`screen`]: what is shown to who comes back or is slow, and what programs are answered.
//! * [`sharing`]: who of several has the pen, whose size counts, and what those may do who were invited.
//! * [`store`]: what goes on when even the keeper is killed, with a service manager.
//! * [`survival`]: what goes on when the server is killed or replaced.
//! * [`upgrade`]: what is said and done when another server is to take over, and cannot.
//! * [`stalled`]: one of ten viewers takes nothing, in each of the ways there are.
//! * [`viewers`]: several of them, slow ones, and ones that are gone.
//! * [`torture`]: all of that at once, at length if asked for.
//! * [`churn`]: thousands of sessions, and nothing left of them.
#![expect(
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "in a test, a panic is how it fails, and its name says what it checks"
)]

mod churn;
mod harness;
mod hostile;
mod http;
mod integrity;
mod lifecycle;
mod protocol;
mod reboot;
mod screen;
mod sharing;
mod stalled;
mod store;
mod survival;
mod torture;
mod upgrade;
mod viewers;
