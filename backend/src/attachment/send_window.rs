//! The send window: how much is sent to a viewer before it has rendered what was sent earlier.
//!
//! The window that a viewer asks for is the maximum. On a slow link, that amount of output would be
//! old by the time it arrives, and a person who presses Ctrl-C would wait for all of it. So the
//! data in flight is limited to what the link carries in a round trip and a moment more, whatever
//! the buffers in between would hold.

use std::{collections::VecDeque, time::Duration};

use limpet_shared::OutputOffset;
use tokio::time::Instant;

/// Time that data may wait on its way, beyond the shortest round trip.
pub(super) const MAX_QUEUEING_DELAY: Duration = Duration::from_millis(50);

/// Initial send window, while nothing is known of the link, in bytes.
const INITIAL_LIMIT_BYTES: u64 = 64 * 1024;

/// Minimum send window, in bytes.
const MIN_LIMIT_BYTES: u64 = 8 * 1024;

/// Minimum amount of data for an estimate of the rate, in bytes: single keys say nothing about it.
const MIN_SAMPLE_BYTES: u64 = 8 * 1024;

/// Number of rate estimates that are remembered. The highest one counts.
const MAX_RATE_SAMPLES: usize = 8;

/// Maximum number of records of data in flight: a viewer that acknowledges seldom could otherwise
/// be sent a whole window of single keys.
const MAX_IN_FLIGHT_RECORDS: usize = 256;

/// The send window of one viewer, and the estimates for the link to it.
#[derive(Debug)]
pub(super) struct SendWindow {
    max_limit: u64,
    /// Minimum of `limit`, in bytes.
    min_limit: u64,
    limit: u64,
    /// Set until the link has been filled for the first time.
    is_slow_start: bool,
    /// Data in flight, the oldest first.
    in_flight: VecDeque<InFlight>,
    /// Bytes that have been sent, including snapshots.
    sent_bytes: u64,
    /// Bytes of records that have been rendered as a whole, and of the one that is being rendered.
    rendered: (u64, u64),
    /// End of the output that was sent last.
    cursor: OutputOffset,
    /// Shortest time from sending to rendering.
    round_trip: Option<Duration>,
    /// Rate estimates, in bytes per second.
    rates: VecDeque<f64>,
}

#[derive(Clone, Copy, Debug)]
struct InFlight {
    /// Offset in the log where it begins. A snapshot is all at its end.
    start: OutputOffset,
    /// Offset where it ends. An acknowledgement from there on says that it has been rendered.
    end: OutputOffset,
    bytes: u64,
    at: Instant,
    /// Value of [`SendWindow::rendered_bytes`] when it was sent.
    rendered: u64,
}

impl SendWindow {
    /// Creates the send window of a viewer that begins at `start` and may be sent `window` bytes
    /// ahead. A viewer that paces itself by when it acknowledges (`is_self_paced`) always gets its
    /// whole window.
    pub(super) fn new(window: u64, is_self_paced: bool, start: OutputOffset) -> Self {
        Self {
            max_limit: window,
            min_limit: if is_self_paced { window } else { window.min(MIN_LIMIT_BYTES) },
            limit: if is_self_paced { window } else { window.min(INITIAL_LIMIT_BYTES) },
            is_slow_start: true,
            in_flight: VecDeque::new(),
            sent_bytes: 0,
            rendered: (0, 0),
            cursor: start,
            round_trip: None,
            rates: VecDeque::with_capacity(MAX_RATE_SAMPLES),
        }
    }

    /// Returns the number of bytes that may be sent now.
    pub(super) fn available(&self) -> u64 {
        self.limit.saturating_sub(self.sent_bytes - self.rendered_bytes())
    }

    /// Returns the number of bytes that have been rendered.
    fn rendered_bytes(&self) -> u64 {
        self.rendered.0 + self.rendered.1
    }

    /// Returns the estimated time for the link to carry `bytes`; zero while nothing is known of it.
    pub(super) fn time_for(&self, bytes: u64) -> Duration {
        let rate = self.rates.iter().copied().fold(0.0, f64::max);
        // A rough number of seconds is enough.
        #[expect(clippy::cast_precision_loss, reason = "a rough figure is wanted")]
        let seconds = if rate > 0.0 { bytes as f64 / rate } else { 0.0 };
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }

