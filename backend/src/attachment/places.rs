//! Who is attached, as far as it counts how many they are; and who, of those that have not said hello yet, has to make room.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use limpet_shared::{Role, SessionId};
use tokio::sync::Notify;

use crate::{limits::DescriptorBudget, network::Network};

/// What lets a guest in: a role at a session.
type Grant = (SessionId, Role);

/// All attachments. Clones stand for the same ones.
#[derive(Clone, Debug)]
pub(crate) struct Attachments(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    budget: DescriptorBudget,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    all: usize,
    guests: usize,
    by_grant: HashMap<Grant, usize>,
    by_network: HashMap<Network, usize>,
    /// Those that have not said hello yet, the oldest first.
    pending: Vec<Pending>,
    next_id: u64,
}

#[derive(Debug)]
struct Pending {
    id: u64,
    /// `None` for an owner.
    guest: Option<Guest>,
    close: Arc<Notify>,
}

/// A guest, by what limits are about.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Guest {
    grant: Grant,
    /// `None` for those whose address says nothing: they come by way of a proxy on this machine that does not tell.
    network: Option<Network>,
}

/// Why there is no room for an attachment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Full {
    /// For nobody.
    #[error("{0} viewers are attached, which is as many as there may be; let some of them go")]
    All(usize),
    /// For guests.
    #[error(
        "{0} guests are attached, which is as many as there may be; try again when some of them have left"
    )]
    Guests(usize),
    /// For guests of this session.
    #[error(
        "{0} guests are attached to this session, which is as many as there may be; try again when some of them have left"
    )]
    Session(usize),
    /// For those with this link.
    #[error(
        "{0} viewers are attached by this link, which is as many as one link may have; try again when some of them have left"
    )]
    Grant(usize),
    /// For guests from this address.
    #[error(
        "{0} guests are attached from your address, which is as many as one may have; let some of them go"
    )]
    Address(usize),
}

/// An attachment's place. Dropping it frees it.
#[derive(Debug)]
pub struct Place {
    attachments: Attachments,
    id: u64,
    guest: Option<Guest>,
    close: Arc<Notify>,
}

impl Attachments {
    pub(crate) fn new(budget: DescriptorBudget) -> Self {
        Self(Arc::new(Inner { budget, table: Mutex::default() }))
    }

    /// Makes a place for somebody with this role at this session. Those who have said hello keep theirs.
    pub(crate) fn admit(
        &self,
        session: &SessionId,
        role: Role,
        network: Option<Network>,
    ) -> Result<Place, Full> {
        let budget = &self.0.budget;
        let network = network.filter(|network| !network.is_loopback());
        let guest = (role != Role::Owner).then(|| Guest { grant: (session.clone(), role), network });
        let mut table = self.table();
        if table.all >= budget.attachments {
            // Of guests if there are any. The place is free once the other one has gone.
            let _ = table.close_oldest(|pending| pending.guest.is_some()) || table.close_oldest(|_| true);
            return Err(Full::All(budget.attachments));
        }
        if let Some(guest) = &guest {
            table.check(guest, budget)?;
        }
        table.next_id += 1;
        let (id, close) = (table.next_id, Arc::new(Notify::new()));
        table.count(guest.as_ref(), 1);
        table.pending.push(Pending { id, guest: guest.clone(), close: Arc::clone(&close) });
        drop(table);
        Ok(Place { attachments: self.clone(), id, guest, close })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Nothing under this lock panics half-way through a change, so what a panic left behind is whole.
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Whether there is room for another guest. Of those like it that have not said hello the oldest makes room for the newest.
    fn check(&mut self, guest: &Guest, budget: &DescriptorBudget) -> Result<(), Full> {
        let same_grant =
            |pending: &Pending| pending.guest.as_ref().is_some_and(|other| other.grant == guest.grant);
        let same_network = |pending: &Pending| {
            guest.network.is_some()
                && pending.guest.as_ref().is_some_and(|other| other.network == guest.network)
        };
        if self.pending.iter().filter(|pending| same_grant(pending)).count() >= budget.pending_per_grant() {
            self.close_oldest(same_grant);
        }
        if self.pending.iter().filter(|pending| same_network(pending)).count() >= budget.pending_per_grant() {
            self.close_oldest(same_network);
        }
        let with_grant = |grant: &Grant| self.by_grant.get(grant).copied().unwrap_or_default();
        let at_session = [Role::Reader, Role::Writer].map(|role| with_grant(&(guest.grant.0.clone(), role)));
        let from_network = guest.network.and_then(|network| self.by_network.get(&network)).copied();
        for (count, limit, full) in [
            (with_grant(&guest.grant), budget.guests_per_grant(), Full::Grant as fn(usize) -> Full),
            (from_network.unwrap_or_default(), budget.guests_per_grant(), Full::Address),
            (at_session.iter().sum(), budget.guests_per_session(), Full::Session),
            (self.guests, budget.guests(), Full::Guests),
        ] {
            if count >= limit {
                return Err(full(limit));
            }
        }
        Ok(())
    }

    /// Tells the oldest of those to close that have not said hello. It counts until it has.
    fn close_oldest(&mut self, is_one: impl Fn(&Pending) -> bool) -> bool {
        let Some(at) = self.pending.iter().position(is_one) else { return false };
        self.pending.remove(at).close.notify_one();
        true
    }

    fn count(&mut self, guest: Option<&Guest>, change: isize) {
        self.all = self.all.saturating_add_signed(change);
        let Some(Guest { grant, network }) = guest else { return };
        self.guests = self.guests.saturating_add_signed(change);
        count_one(&mut self.by_grant, grant, change);
        if let Some(network) = network {
            count_one(&mut self.by_network, network, change);
        }
    }
}

/// Counts, and keeps no zeros.
fn count_one<K: Clone + Eq + Hash>(counts: &mut HashMap<K, usize>, key: &K, change: isize) {
    let count = counts.get(key).copied().unwrap_or_default().saturating_add_signed(change);
    if count == 0 {
        counts.remove(key);
    } else {
        counts.insert(key.clone(), count);
    }
}

impl Place {
    /// The viewer has said hello, and keeps its place.
    pub(crate) fn hello_has_come(&self) {
        self.attachments.table().pending.retain(|pending| pending.id != self.id);
    }

