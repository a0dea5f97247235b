//! limpet's page: tabs of terminals, in Leptos on WebAssembly.
//!
//! | module | contents |
//! |---|---|
//! | [`opening`] | the way from the link to the first terminal, before the page around it exists |
//! | [`app`] | the state that the whole page shares, and the methods that change it |
//! | [`tabs`], [`people`], [`settings`], [`themes`] | plain data, with native tests |
//! | [`commands`], [`copies`], [`link_check`] | plain data, with native tests |
//! | [`connection`] | one attachment after another, as `limpet-client` decides |
//! | [`terminal`] | the pane: xterm.js, attached to a session |
//! | [`ui`] | the components, which show the state |
//! | [`api`], [`urls`], `ahead` | the server: HTTP, URLs, requests that index.html has started |
//! | [`dom`], [`json`], [`storage`] | the browser: its APIs, its JSON parser, stored data |
//!
//! `docs/extending.md` says how to add a theme, a kind of tab, or a command.

#![expect(
    clippy::must_use_candidate,
    reason = "components are called by `view!`, which uses what they return"
)]

pub mod api;
pub mod app;
pub mod commands;
pub mod connection;
pub mod copies;
pub mod dom;
pub mod json;
pub mod link;
pub mod link_check;
pub mod opening;
pub mod people;
mod preconnect;
pub mod settings;
pub mod storage;
pub mod tabs;
pub mod terminal;
pub mod themes;
pub mod ui;
pub mod urls;
