//! Reads the descriptor as a number, from which anybody could make a file.

use std::os::fd::{AsRawFd, RawFd};

fn main() {}

fn number(pty: &limpet_pty::Pty) -> RawFd {
    pty.as_raw_fd()
}
