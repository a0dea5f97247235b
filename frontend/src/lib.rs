//! limpet's page: tabs of terminals, in Leptos on WASM.
//!
//! | module | what is in it |
//! |---|---|
//! | [`opening`] | from the link to the first terminal, before there is a page around it |
//! | [`app`] | what the whole page shares, and everything that can happen to it |
//! | [`tabs`], [`people`], [`settings`], [`themes`], [`commands`], [`copies`], [`link_check`] | what the page knows, as plain data, tested natively |
//! | [`connection`] | one attachment after another: resume, acknowledge, reconnect |
//! | [`terminal`] | the pane: xterm.js, attached to a session |
//! | [`ui`] | the components; they show what the others know |
//! | `ahead`, [`api`], [`base`], [`dom`], [`json`], [`storage`] | the edges: what index.html has begun, HTTP, addresses, the browser's own things, what it remembers |
//!
//! `docs/extending.md` says how to add a theme, a kind of tab, a command.

#![expect(
    clippy::must_use_candidate,
    reason = "components are called by `view!`, which uses what they return"
)]

mod ahead;
pub mod api;
pub mod app;
pub mod base;
pub mod commands;
pub mod connection;
pub mod copies;
pub mod dom;
pub mod json;
pub mod link;
pub mod link_check;
pub mod opening;
pub mod people;
pub mod settings;
pub mod storage;
pub mod tabs;
pub mod terminal;
pub mod themes;
pub mod ui;
