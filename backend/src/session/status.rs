//! What everybody can see of a session.

use limpet_shared::{ExitStatus, Flow, Presence, Sizing, ViewerId, Winsize};

use super::{
    seats::{AttachmentId, Seats},
    title,
};

/// The state of a session that viewers are told of, whenever it changes.
#[derive(Clone, Debug)]
pub struct Status {
    /// The size in force.
    pub size: Winsize,
    /// The viewer whose own it is; absent if it is nobody's.
    pub(super) size_by: Option<ViewerId>,
    /// Whose size it has.
    pub sizing: Sizing,
    /// Whether the program waits for viewers.
    pub flow: Flow,
    /// How the program ended, once it has, and all its output is in the log.
    pub exit: Option<ExitStatus>,
    /// Whether it ended because an owner closed the session.
    pub closed: bool,
    name: String,
    program_title: Option<String>,
    pinned_title: Option<String>,
    pub(super) seats: Seats,
}

impl Status {
    /// That of a session whose program is called `name`.
    pub(super) fn new(name: String, size: Winsize, (sizing, flow): (Sizing, Flow)) -> Self {
        Self {
            size,
            size_by: None,
            sizing,
            flow,
            exit: None,
            closed: false,
            name,
            program_title: None,
            pinned_title: None,
            seats: Seats::default(),
        }
    }

    /// That of a session which an earlier server has left: it had this size, whoever's that was, and somebody had taken the pen.
    pub(super) fn left(
        (size, size_by): (Winsize, Option<ViewerId>),
        pen: Option<ViewerId>,
        before: Self,
    ) -> Self {
        Self { size, size_by, seats: Seats::with_pen_of(pen), ..before }
    }

    /// What its user called it, else what its program did, else the program's name.
    #[must_use]
    pub fn title(&self) -> &str {
        self.pinned_title.as_ref().or(self.program_title.as_ref()).unwrap_or(&self.name)
    }

    /// What its user called it.
    #[must_use]
    pub fn pinned_title(&self) -> Option<&str> {
        self.pinned_title.as_deref()
    }

    /// The number of the viewer whose own the size in force is, if they are attached.
    #[must_use]
    pub fn size_by(&self) -> Option<u64> {
        self.seats.number_of(self.size_by?)
    }

    /// Whether the session belongs to one of those attached.
    #[must_use]
    pub fn owner_is_here(&self) -> bool {
        self.seats.owner_is_here()
    }

    /// How many viewers are attached.
    #[must_use]
    pub fn viewers(&self) -> u32 {
        u32::try_from(self.seats.len()).unwrap_or(u32::MAX)
    }

    /// Whose terminal answers the program's queries.
    #[must_use]
    pub fn pen(&self) -> Option<AttachmentId> {
        self.seats.pen()
    }

    /// Whoever has seen this version of who is there has nothing new to be told.
    #[must_use]
    pub fn viewers_version(&self) -> u64 {
        self.seats.version()
    }

    /// What `you` are told of those who are there.
    #[must_use]
    pub fn presences(&self, you: AttachmentId) -> Vec<Presence> {
        self.seats.presences(you)
    }

    /// True if that changed the title.
    pub(super) fn set_program_title(&mut self, title: &str) -> bool {
        let is_news = |title: &str| self.program_title.as_deref().unwrap_or_default() != title;
        // Most titles are clean, and this is asked with each key.
        let Some(title) =
            Some(title).filter(|title| is_news(title)).map(title::clean).filter(|title| is_news(title))
        else {
            return false;
        };
        let before = self.title().to_owned();
        self.program_title = Some(title).filter(|title| !title.is_empty());
        before != self.title()
    }

    /// Pins a title; an empty one lets the program name itself again. True if that changed the title.
    pub(super) fn pin_title(&mut self, title: &str) -> bool {
        let before = self.title().to_owned();
        self.pinned_title = Some(title::clean(title)).filter(|title| !title.is_empty());
        before != self.title()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> Status {
        Status::new("bash".into(), Winsize::default(), Default::default())
    }

    #[test]
    fn the_user_names_before_the_program_before_the_file() {
        let mut status = status();
        assert_eq!(status.title(), "bash");
        assert!(status.set_program_title("~/src"));
        assert!(status.pin_title(" build\x07 "));
        assert!(!status.set_program_title("elsewhere"), "a pinned title hides the program's");
        assert_eq!(status.title(), "build");
        assert!(status.pin_title(""));
        assert_eq!(status.title(), "elsewhere");
        assert!(status.set_program_title(" \u{202e} "), "what cannot be read is no title");
        assert_eq!(status.title(), "bash");
        assert!(!status.set_program_title(" \u{202e} "));
    }
}
