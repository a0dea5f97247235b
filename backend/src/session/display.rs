//! The session's screen, which follows the log behind all viewers.
//!
//! The screen changes its size once it has parsed what was printed before the change. Output is
//! parsed when there is nothing more urgent to do, or when a client asks for the screen. During a
//! flood output accumulates meanwhile, and the part that nobody could see any more is left out.
//!
//! The thread that parses also serves the keys of other sessions. So output is parsed in slices of
//! a limited number of steps, and work that takes longer than a slice (a new size, a snapshot with
//! much scrollback, a request while much output waits) runs on a background thread.

mod backlog;
mod last;
mod snapshot_frames;

use std::{mem, panic::resume_unwind};

use limpet_output_log::{self as output_log, Position};
use limpet_screen::{Screen, StaleModes, Text};
use limpet_shared::{OutputOffset, Winsize, limits::MAX_FRAME_PAYLOAD_BYTES, theme::Colours};
use limpet_sys::background;

use self::{backlog::ScreenBacklog, snapshot_frames::framed_snapshot};
pub(super) use self::{last::FinalScreen, snapshot_frames::FramedSnapshot};
use super::{
    flow::Log,
    own_output,
    parse_guard::{ParseGuard, ParsePolicy},
};

/// Maximum output that may wait to be parsed, in bytes.
const MAX_BACKLOG_BYTES: u64 = 4 * 1024 * 1024;

/// Level to which the backlog has to shrink before more output is read once it has exceeded
/// [`MAX_BACKLOG_BYTES`], in bytes.
const RESUME_BACKLOG_BYTES: u64 = MAX_BACKLOG_BYTES / 4 * 3;

const _: () = assert!(
    MAX_BACKLOG_BYTES + 2 * MAX_FRAME_PAYLOAD_BYTES as u64 <= output_log::SPARE_BYTES as u64,
    "the log must keep what waits"
);

/// Steps of the screen after which other work gets its turn. They take about half a millisecond.
const SLICE_STEPS: u64 = 128 * 1024;

/// Bytes after which other work gets its turn if they take fewer steps.
const SLICE_BYTES: usize = 16 * 1024;

/// Maximum number of steps for which a client that asks for the screen waits. After that, the
/// screen is shown as it was at an earlier offset. The limit suffices for the largest backlog,
/// unless each of its bytes takes as long as a screenful of text.
const CATCH_UP_STEPS: u64 = 1024 * SLICE_STEPS;

/// A screen and the backlog of output that it has yet to parse.
#[derive(Debug)]
pub(super) struct Display {
    screen: Screen,
    guard: ParseGuard,
    /// The screen's size. A screen that replaces it gets the same.
    size: Winsize,
    /// Maximum rows of scrollback that the screen keeps, as does one that replaces it.
    scrollback: usize,
    backlog: ScreenBacklog,
    is_overfull: bool,
    /// End of the output that was left out last.
    skipped_to: OutputOffset,
}

impl Display {
    /// Creates a display. It stays blank if `policy` says so, or if earlier servers have noted in
    /// the log's memory that they died of its output.
    pub(super) fn new((size, scrollback): (Winsize, usize), log: Log, policy: ParsePolicy) -> Self {
        let mut display = Self {
            screen: Screen::new(size, scrollback),
            guard: ParseGuard::new(log.clone(), policy),
            size,
            scrollback,
            backlog: ScreenBacklog::new(log, Position::START),
            is_overfull: false,
            skipped_to: OutputOffset::ZERO,
        };
        display.blank_if_given_up();
        display
    }

    /// Replaces the screen by a notice if it is not drawn any more. Returns whether it is not.
    fn blank_if_given_up(&mut self) -> bool {
        let blank = self.guard.blank();
        if let Some(blank) = blank {
            self.screen = Screen::new(self.size, self.scrollback);
            self.screen.feed(blank.notice().as_bytes());
            self.backlog.skip_to(self.backlog.taken_to());
        }
        blank.is_some()
    }

