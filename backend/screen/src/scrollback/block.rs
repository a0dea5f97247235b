//! Blocks of packed rows that are compressed together.

use super::packed::{Length, Packed};

/// A block of rows. The oldest may have been dropped.
#[derive(Clone, Debug)]
pub(super) struct Block {
    /// All lengths, then all rows; compressed.
    bytes: Box<[u8]>,
    /// Size of `bytes` before compression.
    uncompressed_bytes: usize,
    rows: usize,
    dropped: usize,
}

impl Block {
    /// Compresses rows, which are given as their lengths and their packed bytes.
    pub(super) fn compress((lengths, rows): (impl ExactSizeIterator<Item = Length>, &[u8])) -> Self {
        let count = lengths.len();
        let mut bytes = Vec::with_capacity(count * size_of::<Length>() + rows.len());
        bytes.extend(lengths.flat_map(Length::to_le_bytes));
        bytes.extend_from_slice(rows);
        let compressed = lz4_flex::block::compress(&bytes).into_boxed_slice();
        Self { bytes: compressed, uncompressed_bytes: bytes.len(), rows: count, dropped: 0 }
    }

    /// Returns the number of rows that are left.
    pub(super) fn len(&self) -> usize {
        self.rows - self.dropped
    }

    /// Returns the size of the rows before compression, in bytes. Dropped rows are included.
    pub(super) fn uncompressed_bytes(&self) -> usize {
        self.uncompressed_bytes
    }

    /// Returns the memory that the block takes, in bytes.
    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.bytes.len() + size_of::<Self>()
    }

    /// Drops the oldest row.
    pub(super) fn drop_first(&mut self) {
        self.dropped += 1;
    }

    /// Returns the rows that are left.
    pub(super) fn decompress(&self) -> Packed {
        let bytes = lz4_flex::block::decompress(&self.bytes, self.uncompressed_bytes);
        let mut bytes = bytes.unwrap_or_else(|error| {
            tracing::error!(%error, "could not decompress a block of scrollback");
            Vec::new()
        });
        let (lengths, _) = bytes.as_chunks();
        let lengths = lengths.iter().take(self.rows).map(|&length| Length::from_le_bytes(length)).collect();
        bytes.drain(..bytes.len().min(self.rows * size_of::<Length>()));
        let mut rows = Packed::new(lengths, bytes);
        rows.drop_first(self.dropped.min(rows.len()));
        rows
    }
}
