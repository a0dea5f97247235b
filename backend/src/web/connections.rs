//! The table of connections, which decides which of them makes room for others.
//!
//! Every connection that is not an attachment has a slot here. When all slots are taken, the
//! least important connection is closed and the newcomer is served. A stranger that sends nothing
//! therefore cannot take room from anybody.

use std::net::IpAddr;

use crate::{
    descriptor_budget::DescriptorBudget,
    network::Network,
    slots::{self, Slots},
};

/// The kind of client that sends a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientKind {
    /// The client has shown no credentials yet.
    Stranger,
    /// The client has a pass.
    Guest,
    /// The client may do everything.
    Owner,
}

/// The activity of a connection, least important first. Connections are closed for newcomers in
/// this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// The complete head of a request has not arrived yet.
    Head,
    /// The connection waits for another request, or takes an answer.
    StrangerIdle,
    GuestIdle,
    /// A request is being answered. Its body may still be arriving.
    StrangerBusy,
    OwnerIdle,
    GuestBusy,
    OwnerBusy,
}

impl Phase {
    fn is_non_owner(self) -> bool {
        !matches!(self, Self::OwnerIdle | Self::OwnerBusy)
    }

    /// Reports whether only a share of all connections may be in this phase, so that newcomers find
    /// room to send their heads.
    fn is_limited(self) -> bool {
        self.is_non_owner() && self != Self::Head
    }

    fn busy(kind: ClientKind) -> Self {
        match kind {
            ClientKind::Stranger => Self::StrangerBusy,
            ClientKind::Guest => Self::GuestBusy,
            ClientKind::Owner => Self::OwnerBusy,
        }
    }

    fn idle(self) -> Self {
        match self {
            Self::StrangerBusy => Self::StrangerIdle,
            Self::GuestBusy => Self::GuestIdle,
            Self::OwnerBusy => Self::OwnerIdle,
            idle => idle,
        }
    }
}

/// All connections. Clones refer to the same table.
#[derive(Clone, Debug)]
pub(super) struct Connections {
    budget: DescriptorBudget,
    slots: Slots<Connection>,
}

#[derive(Debug)]
struct Connection {
    network: Network,
    phase: Phase,
}

/// A connection's slot in the table, which is freed when it is dropped.
#[derive(Debug)]
pub(super) struct ConnectionSlot {
    budget: DescriptorBudget,
    slot: slots::Slot<Connection>,
}

impl Connections {
    pub(super) fn new(budget: DescriptorBudget) -> Self {
        Self { budget, slots: Slots::default() }
    }

    /// Gives a slot to a new connection. Returns `None` if all others are more important.
    pub(super) fn admit(&self, address: IpAddr) -> Option<ConnectionSlot> {
        let (budget, network) = (self.budget, Network::of(address));
        let mut table = self.slots.table();
        let per_address = budget.connections_per_address(network.is_loopback());
        let is_non_owner = |connection: &Connection| connection.phase.is_non_owner();
        let from_there = |connection: &Connection| connection.network == network && is_non_owner(connection);
        let has_room = table.len() < per_address
            || table.make_room(per_address, from_there, Connection::rank)
                && table.make_room(budget.non_owner_connections(), is_non_owner, Connection::rank)
                && table.make_room(budget.connections, |_| true, Connection::rank);
        has_room.then(|| {
            let slot = self.slots.enter(table, Connection { network, phase: Phase::Head });
            ConnectionSlot { budget, slot }
        })
    }

    /// Closes the least important connection. Returns false if none may be closed.
    pub(super) fn evict_one(&self) -> bool {
        self.slots.table().evict_lowest(Connection::rank)
    }
}

impl Connection {
    /// Returns the connection's importance, or `None` if it must not be closed.
    fn rank(&self) -> Option<Phase> {
        (self.phase < Phase::OwnerBusy).then_some(self.phase)
    }
}

impl ConnectionSlot {
    /// Records that the complete head of a request has arrived.
    pub(super) fn on_head(&self) {
        self.set_phase(|_| Phase::busy(ClientKind::Stranger));
    }

    /// Records the kind of client that has sent the request.
    pub(super) fn identify(&self, kind: ClientKind) {
        self.set_phase(|_| Phase::busy(kind));
    }

