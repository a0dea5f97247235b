//! Packed rows, one behind the other: none is allocated by itself.

use std::{collections::VecDeque, ops::Deref};

use super::packing::{Shared, pack, unpack, visit};
use crate::screen::row::Row;

/// A row's length, in bytes.
pub(super) type Length = u32;

/// Some rows, the oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Packed {
    /// They, behind those that have been dropped.
    bytes: Vec<u8>,
    lengths: VecDeque<Length>,
    /// What has been dropped takes so many bytes.
    dropped: usize,
}

impl Packed {
    /// Rows of these lengths, which lie in these bytes.
    pub(super) fn new(lengths: VecDeque<Length>, bytes: Vec<u8>) -> Self {
        Self { bytes, lengths, dropped: 0 }
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        self.lengths.len()
    }

    /// What they take, in bytes.
    pub(super) fn size(&self) -> usize {
        self.bytes.len() + self.len() * size_of::<Length>()
    }

    pub(super) fn push(&mut self, row: &Row) {
        let start = self.bytes.len();
        pack(row, &mut self.bytes);
        self.lengths.push_back(Length::try_from(self.bytes.len() - start).unwrap_or(Length::MAX));
    }

    /// Takes the newest row back.
    pub(super) fn pop(&mut self) -> Option<Row> {
        let start = self.bytes.len() - self.lengths.pop_back()? as usize;
        let row = unpack(&self.bytes[start..]);
        self.bytes.truncate(start);
        Some(row)
    }

    /// Drops the oldest ones.
    pub(super) fn drop_first(&mut self, count: usize) {
        self.dropped += self.lengths.drain(..count).map(|length| length as usize).sum::<usize>();
        // As much is moved as was dropped, at most.
        if self.dropped * 2 >= self.bytes.len() {
            self.bytes.drain(..self.dropped);
            self.dropped = 0;
            self.bytes.shrink_to(2 * self.bytes.len());
        }
    }

    /// As many of the oldest rows as take so many bytes: their lengths, and they themselves.
    pub(super) fn first(&self, size: usize) -> (impl ExactSizeIterator<Item = Length> + '_, &[u8]) {
        let (mut count, mut taken) = (0, 0);
        while let Some(&length) =
            self.lengths.get(count).filter(|_| taken + count * size_of::<Length>() < size)
        {
            taken += length as usize;
            count += 1;
        }
        (self.lengths.range(..count).copied(), &self.bytes[self.dropped..][..taken])
    }

    /// The rows but for so many of the oldest.
    pub(super) fn iter_from(&self, first: usize) -> impl Iterator<Item = Row> + '_ {
        let first = first.min(self.len());
        unpacked(self.bytes.as_slice(), self.start_of(first), self.lengths.range(first..).copied())
    }

    /// The same, of rows that nobody needs any more.
    pub(super) fn into_iter_from(self, first: usize) -> impl Iterator<Item = Row> {
        let first = first.min(self.len());
        let start = self.start_of(first);
        unpacked(self.bytes, start, self.lengths.into_iter().skip(first))
    }

    /// Tells of each style and each cluster that they have.
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

/// Rows of these lengths, which lie one behind the other from `start` on.
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