    /// Waits until the attachment has to make room for another one. That ends when hello has come.
    pub(crate) async fn is_to_close(&self) {
        self.close.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut table = self.attachments.table();
        table.pending.retain(|pending| pending.id != self.id);
        table.count(self.guest.as_ref(), -1);
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use futures_util::FutureExt;

    use super::*;

    fn session(name: &str) -> SessionId {
        name.parse().unwrap()
    }

    fn is_closed(place: &Place) -> bool {
        place.is_to_close().now_or_never().is_some()
    }

    #[test]
    fn of_those_without_a_hello_the_oldest_makes_room() {
        let budget = DescriptorBudget::new(4096, 1);
        let (attachments, id) = (Attachments::new(budget), session("a"));
        let most = budget.pending_per_grant();
        let faithful = attachments.admit(&id, Role::Reader, None).unwrap();
        faithful.hello_has_come();
        let mut silent: Vec<Place> = Vec::new();
        for _ in 0..10 * most {
            silent.push(attachments.admit(&id, Role::Reader, None).unwrap());
            // As soon as it has been told it goes.
            silent.retain(|place| !is_closed(place));
            assert!(silent.len() <= most);
        }
        assert!(!is_closed(&faithful));
        assert_eq!(attachments.table().by_grant[&(id.clone(), Role::Reader)], most + 1);
        drop((silent, faithful));
        let table = attachments.table();
        assert!(table.all == 0 && table.guests == 0 && table.by_grant.is_empty() && table.pending.is_empty());
    }

    #[test]
    fn guests_leave_room_for_owners() {
        let budget = DescriptorBudget::new(4096, 1);
        let attachments = Attachments::new(budget);
        let attach = |id: &str, role| {
            let place = attachments.admit(&session(id), role, None)?;
            place.hello_has_come();
            Ok::<_, Full>(place)
        };
        let mut places = Vec::new();
        let mut fill = |id: &str, role| {
            loop {
                match attach(id, role) {
                    Ok(place) => places.push(place),
                    Err(full) => break full,
                }
            }
        };
        assert_eq!(fill("a", Role::Reader), Full::Grant(budget.guests_per_grant()));
        assert_eq!(fill("a", Role::Writer), Full::Session(budget.guests_per_session()));
        let last = (0..100).map(|number| fill(&format!("b{number}"), Role::Reader)).last();
        assert_eq!(last, Some(Full::Guests(budget.guests())));
        assert_eq!(fill("a", Role::Owner), Full::All(budget.attachments));
        assert_eq!(places.len(), budget.attachments);
    }

    #[test]
    fn one_address_has_a_share_and_a_proxy_has_none() {
        let budget = DescriptorBudget::new(4096, 1);
        let attachments = Attachments::new(budget);
        let count = |address: &str| {
            let network = Some(Network::of(address.parse::<IpAddr>().unwrap()));
            let mut places = Vec::new();
            for number in 0..budget.guests() {
                let id = session(&format!("s{number}"));
                match attachments.admit(&id, Role::Reader, network) {
                    Ok(place) => {
                        place.hello_has_come();
                        places.push(place);
                    }
                    Err(Full::Address(limit)) => {
                        assert_eq!(limit, places.len());
                        break;
                    }
                    Err(other) => panic!("{other}"),
                }
            }
            places.len()
        };
        assert_eq!(count("192.0.2.7"), budget.guests_per_grant());
        assert_eq!(count("127.0.0.1"), budget.guests());
    }
}
