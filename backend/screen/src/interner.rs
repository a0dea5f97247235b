//! Values shared by many cells. Each is stored once and has a number.

use std::{borrow::Borrow, collections::HashMap, hash::Hash};

use foldhash::fast::RandomState;

/// Minimum number of values at which it is worth searching for unused ones.
pub(super) const MIN_SWEEP_VALUES: usize = 1024;

/// Number of values above which a table does not grow by itself, because growing moves all of them
/// at once.
const MAX_SELF_GROWING_VALUES: usize = 8 * 1024;

/// Minimum number of free places in a large table, which a run of text may fill.
const MIN_FREE_SLOTS: usize = 4096;

/// Values with numbers from 1 on; 0 stands for no value. An empty table takes no memory: most
/// terminals have no clusters and no links.
#[derive(Clone, Debug)]
pub(super) struct Interner<T>(Option<Box<Entries<T>>>);

#[derive(Clone, Debug)]
struct Entries<T> {
    values: Vec<Option<T>>,
    numbers: HashMap<T, u32, RandomState>,
    free: Vec<u32>,
    /// Number of values above which a sweep is due.
    sweep_limit: usize,
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            numbers: HashMap::default(),
            free: Vec::new(),
            sweep_limit: MIN_SWEEP_VALUES,
        }
    }
}

impl<T: Clone + Eq + Hash> Interner<T> {
    /// Returns the number of a value, if it has one.
    pub(super) fn find<Q: Eq + Hash + ?Sized>(&self, value: &Q) -> Option<u32>
    where
        T: Borrow<Q>,
    {
        self.0.as_ref()?.numbers.get(value).copied()
    }

    /// Returns the number of a value, and adds the value if it is new. The table stores clones, so
    /// large values should be in an `Arc`.
    pub(super) fn intern(&mut self, value: &T) -> u32 {
        let Entries { values, numbers, free, .. } = &mut **self.0.get_or_insert_default();
        if let Some(&number) = numbers.get(value) {
            return number;
        }
        let number = free.pop().unwrap_or_else(|| {
            values.push(None);
            u32::try_from(values.len()).unwrap_or(u32::MAX)
        });
        if let Some(slot) = slot(values, number) {
            *slot = Some(value.clone());
        }
        numbers.insert(value.clone(), number);
        number
    }

    pub(super) fn get(&self, number: u32) -> Option<&T> {
        self.0.as_ref()?.values.get((number as usize).checked_sub(1)?)?.as_ref()
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flat_map(|entries| entries.values.iter().flatten())
    }

    /// Returns the number of places, which includes those of values that were forgotten.
    pub(super) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |entries| entries.values.len())
    }

    /// Reports whether there are enough values that [`Interner::retain`] should be called.
    pub(super) fn is_sweep_due(&self) -> bool {
        self.0.as_ref().is_some_and(|entries| entries.numbers.len() > entries.sweep_limit)
    }

    /// Reports whether [`Interner::grow`] has to be called.
    pub(super) fn needs_growth(&self) -> bool {
        self.0.as_ref().is_some_and(|entries| {
            let Entries { values, numbers, free, .. } = &**entries;
            let room =
                (numbers.capacity() - numbers.len()).min(free.len() + values.capacity() - values.len());
            numbers.len() > MAX_SELF_GROWING_VALUES && room < MIN_FREE_SLOTS
        })
    }

    /// Doubles the number of places.
    pub(super) fn grow(&mut self) {
        if let Some(Entries { values, numbers, .. }) = self.0.as_deref_mut() {
            numbers.reserve(numbers.len());
            values.reserve(values.len());
        }
    }

    /// Forgets the values whose numbers are not `used`, and frees their memory.
    pub(super) fn retain(&mut self, used: impl Fn(u32) -> bool) {
        let Some(entries) = &mut self.0 else { return };
        let Entries { values, numbers, free, sweep_limit } = &mut **entries;
        numbers.retain(|_, &mut number| used(number));
        let last = (1..).zip(&*values).filter(|&(number, value)| value.is_some() && used(number)).last();
        values.truncate(last.map_or(0, |(number, _)| number as usize));
        free.clear();
        for (number, value) in (1..).zip(values.iter_mut()) {
            if !used(number) {
                *value = None;
                free.push(number);
            }
        }
        if numbers.is_empty() {
            self.0 = None;
            return;
        }
        *sweep_limit = MIN_SWEEP_VALUES.max(2 * numbers.len());
        // Makes room for new values here, because moving a large table takes long and a sweep has
        // the time.
        let room = *sweep_limit / 4 * 5;
        numbers.shrink_to(room);
        values.shrink_to(room);
        free.shrink_to_fit();
        if *sweep_limit > MIN_SWEEP_VALUES {
            numbers.reserve(room - numbers.len());
            values.reserve(room.saturating_sub(values.len()));
        }
    }
}

fn slot<T>(values: &mut [Option<T>], number: u32) -> Option<&mut Option<T>> {
    values.get_mut((number as usize).wrapping_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_one_number_until_it_is_forgotten() {
        let mut interner = Interner::default();
        let (a, b) = (interner.intern(&"a"), interner.intern(&"b"));
        assert_eq!((a, b, interner.intern(&"a")), (1, 2, 1));
        interner.retain(|number| number == b);
        assert_eq!((interner.get(a), interner.get(b)), (None, Some(&"b")));
        assert_eq!(interner.intern(&"c"), a, "a number that is free is given again");
        assert_eq!((interner.get(a), interner.find("c"), interner.find("a")), (Some(&"c"), Some(a), None));
        assert_eq!((interner.get(0), interner.get(99)), (None, None));
        interner.retain(|number| number == a);
        assert_eq!((interner.len(), interner.intern(&"d")), (1, 2), "no room is kept at the end");
    }

    #[test]
    fn a_large_one_grows_when_it_is_told_to() {
        let mut interner = Interner::default();
        let mut capacity = 0;
        for value in 0..200_000 {
            if interner.needs_growth() {
                interner.grow();
                assert!(!interner.needs_growth());
                capacity = interner.0.as_ref().unwrap().numbers.capacity();
            }
            interner.intern(&value);
            let entries = interner.0.as_ref().unwrap();
            let is_small = value <= MAX_SELF_GROWING_VALUES;
            assert!(is_small || capacity == 0 || entries.numbers.capacity() == capacity);
        }
        assert!(capacity >= 200_000);
    }

    #[test]
    fn it_asks_to_be_swept_when_it_has_doubled() {
        let mut interner = Interner::default();
        let fill = |interner: &mut Interner<usize>, range: std::ops::Range<usize>| {
            for value in range {
                interner.intern(&value);
            }
        };
        fill(&mut interner, 0..MIN_SWEEP_VALUES);
        assert!(!interner.is_sweep_due());
        fill(&mut interner, MIN_SWEEP_VALUES..MIN_SWEEP_VALUES + 1);
        assert!(interner.is_sweep_due());
        interner.retain(|_| true);
        assert!(!interner.is_sweep_due());
        fill(&mut interner, 0..2 * MIN_SWEEP_VALUES + 3);
        assert!(interner.is_sweep_due());
        interner.retain(|_| false);
        assert!(interner.0.is_none(), "nothing takes no memory");
    }
}
