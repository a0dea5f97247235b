//! Packed rows, compressed together.

use super::packed::{Length, Packed};

/// Some rows, of which the oldest may have been dropped.
#[derive(Clone, Debug)]
pub(super) struct Block {
    /// All lengths, then all rows; compressed.
    bytes: Box<[u8]>,
    /// How much that was.
    uncompressed: usize,
    rows: usize,
    dropped: usize,
}

impl Block {
    /// Compresses rows of these lengths, which lie in these bytes.
    pub(super) fn compress((lengths, rows): (impl ExactSizeIterator<Item = Length>, &[u8])) -> Self {
        let count = lengths.len();
        let mut bytes = Vec::with_capacity(count * size_of::<Length>() + rows.len());
        bytes.extend(lengths.flat_map(Length::to_le_bytes));
        bytes.extend_from_slice(rows);
        let compressed = lz4_flex::block::compress(&bytes).into_boxed_slice();
        Self { bytes: compressed, uncompressed: bytes.len(), rows: count, dropped: 0 }
    }

    /// How many rows there are left.
    pub(super) fn len(&self) -> usize {
        self.rows - self.dropped
    }

    /// How many bytes its rows were before they were compressed, those that have been dropped among them.
    pub(super) fn uncompressed(&self) -> usize {
        self.uncompressed
    }

    /// How many bytes it takes.
    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.bytes.len() + size_of::<Self>()
    }

    /// Drops the oldest row.
    pub(super) fn drop_first(&mut self) {
        self.dropped += 1;
    }

    /// The rows that are left.
    pub(super) fn decompress(&self) -> Packed {
        let mut bytes = lz4_flex::block::decompress(&self.bytes, self.uncompressed).unwrap_or_else(|error| {
            tracing::error!(%error, "could not bring back what has scrolled out");
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
