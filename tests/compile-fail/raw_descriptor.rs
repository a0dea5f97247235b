//! The descriptor as a number, which anybody could make a file of.

use std::os::fd::{AsRawFd, RawFd};

fn main() {}

fn number(pty: &limpet::pty::Pty) -> RawFd {
    pty.as_raw_fd()
}
