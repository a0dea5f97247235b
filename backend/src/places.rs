//! A bounded set of places in which the least important holders make room for newcomers.
//!
//! Connections and attachments are counted this way. A holder that has been told to make room is no
//! longer in the set: its descriptor is closed a moment later, but the newcomer gets its place at
//! once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

/// A set of places. Clones share it. `T` describes a holder.
#[derive(Debug)]
pub(crate) struct Places<T>(Arc<Mutex<Table<T>>>);

/// The holders of all places.
#[derive(Debug)]
pub(crate) struct Table<T> {
    entries: HashMap<u64, Entry<T>>,
    /// Number of arrivals and changes so far, which tells the older of two holders.
    clock: u64,
}

#[derive(Debug)]
struct Entry<T> {
    holder: T,
    /// Value of the clock when the holder arrived or last changed.
    changed_at: u64,
    evicted: Arc<Notify>,
}

/// A held place. Dropping it frees it.
#[derive(Debug)]
pub(crate) struct Place<T> {
    places: Places<T>,
    id: u64,
    evicted: Arc<Notify>,
}

impl<T> Clone for Places<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Places<T> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Table { entries: HashMap::new(), clock: 0 })))
    }
}

impl<T> Places<T> {
    /// Locks the table, so that the caller can inspect it and make room in it.
    pub(crate) fn table(&self) -> MutexGuard<'_, Table<T>> {
        // No code panics under this lock while a change is incomplete, so the table is consistent
        // even after a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a newcomer to the table, in which the caller has found room.
    pub(crate) fn enter(&self, mut table: MutexGuard<'_, Table<T>>, holder: T) -> Place<T> {
        table.clock += 1;
        let (id, evicted) = (table.clock, Arc::new(Notify::new()));
        table.entries.insert(id, Entry { holder, changed_at: id, evicted: Arc::clone(&evicted) });
        Place { places: self.clone(), id, evicted }
    }
}

impl<T> Table<T> {
    /// Returns the number of places that are held.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns all holders, in no particular order.
    pub(crate) fn holders(&self) -> impl Iterator<Item = &T> {
        self.entries.values().map(|entry| &entry.holder)
    }

    /// Removes the holder of the lowest rank, the oldest if there are several, and tells it to
    /// close. Holders of rank `None` keep their places. Returns false if no holder has a rank.
    pub(crate) fn close_least<R: Ord>(&mut self, rank: impl Fn(&T) -> Option<R>) -> bool {
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
        count < limit || self.close_least(|holder| rank(holder).filter(|_| counts(holder)))
    }
}

impl<T> Place<T> {
    /// Changes the description of the holder, which then counts as the youngest. Returns `None` if
    /// the holder had to make room already.
    pub(crate) fn change<R>(
        &self,
        change: impl FnOnce(&mut T) -> R,
    ) -> Option<(R, MutexGuard<'_, Table<T>>)> {
        let mut table = self.places.table();
        table.clock += 1;
        let clock = table.clock;
        let entry = table.entries.get_mut(&self.id)?;
        entry.changed_at = clock;
        let result = change(&mut entry.holder);
        Some((result, table))
    }

    /// Waits until the holder has to make room for another one.
    pub(crate) async fn is_to_close(&self) {
        self.evicted.notified().await;
    }
}

impl<T> Drop for Place<T> {
    fn drop(&mut self) {
        self.places.table().entries.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn the_least_and_oldest_goes_and_is_told_whenever_it_asks() {
        let places = Places::default();
        let enter = |rank: u8| places.enter(places.table(), rank);
        let (first, second, third) = (enter(1), enter(0), enter(0));
        assert!(places.table().close_least(|&rank| Some(rank)));
        assert_eq!(places.table().len(), 2);
        tokio::time::timeout(Duration::from_mins(1), second.is_to_close()).await.unwrap();
        assert!(second.change(|_| ()).is_none(), "it is no longer there");
        assert_eq!(third.change(|rank| *rank = 1).unwrap().0, ());
        assert!(places.table().make_room(3, |_| true, |&rank| Some(rank)), "there is room");
        assert_eq!(places.table().len(), 2);
        assert!(places.table().make_room(2, |_| true, |&rank| Some(rank)));
        assert!(
            first.change(|_| ()).is_none() && third.change(|_| ()).is_some(),
            "the oldest of a rank goes"
        );
        assert!(!places.table().close_least(|_| None::<u8>));
        drop((first, second, third));
        assert_eq!(places.table().len(), 0);
    }
}
