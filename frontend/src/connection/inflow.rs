//! Output on its way: how far this viewer has come in the session's log, and what it acknowledges.

use limpet_shared::{Epoch, Header, Kind, OutputOffset, Resume, Welcome, limits};

/// How many bytes the server may send beyond what was acknowledged. xterm.js parses that much in a few
/// milliseconds, so that Ctrl-C in a flood shows at once.
pub const WINDOW: u64 = limits::DEFAULT_WINDOW;

/// An acknowledgement is due once this much was rendered since the last one: rarely enough to cost nothing, early
/// enough that the server never waits for it.
const STEP: u64 = WINDOW / 8;

/// The same when the terminal has nothing left to render. Echoes of single keys are less, and are acknowledged together: each
/// acknowledgement wakes the server. It stays below what the server always allows to be under way (8 KiB), so that nobody waits.
const IDLE_STEP: u64 = 4 * 1024;

/// What a piece of output is, for the terminal that writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Which life of the terminal's content it belongs to; offsets of different lives do not compare.
    life: u32,
    /// The log's offset after the piece.
    end: OutputOffset,
    /// Whether it happened before this viewer came: its queries were answered then, or never will be.
    pub replayed: bool,
}

/// A part of a binary message's payload, to be written to the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where it starts in the message, header included.
    pub from: usize,
    /// Where it ends.
    pub to: usize,
    /// What it is.
    pub mark: Mark,
}

/// A frame that does not continue the output where the last one ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap;

/// This viewer's place in the log.
#[derive(Debug, Default)]
pub struct Inflow {
    life: u32,
    epoch: Option<Epoch>,
    /// The first byte that has not been received.
    received: OutputOffset,
    /// How many size changes have been received: they are in one order with the bytes.
    resizes: u64,
    /// Bytes before this offset are replayed.
    live_from: OutputOffset,
    acknowledged: OutputOffset,
    /// Whether a snapshot has yet to be drawn, for which the server waits.
    drawing: bool,
    /// How many bytes of the snapshot are yet to come; none while it has not been announced. Before they have, nothing can be resumed.
    missing: Option<u64>,
}

impl Inflow {
    /// Whether there was an attachment, of which the terminal may show something.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.epoch.is_some()
    }

    /// Where a new attachment is to go on, if the terminal shows all that came before.
    #[must_use]
    pub fn resume(&self) -> Option<Resume> {
        if self.missing != Some(0) {
            return None;
        }
        let (output, resizes) = (self.received, Some(self.resizes));
        self.epoch.clone().map(|epoch| Resume { epoch, output, resizes })
    }

    /// An attachment begins. True if what the terminal shows goes on seamlessly; else it must be cleared.
    pub fn begin(&mut self, welcome: &Welcome) -> bool {
        let is_whole = self.missing == Some(0) && self.epoch.as_ref() == Some(&welcome.epoch);
        let seamless = is_whole && self.received == welcome.output;
        if !seamless {
            self.life += 1;
            self.epoch = Some(welcome.epoch.clone());
            self.received = welcome.output;
            self.live_from = welcome.live;
            // What the terminal is to show before that comes as a snapshot.
            self.missing = (welcome.output == OutputOffset::ZERO).then_some(0);
        }
        self.acknowledged = welcome.output;
        self.resizes = welcome.resizes;
        seamless
    }

    /// The terminal has another size from here on, after so many changes.
    pub fn resized(&mut self, resizes: u64) {
        self.resizes = resizes;
    }

    /// The server leaves out what it no longer keeps, and sends a snapshot of so many bytes.
    pub fn skip_to(&mut self, output: OutputOffset, bytes: u64) {
        self.missing = Some(bytes);
        self.life += 1;
        self.received = output;
        self.acknowledged = output;
        self.drawing = true;
    }

    /// A binary message of `len` bytes in all has come. What of it is replayed and what is live are two pieces.
    ///
    /// # Errors
    /// A frame at another offset than the next one.
    pub fn receive(&mut self, header: Header, len: usize) -> Result<[Option<Piece>; 2], Gap> {
        let start = OutputOffset::new(header.offset);
        if start != self.received {
            return Err(Gap);
        }
        let piece = |from: usize, to: usize, end, replayed| {
            (from < to).then_some(Piece { from, to, mark: Mark { life: self.life, end, replayed } })
        };
        if header.kind == Kind::Snapshot {
            self.missing = self.missing.map(|missing| missing.saturating_sub((len - Header::LEN) as u64));
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

    /// The terminal has processed a piece; `idle` tells that it was the last one it had. The offset to acknowledge,
    /// when that is due.
    pub fn rendered(&mut self, mark: Mark, idle: bool) -> Option<OutputOffset> {
        if self.drawing && mark.life == self.life {
            self.drawing = false;
            self.acknowledged = mark.end;
            return Some(mark.end);
        }
        let news = if mark.life == self.life { mark.end.since(self.acknowledged) } else { 0 };
        if news < if idle { IDLE_STEP } else { STEP } {
            return None;
        }
        self.acknowledged = mark.end;
        Some(mark.end)
    }
}

#[cfg(test)]
mod tests;
