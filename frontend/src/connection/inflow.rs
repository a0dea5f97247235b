//! The output side of a connection: the position of this viewer in the session's output log, and
//! its acknowledgements.

use limpet_shared::{Epoch, Header, Kind, OutputOffset, Resume, Welcome, limits};

/// The window: the number of bytes that the server may send beyond what was acknowledged. xterm.js
/// parses that much in a few milliseconds, so the effect of Ctrl-C shows at once even in a flood.
pub const WINDOW_BYTES: u64 = limits::DEFAULT_WINDOW_BYTES;

/// Number of rendered bytes after which an acknowledgement is due. It is large enough to make the
/// cost negligible, and small enough that the server never waits for the acknowledgement.
const ACK_STEP_BYTES: u64 = WINDOW_BYTES / 8;

/// The same while the terminal has nothing left to render. Echoes of single keys are smaller and
/// are acknowledged together, since each acknowledgement wakes the server. The step is smaller than
/// what the server always allows in flight (8 KiB), so the server never waits.
const IDLE_ACK_STEP_BYTES: u64 = 4 * 1024;

/// The identity of a piece of output, kept while the terminal processes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The generation of the terminal's content that it belongs to. Offsets of different
    /// generations are not comparable.
    generation: u32,
    /// The offset in the output log after the piece.
    end: OutputOffset,
    /// True for output from before this viewer attached. Its queries have been answered already, or
    /// never will be.
    pub replayed: bool,
}

/// A part of a binary message's payload, to be written to the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The index of its first byte in the message, header included.
    pub from: usize,
    /// The index after its last byte.
    pub to: usize,
    /// The identity of the piece.
    pub mark: Mark,
}

/// The error for a frame that does not continue the output where the last one ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap;

/// The position of this viewer in the output log.
#[derive(Debug, Default)]
pub struct Inflow {
    generation: u32,
    epoch: Option<Epoch>,
    /// The offset of the first byte that has not been received.
    received: OutputOffset,
    /// Number of size changes that have been received. They are in one order with the bytes.
    resizes: u64,
    /// Bytes before this offset are replayed.
    live_from: OutputOffset,
    acknowledged: OutputOffset,
    /// True while a snapshot has yet to be drawn, for which the server waits.
    snapshot_pending: bool,
    /// Number of bytes of the snapshot that have yet to arrive; `None` before it is announced.
    /// Until all have arrived, the attachment cannot be resumed.
    missing_bytes: Option<u64>,
}

impl Inflow {
    /// Reports whether there has been an attachment, so that the terminal may show something.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.epoch.is_some()
    }

    /// Returns the point to resume at, if the terminal shows everything before it.
    #[must_use]
    pub fn resume(&self) -> Option<Resume> {
        if self.missing_bytes != Some(0) {
            return None;
        }
        let (output, resizes) = (self.received, Some(self.resizes));
        self.epoch.clone().map(|epoch| Resume { epoch, output, resizes })
    }

    /// Begins an attachment. Returns true if it continues what the terminal shows; otherwise the
    /// terminal must be cleared.
    pub fn begin(&mut self, welcome: &Welcome) -> bool {
        let is_whole = self.missing_bytes == Some(0) && self.epoch.as_ref() == Some(&welcome.epoch);
        let seamless = is_whole && self.received == welcome.output;
        if !seamless {
            self.generation += 1;
            self.epoch = Some(welcome.epoch.clone());
            self.received = welcome.output;
            self.live_from = welcome.live;
            // Content from before that offset comes as a snapshot.
            self.missing_bytes = (welcome.output == OutputOffset::ZERO).then_some(0);
        }
        self.acknowledged = welcome.output;
        self.resizes = welcome.resizes;
        seamless
    }

    /// Records that the terminal was resized. `resizes` is the session's count of size changes by
    /// then.
    pub fn on_resized(&mut self, resizes: u64) {
        self.resizes = resizes;
    }

    /// Records that the server skips output that it no longer retains, and sends a snapshot of
    /// `bytes` bytes instead.
    pub fn skip_to(&mut self, output: OutputOffset, bytes: u64) {
        self.missing_bytes = Some(bytes);
        self.generation += 1;
        self.received = output;
        self.acknowledged = output;
        self.snapshot_pending = true;
    }

    /// Handles a binary message of `len` bytes. Returns its replayed part and its live part as two
    /// pieces.
    ///
    /// # Errors
    /// If the frame does not start at the next offset.
    pub fn receive(&mut self, header: Header, len: usize) -> Result<[Option<Piece>; 2], Gap> {
        let start = OutputOffset::new(header.offset);
        if start != self.received {
            return Err(Gap);
        }
        let piece = |from: usize, to: usize, end, replayed| {
            (from < to).then_some(Piece {
                from,
                to,
                mark: Mark { generation: self.generation, end, replayed },
            })
        };
        if header.kind == Kind::Snapshot {
            self.missing_bytes =
                self.missing_bytes.map(|missing| missing.saturating_sub((len - Header::LEN) as u64));
            return Ok([piece(Header::LEN, len, start, true), None]);
        }
        let payload = len - Header::LEN;
        let end = start.advanced(payload);
        let replayed = usize::try_from(self.live_from.since(start)).unwrap_or(usize::MAX).min(payload);
        let live = Header::LEN + replayed;
        let pieces = [piece(Header::LEN, live, start.advanced(replayed), true), piece(live, len, end, false)];
        self.received = end;
        Ok(pieces)
    }

    /// Records that the terminal has processed a piece; `idle` is true if it was the last one.
    /// Returns the offset to acknowledge, if an acknowledgement is due.
    pub fn on_rendered(&mut self, mark: Mark, idle: bool) -> Option<OutputOffset> {
        if self.snapshot_pending && mark.generation == self.generation {
            self.snapshot_pending = false;
            self.acknowledged = mark.end;
            return Some(mark.end);
        }
        let unacknowledged =
            if mark.generation == self.generation { mark.end.since(self.acknowledged) } else { 0 };
        if unacknowledged < if idle { IDLE_ACK_STEP_BYTES } else { ACK_STEP_BYTES } {
            return None;
        }
        self.acknowledged = mark.end;
        Some(mark.end)
    }
}

#[cfg(test)]
mod tests;
