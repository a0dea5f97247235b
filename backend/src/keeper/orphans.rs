//! Processes whose parents are gone, and which have become this one's children: it is process 1, or a subreaper (prctl(2)).

use nix::unistd::Pid;

use crate::pty::sys::{ended_child, reap_child};

/// Reaps all that have ended, except what `is_owned` by somebody who wants to know how. An owned process that has ended can stand
/// before others, which are found once it has been reaped; so this is to be called after that as well. Does not wait.
pub(super) fn reap(is_owned: impl Fn(Pid) -> bool) {
    loop {
        match ended_child() {
            Ok(Some(pid)) if !is_owned(pid) => {
                if let Err(error) = reap_child(pid) {
                    return tracing::warn!(%pid, %error, "could not reap a process");
                }
            }
            // An error says that there are no children.
            Ok(_) | Err(_) => return,
        }
    }
}