    /// Records that the request is answered.
    pub(super) fn on_answered(&self) {
        self.set_phase(Phase::idle);
    }

    fn set_phase(&self, change: impl FnOnce(Phase) -> Phase) {
        let changed = self.slot.change(|connection| {
            connection.phase = change(connection.phase);
            connection.phase
        });
        let Some((phase, mut table)) = changed else { return };
        let most = self.budget.connections_per_phase();
        if phase.is_limited() && table.len() > most {
            // This connection is the youngest of its phase, so an older one is closed.
            table.make_room(most + 1, |connection| connection.phase == phase, Connection::rank);
        }
    }

    /// Waits until the connection has to make room for another one.
    pub(super) async fn evicted(&self) {
        self.slot.evicted().await;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn connections(open_files: usize) -> Connections {
        Connections::new(DescriptorBudget::new(open_files, 1))
    }

    fn is_closed(slot: &ConnectionSlot) -> bool {
        slot.evicted().now_or_never().is_some()
    }

    fn remote(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn the_oldest_without_a_head_makes_room() {
        let connections = connections(256);
        let room = connections.budget.non_owner_connections();
        let owner = connections.admit(LOOPBACK).unwrap();
        owner.on_head();
        owner.identify(ClientKind::Owner);
        let silent: Vec<ConnectionSlot> = (0..room).map(|_| connections.admit(LOOPBACK).unwrap()).collect();
        assert!(!silent.iter().any(is_closed));
        let mut newcomers = Vec::new();
        for silent in &silent {
            newcomers.push(connections.admit(LOOPBACK).unwrap());
            assert!(is_closed(silent));
        }
        assert!(!newcomers.iter().any(is_closed) && !is_closed(&owner));
    }

    #[test]
    fn slow_bodies_and_idle_strangers_leave_room_for_heads() {
        let connections = connections(4096);
        let share = connections.budget.connections_per_phase();
        let mut slow_slots = Vec::new();
        for number in 0..3 * share {
            let slot = connections.admit(LOOPBACK).unwrap();
            slot.on_head();
            if number % 2 == 0 {
                slot.on_answered();
            }
            slow_slots.push(slot);
        }
        let closed = slow_slots.iter().filter(|slot| is_closed(slot)).count();
        assert!(slow_slots.len() - closed <= 2 * share, "of {}, {closed} are closed", slow_slots.len());
        let newcomer = connections.admit(LOOPBACK).unwrap();
        for _ in 0..share / 2 {
            let busy = connections.admit(LOOPBACK).unwrap();
            busy.on_head();
            slow_slots.push(busy);
        }
        assert!(!is_closed(&newcomer));
    }

    #[test]
    fn one_address_takes_nothing_from_others() {
        let connections = connections(4096);
        let most = connections.budget.connections_per_address(false);
        let other = connections.admit(remote(1)).unwrap();
        let from_one: Vec<ConnectionSlot> =
            (0..2 * most).map(|_| connections.admit(remote(2)).unwrap()).collect();
        assert_eq!(from_one.iter().filter(|slot| is_closed(slot)).count(), most);
        assert!(!is_closed(&other));
        // A network of IPv6 addresses counts as one address.
        let six = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, last]);
        let network: Vec<ConnectionSlot> =
            (0..=most).map(|at| connections.admit(six(u16::try_from(at).unwrap())).unwrap()).collect();
        assert!(is_closed(&network[0]) && !is_closed(&network[1]));
        assert_ne!(Network::of(six(1)), Network::of(IpAddr::from([0x2001, 0xdb8, 0, 2, 0, 0, 0, 1])));
        assert_eq!(Network::of("::ffff:192.0.2.1".parse().unwrap()), Network::of(remote(1)));
    }

    #[test]
    fn those_who_are_served_matter_more_than_newcomers() {
        let connections = connections(0);
        let all: Vec<ConnectionSlot> = (0..connections.budget.connections)
            .map(|_| {
                let slot = connections.admit(LOOPBACK).unwrap();
                slot.on_head();
                slot.identify(ClientKind::Owner);
                slot
            })
            .collect();
        assert!(connections.admit(LOOPBACK).is_none() && !connections.evict_one());
        all[3].on_answered();
        assert!(connections.admit(LOOPBACK).is_some() && is_closed(&all[3]));
    }
}
