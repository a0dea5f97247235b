//! limpet's page: tabs of terminals, in Leptos on WebAssembly.
//!
//! | module | contents |
//! |---|---|
//! | [`startup`] | the way from the link to the first terminal, before the page around it exists |
//! | [`app`] | the state that the whole page shares, and the methods that change it |
//! | [`tabs`], [`viewers`], [`settings`], [`themes`] | plain data, with native tests |
//! | [`commands`], [`clipboard_requests`], [`link_check`] | plain data, with native tests |
//! | [`connection`] | one attachment after another: resume, acknowledge, reconnect |
//! | [`terminal`] | the pane: xterm.js, attached to a session |
//! | [`ui`] | the components, which show the state |
//! | [`api`], [`urls`], `preconnect` | the server: HTTP, URLs, requests that index.html started |
//! | [`dom`], [`json`], [`storage`] | the browser: its APIs, its JSON parser, stored data |
//!
//! `docs/extending.md` says how to add a theme, a kind of tab, or a command.

#![expect(clippy::must_use_candidate, reason = "`view!` calls the components and uses their return values")]

pub mod access_url;
pub mod api;
pub mod app;
pub mod clipboard_requests;
pub mod commands;
pub mod connection;
pub mod dom;
pub mod json;
pub mod link_check;
mod preconnect;
pub mod settings;
pub mod startup;
pub mod storage;
pub mod tabs;
pub mod terminal;
pub mod themes;
pub mod ui;
pub mod urls;
pub mod viewers;