    /// Records that all unsent output before `end` has been handed to the socket.
    pub(super) fn on_output_sent(&mut self, end: OutputOffset, now: Instant) {
        self.add_in_flight(self.cursor, end, end.since(self.cursor), now);
    }

    /// Records that a snapshot of `bytes` bytes has been handed to the socket, and that output
    /// continues at another offset after it.
    pub(super) fn on_snapshot_sent(&mut self, output: OutputOffset, bytes: u64, now: Instant) {
        self.add_in_flight(output, output, bytes, now);
    }

    fn add_in_flight(&mut self, start: OutputOffset, end: OutputOffset, bytes: u64, at: Instant) {
        self.cursor = end;
        self.sent_bytes += bytes;
        let (is_full, rendered) = (self.in_flight.len() >= MAX_IN_FLIGHT_RECORDS, self.rendered_bytes());
        match self.in_flight.back_mut() {
            // An acknowledgement says when the newest part was rendered, so the time
            // of that part counts.
            Some(last) if is_full => {
                (last.end, last.at, last.rendered) = (end, at, rendered);
                last.bytes += bytes;
            }
            _ => self.in_flight.push_back(InFlight { start, end, bytes, at, rendered }),
        }
    }

    /// Records that everything before `output` has been rendered, and adapts the send window.
    pub(super) fn on_rendered(&mut self, output: OutputOffset, now: Instant) {
        let (before, mut last) = (self.rendered_bytes(), None);
        while let Some(record) = self.in_flight.front().copied().filter(|record| record.end <= output) {
            last = Some(record);
            self.rendered = (self.rendered.0 + record.bytes, 0);
            self.in_flight.pop_front();
        }
        if let Some(next) = self.in_flight.front() {
            self.rendered.1 = self.rendered.1.max(output.since(next.start).min(next.bytes));
        }
        let Some(newest) = last else { return };
        let took = now.duration_since(newest.at);
        let best = self.round_trip.map_or(took, |best| best.min(took));
        self.round_trip = Some(best);
        let carried = self.rendered_bytes() - newest.rendered;
        if carried >= MIN_SAMPLE_BYTES {
            self.add_rate_sample(carried, took);
        }
        if took > best + MAX_QUEUEING_DELAY && !self.rates.is_empty() {
            self.is_slow_start = false;
            self.limit = self.carried_in(best + MAX_QUEUEING_DELAY).clamp(self.min_limit, self.max_limit);
        } else {
            // The effect of a larger window shows a round trip later. By then, it must not
            // be much too large.
            let news = self.rendered_bytes() - before;
            let more = if self.is_slow_start { news } else { news / 16 };
            self.limit = (self.limit + more).min(self.max_limit);
        }
    }

    fn add_rate_sample(&mut self, carried: u64, took: Duration) {
        if self.rates.len() == MAX_RATE_SAMPLES {
            self.rates.pop_front();
        }
        #[expect(clippy::cast_precision_loss, reason = "a rough figure is wanted")]
        self.rates.push_back(carried as f64 / took.as_secs_f64().max(1e-6));
    }

