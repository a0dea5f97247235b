//! Whole-program tests: the real binary, real ptys, real programs, real sockets.
//!
//! * [`harness`]: starts a server, talks to it as a client, cuts or slows its connections, and
//!   counts what it holds.
//! * [`exhaustion`]: refusals when open files, terminals, connections or disk space run out, and
//!   what keeps working.
//! * [`faults`]: every call that acquires a resource fails once.
//! * [`events`]: the feed of events about sessions.
//! * [`http`]: the HTTP API: access control, sessions, refusals.
//! * [`hostile`]: output that is meant to do harm.
//! * [`http`]: access control of the HTTP API and the page.
//! * [`protocol`]: valid and invalid messages on a socket.
//! * [`integrity`]: no byte lost or duplicated, whatever happens to connections.
//! * [`clients`]: the clients in `docs/clients`.
//! * [`closing`]: the end of a session and of the server, as viewers and background jobs see it.
//! * [`command_line`]: limpet's messages to the person who starts it.
//! * [`container`]: limpet in a container that has next to nothing.
//! * [`login`]: the environment, shell and directory that programs get.
//! * [`ownership`]: the owners of files and tokens that limpet accepts.
//! * [`link`]: who is shown the link.
//! * [`own_output`]: cleared or reset terminals, and the output kept above a restarted program.
//! * [`lifecycle`]: how programs start and end, and the environment that they find.
//! * [`reboot`]: sessions that are restored when only a state directory is left.
//! * [`crash_loop`]: output that no parser survives, and servers that hang.
//! * [`processes`]: limpet as a process: it reaps orphans, hides secrets, and copes with CPU and
//!   memory limits.
//! * [`screen`]: the screen shown to viewers that return or are slow, and the answers to programs'
//!   queries.
//! * [`secrets`]: credentials, guessing them, and signing in.
//! * [`sessions`]: terminals whose viewers come and go while the size changes, compared with
//!   xterm.js.
//! * [`sharing`]: the primary viewer, the viewer whose size applies, and the rights of guests.
//! * [`sizes`]: sizes and output in one order, for every viewer.
//! * [`store`]: what survives when even the keeper is killed, under a service manager.
//! * [`survival`]: what survives when the server is killed or replaced.
//! * [`upgrade`]: messages and behaviour when a new server cannot take over.
//! * [`stalled`]: one of ten viewers takes nothing, in each of the ways that are possible.
//! * [`viewers`]: several viewers, slow ones, and ones that have disconnected.
//! * [`torture`]: all of this at once, for longer on request.
//! * [`churn`]: thousands of sessions that leave nothing behind.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "in a test, a panic is how it fails, and its name says what it checks"
)]

#[expect(dead_code, reason = "recordings are cut by another test")]
#[path = "../screen/generate.rs"]
mod generate;
#[expect(dead_code, reason = "questions are asked by another test")]
#[path = "../screen/oracle.rs"]
mod oracle;
#[expect(dead_code, reason = "the program's `main` calls the function that the test calls")]
#[path = "../../docs/clients/run.rs"]
mod run_client;
#[expect(dead_code, reason = "streams are cut by another test")]
#[path = "../screen/stream.rs"]
mod stream;

mod access_url;
mod churn;
mod clients;
mod closing;
mod command_line;
mod container;
mod crash_loop;
mod credentials;
mod events;
mod exhaustion;
mod faults;
mod fd_store;
mod guests;
mod harness;
mod hostile;
mod http;
mod integrity;
mod lifecycle;
mod own_output;
mod ownership;
mod processes;
mod program_environment;
mod protocol;
mod reboot;
mod screen;
#[path = "../screen/sessions.rs"]
mod sessions;
mod sharing;
mod sizes;
mod stalled;
mod survival;
mod torture;
mod upgrade;
mod viewers;
