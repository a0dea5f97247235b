//! The publisher of a session's state, up to its end.

use limpet_shared::{ExitStatus, OutputOffset, ViewerId, Winsize};
use nix::libc::SIGKILL;

use super::{SessionHandle, Status, display::Display, input::Input};

/// Publishes a session's state, and its end even if the actor panics: the drop of its
/// [`Child`](crate::keeper::Child) kills the program then.
#[derive(Debug)]
pub(super) struct StatusPublisher(pub(super) SessionHandle);

impl StatusPublisher {
    pub(super) fn publish_title(&self, title: &str) {
        self.0.publish_title(title);
    }

    /// Passes output to the screen, which answers its queries if no viewer's terminal does.
    pub(super) fn show(&self, (display, input): (&mut Display, &Input), output: &[u8]) {
        let answered_here = self.record_answerer(input, display.taken());
        display.take(output, answered_here);
    }

    /// Notes who answers queries in output from `end` on. Returns whether that is the screen.
    pub(super) fn record_answerer(&self, input: &Input, end: OutputOffset) -> bool {
        let is_screen = self.0.shared().status.borrow().pen().is_none();
        input.record_answerer(is_screen, end);
        is_screen
    }

    pub(super) async fn publish_last(&self, display: Display) {
        self.0.set_last(display.into_last().await);
    }

    pub(super) fn publish_size(&self, size: Winsize, by: Option<ViewerId>) {
        self.0.shared().status.send_if_modified(|status| {
            let before = (status.size, status.size_by);
            (status.size, status.size_by) = (size, by);
            before != (size, by)
        });
    }

    /// Changes the published state. `change` returns whether there is anything to publish.
    pub(super) fn change(&self, change: impl FnOnce(&mut Status) -> bool) -> bool {
        self.0.shared().status.send_if_modified(change)
    }

    /// Publishes how the program ended, and whether that was because an owner closed the session.
    pub(super) fn publish_exit(&self, exit: ExitStatus, closed: bool) {
        self.0.shared().status.send_modify(|status| (status.exit, status.closed) = (Some(exit), closed));
        self.0.touch();
    }
}

impl Drop for StatusPublisher {
    fn drop(&mut self) {
        if self.0.shared().status.borrow().exit.is_none() {
            self.publish_exit(ExitStatus::Signal(SIGKILL), false);
        }
    }
}
