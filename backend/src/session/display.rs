//! The session's screen, which follows the log behind everybody else. It takes on each size when it has parsed what was printed before.
//!
//! Output is parsed when there is nothing more urgent to do, or when somebody asks what is on the screen. What piles up in a
//! flood meanwhile is left out as far as nobody could see it any more.
//!
//! Other sessions' keys are served by the same thread. So output is parsed in slices of so many steps, and what takes longer
//! than a slice (a new size, a snapshot with much scrollback, a request while much waits) is done on a thread for such work.

mod last;
mod redrawing;

use std::{mem, panic::resume_unwind};

use limpet_shared::{OutputOffset, Winsize, limits::OUTPUT_FRAME, theme::Colours};

use self::redrawing::redrawing;
pub(super) use self::{last::LastScreen, redrawing::Redrawing};
use super::{
    own_output,
    parse_guard::{ParseGuard, ParsePolicy},
    pile::Pile,
};
use crate::{
    background,
    log::{self, Log, Position},
    screen::{Leftovers, Screen, Text},
};

/// How much may wait to be parsed, in bytes.
const MOST: u64 = 4 * 1024 * 1024;

/// When that was too much, so much of it is parsed that no more than this is left.
const ROOM: u64 = MOST / 4 * 3;

const _: () = assert!(MOST + 2 * OUTPUT_FRAME as u64 <= log::SPARE as u64, "the log must keep what waits");

/// Steps of the screen after which something else gets its turn: half a millisecond's worth to one's.
const SLICE_STEPS: u64 = 128 * 1024;

/// Bytes after which it does, if they take fewer steps.
const SLICE_BYTES: usize = 16 * 1024;

/// Steps for which somebody who asks for the screen waits at most. It is then shown as it was at an earlier offset. That
/// is enough for all that may wait, unless each byte of it takes as long as a screenful of text.
const CATCH_UP_STEPS: u64 = 1024 * SLICE_STEPS;

/// A screen and the output it has yet to parse.
#[derive(Debug)]
pub(super) struct Display {
    screen: Screen,
    guard: ParseGuard,
    /// The size that the screen has, and the rows of scrollback that it keeps. One that takes its place is like that.
    shape: (Winsize, usize),
    pile: Pile,
    is_overfull: bool,
    /// Where what was left out last ends.
    left_out: OutputOffset,
}

impl Display {
    /// One that may be blank, by this policy or because of what earlier servers have noted in the log's memory.
    pub(super) fn new((size, scrollback): (Winsize, usize), log: Log, policy: ParsePolicy) -> Self {
        let mut display = Self {
            screen: Screen::new(size, scrollback),
            guard: ParseGuard::new(log.clone(), policy),
            shape: (size, scrollback),
            pile: Pile::new(log, Position::START),
            is_overfull: false,
            left_out: OutputOffset::ZERO,
        };
        display.blank_if_given_up();
        display
    }

    /// Has the screen say why it is not drawn, if so, and tells whether it does.
    fn blank_if_given_up(&mut self) -> bool {
        let blank = self.guard.blank();
        if let Some(blank) = blank {
            self.screen = Screen::new(self.shape.0, self.shape.1);
            self.screen.feed(blank.notice().as_bytes());
            self.pile.skip_to(self.pile.taken());
        }
        blank.is_some()
    }

    /// One that shows what a snapshot draws that was made by [`snapshot`](Self::snapshot), with the place that came with it.
    pub(super) fn drawn(
        shape: (Winsize, usize),
        log: Log,
        (mut snapshot, position): (&[u8], Position),
        policy: ParsePolicy,
    ) -> Self {
        let mut display = Self::new(shape, log.clone(), policy);
        display.pile = Pile::new(log, position);
        while !snapshot.is_empty() {
            snapshot = &snapshot[display.parse(position.output, snapshot, u64::MAX)..];
            if display.screen.is_sweep_due() {
                display.screen.sweep();
            }
        }
        display.screen.take_leftovers();
        display.blank_if_given_up();
        display
    }

    /// The log up to here has been parsed.
    pub(super) fn parsed(&self) -> OutputOffset {
        self.pile.parsed()
    }

    /// The log up to here has been taken.
    pub(super) fn taken(&self) -> OutputOffset {
        self.pile.taken()
    }

    /// Output up to here is not to be had any more.
    pub(super) fn skip_to(&mut self, output: OutputOffset) {
        self.catch_up();
        self.pile.skip_to(output);
    }

    /// Where what was left out ends, if nothing was parsed since: no row of scrollback will be left when the rest is.
    pub(super) fn left_out(&self) -> Option<OutputOffset> {
        Some(self.left_out).filter(|&output| output == self.parsed() && output != OutputOffset::ZERO)
    }

    /// How many of the session's size changes have been made to the screen.
    pub(super) fn resizes(&self) -> u64 {
        self.pile.position().resizes
    }

