//! The published state of a session.

use std::mem;

use limpet_shared::{
    ExitStatus, SessionSpec, SessionState, ViewerId, ViewerInfo, Winsize, WinsizeError, api::UpdateSession,
};

use super::{
    title,
    viewers::{AttachmentId, Viewers},
};

/// The state of a session. Viewers are told whenever it changes.
#[derive(Clone, Debug)]
pub struct Status {
    /// Size in force.
    pub size: Winsize,
    /// The viewer whose window gives that size, if it is a single one's.
    pub(super) size_by: Option<ViewerId>,
    /// Decisions about the session.
    pub spec: SessionSpec,
    /// The program's exit status, once it has ended and all its output is in the log.
    pub exit: Option<ExitStatus>,
    /// Set if it ended because an owner closed the session.
    pub closed: bool,
    name: Box<str>,
    program_title: Option<Box<str>>,
    pub(super) viewers: Viewers,
}

impl Status {
    /// Creates the status of a session whose program is called `name`.
    pub(super) fn new(name: &str, size: Winsize, spec: SessionSpec) -> Self {
        Self {
            size,
            size_by: None,
            spec: Self::cleaned(spec),
            exit: None,
            closed: false,
            name: name.into(),
            program_title: None,
            viewers: Viewers::default(),
        }
    }

    /// Creates the status of a session of an earlier server, with its size, the viewer that gave
    /// it, and the primary viewer.
    pub(super) fn of_earlier_server(
        (size, size_by): (Winsize, Option<ViewerId>),
        primary: Option<ViewerId>,
        before: Self,
    ) -> Self {
        Self { size, size_by, viewers: Viewers::with_primary(primary), ..before }
    }

    /// Returns the title that a user has given, or else the program's title, or else
    /// the program's name.
    #[must_use]
    pub fn title(&self) -> &str {
        self.spec.title.as_deref().or(self.program_title.as_deref()).unwrap_or(&self.name)
    }

    /// Returns the state as lists describe it.
    #[must_use]
    pub fn to_state(&self) -> SessionState {
        SessionState {
            label: self.title().to_owned(),
            cols: self.size.cols,
            rows: self.size.rows,
            viewers: self.viewer_count(),
            exit: self.exit,
        }
    }

    /// Returns the number of the viewer whose window gives the size in force, if it is attached.
    #[must_use]
    pub fn size_by(&self) -> Option<u64> {
        self.viewers.number_of(self.size_by?)
    }

    /// Reports whether an owner is attached.
    #[must_use]
    pub fn owner_is_here(&self) -> bool {
        self.viewers.owner_is_here()
    }

    /// Returns the number of attached viewers.
    #[must_use]
    pub fn viewer_count(&self) -> u32 {
        u32::try_from(self.viewers.len()).unwrap_or(u32::MAX)
    }

    /// Returns the viewer whose terminal answers the program's queries.
    #[must_use]
    pub fn answerer(&self) -> Option<AttachmentId> {
        self.viewers.answerer()
    }

    /// Returns the version of the list of viewers. A viewer that has seen it needs no new list.
    #[must_use]
    pub fn viewers_version(&self) -> u64 {
        self.viewers.version()
    }

    /// Returns the list of viewers as `you` may see it.
    #[must_use]
    pub fn viewer_list(&self, you: AttachmentId) -> Vec<ViewerInfo> {
        self.viewers.viewer_list(you)
    }

    /// Sets the program's title. Returns true if that changed the session's title.
    pub(super) fn set_program_title(&mut self, title: &str) -> bool {
        let is_news = |title: &str| self.program_title.as_deref().unwrap_or_default() != title;
        // Most titles are clean, and this is called for each key.
        let Some(title) =
            Some(title).filter(|title| is_news(title)).map(title::clean).filter(|title| is_news(title))
        else {
            return false;
        };
        let before = self.title().to_owned();
        self.program_title = Some(title.into_boxed_str()).filter(|title| !title.is_empty());
        before != self.title()
    }

    /// Returns the size that an update asks for, if that is another one than the present size.
    pub(super) fn requested_size(&self, update: &UpdateSession) -> Result<Option<Winsize>, WinsizeError> {
        let Winsize { cols, rows, .. } = self.size;
        let size = Winsize::cells(update.cols.unwrap_or(cols), update.rows.unwrap_or(rows)).checked()?;
        Ok(Some(size).filter(|size| (size.cols, size.rows) != (cols, rows)))
    }

    /// Changes the title and the rules as an owner wishes. Returns true if that changed anything.
    pub(super) fn update(&mut self, update: &UpdateSession) -> bool {
        let before = self.spec.clone();
        let SessionSpec { title, sizing, flow, created: _ } = &mut self.spec;
        *sizing = update.sizing.unwrap_or(*sizing);
        *flow = update.flow.unwrap_or(*flow);
        *title = update.title.clone().or(title.take());
        self.spec = Self::cleaned(mem::take(&mut self.spec));
        self.spec != before
    }

    /// Cleans the title that a user gave; one of which nothing is left lets the program set it.
    fn cleaned(spec: SessionSpec) -> SessionSpec {
        let title = spec.title.map(|title| title::clean(&title)).filter(|title| !title.is_empty());
        SessionSpec { title, ..spec }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> Status {
        Status::new("bash", Winsize::default(), SessionSpec::default())
    }

    fn rename(status: &mut Status, title: &str) -> bool {
        status.update(&UpdateSession { title: Some(title.to_owned()), ..UpdateSession::default() })
    }

    #[test]
    fn the_user_names_before_the_program_before_the_file() {
        let mut status = status();
        assert_eq!(status.title(), "bash");
        assert!(status.set_program_title("~/src"));
        assert!(rename(&mut status, " build\x07 "));
        assert!(!status.set_program_title("elsewhere"), "a pinned title hides the program's");
        assert_eq!(status.title(), "build");
        assert!(rename(&mut status, ""));
        assert_eq!(status.title(), "elsewhere");
        assert!(status.set_program_title(" \u{202e} "), "what cannot be read is no title");
        assert_eq!(status.title(), "bash");
        assert!(!status.set_program_title(" \u{202e} "));
    }
}
