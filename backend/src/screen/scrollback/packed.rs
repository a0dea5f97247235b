//! Packed rows, one behind the other: none is allocated by itself.

use std::collections::VecDeque;

use super::packing::{pack, unpack};
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
        let skipped: usize = self.lengths.range(..first).map(|&length| length as usize).sum();
        let mut rest = &self.bytes[self.dropped + skipped..];
        self.lengths.range(first..).map(move |&length| {
            let (row, later) = rest.split_at(length as usize);
            rest = later;
            unpack(row)
        })
    }

    /// The same, of rows that nobody needs any more.
    pub(super) fn into_iter_from(self, first: usize) -> impl Iterator<Item = Row> {
        let first = first.min(self.len());
        let Self { bytes, lengths, dropped } = self;
        let mut at = dropped + lengths.range(..first).map(|&length| length as usize).sum::<usize>();
        lengths.into_iter().skip(first).map(move |length| {
            let start = at;
            at += length as usize;
            unpack(&bytes[start..at])
        })
    }
}
