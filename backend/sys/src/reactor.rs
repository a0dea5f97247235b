//! Descriptors that a runtime watches.
#![expect(unsafe_code, reason = "the runtime has to rely on a descriptor that stays the same")]

use std::{io, os::fd::OwnedFd};

use tokio::io::{
    Interest,
    unix::{AsyncFd, AsyncFdRegisterError},
};

/// Registers a descriptor with the current runtime. Must be called within a runtime.
///
/// # Errors
/// Returns the errors of the runtime's reactor.
pub fn watch(fd: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    try_watch(fd, interest).map_err(|(_, error)| error)
}

/// Like [`watch`], but returns the descriptor if it cannot be registered.
///
/// # Errors
/// Returns the errors of the runtime's reactor, each with the descriptor.
pub fn try_watch(fd: OwnedFd, interest: Interest) -> Result<AsyncFd<OwnedFd>, (OwnedFd, io::Error)> {
    // SAFETY: an `OwnedFd` is open and the same for as long as it lives, and from here on it lives
    // in the `AsyncFd`.
    unsafe { AsyncFd::register_with_interest(fd, interest) }.map_err(AsyncFdRegisterError::into_parts)
}
