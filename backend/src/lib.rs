//! limpet's server: any terminal program in a browser, and a grip on it.
//!
//! The modules, from the terminal outwards; each knows only those before it.
//!
//! * [`pty`]: the single-owner guard of a pty, and how programs are started on one.
//! * [`output_log`]: a program's output at absolute offsets, with any number of cursors.
//! * [`keeper`]: the process that preserves sessions when the server is killed or replaced.
//! * `session_files`: files on disk from which sessions are started again after a reboot.
//! * [`session`]: one program, its actor, and the registry of all sessions.
//! * [`attachment`]: one viewer of one session, over one WebSocket.
//! * [`config`], [`auth`], [`trust`]: the server's configuration, access control, and checks of who
//!   could have changed a file.
//! * [`web`]: HTTP, from the accepted connection to the page's files.
//! * [`runtimes`]: the runtimes that everything runs on; `background` runs blocking work.
//! * [`descriptor_budget`]: how many sessions and connections the available descriptors allow;
//!   `slots` tracks who uses them, `exhausted` describes what has run out, and `token_bucket`
//!   limits rates.
//! * [`shutdown`]: the end of the server, as its viewers learn of it.
//! * [`serve`]: the whole server; [`access_urls`], [`browser`] and [`logging`] speak to the person
//!   who started it.

pub mod access_urls;
pub mod attachment;
pub mod auth;
mod background;
pub mod browser;
pub mod config;
pub mod descriptor_budget;
mod exhausted;
pub mod keeper;
pub mod logging;
mod network;
pub mod output_log;
pub mod pty;
pub mod random;
pub mod runtimes;
pub mod serve;
pub mod session;
mod session_files;
pub mod shutdown;
mod slots;
mod token_bucket;
pub mod trust;
pub mod web;
