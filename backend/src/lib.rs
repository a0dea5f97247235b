//! limpet's server: any terminal program in a browser.

pub mod attachment;
pub mod log;
pub mod pty;
pub mod random;
pub mod session;
