//! Packed rows, compressed together.

/// Some rows, of which the oldest may have been dropped.
#[derive(Clone, Debug)]
pub(super) struct Block {
    /// Each row's length, then the row; compressed.
    bytes: Box<[u8]>,
    /// How much that was.
    uncompressed: usize,
    rows: usize,
    dropped: usize,
}

/// A row's length.
type Length = u64;

impl Block {
    pub(super) fn compress(rows: impl ExactSizeIterator<Item = Box<[u8]>>) -> Self {
        let count = rows.len();
        let mut bytes = Vec::new();
        for row in rows {
            bytes.extend_from_slice(&(row.len() as Length).to_le_bytes());
            bytes.extend_from_slice(&row);
        }
        let compressed = lz4_flex::block::compress(&bytes).into_boxed_slice();
        Self { bytes: compressed, uncompressed: bytes.len(), rows: count, dropped: 0 }
    }

    /// How many rows there are left.
    pub(super) fn len(&self) -> usize {
        self.rows - self.dropped
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

    /// The rows that are left, the oldest first.
    pub(super) fn rows(&self) -> impl Iterator<Item = Box<[u8]>> + use<> {
        let bytes = lz4_flex::block::decompress(&self.bytes, self.uncompressed).unwrap_or_else(|error| {
            tracing::error!(%error, "could not bring back what has scrolled out");
            Vec::new()
        });
        Rows { bytes, at: 0 }.skip(self.dropped)
    }
}

/// Rows that have been decompressed.
struct Rows {
    bytes: Vec<u8>,
    at: usize,
}

impl Iterator for Rows {
    type Item = Box<[u8]>;

    fn next(&mut self) -> Option<Box<[u8]>> {
        let (length, rest) = self.bytes.get(self.at..)?.split_first_chunk()?;
        let length = usize::try_from(Length::from_le_bytes(*length)).ok()?;
        let row = rest.get(..length)?.into();
        self.at += size_of::<Length>() + length;
        Some(row)
    }
}