    /// Whether the terminal is not to be resized now, since so many sizes wait for the screen to parse what was printed before.
    pub(super) fn has_many_sizes(&self) -> bool {
        self.pile.has_many_sizes()
    }

    /// What has been parsed, as output that draws it on a terminal of this size, with so many rows of scrollback at most; and the place
    /// where data and sizes go on after it.
    pub(super) async fn snapshot(&mut self, history: usize) -> (Vec<u8>, Winsize, Position) {
        let draw = move |display: &mut Self| {
            display.finish_function();
            (display.screen.snapshot(history).output, display.shape.0, display.pile.position())
        };
        if self.is_quick(self.screen.snapshot_steps(history)) {
            draw(self)
        } else {
            self.elsewhere(draw).await
        }
    }

    /// Takes the log's next output. `answered_here` tells that there is no viewer whose terminal answers questions.
    pub(super) fn take(&mut self, output: &[u8], answered_here: bool) {
        if self.guard.blank().is_some() {
            return self.pile.skip_to(self.taken().advanced(output.len()));
        }
        self.pile.take(output, answered_here);
        self.is_overfull |= self.pile.len() > MOST;
    }

    /// Whether so much waits that nothing more may come before some of it is left out or parsed.
    pub(super) fn is_overfull(&self) -> bool {
        self.is_overfull
    }

    /// Whether output waits to be parsed.
    pub(super) fn is_behind(&self) -> bool {
        !self.pile.is_empty() || self.screen.is_unfinished()
    }

    /// Whether programs may wait for answers that are to be given here.
    pub(super) fn owes_answers(&self) -> bool {
        self.pile.owes_answers()
    }

    /// Drops of what waits first what would leave no trace, or else parses a slice of it, or takes on the next size.
    pub(super) async fn follow(&mut self) {
        if self.next_takes_long() {
            Box::pin(self.elsewhere(Self::follow_here)).await;
        } else {
            self.follow_here();
        }
    }

    /// Whether what [`follow_here`](Self::follow_here) does next takes longer than a slice, and is not cut into slices.
    fn next_takes_long(&self) -> bool {
        if self.screen.is_sweep_due() {
            return !self.is_quick(self.screen.sweep_steps());
        }
        let size = self.pile.next_size().filter(|_| !self.screen.is_unfinished());
        size.is_some_and(|size| !self.is_quick(self.screen.resize_steps(size)))
    }

    fn follow_here(&mut self) {
        if self.screen.is_sweep_due() {
            self.screen.sweep();
        } else if let Some(size) = self.pile.next_size().filter(|_| !self.screen.is_unfinished()) {
            self.take_on(size);
        } else if !self.screen.is_unfinished() && self.pile.leave_out(|plain| self.screen.leave_out(plain)) {
            self.left_out = self.parsed();
        } else {
            self.feed(SLICE_STEPS);
        }
        self.is_overfull &= self.pile.len() > ROOM;
    }

    /// Has the screen parse what waits, for about so many steps. All that a program prints goes through here.
    fn feed(&mut self, steps: u64) {
        let slice = self.pile.front(SLICE_BYTES);
        let (output, answered_here) = slice
            .as_ref()
            .map_or((&[][..], None), |(output, answered_here)| (output.as_slice(), Some(*answered_here)));
        if let Some(answered_here) = answered_here {
            self.screen.answer(answered_here);
        }
        let taken = self.parse(self.parsed(), output, steps);
        self.pile.parsed_bytes(taken);
        self.blank_if_given_up();
    }

    /// Parses output that begins at `start`, for about so many steps, if the screen is not given up for it. Returns how many bytes
    /// were parsed.
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

    /// Parses what waits, as far as that takes no longer than anybody may wait for it.
    fn catch_up(&mut self) {
        let until = self.screen.steps().saturating_add(CATCH_UP_STEPS);
        while self.is_behind() && self.screen.steps() < until {
            self.follow_here();
        }
        if self.is_behind() {
            tracing::warn!(bytes = self.pile.len(), "a program's output takes very long to parse");
        }
        self.finish_function();
    }

    /// Finishes the control function at hand. It takes no longer than to fill the screen.
    fn finish_function(&mut self) {
        while self.screen.is_unfinished() {
            self.parse(self.parsed(), &[], u64::MAX);
            self.blank_if_given_up();
        }
    }

    /// Parses what waits if that is a slice at most. Tells whether nothing waits any more.
    fn has_caught_up(&mut self) -> bool {
        if self.is_behind() && self.pile.len() <= SLICE_BYTES as u64 && !self.next_takes_long() {
            self.follow_here();
        }
        !self.is_behind()
    }

    /// Whether so many steps take no longer than a slice.
    fn is_quick(&self, steps: u64) -> bool {
        !self.screen.is_unfinished() && steps <= SLICE_STEPS
    }

