//! Flow control: when the program has to wait for its viewers.
//!
//! The program never waits for read-only viewers. It waits for guests who may type only while no
//! owner is attached: whatever they do then affects a program that nobody else uses. While an owner
//! is attached, the program waits for owners alone.
//!
//! The output log knows nothing of this. It keeps the [`Claim`] of each reader, and [`Flow`]
//! decides by these claims.

use std::time::Duration;

use limpet_output_log as output_log;
use limpet_shared::{self as shared, OutputOffset};
use tokio::time::Instant;

/// The log of a session, whose readers have a claim on the program.
pub(super) type Log = output_log::Log<Claim>;

/// The writer of such a log.
pub(super) type LogWriter = output_log::LogWriter<Claim>;

/// A reader of such a log.
pub type LogReader = output_log::LogReader<Claim>;

/// High watermark: the program is held back while its fastest viewer has more than this yet
/// to read, in bytes.
pub const HIGH_WATERMARK: u64 = 256 * 1024;

/// Low watermark: the program continues once its fastest viewer has no more than this yet
/// to read, in bytes.
const LOW_WATERMARK: u64 = 128 * 1024;

/// Maximum time the program is held back for viewers of which none reads anything.
const MAX_FASTEST_VIEWER_HOLD: Duration = Duration::from_secs(5);

/// Minimum time the program is held back for a viewer that lags behind the others. If there are
/// more viewers than processors, one that keeps up may have to wait this long for its turn.
const MIN_LAGGING_VIEWER_HOLD: Duration = Duration::from_millis(50);

/// Maximum time the program is held back for such a viewer.
const MAX_LAGGING_VIEWER_HOLD: Duration = Duration::from_millis(250);

const _: () = assert!(LOW_WATERMARK < HIGH_WATERMARK);
const _: () = assert!(
    HIGH_WATERMARK < tail_high_watermark(output_log::MIN_TAIL_BYTES) as u64,
    "the fastest must not be overtaken"
);

/// Returns the high watermark for a viewer that is to get everything, in bytes of a log that keeps
/// `tail` bytes. With more than this yet to read, the viewer would soon be overtaken.
const fn tail_high_watermark(tail: usize) -> usize {
    tail / 4 * 3
}

/// Returns the low watermark for such a viewer, at which the program continues, in bytes.
const fn tail_low_watermark(tail: usize) -> usize {
    tail / 4
}

/// A reader's claim on the program, which decides whether the program waits for the reader.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    rank: Rank,
    class: FlowClass,
    /// Offset from which the reader is trusted to keep up, so that the program waits for it.
    lossless_from: OutputOffset,
}

/// The rank of a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    /// Reads for a guest, who was invited by a pass.
    Guest,
    /// Reads for an owner, or for the server itself.
    Owner,
}

/// The readers that the program waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowClass {
    /// The program never waits for this reader.
    Unpaced,
    /// The program waits for this reader if no other reader is nearer to the end.
    Fastest,
    /// The program also waits for this reader when it is about to be overtaken, as long as it keeps
    /// up with the others.
    Lossless,
}

impl Claim {
    /// Returns the claim of a reader that is trusted to keep up.
    #[must_use]
    pub fn new(rank: Rank, class: FlowClass) -> Self {
        Self { rank, class, lossless_from: OutputOffset::ZERO }
    }

    /// Changes when the program waits for the reader.
    pub fn set_class(&mut self, class: FlowClass) {
        self.class = class;
    }

    /// Stops trusting a reader at the offset `at` to keep up, until it has read a whole `tail`
    /// without being overtaken. Applies to a reader for which waiting has not helped, and to one
    /// that takes the place of a reader that was overtaken.
    pub fn demote(&mut self, at: OutputOffset, tail: usize) {
        self.lossless_from = at.advanced(tail);
    }

    /// Reports whether a reader at the offset `at` is to get all output and is trusted to keep up.
    fn is_lossless(&self, at: OutputOffset) -> bool {
        self.class == FlowClass::Lossless && at >= self.lossless_from
    }
}

/// Positions of the readers that the program may have to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ReaderPositions {
    /// The end of the log.
    end: OutputOffset,
    /// Distance from the end at which a reader is overtaken, in bytes.
    tail: usize,
    /// Position of the reader that is nearest to the end.
    fastest: Option<OutputOffset>,
    /// Position of the reader that is furthest from the end, among those that are to get all output
    /// and are trusted to keep up.
    slowest: Option<OutputOffset>,
}

impl ReaderPositions {
    /// Returns the positions of the readers of these ranks.
    fn of(log: &LogWriter, counts: impl Fn(Rank) -> bool) -> Self {
        log.with_readers(|readers| {
            let counted = || readers.iter().filter(|(_, claim)| counts(claim.rank));
            let has_claim = |claim: &Claim| claim.class != FlowClass::Unpaced;
            Self {
                end: readers.end,
                tail: readers.tail,
                fastest: counted().filter(|(_, claim)| has_claim(claim)).map(|(at, _)| at).max(),
                slowest: counted().filter(|(at, claim)| claim.is_lossless(*at)).map(|(at, _)| at).min(),
            }
        })
    }
}

