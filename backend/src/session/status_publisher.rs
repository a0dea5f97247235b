//! The publisher of a session's state, up to its end.

use limpet_shared::{ExitStatus, OutputOffset, ViewerId, Winsize};
use nix::libc::SIGKILL;

use super::{SessionHandle, Status, display::Display, input::Input};

/// Publishes a session's state, and its end even if the actor panics: the drop of its
/// [`Child`](limpet_keeper::Child) kills the program then.
#[derive(Debug)]
pub(super) struct StatusPublisher {
    pub(super) session: SessionHandle,
}

impl StatusPublisher {
    pub(super) fn publish_title(&self, title: &str) {
        self.session.publish_title(title);
    }

    /// Passes output to the screen, which answers its queries if no viewer's terminal does.
    pub(super) fn pass_to_screen(&self, (display, input): (&mut Display, &Input), output: &[u8]) {
        let is_answered_by_screen = self.record_answerer(input, display.taken_to());
        display.take(output, is_answered_by_screen);
    }

    /// Notes who answers queries in output from `end` on. Returns whether that is the screen.
    pub(super) fn record_answerer(&self, input: &Input, end: OutputOffset) -> bool {
        let is_screen = self.session.shared().status.borrow().answerer().is_none();
        input.record_answerer(is_screen, end);
        is_screen
    }

    pub(super) async fn publish_final_screen(&self, display: Display) {
        self.session.publish_final_screen(display.into_final().await);
    }

    pub(super) fn publish_size(&self, size: Winsize, by: Option<ViewerId>) {
        self.session.shared().status.send_if_modified(|status| {
            let before = (status.size, status.size_by);
            (status.size, status.size_by) = (size, by);
            before != (size, by)
        });
    }

    /// Changes the published state. `change` returns whether there is anything to publish.
    pub(super) fn update_status(&self, change: impl FnOnce(&mut Status) -> bool) -> bool {
        self.session.shared().status.send_if_modified(change)
    }

    /// Publishes how the program ended, and whether that was because an owner closed the session.
    pub(super) fn publish_exit(&self, exit: ExitStatus, closed: bool) {
        self.session
            .shared()
            .status
            .send_modify(|status| (status.exit, status.closed) = (Some(exit), closed));
        self.session.mark_unsaved();
    }
}

impl Drop for StatusPublisher {
    fn drop(&mut self) {
        if self.session.shared().status.borrow().exit.is_none() {
            self.publish_exit(ExitStatus::Signal(SIGKILL), false);
        }
    }
}
