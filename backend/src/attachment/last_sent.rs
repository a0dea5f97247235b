//! The state that a viewer knows, so that it is sent differences only, and lists of
//! viewers not too often.

use std::time::Duration;

use limpet_shared::{ServerMessage, Welcome, Winsize};
use tokio::time::Instant;

use crate::{
    session::{AttachmentId, Status},
    token_bucket::TokenBucket,
};

/// Cost of one `viewers` message, as a share of a second: at most four are sent per second.
const LIST_COST: Duration = Duration::from_millis(250);

/// Cost per viewer in the list, which counts if it is higher: all viewers of a session together are
/// sent at most a hundred such messages per second.
const LIST_COST_PER_VIEWER: Duration = Duration::from_millis(10);

/// Maximum cost at once: four messages among few viewers.
const MAX_LIST_BURST: Duration = Duration::from_secs(1);

/// Minimum time between a `viewers` message and one that tells the viewer that it has become
/// primary, or is not any more. Apart from that, the latter is sent at once.
const MIN_PRIMARY_INTERVAL: Duration = Duration::from_millis(50);

/// The session's state as far as one viewer knows it.
#[derive(Debug)]
pub(super) struct LastSent {
    title: String,
    /// Size of its terminal, as of the output that it has been sent.
    size: Winsize,
    /// Number of size changes up to that size.
    resizes: u64,
    /// Number of the viewer whose window gives the size in force.
    size_by: Option<u64>,
    /// Version of the list of viewers; `None` at first.
    list_version: Option<u64>,
    is_answerer: bool,
    /// Budget for `viewers` messages, in milliseconds.
    list_budget: TokenBucket,
    next_primary_at: Instant,
    /// Time at which a delayed list of viewers may be sent.
    list_due_at: Option<Instant>,
}

impl LastSent {
    pub(super) fn new(welcome: &Welcome, now: Instant) -> Self {
        Self {
            title: welcome.title.clone(),
            size: welcome.size,
            resizes: welcome.resizes,
            size_by: welcome.by,
            list_version: None,
            is_answerer: false,
            list_budget: TokenBucket::new(1000, millis(MAX_LIST_BURST), now),
            next_primary_at: now,
            list_due_at: None,
        }
    }

    /// Returns when a delayed message is due.
    pub(super) fn due_at(&self) -> Option<Instant> {
        self.list_due_at
    }

    /// Returns the messages that tell `you` what has changed in this state.
    pub(super) fn changes(&mut self, status: &Status, you: AttachmentId, now: Instant) -> Vec<ServerMessage> {
        let mut changes = Vec::new();
        // If the size changes too, the viewer is told when that change comes.
        let size_by = status.size_by();
        if size_by != self.size_by && status.size == self.size {
            changes.push(self.resize_message(self.size, self.resizes, size_by));
        }
        if status.title() != self.title {
            status.title().clone_into(&mut self.title);
            changes.push(ServerMessage::Title { title: self.title.clone() });
        }
        changes.extend(self.list_message(status, you, now));
        changes
    }

    /// Returns the number of size changes that the viewer has been told of.
    pub(super) fn resizes(&self) -> u64 {
        self.resizes
    }

    /// Returns the message that resizes the viewer's terminal now. `resizes` is the number of
    /// changes with this one.
    pub(super) fn resize_message(&mut self, size: Winsize, resizes: u64, by: Option<u64>) -> ServerMessage {
        (self.size, self.resizes, self.size_by) = (size, resizes, by);
        ServerMessage::Resize { size, by, resizes }
    }

    fn list_message(&mut self, status: &Status, you: AttachmentId, now: Instant) -> Option<ServerMessage> {
        let version = status.viewers_version();
        self.list_due_at = None;
        if self.list_version == Some(version) {
            return None;
        }
        let is_answerer = status.answerer() == Some(you);
        let at = match self.list_version {
            None => now,
            Some(_) if is_answerer != self.is_answerer => {
                self.next_primary_at.min(self.list_budget.ready_at().max(now))
            }
            Some(_) => self.list_budget.ready_at(),
        };
        if at > now {
            self.list_due_at = Some(at);
            return None;
        }
        self.list_version = Some(version);
        self.is_answerer = is_answerer;
        self.next_primary_at = now + MIN_PRIMARY_INTERVAL;
        let count = status.viewer_count();
        self.list_budget.spend(millis(LIST_COST.max(LIST_COST_PER_VIEWER * count)), now);
        Some(ServerMessage::Viewers { count, primary: is_answerer, list: status.viewer_list(you) })
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