    /// Does work that takes longer than a slice on a thread that no key waits for.
    async fn elsewhere<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Self) -> T + Send + 'static,
    ) -> T {
        let nothing = Self::new((Winsize::cells(1, 1), 0), self.pile.log().clone(), ParsePolicy::PLACEHOLDER);
        let mut display = mem::replace(self, nothing);
        let (display, result) = blocking(move || {
            let result = work(&mut display);
            (display, result)
        })
        .await;
        *self = display;
        result
    }

    /// Has the screen take on a size when it has parsed what was printed before: rows are wrapped as they were when they were printed.
    pub(super) async fn resize(&mut self, size: Winsize) {
        let is_quick = self.has_caught_up() && self.is_quick(self.screen.resize_steps(size));
        self.pile.take_size(size);
        if is_quick {
            self.follow_here();
        } else {
            self.elsewhere(Self::catch_up).await;
        }
    }

    /// The same, where nobody waits.
    pub(super) fn resize_here(&mut self, size: Winsize) {
        self.pile.take_size(size);
        self.catch_up();
    }

    /// Gives the next size to the screen.
    fn take_on(&mut self, size: Winsize) {
        self.shape.0 = size;
        self.pile.resized();
        let start = self.parsed();
        let Self { screen, guard, .. } = self;
        guard.run(start, 0, || screen.resize(size));
        self.blank_if_given_up();
    }

    pub(super) fn set_colours(&mut self, colours: Colours) {
        self.screen.set_colours(colours);
    }

    /// Parses what waits. Tells whether the program has begun no control function, so that other output may come now.
    pub(super) async fn settle(&mut self) -> bool {
        if !self.has_caught_up() {
            self.elsewhere(Self::catch_up).await;
        }
        self.screen.is_between()
    }

    /// Output that clears a terminal which shows this.
    pub(super) fn clearing(&mut self) -> Vec<u8> {
        self.screen.clearing()
    }

    /// Output that resets all modes of such a terminal …
    pub(super) fn resetting_modes(&self) -> Vec<u8> {
        own_output::reset_modes(self.screen.is_alternate())
    }

    /// … or those that a program has left behind.
    pub(super) fn resetting(&self, left: Leftovers) -> String {
        self.screen.resetting(left)
    }

    /// Modes that a program may have left behind; once.
    pub(super) fn take_leftovers(&mut self) -> Option<Leftovers> {
        self.screen.take_leftovers()
    }

    /// The title that the program has set.
    pub(super) fn title(&self) -> &str {
        self.screen.title()
    }

    /// Answers to be written to the program.
    pub(super) fn take_answers(&mut self) -> Vec<u8> {
        self.screen.take_answers()
    }

    /// The screen as of now, with so many rows of scrollback at most.
    pub(super) async fn redrawing(&mut self, history: usize) -> Redrawing {
        let draw = move |display: &mut Self| {
            display.glimpse(history).unwrap_or_else(|| {
                display.catch_up();
                redrawing(&display.screen, (display.shape.0, display.pile.position()), history)
            })
        };
        if self.has_caught_up() && self.is_quick(self.screen.snapshot_steps(history)) {
            draw(self)
        } else {
            self.elsewhere(draw).await
        }
    }

    /// The same in the midst of a flood, without parsing more of it than can be seen.
    fn glimpse(&mut self, history: usize) -> Option<Redrawing> {
        let Self { screen, guard, pile, .. } = self;
        let start = pile.parsed();
        // A copy, since viewers wait for the log as long as somebody looks at it.
        let (plain, rest) = pile.look(|plain, rest| Some((plain.to_vec(), rest.to_vec())))?;
        let mut seen = None;
        guard.attempt(start, plain.len() + rest.len(), || {
            seen = screen.glimpse((&plain, &rest), history, CATCH_UP_STEPS);
        });
        self.blank_if_given_up();
        let (glimpse, rows) = seen?;
        let position = Position { output: self.pile.taken(), ..self.pile.position() };
        let redrawing = redrawing(&glimpse, (self.shape.0, position), history);
        Some(Redrawing { earlier: rows.saturating_sub(history), ..redrawing })
    }

    /// The screen as of now.
    pub(super) async fn text(&mut self) -> Text {
        let read = |display: &mut Self| {
            display.catch_up();
            display.screen.text()
        };
        if self.has_caught_up() && self.is_quick(self.screen.text_steps()) {
            read(self)
        } else {
            self.elsewhere(read).await
        }
    }

    /// The screen when nothing more will come.
    pub(super) async fn into_last(mut self) -> LastScreen {
        if !self.has_caught_up() {
            self.elsewhere(Self::catch_up).await;
        }
        self.into_last_here()
    }

    /// The same, where nobody waits.
    pub(super) fn into_last_here(mut self) -> LastScreen {
        self.catch_up();
        LastScreen::new(self.screen, (self.shape.0, self.pile.position()))
    }
}

/// Does work on a thread that no key waits for. A panic in it goes on here.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match background::run(work).await {
        Ok(result) => result,
        // It has been logged where it happened. The session ends by it, as if it had happened here.
        Err(error) => resume_unwind(Box::new(error.to_string())),
    }
}

#[cfg(test)]
mod tests;
