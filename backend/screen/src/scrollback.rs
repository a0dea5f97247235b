//! Rows that have scrolled out of the screen, packed. All but the newest are also compressed.

mod block;
mod packed;
mod packing;

use std::collections::VecDeque;

pub(super) use self::packing::Shared;
use self::{block::Block, packed::Packed};
use super::row::Row;

/// Number of bytes compressed at a time.
const BLOCK_BYTES: usize = 64 * 1024;

/// The newest rows that scrolled out, up to a limit.
#[derive(Clone, Debug)]
pub(super) struct Scrollback {
    limit: usize,
    /// `None` while there are no rows. Most terminals have none: an alternate buffer never has any,
    /// and a new session has none yet.
    rows: Option<Box<Rows>>,
}

#[derive(Clone, Debug, Default)]
struct Rows {
    /// All but the newest rows.
    blocks: VecDeque<Block>,
    /// Number of rows in `blocks`.
    in_blocks: usize,
    /// Size of these rows before compression, in bytes.
    uncompressed_bytes: usize,
    newest: Packed,
}

impl Scrollback {
    /// Creates a scrollback that keeps up to `limit` rows.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, rows: None }
    }

    pub(super) fn is_enabled(&self) -> bool {
        self.limit > 0
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    pub(super) fn len(&self) -> usize {
        self.rows.as_ref().map_or(0, |rows| rows.len())
    }

    /// Returns the maximum number of separate memory blocks that the rows take.
    pub(super) fn block_count(&self) -> usize {
        self.rows.as_ref().map_or(0, |rows| rows.blocks.len() + 1)
    }

    /// Returns the packed size of the rows without compression, in bytes.
    pub(super) fn packed_bytes(&self) -> usize {
        self.rows.as_ref().map_or(0, |rows| rows.uncompressed_bytes + rows.newest.size())
    }

    /// Calls `visitor` with the number of each style and each grapheme cluster in the rows.
    pub(super) fn visit(&self, mut visitor: impl FnMut(Shared)) {
        let Some(rows) = &self.rows else { return };
        for block in &rows.blocks {
            block.decompress().visit(&mut visitor);
        }
        rows.newest.visit(&mut visitor);
    }

    pub(super) fn push(&mut self, row: &Row) {
        let rows = self.rows.get_or_insert_default();
        if rows.len() == self.limit {
            rows.drop_first();
        }
        rows.push(row);
    }

    /// Takes back the newest row.
    pub(super) fn pop(&mut self) -> Option<Row> {
        self.rows.as_mut()?.pop()
    }

    pub(super) fn drop_oldest(&mut self, count: usize) {
        if let Some(rows) = &mut self.rows {
            (0..count.min(rows.len())).for_each(|_| rows.drop_first());
        }
    }

    pub(super) fn clear(&mut self) {
        self.rows = None;
    }

    /// Returns the rows, and leaves an empty scrollback.
    pub(super) fn take(&mut self) -> Self {
        Self { limit: self.limit, rows: self.rows.take() }
    }

    /// Returns all rows but the oldest `first`, oldest first.
    pub(super) fn iter_from(&self, first: usize) -> impl Iterator<Item = Row> + '_ {
        self.rows.iter().flat_map(move |rows| rows.iter_from(first))
    }

    /// Returns all rows, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = Row> + '_ {
        self.iter_from(0)
    }
}

impl Rows {
    fn len(&self) -> usize {
        self.in_blocks + self.newest.len()
    }

    fn push(&mut self, row: &Row) {
        self.newest.push(row);
        // Waits for more than is compressed at once, so that rows which are pushed and popped
        // repeatedly are not compressed each time.
        if self.newest.size() >= BLOCK_BYTES / 2 * 3 {
            self.compress();
        }
    }

    fn pop(&mut self) -> Option<Row> {
        if self.newest.len() == 0
            && let Some(block) = self.blocks.pop_back()
        {
            self.in_blocks -= block.len();
            self.uncompressed_bytes -= block.uncompressed_bytes();
            self.newest = block.decompress();
        }
        self.newest.pop()
    }

