//! The viewers of a session, and which of them is primary.

use limpet_shared::{
    Role, Sizing, ViewerId, ViewerInfo, Winsize,
    limits::{MAX_LISTED_VIEWERS, MAX_USER_AGENT_CHARS},
};

use super::{
    grant::GrantId,
    sizing::{self, Window},
};

/// Identifies an attachment within its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AttachmentId(u64);

impl AttachmentId {
    /// Creates the id with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Returns the id's number.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// A client that attaches, as far as the server knows it.
#[derive(Clone, Debug)]
pub struct AttachingViewer {
    /// The viewer's role.
    pub role: Role,
    /// The credential that the viewer came with.
    pub grant: GrantId,
    /// The viewer's address; empty if it is not known.
    pub from: String,
    /// The viewer's program, by the name that it gives itself.
    pub agent: String,
}

/// An attached viewer.
#[derive(Clone, Debug)]
struct AttachedViewer {
    id: AttachmentId,
    viewer: ViewerId,
    visitor: AttachingViewer,
    /// Milliseconds since the Unix epoch.
    since: u64,
    size: Winsize,
}

/// The attached viewers.
///
/// **The primary viewer** is the one that last became primary: by asking for it, by being made
/// primary by another viewer, or by attaching while no primary viewer was attached. It stays
/// primary until another viewer becomes primary, also while its connection is broken. While it is
/// away, another viewer stands in for it, the one with the right to type that used the terminal
/// last, since programs' queries have to be answered. A viewer that merely stands in does not
/// decide on the size. It becomes primary by typing.
#[derive(Clone, Debug, Default)]
pub(super) struct Viewers {
    /// The attached viewers, in the order of their last use of the terminal.
    by_last_use: Vec<AttachedViewer>,
    primary: Option<ViewerId>,
    attachments: u64,
    /// Number of attached owners.
    owners: usize,
    /// Changes with everything that viewers are told about each other.
    version: u64,
}

impl Viewers {
    pub(super) fn len(&self) -> usize {
        self.by_last_use.len()
    }

    /// Reports whether an owner is attached.
    pub(super) fn owner_is_here(&self) -> bool {
        self.owners > 0
    }

    /// Returns the number of a viewer's latest attachment, if it is attached.
    pub(super) fn number_of(&self, viewer: ViewerId) -> Option<u64> {
        self.by_last_use.iter().filter(|entry| entry.viewer == viewer).map(|entry| entry.id.0).max()
    }

    /// Returns the version of the list of viewers. A viewer that has seen it needs no new list.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// Creates an empty list for a session that has a primary viewer already.
    pub(super) fn with_primary(primary: Option<ViewerId>) -> Self {
        Self { primary, ..Self::default() }
    }

    /// Returns the primary viewer, attached or not.
    pub(super) fn primary(&self) -> Option<ViewerId> {
        self.primary
    }

    /// Adds a viewer. `resumes` says that it was attached before; it then does not become primary
    /// while another viewer stands in.
    pub(super) fn enter(
        &mut self,
        viewer: ViewerId,
        visitor: AttachingViewer,
        (size, resumes): (Winsize, bool),
        now: u64,
    ) -> AttachmentId {
        let id = AttachmentId(self.attachments);
        self.attachments += 1;
        let free = self.attached_primary().is_none() && !(resumes && self.answerer().is_some());
        if free && visitor.role.may_write() {
            self.primary = Some(viewer);
        }
        self.owners += usize::from(visitor.role == Role::Owner);
        let agent = visitor.agent.chars().filter(|c| !c.is_control()).take(MAX_USER_AGENT_CHARS).collect();
        let entry =
            AttachedViewer { id, viewer, visitor: AttachingViewer { agent, ..visitor }, since: now, size };
        let at = if resumes { 0 } else { self.by_last_use.len() };
        self.by_last_use.insert(at, entry);
        self.version += 1;
        id
    }

    pub(super) fn leave(&mut self, id: AttachmentId) {
        if let Some(at) = self.by_last_use.iter().position(|entry| entry.id == id) {
            let entry = self.by_last_use.remove(at);
            self.owners -= usize::from(entry.visitor.role == Role::Owner);
            self.version += 1;
        }
    }

    /// Returns the primary viewer or the one that stands in for it: its terminal answers
    /// programs' queries.
    pub(super) fn answerer(&self) -> Option<AttachmentId> {
        let stand_in = || self.by_last_use.iter().rfind(|entry| entry.visitor.role.may_write());
        self.attached_primary().or_else(stand_in).map(|entry| entry.id)
    }