/// Stops trusting readers at or before this offset to keep up.
fn demote_readers(log: &LogWriter, at: OutputOffset) {
    log.with_readers(|mut readers| {
        let tail = readers.tail;
        let left_behind = readers.iter_mut().filter(|(position, _)| *position <= at);
        left_behind.for_each(|(position, claim)| claim.demote(position, tail));
    });
}

/// Decides when the program is held back. The session then stops reading its output, and the kernel
/// blocks its writes.
///
/// The program is held back while all viewers are behind, and for a moment when a viewer that is to
/// get everything, and keeps up, would be overtaken. A program without viewers is never held back.
#[derive(Debug)]
pub(super) struct Flow {
    fastest: FastestViewerHold,
    lagging: LaggingViewerHold,
}

/// Waits for the fastest viewer, unless even that one has stopped reading.
#[derive(Debug, Default)]
struct FastestViewerHold {
    /// Position of the fastest viewer while the program waits for it, and the end of that wait.
    held: Option<(OutputOffset, Instant)>,
    /// Position of the fastest viewer when the wait for it ended in a timeout. Nobody waits for
    /// it until it moves.
    given_up_at: Option<OutputOffset>,
}

/// Waits for a viewer that lags behind others, but not if it is much slower than they are: it would
/// then need longer to catch up than they needed to get ahead of it.
#[derive(Debug)]
struct LaggingViewerHold {
    held: Option<Instant>,
    /// Last time at which the program was held back for a lagging viewer.
    last_held_at: Instant,
}

/// Position up to which viewers are too slow to be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct TooSlow(OutputOffset);

impl Flow {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            fastest: FastestViewerHold::default(),
            lagging: LaggingViewerHold { held: None, last_held_at: now },
        }
    }

    /// Returns until when the program is to be held back at the latest, or `None` if it may run. To
    /// be called again at that time, and whenever a viewer has moved. `owner_is_here` says whether
    /// an owner is attached.
    pub(super) fn held_until(
        &mut self,
        (setting, owner_is_here): (shared::Flow, bool),
        log: &LogWriter,
        now: Instant,
    ) -> Option<Instant> {
        let mut positions = ReaderPositions::of(log, |rank| rank == Rank::Owner || !owner_is_here);
        if setting == shared::Flow::Free {
            (positions.fastest, positions.slowest) = (None, None);
        }
        let for_fastest = self.fastest.held_until(positions, now);
        if for_fastest.is_some() {
            // While not even the fastest viewer makes progress, the slowest one is not to blame.
            positions.slowest = None;
        }
        let for_lagging = self.lagging.held_until(positions, now).unwrap_or_else(|TooSlow(at)| {
            demote_readers(log, at);
            None
        });
        for_fastest.or(for_lagging)
    }
}

impl FastestViewerHold {
    fn held_until(
        &mut self,
        ReaderPositions { end, fastest, .. }: ReaderPositions,
        now: Instant,
    ) -> Option<Instant> {
        self.held = fastest.and_then(|fastest| self.decide(end, fastest, now));
        self.held.map(|(_, until)| until)
    }

    fn decide(
        &mut self,
        end: OutputOffset,
        fastest: OutputOffset,
        now: Instant,
    ) -> Option<(OutputOffset, Instant)> {
        let mark = if self.held.is_some() { LOW_WATERMARK } else { HIGH_WATERMARK };
        if end.since(fastest) <= mark || self.given_up_at == Some(fastest) {
            return None;
        }
        match self.held {
            Some((position, until)) if position == fastest && now >= until => {
                self.given_up_at = Some(fastest);
                None
            }
            Some((position, until)) if position == fastest => Some((position, until)),
            _ => Some((fastest, now + MAX_FASTEST_VIEWER_HOLD)),
        }
    }
}

impl LaggingViewerHold {
    fn held_until(&mut self, positions: ReaderPositions, now: Instant) -> Result<Option<Instant>, TooSlow> {
        let held_until = self.held.take();
        if held_until.is_some() {
            self.last_held_at = now;
        }
        let ReaderPositions { end, tail, slowest: Some(slowest), .. } = positions else { return Ok(None) };
        let mark = if held_until.is_some() { tail_low_watermark(tail) } else { tail_high_watermark(tail) };
        if end.since(slowest) <= mark as u64 {
            return Ok(None);
        }
        let until = held_until.unwrap_or_else(|| {
            let ahead_for = now.duration_since(self.last_held_at);
            now + ahead_for.clamp(MIN_LAGGING_VIEWER_HOLD, MAX_LAGGING_VIEWER_HOLD)
        });
        if until <= now {
            return Err(TooSlow(slowest.max(end.before(tail_high_watermark(tail)))));
        }
        self.held = Some(until);
        Ok(self.held)
    }
}

#[cfg(test)]
mod tests;
