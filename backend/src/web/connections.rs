//! Who is connected, and who has to make room for others.
//!
//! Every connection that is no attachment has a place here. When there are as many as there may be, the one that matters least is
//! closed, and the newcomer is served: a stranger who sends nothing can take room from nobody.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use crate::{limits::DescriptorBudget, network::Network};

/// Who sends a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    /// Nobody knows.
    Stranger,
    /// Somebody with a pass.
    Guest,
    /// Somebody who may do everything.
    Owner,
}

/// What a connection is doing, least important first: so is the order in which connections are closed for newcomers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// It has not sent the complete head of a request yet.
    Head,
    /// It waits for another request, or takes an answer.
    StrangerIdle,
    GuestIdle,
    /// A request is being answered, and its body may still be on its way.
    StrangerBusy,
    OwnerIdle,
    GuestBusy,
    OwnerBusy,
}

impl Phase {
    fn is_foreign(self) -> bool {
        !matches!(self, Self::OwnerIdle | Self::OwnerBusy)
    }

    /// Of whom there is only a share of all connections, so that newcomers find room for their heads.
    fn is_limited(self) -> bool {
        self.is_foreign() && self != Self::Head
    }

    fn busy(sender: Sender) -> Self {
        match sender {
            Sender::Stranger => Self::StrangerBusy,
            Sender::Guest => Self::GuestBusy,
            Sender::Owner => Self::OwnerBusy,
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

/// All connections. Clones stand for the same ones.
#[derive(Clone, Debug)]
pub(super) struct Connections(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    budget: DescriptorBudget,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    by_id: HashMap<u64, Entry>,
    /// Counts connections and their changes of phase, and so tells which is older.
    clock: u64,
}

#[derive(Debug)]
struct Entry {
    network: Network,
    phase: Phase,
    since: u64,
    /// Tells the connection's task to close it.
    close: Arc<Notify>,
}

/// A connection's place. Dropping it frees it.
#[derive(Debug)]
pub(super) struct Place {
    connections: Connections,
    id: u64,
    close: Arc<Notify>,
}

impl Connections {
    pub(super) fn new(budget: DescriptorBudget) -> Self {
        Self(Arc::new(Inner { budget, table: Mutex::default() }))
    }

    /// Makes a place for somebody who has just connected. `None` if all others matter more.
    pub(super) fn admit(&self, address: IpAddr) -> Option<Place> {
        let budget = &self.0.budget;
        let network = Network::of(address);
        let mut table = self.table();
        let per_address = budget.connections_per_address(network.is_loopback());
        if table.by_id.len() >= per_address {
            let from_there = |entry: &Entry| entry.network == network && entry.phase.is_foreign();
            table.make_room(per_address, from_there)?;
            table.make_room(budget.foreign_connections(), |entry| entry.phase.is_foreign())?;
            table.make_room(budget.connections, |_| true)?;
        }
        table.clock += 1;
        let (id, close) = (table.clock, Arc::new(Notify::new()));
        table.by_id.insert(id, Entry { network, phase: Phase::Head, since: id, close: Arc::clone(&close) });
        drop(table);
        Some(Place { connections: self.clone(), id, close })
    }

    /// Closes the connection that matters least. False if there is none that may be closed.
    pub(super) fn close_one(&self) -> bool {
        self.table().close_least(|_| true)
    }

    fn set_phase(&self, id: u64, change: impl FnOnce(Phase) -> Phase) {
        let most = self.0.budget.connections_per_phase();
        let mut table = self.table();
        table.clock += 1;
        let clock = table.clock;
        // One that has been told to close is no longer there.
        let Some(entry) = table.by_id.get_mut(&id) else { return };
        (entry.phase, entry.since) = (change(entry.phase), clock);
        let phase = entry.phase;
        if phase.is_limited() && table.by_id.len() > most {
            // It is the youngest itself, so another one goes.
            table.make_room(most + 1, |entry| entry.phase == phase);
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Nothing under this lock panics half-way through a change, so what a panic left behind is whole.
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Closes one of these connections if there are `limit` or more. `None` if all of them matter too much.
    fn make_room(&mut self, limit: usize, is_one: impl Fn(&Entry) -> bool) -> Option<()> {
        let count = self.by_id.values().filter(|entry| is_one(entry)).count();
        (count < limit || self.close_least(is_one)).then_some(())
    }

    fn close_least(&mut self, is_one: impl Fn(&Entry) -> bool) -> bool {
        let may_go = |entry: &Entry| entry.phase < Phase::OwnerBusy && is_one(entry);
        let least = self
            .by_id
            .iter()
            .filter(|(_, entry)| may_go(entry))
            .min_by_key(|(_, entry)| (entry.phase, entry.since));
        let Some(id) = least.map(|(&id, _)| id) else { return false };
        if let Some(entry) = self.by_id.remove(&id) {
            entry.close.notify_one();
        }
        true
    }
}

impl Place {
    /// The complete head of a request has come.
    pub(super) fn head_has_come(&self) {
        self.connections.set_phase(self.id, |_| Phase::busy(Sender::Stranger));
    }

    /// Notes who has sent the request.
    pub(super) fn identify(&self, sender: Sender) {
        self.connections.set_phase(self.id, |_| Phase::busy(sender));
    }

    /// The request is answered.
    pub(super) fn has_answered(&self) {
        self.connections.set_phase(self.id, Phase::idle);
    }

    /// Waits until the connection has to make room for another one.
    pub(super) async fn is_to_close(&self) {
        self.close.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.table().by_id.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;

    use super::*;

    const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn connections(open_files: usize) -> Connections {
        Connections::new(DescriptorBudget::new(open_files, 1))
    }

    fn is_closed(place: &Place) -> bool {
        place.is_to_close().now_or_never().is_some()
    }

    fn remote(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn the_oldest_without_a_head_makes_room() {
        let connections = connections(256);
        let room = connections.0.budget.foreign_connections();
        let owner = connections.admit(LOOPBACK).unwrap();
        owner.head_has_come();
        owner.identify(Sender::Owner);
        let silent: Vec<Place> = (0..room).map(|_| connections.admit(LOOPBACK).unwrap()).collect();
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
        let share = connections.0.budget.connections_per_phase();
        let mut slow = Vec::new();
        for number in 0..3 * share {
            let place = connections.admit(LOOPBACK).unwrap();
            place.head_has_come();
            if number % 2 == 0 {
                place.has_answered();
            }
            slow.push(place);
        }
        let closed = slow.iter().filter(|place| is_closed(place)).count();
        assert!(slow.len() - closed <= 2 * share, "of {}, {closed} are closed", slow.len());
        let newcomer = connections.admit(LOOPBACK).unwrap();
        for _ in 0..share / 2 {
            let busy = connections.admit(LOOPBACK).unwrap();
            busy.head_has_come();
            slow.push(busy);
        }
        assert!(!is_closed(&newcomer));
    }

    #[test]
    fn one_address_takes_nothing_from_others() {
        let connections = connections(4096);
        let most = connections.0.budget.connections_per_address(false);
        let other = connections.admit(remote(1)).unwrap();
        let from_one: Vec<Place> = (0..2 * most).map(|_| connections.admit(remote(2)).unwrap()).collect();
        assert_eq!(from_one.iter().filter(|place| is_closed(place)).count(), most);
        assert!(!is_closed(&other));
        // Whoever has a network of IPv6 addresses has one address.
        let six = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, last]);
        let network: Vec<Place> =
            (0..=most).map(|at| connections.admit(six(u16::try_from(at).unwrap())).unwrap()).collect();
        assert!(is_closed(&network[0]) && !is_closed(&network[1]));
        assert_ne!(Network::of(six(1)), Network::of(IpAddr::from([0x2001, 0xdb8, 0, 2, 0, 0, 0, 1])));
        assert_eq!(Network::of("::ffff:192.0.2.1".parse().unwrap()), Network::of(remote(1)));
    }

    #[test]
    fn those_who_are_served_matter_more_than_newcomers() {
        let connections = connections(0);
        let all: Vec<Place> = (0..connections.0.budget.connections)
            .map(|_| {
                let place = connections.admit(LOOPBACK).unwrap();
                place.head_has_come();
                place.identify(Sender::Owner);
                place
            })
            .collect();
        assert!(connections.admit(LOOPBACK).is_none() && !connections.close_one());
        all[3].has_answered();
        assert!(connections.admit(LOOPBACK).is_some() && is_closed(&all[3]));
    }

    #[tokio::test]
    async fn who_is_to_close_is_told_whenever_it_asks() {
        let connections = connections(256);
        let place = connections.admit(LOOPBACK).unwrap();
        assert!(connections.close_one() && !connections.close_one());
        tokio::time::timeout(Duration::from_mins(1), place.is_to_close()).await.unwrap();
        drop(place);
        assert!(connections.table().by_id.is_empty());
    }
}
