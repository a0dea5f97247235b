//! Signal masks and dispositions, of this process and of those that it starts.
#![expect(unsafe_code, reason = "system calls without a safe wrapper; each block says why it holds")]

use std::{io, os::unix::process::CommandExt, process::Command};

use nix::{
    libc,
    sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction},
};

/// Makes `command` start with no signal blocked, whatever this process blocks.
pub fn unblock_signals(command: &mut Command) {
    // SAFETY: the closure makes one system call, as signal-safety(7) allows.
    unsafe { command.pre_exec(|| Ok(SigSet::empty().thread_set_mask()?)) };
}

/// Gives `SIGCHLD` its default disposition, whatever this process was started with.
///
/// # Errors
/// Returns the errors of sigaction(2).
pub fn default_child_signal() -> io::Result<()> {
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    // SAFETY: setting a default installs no handler.
    unsafe { sigaction(Signal::SIGCHLD, &default) }?;
    Ok(())
}

/// Gives every signal its default disposition, because an ignored signal would stay ignored across
/// exec (signal(7)).
pub(crate) fn restore_defaults() {
    // Calls the kernel directly, since the C library skips the two signals that it reserves for
    // itself. All zeros mean `SIG_DFL`, no flags, no restorer and an empty mask, in whatever order
    // the fields stand.
    let default = [0_u64; 8];
    let mask_bytes = 8_usize;
    for signal in 1..=libc::SIGRTMAX() {
        // SAFETY: the kernel reads one `struct sigaction`, which is smaller than the buffer, and
        // writes nothing. Setting a default installs no handler. The call fails for `SIGKILL`
        // and `SIGSTOP`, which nobody can have changed.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                &raw const default,
                std::ptr::null::<()>(),
                mask_bytes,
            )
        };
    }
}
