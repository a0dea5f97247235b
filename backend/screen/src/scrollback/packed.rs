//! Packed rows in one buffer, so that no row is allocated by itself.

use std::{collections::VecDeque, ops::Deref};

use super::packing::{Shared, pack, unpack, visit};
use crate::row::Row;

/// Length of a packed row, in bytes.
pub(super) type Length = u32;

/// Packed rows, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Packed {
    /// The rows, after those that have been dropped.
    bytes: Vec<u8>,
    lengths: VecDeque<Length>,
    /// Size of the dropped rows, in bytes.
    dropped: usize,
}

impl Packed {
    /// Creates rows from their lengths and their packed bytes.
    pub(super) fn new(lengths: VecDeque<Length>, bytes: Vec<u8>) -> Self {
        Self { bytes, lengths, dropped: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.lengths.len()
    }

    /// Returns the size of the rows and their lengths, in bytes.
    pub(super) fn size(&self) -> usize {
        self.bytes.len() + self.len() * size_of::<Length>()
    }

    pub(super) fn push(&mut self, row: &Row) {
        let start = self.bytes.len();
        pack(row, &mut self.bytes);
        self.lengths.push_back(Length::try_from(self.bytes.len() - start).unwrap_or(Length::MAX));
    }

    /// Takes back the newest row.
    pub(super) fn pop(&mut self) -> Option<Row> {
        let start = self.bytes.len() - self.lengths.pop_back()? as usize;
        let row = unpack(&self.bytes[start..]);
        self.bytes.truncate(start);
        Some(row)
    }

    /// Drops the oldest `count` rows.
    pub(super) fn drop_first(&mut self, count: usize) {
        self.dropped += self.lengths.drain(..count).map(|length| length as usize).sum::<usize>();
        // This moves at most as many bytes as were dropped.
        if self.dropped * 2 >= self.bytes.len() {
            self.bytes.drain(..self.dropped);
            self.dropped = 0;
            self.bytes.shrink_to(2 * self.bytes.len());
        }
    }

    /// Returns the lengths and the packed bytes of the oldest rows, of which all but the last fit
    /// into `size` bytes.
    pub(super) fn front(&self, size: usize) -> (impl ExactSizeIterator<Item = Length> + '_, &[u8]) {
        let (mut count, mut taken) = (0, 0);
        while let Some(&length) =
            self.lengths.get(count).filter(|_| taken + count * size_of::<Length>() < size)
        {
            taken += length as usize;
            count += 1;
        }
        (self.lengths.range(..count).copied(), &self.bytes[self.dropped..][..taken])
    }

    /// Returns all rows but the oldest `first`.
    pub(super) fn iter_from(&self, first: usize) -> impl Iterator<Item = Row> + '_ {
        let first = first.min(self.len());
        unpacked(self.bytes.as_slice(), self.start_of(first), self.lengths.range(first..).copied())
    }

    /// Returns all rows but the oldest `first`, and consumes `self`.
    pub(super) fn into_iter_from(self, first: usize) -> impl Iterator<Item = Row> {
        let first = first.min(self.len());
        let start = self.start_of(first);
        unpacked(self.bytes, start, self.lengths.into_iter().skip(first))
    }

    /// Calls `visitor` with each style and each cluster in the rows.
    pub(super) fn visit(&self, visitor: &mut impl FnMut(Shared)) {
        let mut end = self.dropped;
        for &length in &self.lengths {
            let start = end;
            end += length as usize;
            visit(self.bytes.get(start..end).unwrap_or_default(), visitor);
        }
    }

    fn start_of(&self, row: usize) -> usize {
        self.dropped + self.lengths.range(..row).map(|&length| length as usize).sum::<usize>()
    }
}

/// Unpacks rows of the given lengths, which follow each other in `bytes` from `start` on.
fn unpacked(
    bytes: impl Deref<Target = [u8]>,
    start: usize,
    lengths: impl Iterator<Item = Length>,
) -> impl Iterator<Item = Row> {
    let mut end = start;
    lengths.map(move |length| {
        let start = end;
        end += length as usize;
        unpack(&bytes[start..end])
    })
}
