//! The publisher of a session's state: only the task that owns the session has it.

use limpet_shared::{ExitStatus, Hello, OutputOffset, ViewerId, Winsize, api::UpdateSession};
use nix::libc::SIGKILL;
use tokio::sync::watch;

use super::{
    AttachingViewer, Attachment, AttachmentId, SessionHandle, Status, display::Display, handle::now,
    input::Input,
};

/// Publishes a session's state, and its end even if the actor panics: the drop of its
/// [`Child`](limpet_keeper::Child) kills the program then.
#[derive(Debug)]
pub(super) struct StatusPublisher {
    pub(super) session: SessionHandle,
    status: watch::Sender<Status>,
}

impl StatusPublisher {
    /// Creates the publisher of this session, which reads what is sent by `status`.
    pub(super) fn new(session: SessionHandle, status: watch::Sender<Status>) -> Self {
        Self { session, status }
    }

    /// Returns the published state. The caller must not wait while it holds the result.
    pub(super) fn status(&self) -> watch::Ref<'_, Status> {
        self.status.borrow()
    }

    /// Adds a viewer to those attached. `resumes` says that it was attached before.
    pub(super) fn add_viewer(&self, hello: &Hello, visitor: AttachingViewer, resumes: bool) -> Attachment {
        let role = visitor.role;
        let mut id = AttachmentId::new(0);
        self.status.send_modify(|status| {
            id = status.viewers.enter(hello.viewer, visitor, (hello.size, resumes), now());
        });
        self.mark_changed();
        Attachment::new(self.session.clone(), id, hello.viewer, role)
    }

    /// Removes the viewers whose attachments were dropped. Returns whether there were any.
    pub(super) fn remove_departed(&self) -> bool {
        let departed = self.session.shared().departures.take();
        if departed.is_empty() {
            return false;
        }
        self.status.send_modify(|status| departed.into_iter().for_each(|id| status.viewers.leave(id)));
        self.mark_changed();
        true
    }

    pub(super) fn publish_title(&self, title: &str) {
        self.update_status(|status| status.set_program_title(title));
    }

    /// Publishes the title and the rules that an owner has set.
    pub(super) fn publish_update(&self, update: &UpdateSession) {
        self.update_status(|status| status.update(update));
    }

    /// Passes output to the screen, which answers its queries if no viewer's terminal does.
    pub(super) fn pass_to_screen(&self, (display, input): (&mut Display, &Input), output: &[u8]) {
        let is_answered_by_screen = self.record_answerer(input, display.taken_to());
        display.take(output, is_answered_by_screen);
    }

    /// Notes who answers queries in output from `end` on. Returns whether that is the screen.
    pub(super) fn record_answerer(&self, input: &Input, end: OutputOffset) -> bool {
        let is_screen = self.status().answerer().is_none();
        input.record_answerer(is_screen, end);
        is_screen
    }

    pub(super) fn publish_size(&self, size: Winsize, by: Option<ViewerId>) {
        self.update_status(|status| {
            let before = (status.size, status.size_by);
            (status.size, status.size_by) = (size, by);
            before != (size, by)
        });
    }

    /// Changes the published state. `change` returns whether there is anything to publish.
    pub(super) fn update_status(&self, change: impl FnOnce(&mut Status) -> bool) -> bool {
        let is_changed = self.status.send_if_modified(change);
        if is_changed {
            self.mark_changed();
        }
        is_changed
    }

    /// Publishes how the program ended, and whether that was because an owner closed the session.
    pub(super) fn publish_exit(&self, exit: ExitStatus, closed: bool) {
        self.status.send_modify(|status| (status.exit, status.closed) = (Some(exit), closed));
        self.mark_changed();
        self.session.mark_unsaved();
    }

    /// Has those who listen to all sessions told of what was published.
    fn mark_changed(&self) {
        let shared = self.session.shared();
        shared.feed.mark(&shared.id);
    }
}

impl Drop for StatusPublisher {
    fn drop(&mut self) {
        if self.status().exit.is_none() {
            self.publish_exit(ExitStatus::Signal(SIGKILL), false);
        }
    }
}
