//! Counts attachments against their limits, and decides which of those without a hello make
//! room for new ones.

use limpet_shared::{Role, SessionId};

use crate::{
    descriptor_budget::DescriptorBudget,
    network::Network,
    slots::{self, Slots},
};

/// The credential that admits a viewer, as far as it is known before its `hello`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Grant {
    /// The owners' grant.
    Owner,
    /// A guest's role at a session.
    Guest(SessionId, Role),
    /// No grant: a guest has named a session that it may not see. It is told so once it has shown
    /// the rest of its credentials. All these count together, whatever session they name.
    NoAccess,
}

/// All attachments. Clones refer to the same ones.
#[derive(Clone, Debug)]
pub(crate) struct Attachments {
    budget: DescriptorBudget,
    slots: Slots<Viewer>,
}

/// A counted attachment.
#[derive(Debug)]
struct Viewer {
    grant: Grant,
    /// `None` for owners, and if the address says nothing: the viewer comes through a proxy on this
    /// machine that does not report it.
    network: Option<Network>,
    /// Set until the viewer has said hello.
    is_pending: bool,
}

/// The limit that leaves no room for an attachment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Full {
    /// The limit on all attachments.
    #[error("the limit of {0} attached viewers is reached; close some of them")]
    All(usize),
    /// The limit on guests.
    #[error("the limit of {0} attached guests is reached; try again when some of them have left")]
    Guests(usize),
    /// The limit on guests of this session.
    #[error("the limit of {0} guests of this session is reached; try again when some of them have left")]
    Session(usize),
    /// The limit on viewers with this link.
    #[error("the limit of {0} viewers with this link is reached; try again when some of them have left")]
    Grant(usize),
    /// The limit on guests from this address.
    #[error("the limit of {0} guests from your address is reached; close some of them")]
    Address(usize),
}

/// An attachment's slot. Dropping it frees it.
#[derive(Debug)]
pub struct AttachmentSlot(slots::Slot<Viewer>);

impl Attachments {
    pub(crate) fn new(budget: DescriptorBudget) -> Self {
        Self { budget, slots: Slots::default() }
    }

    /// Makes a slot for a viewer with this grant. Of similar viewers that have not said hello, the
    /// oldest makes room for it. Those that have said hello keep their slots.
    pub(crate) fn admit(&self, grant: Grant, network: Option<Network>) -> Result<AttachmentSlot, Full> {
        let budget = &self.budget;
        let newcomer = Viewer::pending(grant, network);
        let mut table = self.slots.table();
        let pending = |viewer: &Viewer| viewer.is_pending.then_some(());
        let most = if newcomer.is_guest() { budget.pending_per_grant() } else { budget.pending_owners() };
        let of_grant = |viewer: &Viewer| viewer.is_pending && viewer.grant == newcomer.grant;
        table.make_room(most, of_grant, pending);
        let of_network = |viewer: &Viewer| viewer.is_pending && viewer.is_from(newcomer.network);
        table.make_room(most, of_network, pending);
        if newcomer.is_guest() {
            newcomer.check(table.holders(), budget)?;
        }
        let may_go = |viewer: &Viewer| viewer.makes_room_for(&newcomer).then_some(!viewer.is_guest());
        if table.len() >= budget.attachments && !table.evict_lowest(may_go) {
            return Err(Full::All(budget.attachments));
        }
        Ok(AttachmentSlot(self.slots.enter(table, newcomer)))
    }

    /// Checks whether a viewer with this grant would be admitted now. Nobody makes room.
    pub(crate) fn check(&self, grant: Grant, network: Option<Network>) -> Result<(), Full> {
        let budget = &self.budget;
        let newcomer = Viewer::pending(grant, network);
        let table = self.slots.table();
        if newcomer.is_guest() {
            newcomer.check(table.holders(), budget)?;
        }
        let has_room = table.len() < budget.attachments;
        if has_room || table.holders().any(|viewer| viewer.makes_room_for(&newcomer)) {
            return Ok(());
        }
        Err(Full::All(budget.attachments))
    }
}

impl Viewer {
    /// Creates a viewer that has not said hello. Networks do not count for owners
    /// or on this machine.
    fn pending(grant: Grant, network: Option<Network>) -> Self {
        let network = network.filter(|network| grant != Grant::Owner && !network.is_loopback());
        Self { grant, network, is_pending: true }
    }

    /// Reports whether this viewer makes room for a newcomer. Until they have said hello, guests do
    /// so for everybody, and owners for owners.
    fn makes_room_for(&self, newcomer: &Self) -> bool {
        self.is_pending && (self.is_guest() || !newcomer.is_guest())
    }

    fn is_guest(&self) -> bool {
        self.grant != Grant::Owner
    }

    fn is_from(&self, network: Option<Network>) -> bool {
        network.is_some() && self.network == network
    }

    fn session(&self) -> Option<&SessionId> {
        match &self.grant {
            Grant::Guest(session, _) => Some(session),
            Grant::Owner | Grant::NoAccess => None,
        }
    }

    /// Checks the limits that a guest would exceed beside all the others.
    fn check<'a>(
        &self,
        others: impl Iterator<Item = &'a Self>,
        budget: &DescriptorBudget,
    ) -> Result<(), Full> {
        let (mut of_grant, mut from_network, mut at_session, mut guests) = (0, 0, 0, 0);
        for other in others.filter(|other| other.is_guest()) {
            guests += 1;
            of_grant += usize::from(other.grant == self.grant);
            from_network += usize::from(other.is_from(self.network));
            at_session += usize::from(self.session().is_some() && other.session() == self.session());
        }
        for (count, limit, full) in [
            (of_grant, budget.guest_attachments_per_grant(), Full::Grant as fn(usize) -> Full),
            (from_network, budget.guest_attachments_per_grant(), Full::Address),
            (at_session, budget.guest_attachments_per_session(), Full::Session),
            (guests, budget.guest_attachments(), Full::Guests),
        ] {
            if count >= limit {
                return Err(full(limit));
            }
        }
        Ok(())
    }
}