    /// Creates a display that shows a snapshot of [`snapshot`](Self::snapshot). `position` is the
    /// one that came with the snapshot.
    pub(super) fn from_snapshot(
        (size, scrollback): (Winsize, usize),
        log: Log,
        (mut snapshot, position): (&[u8], Position),
        policy: ParsePolicy,
    ) -> Self {
        let mut display = Self::new((size, scrollback), log.clone(), policy);
        display.backlog = ScreenBacklog::new(log, position);
        while !snapshot.is_empty() {
            snapshot = &snapshot[display.parse(position.output, snapshot, u64::MAX)..];
            if display.screen.is_sweep_due() {
                display.screen.sweep();
            }
        }
        display.screen.take_stale_modes();
        display.blank_if_given_up();
        display
    }

    /// Returns the offset up to which the log has been parsed.
    pub(super) fn parsed_to(&self) -> OutputOffset {
        self.backlog.parsed_to()
    }

    /// Returns the offset up to which this display has taken the log.
    pub(super) fn taken_to(&self) -> OutputOffset {
        self.backlog.taken_to()
    }

    /// Skips to this offset, since output before it is no longer available.
    pub(super) fn skip_to(&mut self, output: OutputOffset) {
        self.catch_up();
        self.backlog.skip_to(output);
    }

    /// Returns the end of what was left out, if nothing has been parsed since. Once the rest is
    /// parsed, none of the scrollback that the screen has now will be left.
    pub(super) fn skipped_to(&self) -> Option<OutputOffset> {
        Some(self.skipped_to).filter(|&output| output == self.parsed_to() && output != OutputOffset::ZERO)
    }

    /// Returns how many of the session's size changes the screen has made.
    pub(super) fn resizes(&self) -> u64 {
        self.backlog.position().resizes
    }

    /// Reports whether so many sizes wait for earlier output to be parsed that the terminal must
    /// not be resized now.
    pub(super) fn has_many_sizes(&self) -> bool {
        self.backlog.has_many_sizes()
    }

    /// Returns a snapshot of what has been parsed, with at most `history` rows of scrollback, the
    /// size of the terminal that it is for, and the position from which data and sizes continue.
    pub(super) async fn snapshot(&mut self, history: usize) -> (Vec<u8>, Winsize, Position) {
        let draw = move |display: &mut Self| {
            display.finish_function();
            (display.screen.snapshot(history).output, display.size, display.backlog.position())
        };
        if self.is_quick(self.screen.snapshot_steps(history)) {
            draw(self)
        } else {
            self.on_background_thread(draw).await
        }
    }

    /// Takes the log's next output. `is_answered_by_screen` says that no viewer's terminal
    /// answers queries in it.
    pub(super) fn take(&mut self, output: &[u8], is_answered_by_screen: bool) {
        if self.guard.blank().is_some() {
            return self.backlog.skip_to(self.taken_to().advanced(output.len()));
        }
        self.backlog.take(output, is_answered_by_screen);
        self.is_overfull |= self.backlog.len() > MAX_BACKLOG_BYTES;
    }

    /// Reports whether no more output may come until some of the backlog is parsed or left out.
    pub(super) fn is_overfull(&self) -> bool {
        self.is_overfull
    }

    /// Reports whether output or a size waits for the screen.
    pub(super) fn is_behind(&self) -> bool {
        !self.backlog.is_empty() || self.screen.is_unfinished()
    }

    /// Reports whether programs may be waiting for answers from this screen.
    pub(super) fn owes_answers(&self) -> bool {
        self.backlog.owes_answers()
    }

    /// Does the next piece of work: sweeps the screen if that is due, or takes on the next size, or
    /// leaves out output that would leave no trace, or parses a slice.
    pub(super) async fn step(&mut self) {
        if self.next_takes_long() {
            Box::pin(self.on_background_thread(Self::step_here)).await;
        } else {
            self.step_here();
        }
    }

    /// Reports whether the next call of [`step_here`](Self::step_here) does work that takes
    /// longer than a slice and cannot be cut into slices.
    fn next_takes_long(&self) -> bool {
        if self.screen.is_sweep_due() {
            return !self.is_quick(self.screen.sweep_steps());
        }
        let size = self.backlog.next_size().filter(|_| !self.screen.is_unfinished());
        size.is_some_and(|size| !self.is_quick(self.screen.resize_steps(size)))
    }