    /// Returns the primary viewer, if it is attached.
    fn attached_primary(&self) -> Option<&AttachedViewer> {
        // While a broken connection has not been noticed yet, the later one counts.
        let is_primary =
            |entry: &&AttachedViewer| Some(entry.viewer) == self.primary && entry.visitor.role.may_write();
        self.by_last_use.iter().filter(is_primary).max_by_key(|entry| entry.id.0)
    }

    /// Records that `id` has used the terminal. Returns true if that made it primary.
    pub(super) fn on_used(&mut self, id: AttachmentId, sizing: Sizing) -> bool {
        if self.by_last_use.last().is_none_or(|last| last.id != id)
            && let Some(at) = self.by_last_use.iter().position(|entry| entry.id == id)
        {
            let entry = self.by_last_use.remove(at);
            self.by_last_use.push(entry);
        }
        let primary = self.attached_primary().map(|entry| entry.id);
        let moves = primary != Some(id) && (sizing == Sizing::Latest || primary.is_none());
        moves && self.make_primary(id)
    }

    /// Makes `id` primary. Returns false if it is not attached or lacks the right to type.
    pub(super) fn make_primary(&mut self, id: AttachmentId) -> bool {
        let entry = self.by_last_use.iter().find(|entry| entry.id == id && entry.visitor.role.may_write());
        let Some(viewer) = entry.map(|entry| entry.viewer) else { return false };
        let before = (self.answerer(), self.primary);
        self.primary = Some(viewer);
        self.version += u64::from(before != (self.answerer(), self.primary));
        true
    }

    /// Records the size of a viewer's window. Returns true if that made it primary: a viewer that
    /// is alone need not ask for it.
    pub(super) fn on_resized(&mut self, id: AttachmentId, size: Winsize) -> bool {
        if let Some(entry) = self.by_last_use.iter_mut().find(|entry| entry.id == id) {
            entry.size = size;
        }
        let writers = self.by_last_use.iter().filter(|entry| entry.visitor.role.may_write());
        self.attached_primary().is_none() && writers.count() == 1 && self.make_primary(id)
    }

    /// Returns the size that is to be in force, and the viewer whose window gives it.
    pub(super) fn size(&self, sizing: Sizing) -> Option<(Winsize, Option<ViewerId>)> {
        let primary = self.attached_primary().map(|entry| entry.id);
        let window = |entry: &AttachedViewer| Window {
            viewer: entry.viewer,
            role: entry.visitor.role,
            size: entry.size,
            is_primary: primary == Some(entry.id),
        };
        sizing::in_force(sizing, &self.by_last_use.iter().map(window).collect::<Vec<_>>())
    }