    fn carried_in(&self, time: Duration) -> u64 {
        let rate = self.rates.iter().copied().fold(0.0, f64::max);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rough figure is wanted"
        )]
        let bytes = (rate * time.as_secs_f64()) as u64;
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Simulates a link with this rate and round trip, whose sender has endless output and
    /// sends all that it may.
    fn simulate(rate: f64, round_trip: Duration, rounds: usize) -> (SendWindow, Duration) {
        let start = Instant::now();
        let mut window = SendWindow::new(256 * 1024, false, OutputOffset::ZERO);
        let (mut now, mut cursor, mut idle_from) = (start, OutputOffset::ZERO, start);
        let mut under_way: VecDeque<(OutputOffset, Instant)> = VecDeque::new();
        let mut queued = Duration::ZERO;
        for _ in 0..rounds {
            while window.available() > 0 {
                let bytes = window.available().min(4096);
                cursor = cursor.advanced(usize::try_from(bytes).unwrap());
                #[expect(clippy::cast_precision_loss, reason = "small")]
                let carrying = Duration::from_secs_f64(bytes as f64 / rate);
                idle_from = idle_from.max(now) + carrying;
                queued = idle_from.duration_since(now);
                under_way.push_back((cursor, idle_from + round_trip));
                window.on_output_sent(cursor, now);
            }
            let (end, at) = under_way.pop_front().unwrap();
            now = now.max(at);
            window.on_rendered(end, now);
        }
        (window, queued)
    }

    #[test]
    fn a_slow_link_is_kept_short() {
        let (window, queued) = simulate(125_000.0, Duration::from_millis(300), 400);
        assert!(queued < Duration::from_millis(200), "{queued:?} {window:?}");
        assert!(window.limit >= 30_000, "the link stays busy: {}", window.limit);
        let time = window.time_for(125_000);
        assert!((0.8..1.3).contains(&time.as_secs_f64()), "{time:?}");
    }

    #[test]
    fn a_quick_link_gets_the_whole_window() {
        let (window, _) = simulate(100e6, Duration::from_micros(200), 400);
        assert_eq!(window.limit, window.max_limit);
    }

    #[test]
    fn who_acknowledges_seldom_gets_the_whole_window() {
        let mut window = SendWindow::new(256 * 1024, true, OutputOffset::ZERO);
        let now = Instant::now();
        window.on_output_sent(OutputOffset::new(200_000), now);
        window.on_rendered(OutputOffset::new(200_000), now + Duration::from_secs(9));
        assert_eq!(window.available(), 256 * 1024);
    }

    #[test]
    fn who_acknowledges_nothing_costs_little() {
        let (mut window, now) = (SendWindow::new(1 << 20, true, OutputOffset::ZERO), Instant::now());
        for key in 1..100_000 {
            window.on_output_sent(OutputOffset::new(key), now);
        }
        assert!(window.in_flight.len() <= MAX_IN_FLIGHT_RECORDS);
        window.on_rendered(OutputOffset::new(99_999), now + Duration::from_secs(1));
        assert_eq!((window.in_flight.len(), window.available()), (0, 1 << 20));
    }

    #[test]
    fn pictures_and_output_share_the_way() {
        let (now, at) = (Instant::now(), OutputOffset::new);
        let mut window = SendWindow::new(256 * 1024, false, OutputOffset::ZERO);
        window.on_output_sent(at(10_000), now);
        window.on_snapshot_sent(at(900_000), 3000, now);
        window.on_output_sent(at(920_000), now);
        assert_eq!(window.available(), INITIAL_LIMIT_BYTES - 33_000);
        window.on_rendered(at(4_000), now);
        assert_eq!(window.available(), INITIAL_LIMIT_BYTES - 29_000, "of output a part can be rendered");
        window.on_rendered(at(899_999), now);
        assert_eq!(window.sent_bytes - window.rendered_bytes(), 23_000, "of a picture none can");
        window.on_rendered(at(905_000), now);
        assert_eq!(window.sent_bytes - window.rendered_bytes(), 15_000);
        window.on_rendered(at(920_000), now);
        assert_eq!(window.sent_bytes, window.rendered_bytes());
    }

    #[test]
    fn of_more_sendings_than_are_told_apart_the_newest_gives_the_round_trip() {
        let (mut window, start) = (SendWindow::new(256 * 1024, false, OutputOffset::ZERO), Instant::now());
        for key in 1..=300 {
            window.on_output_sent(OutputOffset::new(key), start + Duration::from_secs(key));
        }
        window.on_rendered(OutputOffset::new(300), start + Duration::from_millis(300_020));
        assert_eq!(window.round_trip, Some(Duration::from_millis(20)));
    }

    #[test]
    fn single_keys_say_nothing_of_the_rate() {
        let now = Instant::now();
        let mut window = SendWindow::new(256 * 1024, false, OutputOffset::ZERO);
        for key in 1..100 {
            window.on_output_sent(OutputOffset::new(key), now);
            window.on_rendered(OutputOffset::new(key), now + Duration::from_millis(100));
        }
        assert_eq!(window.time_for(1 << 20), Duration::ZERO);
    }
}