    fn step_here(&mut self) {
        if self.screen.is_sweep_due() {
            self.screen.sweep();
        } else if let Some(size) = self.backlog.next_size().filter(|_| !self.screen.is_unfinished()) {
            self.apply_next_size(size);
        } else if !self.screen.is_unfinished()
            && self.backlog.skip_invisible(|plain| self.screen.skip_flood(plain))
        {
            self.skipped_to = self.parsed_to();
        } else {
            self.feed(SLICE_STEPS);
        }
        self.is_overfull &= self.backlog.len() > RESUME_BACKLOG_BYTES;
    }

    /// Parses the backlog's front, for about `steps` steps. All output of a program
    /// passes through here.
    fn feed(&mut self, steps: u64) {
        let slice = self.backlog.front(SLICE_BYTES);
        let (output, is_answered) = slice
            .as_ref()
            .map_or((&[][..], None), |(output, is_answered)| (output.as_slice(), Some(*is_answered)));
        if let Some(is_answered) = is_answered {
            self.screen.set_answering(is_answered);
        }
        let taken = self.parse(self.parsed_to(), output, steps);
        self.backlog.advance(taken);
        self.blank_if_given_up();
    }

    /// Parses output that begins at `start`, for about `steps` steps, unless the screen is given
    /// up. Returns how many bytes were parsed.
    fn parse(&mut self, start: OutputOffset, output: &[u8], steps: u64) -> usize {
        let Self { screen, guard, .. } = self;
        let mut taken = output.len();
        if guard.blank().is_none() {
            guard.run(start, output.len(), || {
                #[cfg(debug_assertions)]
                super::parse_guard::crash_if_told(output);
                taken = screen.feed_within(output, steps);
            });
        }
        taken
    }

    /// Parses the backlog, for at most [`CATCH_UP_STEPS`] steps.
    fn catch_up(&mut self) {
        let until = self.screen.steps().saturating_add(CATCH_UP_STEPS);
        while self.is_behind() && self.screen.steps() < until {
            self.step_here();
        }
        if self.is_behind() {
            tracing::warn!(bytes = self.backlog.len(), "a program's output takes very long to parse");
        }
        self.finish_function();
    }

    /// Finishes the current control function. That takes no longer than to fill the screen.
    fn finish_function(&mut self) {
        while self.screen.is_unfinished() {
            self.parse(self.parsed_to(), &[], u64::MAX);
            self.blank_if_given_up();
        }
    }

    /// Parses the backlog if it is at most a slice. Returns whether it is empty then.
    fn try_catch_up(&mut self) -> bool {
        if self.is_behind() && self.backlog.len() <= SLICE_BYTES as u64 && !self.next_takes_long() {
            self.step_here();
        }
        !self.is_behind()
    }

    /// Reports whether work of `steps` steps takes no longer than a slice.
    fn is_quick(&self, steps: u64) -> bool {
        !self.screen.is_unfinished() && steps <= SLICE_STEPS
    }

