//! The attachments that were dropped and that the session's task has yet to remove.

use std::{
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::AttachmentId;

/// The ids of dropped attachments. A drop cannot wait for room in the queue of requests. There are
/// never more ids here than there were attachments.
#[derive(Debug, Default)]
pub(super) struct Departures(Mutex<Vec<AttachmentId>>);

impl Departures {
    pub(super) fn add(&self, id: AttachmentId) {
        self.ids().push(id);
    }

    /// Takes all ids.
    pub(super) fn take(&self) -> Vec<AttachmentId> {
        mem::take(&mut *self.ids())
    }

    pub(super) fn count(&self) -> usize {
        self.ids().len()
    }

    fn ids(&self) -> MutexGuard<'_, Vec<AttachmentId>> {
        // No code under this lock panics half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
