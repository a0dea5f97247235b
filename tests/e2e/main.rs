//! Whole-program tests: the real binary, real ptys, real programs, real sockets.
//!
//! * [`harness`]: starts a server, speaks to it as a client, cuts its connections or slows them down, counts what it holds.
//! * [`exhaustion`]: what is refused when open files, terminals, connections or a disk run out, and what lives on.
//! * [`faults`]: every call that acquires something fails once.
//! * [`guests`]: guests that try to slow others down.
//! * [`hostile`]: output that is meant to harm.
//! * [`http`]: who may ask, and for what.
//! * [`protocol`]: what is said over a socket, and what must not be.
//! * [`integrity`]: no byte lost or doubled, whatever happens to connections.
//! * [`closing`]: the end of a session and of the server, as viewers and background jobs see it.
//! * [`command_line`]: what limpet says to those who start it.
//! * [`container`]: all of it where there is next to nothing around it.
//! * [`login`]: whose environment, shell and directory programs get.
//! * [`ownership`]: whose files are believed, and which tokens.
//! * [`link`]: who is told the link.
//! * [`own_output`]: terminals that are cleared or reset, and what is above a restarted program.
//! * [`lifecycle`]: how programs start and end, and what they find.
//! * [`reboot`]: what is there again when nothing was left but a directory.
//! * [`crash_loop`]: output that no parser survives, and servers that hang.
//! * [`processes`]: what limpet is among processes: a parent of orphans, a keeper of secrets, with or without room for others.
//! * [`screen`]: what is shown to who comes back or is slow, and what programs are answered.
//! * [`secrets`]: what is a credential and what is not, who guesses, and who is signed in.
//! * [`sessions`]: what terminals show whose viewers come and go while the size changes, held against xterm.js.
//! * [`sharing`]: who of several has the pen, whose size counts, and what those may do who were invited.
//! * [`sizes`]: sizes and output in one order, for every viewer.
//! * [`store`]: what goes on when even the keeper is killed, with a service manager.
//! * [`survival`]: what goes on when the server is killed or replaced.
//! * [`upgrade`]: what is said and done when another server is to take over, and cannot.
//! * [`stalled`]: one of ten viewers takes nothing, in each of the ways there are.
//! * [`viewers`]: several of them, slow ones, and ones that are gone.
//! * [`torture`]: all of that at once, at length if asked for.
//! * [`churn`]: thousands of sessions, and nothing left of them.
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
#[expect(dead_code, reason = "streams are cut by another test")]
#[path = "../screen/stream.rs"]
mod stream;

mod churn;
mod closing;
mod command_line;
mod container;
mod crash_loop;
mod exhaustion;
mod faults;
mod guests;
mod harness;
mod hostile;
mod http;
mod integrity;
mod lifecycle;
mod link;
mod login;
mod own_output;
mod ownership;
mod processes;
mod protocol;
mod reboot;
mod screen;
mod secrets;
#[path = "../screen/sessions.rs"]
mod sessions;
mod sharing;
mod sizes;
mod stalled;
mod store;
mod survival;
mod torture;
mod upgrade;
mod viewers;
