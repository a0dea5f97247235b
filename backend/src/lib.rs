//! limpet's server: any terminal program in a browser, and a grip on it.
//!
//! The modules, from the terminal outwards; each knows only those before it.
//!
//! * [`pty`]: the single-owner guard of a pty, and how programs are started on one.
//! * [`log`]: what a program has printed, at absolute offsets, with any number of cursors.
//! * [`keeper`]: what keeps sessions when the server is killed or replaced.
//! * `state`: what is on the disk of sessions, to start them again after a reboot.
//! * [`session`]: one program, its actor, and the registry of all of them.
//! * [`attachment`]: one viewer of one session, over one WebSocket.
//! * [`config`], [`auth`]: what the server was told, and who may use it; [`trust`]: whose files it believes.
//! * [`web`]: HTTP, from the accepted connection to the page's files.
//! * [`threads`]: what it all runs on; `background` is for what blocks.
//! * [`limits`]: how many of everything fit into the descriptors that there are; `places` is who has one, `exhausted` says what
//!   has run out, and `token_bucket` how much of something is allowed per second.
//! * [`shutdown`]: the end of a server, as its viewers learn of it.
//! * [`serve`]: all of it together; [`link`], [`browser`] and [`logging`] speak to who started it.

pub mod attachment;
pub mod auth;
mod background;
pub mod browser;
pub mod config;
mod exhausted;
pub mod keeper;
pub mod limits;
pub mod link;
pub mod log;
pub mod logging;
mod network;
mod places;
pub mod pty;
pub mod random;
pub mod screen;
pub mod serve;
pub mod session;
pub mod shutdown;
mod state;
pub mod threads;
mod token_bucket;
pub mod trust;
pub mod web;