    /// Returns the list of viewers for `you`, in order of arrival. Guests are not told the
    /// addresses and programs of others.
    pub(super) fn viewer_list(&self, you: AttachmentId) -> Vec<ViewerInfo> {
        let answerer = self.answerer();
        let is_owner =
            self.by_last_use.iter().any(|entry| entry.id == you && entry.visitor.role == Role::Owner);
        let presence = |entry: &AttachedViewer| {
            let told = |text: &String| if is_owner || entry.id == you { text.clone() } else { String::new() };
            ViewerInfo {
                id: entry.id.0,
                role: entry.visitor.role,
                since: entry.since,
                from: told(&entry.visitor.from),
                agent: told(&entry.visitor.agent),
                primary: answerer == Some(entry.id),
                you: you == entry.id,
            }
        };
        let mut list: Vec<ViewerInfo> = self.by_last_use.iter().map(presence).collect();
        list.sort_unstable_by_key(|presence| presence.id);
        list.truncate(MAX_LISTED_VIEWERS);
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn somebody(role: Role) -> AttachingViewer {
        AttachingViewer { role, grant: GrantId::OWNER, from: String::new(), agent: String::new() }
    }

    const SIZE: Winsize = Winsize::cells(80, 24);

    fn viewer(number: u8) -> ViewerId {
        ViewerId::from_random([number; 16])
    }

    fn enter(viewers: &mut Viewers, number: u8, role: Role) -> AttachmentId {
        viewers.enter(viewer(number), somebody(role), (Winsize::cells(number.into(), 24), false), 0)
    }

    fn come_back(viewers: &mut Viewers, number: u8) -> AttachmentId {
        viewers.enter(viewer(number), somebody(Role::Owner), (SIZE, true), 0)
    }

    #[test]
    fn who_comes_first_has_the_pen_and_typing_leaves_it_there() {
        let mut viewers = Viewers::default();
        let reader = enter(&mut viewers, 1, Role::Reader);
        assert_eq!(viewers.answerer(), None, "a reader answers nothing");
        let first = enter(&mut viewers, 2, Role::Owner);
        let second = enter(&mut viewers, 3, Role::Writer);
        assert_eq!(viewers.answerer(), Some(first));
        assert!(!viewers.on_used(second, Sizing::Primary));
        assert_eq!(viewers.answerer(), Some(first));
        assert!(viewers.make_primary(second) && !viewers.make_primary(reader));
        assert_eq!(viewers.answerer(), Some(second));
        assert!(viewers.on_used(first, Sizing::Latest) && !viewers.on_used(reader, Sizing::Latest));
        assert_eq!(viewers.answerer(), Some(first));
    }

    #[test]
    fn a_pen_that_was_left_is_held_until_somebody_takes_it() {
        let mut viewers = Viewers::default();
        let first = enter(&mut viewers, 10, Role::Owner);
        let second = enter(&mut viewers, 20, Role::Owner);
        assert_eq!(viewers.size(Sizing::Primary).unwrap().1, Some(viewer(10)));
        viewers.leave(first);
        assert_eq!((viewers.answerer(), viewers.size(Sizing::Primary)), (Some(second), None));
        let third = enter(&mut viewers, 30, Role::Owner);
        assert_eq!(viewers.answerer(), Some(third), "the same one may have loaded the page again");
        viewers.leave(third);
        assert!(viewers.on_used(second, Sizing::Primary), "who types works there");
        assert_eq!(viewers.size(Sizing::Primary).unwrap().1, Some(viewer(20)));
        enter(&mut viewers, 40, Role::Owner);
        assert_eq!(viewers.answerer(), Some(second));
    }

    #[test]
    fn a_broken_connection_does_not_cost_the_primary_viewer_its_role() {
        let mut viewers = Viewers::default();
        let first = enter(&mut viewers, 10, Role::Owner);
        let second = enter(&mut viewers, 20, Role::Owner);
        viewers.leave(first);
        assert_eq!(viewers.answerer(), Some(second));
        let back = come_back(&mut viewers, 10);
        assert_eq!(viewers.answerer(), Some(back));
        // The new connection may come before the old one is found to be broken.
        let again = come_back(&mut viewers, 10);
        assert_eq!(viewers.answerer(), Some(again));
        viewers.leave(back);
        assert_eq!(viewers.answerer(), Some(again));
        // A viewer that comes back displaces neither a new primary viewer nor one that stands in.
        viewers.leave(again);
        assert!(viewers.on_used(second, Sizing::Primary));
        come_back(&mut viewers, 10);
        assert_eq!(viewers.answerer(), Some(second));
    }

    #[test]
    fn who_comes_back_to_nobody_is_primary() {
        let mut viewers = Viewers::default();
        let back = come_back(&mut viewers, 10);
        assert_eq!(
            (viewers.answerer(), viewers.size(Sizing::Primary).unwrap().1),
            (Some(back), Some(viewer(10)))
        );
    }

    #[test]
    fn who_is_left_alone_takes_the_pen_by_resizing() {
        let mut viewers = Viewers::default();
        let [first, second, third] = [10, 20, 30].map(|number| enter(&mut viewers, number, Role::Owner));
        viewers.leave(first);
        assert!(
            !viewers.on_resized(second, SIZE),
            "a phone that is turned takes nothing from who will come back"
        );
        viewers.leave(third);
        assert!(viewers.on_resized(second, SIZE) && !viewers.on_resized(second, SIZE));
        assert_eq!(viewers.size(Sizing::Primary), Some((SIZE, Some(viewer(20)))));
    }

    #[test]
    fn all_are_told_of_all() {
        let mut viewers = Viewers::default();
        let first = enter(&mut viewers, 1, Role::Owner);
        let before = viewers.version();
        let visitor = AttachingViewer {
            from: "192.0.2.7".into(),
            agent: "a\x07b".repeat(400),
            ..somebody(Role::Reader)
        };
        let second = viewers.enter(viewer(2), visitor, (SIZE, false), 1234);
        assert_ne!(viewers.version(), before);
        let [one, two] = viewers.viewer_list(second).try_into().unwrap();
        assert!((one.id, one.primary, one.you) == (first.0, true, false) && one.role == Role::Owner);
        assert!((two.primary, two.you, two.since) == (false, true, 1234) && two.from == "192.0.2.7");
        assert_eq!(two.agent.len(), MAX_USER_AGENT_CHARS);
        let before = viewers.version();
        viewers.on_used(first, Sizing::Primary);
        assert_eq!(viewers.version(), before, "that is no news");
        for number in 3..=100 {
            enter(&mut viewers, number, Role::Reader);
        }
        assert_eq!((viewers.viewer_list(first).len(), viewers.len()), (MAX_LISTED_VIEWERS, 100));
    }
}
