//! The viewer that a connection is made for.

use limpet_shared::{Follow, Hello, Resume, SignInKey, ViewerId, Winsize};

/// A viewer as its `hello` describes it.
#[derive(Clone, Debug)]
pub struct Viewer {
    /// The id, which the viewer keeps for life.
    pub id: ViewerId,
    /// The size that fits into its window.
    pub size: Winsize,
    /// Number of bytes that the server may send beyond what was acknowledged; the protocol's
    /// default when `None`.
    pub window: Option<u64>,
    /// The part of the output that it wants.
    pub follow: Follow,
}

impl Viewer {
    /// Returns a viewer that shows the current screen to a person, as the page does.
    #[must_use]
    pub const fn for_person(id: ViewerId, size: Winsize) -> Self {
        Self { id, size, window: None, follow: Follow::Now }
    }

    /// Returns a viewer that wants all of the output, such as a recorder.
    #[must_use]
    pub const fn for_all_output(id: ViewerId, size: Winsize) -> Self {
        Self { id, size, window: None, follow: Follow::All }
    }

    /// Returns the first message of an attachment. The key is that of a browser's sign-in.
    #[must_use]
    pub fn hello(&self, resume: Option<Resume>, key: Option<SignInKey>) -> Hello {
        let Self { id, size, window, follow } = *self;
        Hello { viewer: id, size, window, resume, follow, key }
    }
}
