//! limpet's page.

pub mod connection;
pub mod terminal;
