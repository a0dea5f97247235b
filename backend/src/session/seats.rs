//! The viewers of a session, and which of them is primary.

use limpet_shared::{
    Presence, Role, Sizing, ViewerId, Winsize,
    limits::{AGENT, PRESENCES},
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
pub struct Visitor {
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
    visitor: Visitor,
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
    occupied: Vec<AttachedViewer>,
    taken_by: Option<ViewerId>,
    attachments: u64,
    /// Number of attached owners.
    owners: usize,
    /// Changes with everything that viewers are told about each other.
    version: u64,
}

impl Viewers {
    pub(super) fn len(&self) -> usize {
        self.occupied.len()
    }

    /// Reports whether an owner is attached.
    pub(super) fn owner_is_here(&self) -> bool {
        self.owners > 0
    }

    /// Returns the number of a viewer's latest attachment, if it is attached.
    pub(super) fn number_of(&self, viewer: ViewerId) -> Option<u64> {
        self.occupied.iter().filter(|seat| seat.viewer == viewer).map(|seat| seat.id.0).max()
    }

    /// Returns the version of the list of viewers. A viewer that has seen it needs no new list.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// Creates an empty list for a session that has a primary viewer already.
    pub(super) fn with_pen_of(taken_by: Option<ViewerId>) -> Self {
        Self { taken_by, ..Self::default() }
    }

    /// Returns the primary viewer, attached or not.
    pub(super) fn taken_by(&self) -> Option<ViewerId> {
        self.taken_by
    }

    /// Adds a viewer. `resumes` says that it was attached before; it then does not become primary
    /// while another viewer stands in.
    pub(super) fn enter(
        &mut self,
        viewer: ViewerId,
        visitor: Visitor,
        (size, resumes): (Winsize, bool),
        now: u64,
    ) -> AttachmentId {
        let id = AttachmentId(self.attachments);
        self.attachments += 1;
        let free = self.taker().is_none() && !(resumes && self.pen().is_some());
        if free && visitor.role.may_write() {
            self.taken_by = Some(viewer);
        }
        self.owners += usize::from(visitor.role == Role::Owner);
        let agent = visitor.agent.chars().filter(|c| !c.is_control()).take(AGENT).collect();
        let seat = AttachedViewer { id, viewer, visitor: Visitor { agent, ..visitor }, since: now, size };
        let at = if resumes { 0 } else { self.occupied.len() };
        self.occupied.insert(at, seat);
        self.version += 1;
        id
    }

    pub(super) fn leave(&mut self, id: AttachmentId) {
        if let Some(at) = self.occupied.iter().position(|seat| seat.id == id) {
            let seat = self.occupied.remove(at);
            self.owners -= usize::from(seat.visitor.role == Role::Owner);
            self.version += 1;
        }
    }

    /// Returns the primary viewer or the one that stands in for it: its terminal answers
    /// programs' queries.
    pub(super) fn pen(&self) -> Option<AttachmentId> {
        let held = || self.occupied.iter().rfind(|seat| seat.visitor.role.may_write());
        self.taker().or_else(held).map(|seat| seat.id)
    }

    /// Returns the primary viewer, if it is attached.
    fn taker(&self) -> Option<&AttachedViewer> {
        // While a broken connection has not been noticed yet, the later one counts.
        let taker = |seat: &&AttachedViewer| Some(seat.viewer) == self.taken_by && seat.visitor.role.may_write();
        self.occupied.iter().filter(taker).max_by_key(|seat| seat.id.0)
    }

    /// Records that `id` has used the terminal. Returns true if that made it primary.
    pub(super) fn used(&mut self, id: AttachmentId, sizing: Sizing) -> bool {
        if self.occupied.last().is_none_or(|last| last.id != id)
            && let Some(at) = self.occupied.iter().position(|seat| seat.id == id)
        {
            let seat = self.occupied.remove(at);
            self.occupied.push(seat);
        }
        let taker = self.taker().map(|seat| seat.id);
        let moves = taker != Some(id) && (sizing == Sizing::Latest || taker.is_none());
        moves && self.take(id)
    }

    /// Makes `id` primary. Returns false if it is not attached or lacks the right to type.
    pub(super) fn take(&mut self, id: AttachmentId) -> bool {
        let seat = self.occupied.iter().find(|seat| seat.id == id && seat.visitor.role.may_write());
        let Some(viewer) = seat.map(|seat| seat.viewer) else { return false };
        let before = (self.pen(), self.taken_by);
        self.taken_by = Some(viewer);
        self.version += u64::from(before != (self.pen(), self.taken_by));
        true
    }

    /// Records the size of a viewer's window. Returns true if that made it primary: a viewer that
    /// is alone need not ask for it.
    pub(super) fn resized(&mut self, id: AttachmentId, size: Winsize) -> bool {
        if let Some(seat) = self.occupied.iter_mut().find(|seat| seat.id == id) {
            seat.size = size;
        }
        let writers = self.occupied.iter().filter(|seat| seat.visitor.role.may_write());
        self.taker().is_none() && writers.count() == 1 && self.take(id)
    }

    /// Returns the size that is to be in force, and the viewer whose window gives it.
    pub(super) fn size(&self, sizing: Sizing) -> Option<(Winsize, Option<ViewerId>)> {
        let taker = self.taker().map(|seat| seat.id);
        let window = |seat: &AttachedViewer| Window {
            viewer: seat.viewer,
            role: seat.visitor.role,
            size: seat.size,
            has_pen: taker == Some(seat.id),
        };
        sizing::in_force(sizing, &self.occupied.iter().map(window).collect::<Vec<_>>())
    }

    /// Returns the list of viewers for `you`, in order of arrival. Guests are not told the
    /// addresses and programs of others.
    pub(super) fn presences(&self, you: AttachmentId) -> Vec<Presence> {
        let pen = self.pen();
        let is_owner = self.occupied.iter().any(|seat| seat.id == you && seat.visitor.role == Role::Owner);
        let presence = |seat: &AttachedViewer| {
            let told = |text: &String| if is_owner || seat.id == you { text.clone() } else { String::new() };
            Presence {
                id: seat.id.0,
                role: seat.visitor.role,
                since: seat.since,
                from: told(&seat.visitor.from),
                agent: told(&seat.visitor.agent),
                pen: pen == Some(seat.id),
                you: you == seat.id,
            }
        };
        let mut presences: Vec<Presence> = self.occupied.iter().map(presence).collect();
        presences.sort_unstable_by_key(|presence| presence.id);
        presences.truncate(PRESENCES);
        presences
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn somebody(role: Role) -> Visitor {
        Visitor { role, grant: GrantId::OWNER, from: String::new(), agent: String::new() }
    }

    const SIZE: Winsize = Winsize::cells(80, 24);

    fn viewer(number: u8) -> ViewerId {
        ViewerId::from_random([number; 16])
    }

    fn enter(seats: &mut Viewers, number: u8, role: Role) -> AttachmentId {
        seats.enter(viewer(number), somebody(role), (Winsize::cells(number.into(), 24), false), 0)
    }

    fn come_back(seats: &mut Viewers, number: u8) -> AttachmentId {
        seats.enter(viewer(number), somebody(Role::Owner), (SIZE, true), 0)
    }

    #[test]
    fn who_comes_first_has_the_pen_and_typing_leaves_it_there() {
        let mut seats = Viewers::default();
        let reader = enter(&mut seats, 1, Role::Reader);
        assert_eq!(seats.pen(), None, "a reader answers nothing");
        let first = enter(&mut seats, 2, Role::Owner);
        let second = enter(&mut seats, 3, Role::Writer);
        assert_eq!(seats.pen(), Some(first));
        assert!(!seats.used(second, Sizing::Pen));
        assert_eq!(seats.pen(), Some(first));
        assert!(seats.take(second) && !seats.take(reader));
        assert_eq!(seats.pen(), Some(second));
        assert!(seats.used(first, Sizing::Latest) && !seats.used(reader, Sizing::Latest));
        assert_eq!(seats.pen(), Some(first));
    }

    #[test]
    fn a_pen_that_was_left_is_held_until_somebody_takes_it() {
        let mut seats = Viewers::default();
        let first = enter(&mut seats, 10, Role::Owner);
        let second = enter(&mut seats, 20, Role::Owner);
        assert_eq!(seats.size(Sizing::Pen).unwrap().1, Some(viewer(10)));
        seats.leave(first);
        assert_eq!((seats.pen(), seats.size(Sizing::Pen)), (Some(second), None));
        let third = enter(&mut seats, 30, Role::Owner);
        assert_eq!(seats.pen(), Some(third), "the same one may have loaded the page again");
        seats.leave(third);
        assert!(seats.used(second, Sizing::Pen), "who types works there");
        assert_eq!(seats.size(Sizing::Pen).unwrap().1, Some(viewer(20)));
        enter(&mut seats, 40, Role::Owner);
        assert_eq!(seats.pen(), Some(second));
    }

    #[test]
    fn a_broken_connection_does_not_cost_the_pen() {
        let mut seats = Viewers::default();
        let first = enter(&mut seats, 10, Role::Owner);
        let second = enter(&mut seats, 20, Role::Owner);
        seats.leave(first);
        assert_eq!(seats.pen(), Some(second));
        let back = come_back(&mut seats, 10);
        assert_eq!(seats.pen(), Some(back));
        // The new connection may come before the old one is found to be broken.
        let again = come_back(&mut seats, 10);
        assert_eq!(seats.pen(), Some(again));
        seats.leave(back);
        assert_eq!(seats.pen(), Some(again));
        // A viewer that comes back displaces neither a new primary viewer nor one that stands in.
        seats.leave(again);
        assert!(seats.used(second, Sizing::Pen));
        come_back(&mut seats, 10);
        assert_eq!(seats.pen(), Some(second));
    }

    #[test]
    fn who_comes_back_to_nobody_has_the_pen() {
        let mut seats = Viewers::default();
        let back = come_back(&mut seats, 10);
        assert_eq!((seats.pen(), seats.size(Sizing::Pen).unwrap().1), (Some(back), Some(viewer(10))));
    }

    #[test]
    fn who_is_left_alone_takes_the_pen_by_resizing() {
        let mut seats = Viewers::default();
        let [first, second, third] = [10, 20, 30].map(|number| enter(&mut seats, number, Role::Owner));
        seats.leave(first);
        assert!(!seats.resized(second, SIZE), "a phone that is turned takes nothing from who will come back");
        seats.leave(third);
        assert!(seats.resized(second, SIZE) && !seats.resized(second, SIZE));
        assert_eq!(seats.size(Sizing::Pen), Some((SIZE, Some(viewer(20)))));
    }

    #[test]
    fn all_are_told_of_all() {
        let mut seats = Viewers::default();
        let first = enter(&mut seats, 1, Role::Owner);
        let before = seats.version();
        let visitor =
            Visitor { from: "192.0.2.7".into(), agent: "a\x07b".repeat(400), ..somebody(Role::Reader) };
        let second = seats.enter(viewer(2), visitor, (SIZE, false), 1234);
        assert_ne!(seats.version(), before);
        let [one, two] = seats.presences(second).try_into().unwrap();
        assert!((one.id, one.pen, one.you) == (first.0, true, false) && one.role == Role::Owner);
        assert!((two.pen, two.you, two.since) == (false, true, 1234) && two.from == "192.0.2.7");
        assert_eq!(two.agent.len(), AGENT);
        let before = seats.version();
        seats.used(first, Sizing::Pen);
        assert_eq!(seats.version(), before, "that is no news");
        for number in 3..=100 {
            enter(&mut seats, number, Role::Reader);
        }
        assert_eq!((seats.presences(first).len(), seats.len()), (PRESENCES, 100));
    }
}