    fn iter_from(&self, first: usize) -> impl Iterator<Item = Row> + '_ {
        let mut before = 0;
        let compressed = self.blocks.iter().flat_map(move |block| {
            let skipped = first.saturating_sub(before).min(block.len());
            before += block.len();
            // A block that is skipped as a whole is not decompressed.
            let rows = (skipped < block.len()).then(|| block.decompress().into_iter_from(skipped));
            rows.into_iter().flatten()
        });
        compressed.chain(self.newest.iter_from(first.saturating_sub(self.in_blocks)))
    }

    fn drop_first(&mut self) {
        if let Some(block) = self.blocks.front_mut() {
            block.drop_first();
            self.in_blocks -= 1;
            if block.len() == 0 {
                self.uncompressed_bytes -= block.uncompressed_bytes();
                self.blocks.pop_front();
            }
        } else {
            self.newest.drop_first(1);
        }
    }

    /// Compresses the older part of the newest rows.
    fn compress(&mut self) {
        let block = Block::compress(self.newest.front(BLOCK_BYTES));
        self.newest.drop_first(block.len());
        self.in_blocks += block.len();
        self.uncompressed_bytes += block.uncompressed_bytes();
        self.blocks.push_back(block);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{packing::tests::cells, *};
    use crate::row::{Cell, Glyph};

    /// An operation on a scrollback.
    #[derive(Clone, Debug)]
    enum Step {
        /// Pushes a row several times.
        Push(Row, usize),
        Pop(usize),
        /// Reads the rows from an index on.
        Look(prop::sample::Index),
        Clear,
    }

    fn step() -> impl Strategy<Value = Step> {
        let row = (cells(), any::<bool>()).prop_map(|(cells, wrapped)| Row::from_cells(cells, wrapped));
        prop_oneof![
            8 => (row, 1..1500_usize).prop_map(|(row, times)| Step::Push(row, times)),
            3 => (1..2000_usize).prop_map(Step::Pop),
            3 => any::<prop::sample::Index>().prop_map(Step::Look),
            1 => Just(Step::Clear),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn rows_come_back_as_they_were(
            steps in proptest::collection::vec(step(), 1..30),
            limit in prop_oneof![Just(0_usize), 1..50_usize, 1000..6000_usize],
        ) {
            let (mut scrollback, mut model) = (Scrollback::new(limit), VecDeque::new());
            let mut number = 0;
            for step in steps {
                match step {
                    Step::Push(row, times) if limit > 0 => {
                        for _ in 0..times {
                            // No two rows are equal.
                            number += 1;
                            let cells = [row.cells(), &[Cell::cluster(number, 1, 0)]].concat();
                            let row = Row::from_cells(cells, row.wrapped);
                            scrollback.push(&row);
                            model.push_back(row);
                        }
                        model.drain(..model.len().saturating_sub(limit));
                    }
                    Step::Push(..) => {}
                    Step::Pop(times) => {
                        for _ in 0..times {
                            prop_assert_eq!(scrollback.pop(), model.pop_back());
                        }
                    }
                    Step::Look(from) => {
                        let from = from.index(model.len() + 1);
                        prop_assert!(scrollback.iter_from(from).eq(model.range(from..).cloned()));
                    }
                    Step::Clear => {
                        scrollback.clear();
                        model.clear();
                    }
                }
                prop_assert_eq!(scrollback.len(), model.len());
                prop_assert!(scrollback.len() == 0 || scrollback.packed_bytes() > 0);
            }
            prop_assert!(scrollback.iter().eq(model));
        }
    }

    #[test]
    fn the_oldest_rows_go_first() {
        let mut scrollback = Scrollback::new(2);
        for letter in *b"abc" {
            let mut row = Row::default();
            row.write_ascii(0, &[letter], 0);
            scrollback.push(&row);
        }
        let text: Vec<_> = scrollback.iter().map(|row| row.get(0).glyph()).collect();
        assert_eq!(text, [Glyph::Char('b'), Glyph::Char('c')]);
        assert_eq!(scrollback.pop().map(|row| row.get(0).glyph()), Some(Glyph::Char('c')));
        assert_eq!(scrollback.len(), 1);
    }

    #[test]
    fn what_is_old_is_compressed() {
        let mut scrollback = Scrollback::new(10_000);
        for number in 0..10_000 {
            let mut row = Row::default();
            row.write_ascii(0, format!("{number}: a line of text as programs print them").as_bytes(), 0);
            scrollback.push(&row);
        }
        let rows = scrollback.rows.unwrap();
        let bytes = rows.blocks.iter().map(Block::size).sum::<usize>() + rows.newest.size();
        assert!(bytes < 300_000, "{bytes}");
    }
}
