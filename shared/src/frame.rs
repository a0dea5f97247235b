//! Binary messages: one byte of kind, eight bytes of offset (big-endian), then raw bytes.
//!
//! ```text
//!  0      1                                9
//!  ┌──────┬────────────────────────────────┬───────────────
//!  │ kind │ offset: u64, big-endian        │ payload …
//!  └──────┴────────────────────────────────┴───────────────
//! ```

use crate::limits::MAX_OFFSET;

/// The kind of a binary message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// From the server: output that starts at `offset` of the output log. From the client: input
    /// that starts at `offset` of this viewer's input.
    Data,
    /// From the server only: bytes that draw the screen as of `offset`.
    Snapshot,
}

/// The first nine bytes of every binary message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The kind of the payload.
    pub kind: Kind,
    /// The position of the payload's first byte. Input and output count separately, hence this is
    /// not a [`crate::OutputOffset`].
    pub offset: u64,
}

/// The reason why a binary message is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The message is shorter than a header.
    #[error("binary message too short: {0} bytes, at least {len} expected", len = Header::LEN)]
    Short(usize),
    /// This version does not know the kind.
    #[error("unknown kind of binary message: {0} (0 is data, 1 is a snapshot)")]
    UnknownKind(u8),
    /// The offset, or the end of the payload, is out of the range of offsets.
    #[error("offset {0} is out of range")]
    OffsetRange(u64),
}

impl Kind {
    const fn to_byte(self) -> u8 {
        match self {
            Self::Data => 0,
            Self::Snapshot => 1,
        }
    }

    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Data),
            1 => Some(Self::Snapshot),
            _ => None,
        }
    }
}

impl Header {
    /// Size of a header on the wire, in bytes.
    pub const LEN: usize = 9;

    /// Returns the header of a data frame.
    #[must_use]
    pub const fn data(offset: u64) -> Self {
        Self { kind: Kind::Data, offset }
    }

    /// Returns the header's bytes, which precede the payload on the wire.
    #[must_use]
    pub fn encode(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[0] = self.kind.to_byte();
        bytes[1..].copy_from_slice(&self.offset.to_be_bytes());
        bytes
    }

    /// Reads the header of a message of `len` bytes, of which `head` holds at least the header.
    ///
    /// A page uses this on the few bytes that it copies out of a message, so that it need not copy
    /// the payload.
    ///
    /// # Errors
    /// If the message is shorter than a header, of unknown kind, or beyond the range of offsets.
    pub fn decode(head: &[u8], len: usize) -> Result<Self, FrameError> {
        let Some((&[kind, ref offset @ ..], _)) = head.split_first_chunk::<{ Self::LEN }>() else {
            return Err(FrameError::Short(head.len()));
        };
        let offset = u64::from_be_bytes(*offset);
        let kind = Kind::from_byte(kind).ok_or(FrameError::UnknownKind(kind))?;
        let payload = len.saturating_sub(Self::LEN) as u64;
        match offset.checked_add(payload) {
            Some(end) if end <= MAX_OFFSET => Ok(Self { kind, offset }),
            _ => Err(FrameError::OffsetRange(offset)),
        }
    }

    /// Splits a whole message into header and payload.
    ///
    /// # Errors
    /// As [`Header::decode`].
    pub fn split(message: &[u8]) -> Result<(Self, &[u8]), FrameError> {
        let header = Self::decode(message, message.len())?;
        Ok((header, &message[Self::LEN..]))
    }
}
