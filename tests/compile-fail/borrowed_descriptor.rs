//! Borrows the descriptor, which could then be duplicated.

use std::os::fd::{AsFd, BorrowedFd};

fn main() {}

fn borrowed(pty: &limpet_pty::Pty) -> BorrowedFd<'_> {
    pty.as_fd()
}
