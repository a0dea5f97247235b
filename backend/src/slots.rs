//! A bounded set of slots in which the least important holders make room for newcomers.
//!
//! Connections and attachments are counted this way. A holder that has been told to make room is no
//! longer in the set: its descriptor is closed a moment later, but the newcomer gets its slot at
//! once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

/// A set of slots. Clones share it. `T` describes a holder.
#[derive(Debug)]
pub(crate) struct Slots<T>(Arc<Mutex<SlotTable<T>>>);

/// The holders of all slots.
#[derive(Debug)]
pub(crate) struct SlotTable<T> {
    entries: HashMap<u64, SlotEntry<T>>,
    /// Number of arrivals and changes so far, which tells the older of two holders.
    changes: u64,
}

#[derive(Debug)]
struct SlotEntry<T> {
    holder: T,
    /// Number of changes when the holder arrived or last changed.
    changed_at: u64,
    evicted: Arc<Notify>,
}

/// A held slot. Dropping it frees it.
#[derive(Debug)]
pub(crate) struct Slot<T> {
    slots: Slots<T>,
    id: u64,
    evicted: Arc<Notify>,
}

impl<T> Clone for Slots<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(SlotTable { entries: HashMap::new(), changes: 0 })))
    }
}

impl<T> Slots<T> {
    /// Locks the table, so that the caller can inspect it and make room in it.
    pub(crate) fn table(&self) -> MutexGuard<'_, SlotTable<T>> {
        // No code panics under this lock while a change is incomplete, so the table is consistent
        // even after a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a newcomer to the table, in which the caller has found room.
    pub(crate) fn enter(&self, mut table: MutexGuard<'_, SlotTable<T>>, holder: T) -> Slot<T> {
        table.changes += 1;
        let (id, evicted) = (table.changes, Arc::new(Notify::new()));
        table.entries.insert(id, SlotEntry { holder, changed_at: id, evicted: Arc::clone(&evicted) });
        Slot { slots: self.clone(), id, evicted }
    }
}

impl<T> SlotTable<T> {
    /// Returns the number of slots that are held.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns all holders, in no particular order.
    pub(crate) fn holders(&self) -> impl Iterator<Item = &T> {
        self.entries.values().map(|entry| &entry.holder)
    }

    /// Removes the holder of the lowest rank, the oldest if there are several, and tells it to
    /// close. Holders of rank `None` keep their slots. Returns false if no holder has a rank.
    pub(crate) fn evict_lowest<R: Ord>(&mut self, rank: impl Fn(&T) -> Option<R>) -> bool {
        let ranked =
            self.entries.iter().filter_map(|(&id, entry)| Some((rank(&entry.holder)?, entry.changed_at, id)));
        let Some((_, _, id)) = ranked.min() else { return false };
        if let Some(entry) = self.entries.remove(&id) {
            entry.evicted.notify_one();
        }
        true
    }

    /// Makes room for one more among the holders that `counts` selects, of which there may be
    /// `limit`. If there are as many already, the one of the lowest rank has to go. Returns false
    /// if none of them has a rank.
    pub(crate) fn make_room<R: Ord>(
        &mut self,
        limit: usize,
        counts: impl Fn(&T) -> bool,
        rank: impl Fn(&T) -> Option<R>,
    ) -> bool {
        let count = self.holders().filter(|holder| counts(holder)).count();
        count < limit || self.evict_lowest(|holder| rank(holder).filter(|_| counts(holder)))
    }
}

impl<T> Slot<T> {
    /// Changes the description of the holder, which then counts as the youngest. Returns `None` if
    /// the holder had to make room already.
    pub(crate) fn change<R>(
        &self,
        change: impl FnOnce(&mut T) -> R,
    ) -> Option<(R, MutexGuard<'_, SlotTable<T>>)> {
        let mut table = self.slots.table();
        table.changes += 1;
        let changes = table.changes;
        let entry = table.entries.get_mut(&self.id)?;
        entry.changed_at = changes;
        let result = change(&mut entry.holder);
        Some((result, table))
    }

    /// Waits until the holder has to make room for another one.
    pub(crate) async fn evicted(&self) {
        self.evicted.notified().await;
    }
}

impl<T> Drop for Slot<T> {
    fn drop(&mut self) {
        self.slots.table().entries.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn the_least_and_oldest_goes_and_is_told_whenever_it_asks() {
        let slots = Slots::default();
        let enter = |rank: u8| slots.enter(slots.table(), rank);
        let (first, second, third) = (enter(1), enter(0), enter(0));
        assert!(slots.table().evict_lowest(|&rank| Some(rank)));
        assert_eq!(slots.table().len(), 2);
        tokio::time::timeout(Duration::from_mins(1), second.evicted()).await.unwrap();
        assert!(second.change(|_| ()).is_none(), "it is no longer there");
        assert_eq!(third.change(|rank| *rank = 1).unwrap().0, ());
        assert!(slots.table().make_room(3, |_| true, |&rank| Some(rank)), "there is room");
        assert_eq!(slots.table().len(), 2);
        assert!(slots.table().make_room(2, |_| true, |&rank| Some(rank)));
        assert!(
            first.change(|_| ()).is_none() && third.change(|_| ()).is_some(),
            "the oldest of a rank goes"
        );
        assert!(!slots.table().evict_lowest(|_| None::<u8>));
        drop((first, second, third));
        assert_eq!(slots.table().len(), 0);
    }
}
