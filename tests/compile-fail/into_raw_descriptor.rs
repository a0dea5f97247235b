//! Takes the descriptor as a number, with nobody left to close it.

use std::os::fd::{IntoRawFd, RawFd};

fn main() {}

fn number(pty: limpet_pty::Pty) -> RawFd {
    pty.into_raw_fd()
}
