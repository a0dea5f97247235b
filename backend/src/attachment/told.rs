//! The state that a viewer knows, so that it is told differences only, and of other viewers not too often.

use std::time::Duration;

use limpet_shared::{ServerMessage, Welcome, Winsize};
use tokio::time::Instant;

use crate::{
    session::{AttachmentId, Status},
    token_bucket::TokenBucket,
};

/// The share of a second that one `viewers` message takes up: so there are four a second …
const LIST: Duration = Duration::from_millis(250);

/// … or, among many viewers, the share for each of them: so all of them together are sent a hundred a second.
const LIST_PER_VIEWER: Duration = Duration::from_millis(10);

/// The share that may be taken up at once: four messages among few viewers.
const LISTS_AT_ONCE: Duration = Duration::from_secs(1);

/// That this viewer has the pen, or has it no longer, is told at once, but not more often than this.
const PEN_INTERVAL: Duration = Duration::from_millis(50);

/// The state of the session as far as one viewer knows it.
#[derive(Debug)]
pub(super) struct Told {
    title: String,
    /// The size of its terminal, as of the output that it has been sent.
    size: Winsize,
    /// How many size changes there had been by then.
    resizes: u64,
    /// Whose own size is in force.
    size_by: Option<u64>,
    /// Which version of who is there; at first none.
    viewers: Option<u64>,
    pen: bool,
    /// In milliseconds.
    lists: TokenBucket,
    pen_at: Instant,
    /// When news of who is there may be told.
    due: Option<Instant>,
}

impl Told {
    pub(super) fn new(welcome: &Welcome, now: Instant) -> Self {
        Self {
            title: welcome.title.clone(),
            size: welcome.size,
            resizes: welcome.resizes,
            size_by: welcome.by,
            viewers: None,
            pen: false,
            lists: TokenBucket::new(1000, millis(LISTS_AT_ONCE), now),
            pen_at: now,
            due: None,
        }
    }

    /// When there is something to be told that had to wait.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// What `you` are to be told of this state now.
    pub(super) fn news(&mut self, status: &Status, you: AttachmentId, now: Instant) -> Vec<ServerMessage> {
        let mut news = Vec::new();
        // With another size this is told when that comes.
        let size_by = status.size_by();
        if size_by != self.size_by && status.size == self.size {
            news.push(self.resized(self.size, self.resizes, size_by));
        }
        if status.title() != self.title {
            status.title().clone_into(&mut self.title);
            news.push(ServerMessage::Title { title: self.title.clone() });
        }
        news.extend(self.viewers(status, you, now));
        news
    }

    /// How many size changes it has been told of.
    pub(super) fn resizes(&self) -> u64 {
        self.resizes
    }

    /// Its terminal is to take on a size now, after so many changes.
    pub(super) fn resized(&mut self, size: Winsize, resizes: u64, by: Option<u64>) -> ServerMessage {
        (self.size, self.resizes, self.size_by) = (size, resizes, by);
        ServerMessage::Resize { size, by, resizes }
    }

    fn viewers(&mut self, status: &Status, you: AttachmentId, now: Instant) -> Option<ServerMessage> {
        let version = status.viewers_version();
        self.due = None;
        if self.viewers == Some(version) {
            return None;
        }
        let pen = status.pen() == Some(you);
        let at = match self.viewers {
            None => now,
            Some(_) if pen != self.pen => self.pen_at.min(self.lists.ready_at().max(now)),
            Some(_) => self.lists.ready_at(),
        };
        if at > now {
            self.due = Some(at);
            return None;
        }
        (self.viewers, self.pen, self.pen_at) = (Some(version), pen, now + PEN_INTERVAL);
        self.lists.spend(millis(LIST.max(LIST_PER_VIEWER * status.viewers())), now);
        Some(ServerMessage::Viewers { count: status.viewers(), pen, list: status.presences(you) })
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
