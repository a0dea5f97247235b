//! What everybody can see of a session.

use limpet_shared::{ExitStatus, Role, ViewerId, Winsize, limits::TITLE};

/// Tells attachments of one session apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AttachmentId(u64);

impl AttachmentId {
    /// The attachment with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }
}

/// The state of a session that viewers are told of, whenever it changes.
#[derive(Clone, Debug)]
pub struct Status {
    /// The size in force.
    pub size: Winsize,
    /// The viewer that asked for it; absent if it was the one who made the session.
    pub size_by: Option<ViewerId>,
    /// How the program ended, once it has, and all its output is in the log.
    pub exit: Option<ExitStatus>,
    name: String,
    program_title: Option<String>,
    pinned_title: Option<String>,
    /// Who is attached, in the order of their last use of the terminal.
    attached: Vec<(AttachmentId, Role)>,
    attachments: u64,
}

impl Status {
    /// That of a session whose program is called `name`.
    pub(super) fn new(name: String, size: Winsize) -> Self {
        Self {
            size,
            size_by: None,
            exit: None,
            name,
            program_title: None,
            pinned_title: None,
            attached: Vec::new(),
            attachments: 0,
        }
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

    /// How many viewers are attached.
    #[must_use]
    pub fn viewers(&self) -> u32 {
        u32::try_from(self.attached.len()).unwrap_or(u32::MAX)
    }

    /// Whose terminal answers the program's queries: that of the last one who used it and may write.
    #[must_use]
    pub fn pen(&self) -> Option<AttachmentId> {
        self.attached.iter().rev().find(|(_, role)| role.may_write()).map(|&(id, _)| id)
    }

    /// Lets somebody in. Who only resumes does not take the pen from who has it.
    pub(super) fn enter(&mut self, role: Role, resumes: bool) -> AttachmentId {
        let id = AttachmentId(self.attachments);
        self.attachments += 1;
        let at = if resumes { 0 } else { self.attached.len() };
        self.attached.insert(at, (id, role));
        id
    }

    pub(super) fn leave(&mut self, id: AttachmentId) {
        self.attached.retain(|&(other, _)| other != id);
    }

    /// Notes that `id` has used the terminal. True if that changed who has the pen.
    pub(super) fn take_pen(&mut self, id: AttachmentId) -> bool {
        if self.pen() == Some(id) {
            return false;
        }
        if let Some(at) = self.attached.iter().position(|&(other, _)| other == id) {
            let entry = self.attached.remove(at);
            self.attached.push(entry);
        }
        self.pen() == Some(id)
    }

    /// True if that changed the title.
    pub(super) fn set_program_title(&mut self, title: &str) -> bool {
        if self.program_title.as_deref().unwrap_or_default() == title {
            return false;
        }
        let before = self.title().to_owned();
        self.program_title = Some(title.to_owned()).filter(|title| !title.is_empty());
        before != self.title()
    }

    /// Pins a title; an empty one lets the program name itself again. True if that changed the title.
    pub(super) fn pin_title(&mut self, title: &str) -> bool {
        let before = self.title().to_owned();
        let title: String = title.trim().chars().filter(|c| !c.is_control()).take(TITLE).collect();
        self.pinned_title = Some(title).filter(|title| !title.is_empty());
        before != self.title()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> Status {
        Status::new("bash".into(), Winsize::default())
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
    }

    #[test]
    fn the_pen_goes_to_the_last_one_who_used_the_terminal() {
        let mut status = status();
        let first = status.enter(Role::Owner, false);
        let second = status.enter(Role::Writer, false);
        let reader = status.enter(Role::Reader, false);
        assert_eq!(status.pen(), Some(second));
        assert!(status.take_pen(first));
        assert!(!status.take_pen(first));
        assert!(!status.take_pen(reader), "a reader answers nothing");
        assert_eq!(status.pen(), Some(first));
        status.leave(first);
        assert_eq!((status.pen(), status.viewers()), (Some(second), 2));
        let resumed = status.enter(Role::Owner, true);
        assert_eq!(status.pen(), Some(second), "somebody works there, and goes on doing so");
        status.leave(second);
        assert_eq!(status.pen(), Some(resumed));
    }
}