    /// Does work that takes longer than a slice on a background thread, which no key waits for.
    async fn on_background_thread<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Self) -> T + Send + 'static,
    ) -> T {
        let placeholder =
            Self::new((Winsize::cells(1, 1), 0), self.backlog.log().clone(), ParsePolicy::PLACEHOLDER);
        let mut display = mem::replace(self, placeholder);
        let (display, result) = blocking(move || {
            let result = work(&mut display);
            (display, result)
        })
        .await;
        *self = display;
        result
    }

    /// Resizes the screen once it has parsed what was printed before: rows are wrapped at the width
    /// that they were printed at.
    pub(super) async fn resize(&mut self, size: Winsize) {
        let is_quick = self.try_catch_up() && self.is_quick(self.screen.resize_steps(size));
        self.backlog.take_size(size);
        if is_quick {
            self.step_here();
        } else {
            self.on_background_thread(Self::catch_up).await;
        }
    }

    /// Does the same as [`resize`](Self::resize) on the calling thread, where nobody waits for it.
    pub(super) fn resize_here(&mut self, size: Winsize) {
        self.backlog.take_size(size);
        self.catch_up();
    }

    /// Resizes the screen to the next size.
    fn apply_next_size(&mut self, size: Winsize) {
        self.size = size;
        self.backlog.pop_size();
        let start = self.parsed_to();
        let Self { screen, guard, .. } = self;
        guard.run(start, 0, || screen.resize(size));
        self.blank_if_given_up();
    }

    pub(super) fn set_colours(&mut self, colours: Colours) {
        self.screen.set_colours(colours);
    }

    /// Parses the backlog. Returns whether the program is outside any control function, so that
    /// other output may be inserted.
    pub(super) async fn catch_up_to_boundary(&mut self) -> bool {
        if !self.try_catch_up() {
            self.on_background_thread(Self::catch_up).await;
        }
        self.screen.is_at_boundary()
    }

    /// Returns output that clears a terminal that shows this screen.
    pub(super) fn clear_output(&mut self) -> Vec<u8> {
        self.screen.clear_sequence()
    }

    /// Returns output that resets all modes of such a terminal.
    pub(super) fn reset_modes_output(&self) -> Vec<u8> {
        own_output::reset_modes(self.screen.is_alternate())
    }

    /// Returns output that resets the modes that a program has left behind.
    pub(super) fn reset_stale_modes_output(&self, stale_modes: StaleModes) -> String {
        self.screen.reset_sequence(stale_modes)
    }

    /// Returns modes that a program may have left behind, once.
    pub(super) fn take_stale_modes(&mut self) -> Option<StaleModes> {
        self.screen.take_stale_modes()
    }

    /// Returns the title that the program has set.
    pub(super) fn title(&self) -> &str {
        self.screen.title()
    }

    /// Takes the answers that are to be written to the program.
    pub(super) fn take_answers(&mut self) -> Vec<u8> {
        self.screen.take_answers()
    }

    /// Returns a snapshot of the current screen with at most `history` rows of scrollback.
    pub(super) async fn snapshot_frames(&mut self, history: usize) -> FramedSnapshot {
        let draw = move |display: &mut Self| {
            display.flood_snapshot(history).unwrap_or_else(|| {
                display.catch_up();
                framed_snapshot(&display.screen, (display.size, display.backlog.position()), history)
            })
        };
        if self.try_catch_up() && self.is_quick(self.screen.snapshot_steps(history)) {
            draw(self)
        } else {
            self.on_background_thread(draw).await
        }
    }

    /// Makes such a snapshot during a flood by parsing only the part of the backlog that can be
    /// seen. Returns `None` if the backlog is no such flood.
    fn flood_snapshot(&mut self, history: usize) -> Option<FramedSnapshot> {
        let Self { screen, guard, backlog, .. } = self;
        let start = backlog.parsed_to();
        // The output is copied, since viewers have to wait for the log while it is looked at.
        let (plain, rest) = backlog.inspect(|plain, rest| Some((plain.to_vec(), rest.to_vec())))?;
        let mut seen = None;
        guard.attempt(start, plain.len() + rest.len(), || {
            seen = screen.preview((&plain, &rest), history, CATCH_UP_STEPS);
        });
        self.blank_if_given_up();
        let (preview, rows) = seen?;
        let position = Position { output: self.backlog.taken_to(), ..self.backlog.position() };
        let snapshot = framed_snapshot(&preview, (self.size, position), history);
        Some(FramedSnapshot { omitted_rows: rows.saturating_sub(history), ..snapshot })
    }

    /// Returns the current screen as text.
    pub(super) async fn text(&mut self) -> Text {
        let read = |display: &mut Self| {
            display.catch_up();
            display.screen.text()
        };
        if self.try_catch_up() && self.is_quick(self.screen.text_steps()) {
            read(self)
        } else {
            self.on_background_thread(read).await
        }
    }

    /// Converts this into the final screen, to which nothing is added any more.
    pub(super) async fn into_final(mut self) -> FinalScreen {
        if !self.try_catch_up() {
            self.on_background_thread(Self::catch_up).await;
        }
        self.into_final_here()
    }

    /// Does the same as [`into_final`](Self::into_final) on the calling thread, where
    /// nobody waits for it.
    pub(super) fn into_final_here(mut self) -> FinalScreen {
        self.catch_up();
        FinalScreen::new(self.screen, (self.size, self.backlog.position()))
    }
}

/// Does work on a background thread, which no key waits for. A panic in it continues here.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match background::run(work).await {
        Ok(result) => result,
        // The panic has been logged where it happened. It ends the session as if it
        // had happened here.
        Err(error) => resume_unwind(Box::new(error.to_string())),
    }
}

#[cfg(test)]
mod tests;