impl AttachmentSlot {
    /// Records that the viewer has said hello, so that it keeps its slot. Returns false if it had
    /// to make room just before.
    pub(crate) fn confirm(&self) -> bool {
        self.0.change(|viewer| viewer.is_pending = false).is_some()
    }

    /// Waits until the attachment has to make room for another one. That cannot
    /// happen after its hello.
    pub(crate) async fn wait_for_eviction(&self) {
        self.0.evicted().await;
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use futures_util::FutureExt;

    use super::*;

    fn guest(session: &str, role: Role) -> Grant {
        Grant::Guest(session.parse().unwrap(), role)
    }

    fn reader(session: &str) -> Grant {
        guest(session, Role::Reader)
    }

    fn faithful(attachments: &Attachments, grant: Grant) -> Result<AttachmentSlot, Full> {
        let slot = attachments.admit(grant, None)?;
        assert!(slot.confirm());
        Ok(slot)
    }

    fn is_closed(slot: &AttachmentSlot) -> bool {
        slot.wait_for_eviction().now_or_never().is_some()
    }

    #[test]
    fn of_those_without_a_hello_the_oldest_makes_room() {
        let budget = DescriptorBudget::new(4096, 1);
        for (grant, most) in [
            (reader("a"), budget.pending_per_grant()),
            (Grant::NoAccess, budget.pending_per_grant()),
            (Grant::Owner, budget.pending_owners()),
        ] {
            let attachments = Attachments::new(budget);
            let slot = faithful(&attachments, grant.clone()).unwrap();
            let mut silent: Vec<AttachmentSlot> = Vec::new();
            for _ in 0..10 * most {
                silent.push(attachments.admit(grant.clone(), None).unwrap());
                if let Some(closed) = silent.iter().position(is_closed) {
                    assert_eq!(closed, 0, "the oldest goes");
                    assert!(!silent.remove(closed).confirm(), "it comes too late");
                }
                assert!(silent.len() <= most, "{grant:?}");
                assert_eq!(attachments.slots.table().len(), silent.len() + 1);
            }
            assert!(!is_closed(&slot));
            drop((silent, slot));
            assert_eq!(attachments.slots.table().len(), 0);
        }
    }

    #[test]
    fn owners_without_a_hello_make_room_for_owners_and_not_for_guests() {
        let attachments = Attachments::new(DescriptorBudget::new(0, 1));
        let most = attachments.budget.attachments;
        let pending = attachments.admit(Grant::Owner, None).unwrap();
        let others: Vec<AttachmentSlot> =
            (1..most).map(|_| faithful(&attachments, Grant::Owner).unwrap()).collect();
        assert_eq!(attachments.admit(reader("a"), None).map(drop), Err(Full::All(most)));
        assert!(!is_closed(&pending));
        let newest = faithful(&attachments, Grant::Owner).unwrap();
        assert!(is_closed(&pending) && !others.iter().any(is_closed));
        assert_eq!(faithful(&attachments, Grant::Owner).map(drop), Err(Full::All(most)));
        drop(newest);
        let guest = attachments.admit(reader("a"), None).unwrap();
        let _owner = faithful(&attachments, Grant::Owner).unwrap();
        assert!(is_closed(&guest));
    }

    #[test]
    fn guests_leave_room_for_owners() {
        let budget = DescriptorBudget::new(4096, 1);
        let attachments = Attachments::new(budget);
        let mut slots = Vec::new();
        let mut fill = |grant: Grant| {
            loop {
                match faithful(&attachments, grant.clone()) {
                    Ok(slot) => slots.push(slot),
                    Err(full) => break full,
                }
            }
        };
        assert_eq!(fill(reader("a")), Full::Grant(budget.guest_attachments_per_grant()));
        assert_eq!(fill(guest("a", Role::Writer)), Full::Session(budget.guest_attachments_per_session()));
        let last = (0..100).map(|number| fill(reader(&format!("b{number}")))).last();
        assert_eq!(last, Some(Full::Guests(budget.guest_attachments())));
        assert_eq!(fill(Grant::Owner), Full::All(budget.attachments));
        assert_eq!(slots.len(), budget.attachments);
    }

    #[test]
    fn one_address_has_a_share_and_a_proxy_has_none() {
        let budget = DescriptorBudget::new(4096, 1);
        let attachments = Attachments::new(budget);
        let count = |address: &str| {
            let network = Some(Network::of(address.parse::<IpAddr>().unwrap()));
            let mut slots = Vec::new();
            for number in 0..budget.guest_attachments() {
                match attachments.admit(reader(&format!("s{number}")), network) {
                    Ok(slot) => {
                        assert!(slot.confirm());
                        slots.push(slot);
                    }
                    Err(Full::Address(limit)) => {
                        assert_eq!(limit, slots.len());
                        break;
                    }
                    Err(other) => panic!("{other}"),
                }
            }
            slots.len()
        };
        assert_eq!(count("192.0.2.7"), budget.guest_attachments_per_grant());
        assert_eq!(count("127.0.0.1"), budget.guest_attachments());
    }
}
