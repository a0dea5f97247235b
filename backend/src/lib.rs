//! limpet's server: any terminal program in a browser, and a grip on it.
//!
//! The terminal, its output, its screen and the keeper are crates of their own, below this one:
//! `limpet-pty`, `limpet-output-log`, `limpet-screen` and `limpet-keeper`, all above `limpet-sys`.
//!
//! The modules, from the session outwards; each knows only those before it.
//!
//! * `session_files`: files on disk from which sessions are started again after a reboot.
//! * [`session`]: one program, its actor, and the registry of all sessions.
//! * [`attachment`]: one viewer of one session, over one WebSocket.
//! * [`config`], [`auth`]: the server's configuration and access control.
//! * [`web`]: HTTP, from the accepted connection to the page's files.
//! * [`runtimes`]: the runtimes that everything runs on.
//! * [`descriptor_budget`]: how many sessions and connections the available descriptors allow;
//!   `slots` tracks who uses them, and `token_bucket` limits rates.
//! * [`shutdown`]: the end of the server, as its viewers learn of it.
//! * [`serve`]: the whole server; [`access_urls`], [`browser`] and [`logging`] speak to the person
//!   who started it.

#![forbid(unsafe_code)]

pub mod access_urls;
pub mod attachment;
pub mod auth;
pub mod browser;
pub mod config;
pub mod descriptor_budget;
#[cfg(test)]
mod future_size;
pub mod logging;
mod network;
pub mod runtimes;
pub mod serve;
pub mod session;
mod session_files;
pub mod shutdown;
mod slots;
mod token_bucket;
pub mod web;
