//! Reaps orphans: processes whose parents are gone and which have become children of this process,
//! because it is process 1 or a subreaper (prctl(2)).

use limpet_sys::process::{ended_child, reap_child};
use nix::unistd::Pid;

/// Reaps all ended children except those that are owned by somebody who needs their exit status
/// (`is_owned`). An owned child that has ended can hide others behind it until its owner has reaped
/// it, so this must be called again after that. Does not block.
pub(super) fn reap(is_owned: impl Fn(Pid) -> bool) {
    loop {
        match ended_child() {
            Ok(Some(pid)) if !is_owned(pid) => {
                if let Err(error) = reap_child(pid) {
                    return tracing::warn!(%pid, %error, "could not reap a process");
                }
            }
            // The call fails if there are no children.
            Ok(_) | Err(_) => return,
        }
    }
}
