//! Output of limpet's own in a session's log, which clears the terminal or resets its modes.
//!
//! It is output like any other, so it has the same effect for every viewer, now or later. It is
//! inserted where the program is outside any control function. Inside one, it would end that
//! function, and the function's rest would be shown as text.

use std::time::Duration;

use tokio::time::Instant;

use limpet_screen::StaleModes;

/// Minimum time between two such outputs: each makes the screen catch up, and is
/// sent to every viewer.
const MIN_INTERVAL: Duration = Duration::from_millis(250);

/// Maximum time to wait for the end of a control function.
const MAX_WAIT: Duration = Duration::from_millis(500);

/// Interval at which to check for that end.
const CHECK_INTERVAL: Duration = Duration::from_millis(20);

/// CAN: ends a control function without effect.
pub(super) const CANCEL: &[u8] = b"\x18";

/// Leaves the alternate screen, and restores the cursor's position from before.
const LEAVE_ALTERNATE: &[u8] = b"\x1b[?1049l";

/// Resets what programs set and may leave behind: synchronized output, the alternate screen, mouse,
/// focus and paste reports, keyboard modes, newline mode, the cursor's shape, a hyperlink, colours;
/// and, by DECSTR, margins, attributes, character sets and the like (xterm, "Control Sequences").
pub(super) const RESET_MODES: &[u8] = b"\x1b[?2026l\x1b[?47l\x1b[!p\x1b[?1000l\x1b[?1006l\x1b[?1004l\x1b[?2004l\x1b[?1l\x1b[?6l\x1b[?7h\x1b[?25h\
    \x1b[4l\x1b[20l\x1b>\x1b[0 q\x1b[=0u\x1b]8;;\x1b\\\x1b]104\x1b\\\x1b]110\x1b\\\x1b]111\x1b\\\x1b]112\x1b\\";

/// The effect of limpet's own output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Resets all modes.
    ResetModes,
    /// Resets modes that a program has left behind.
    ResetStaleModes(StaleModes),
    /// Clears the screen and the scrollback.
    Clear,
}

/// The outputs that are due. What is asked for again before it is done is done once.
#[derive(Debug)]
pub(super) struct OwnOutput {
    /// Requests of viewers, in this order.
    wanted: Vec<Purpose>,
    /// Modes that a program may have left behind.
    stale_modes: Option<StaleModes>,
    /// Time of the next check whether something can be done.
    next_check_at: Instant,
    /// Time at which it is done even inside a control function.
    deadline: Instant,
}

impl OwnOutput {
    pub(super) const fn new(now: Instant) -> Self {
        Self { wanted: Vec::new(), stale_modes: None, next_check_at: now, deadline: now }
    }

    pub(super) fn request(&mut self, purpose: Purpose, now: Instant) {
        self.start_wait(now);
        match purpose {
            Purpose::ResetStaleModes(stale_modes) => self.stale_modes = Some(stale_modes),
            purpose if self.wanted.contains(&purpose) => {}
            purpose => self.wanted.push(purpose),
        }
    }

    fn start_wait(&mut self, now: Instant) {
        if self.due_at().is_none() {
            self.deadline = self.next_check_at.max(now) + MAX_WAIT;
        }
    }

    /// Reports whether modes that a program may have left behind are to be reset.
    pub(super) fn has_stale_modes(&self) -> bool {
        self.stale_modes.is_some()
    }

    /// Forgets modes that turn out to be in use.
    pub(super) fn forget_stale_modes(&mut self, now: Instant) {
        self.stale_modes = None;
        self.next_check_at = now + MIN_INTERVAL;
    }

    /// Returns when there may be something to do.
    pub(super) fn due_at(&self) -> Option<Instant> {
        (self.stale_modes.is_some() || !self.wanted.is_empty()).then_some(self.next_check_at)
    }

    /// Takes what is to be done now. `is_outside_function` says that the program is outside
    /// any control function.
    pub(super) fn take(&mut self, is_outside_function: bool, now: Instant) -> Option<Purpose> {
        if self.due_at().is_none_or(|at| now < at) {
            return None;
        }
        if !is_outside_function && now < self.deadline {
            self.next_check_at = now + CHECK_INTERVAL;
            return None;
        }
        self.next_check_at = now + MIN_INTERVAL;
        self.deadline = self.next_check_at + MAX_WAIT;
        if self.wanted.is_empty() {
            return self.stale_modes.take().map(Purpose::ResetStaleModes);
        }
        Some(self.wanted.remove(0))
    }
}

/// Returns output that resets all modes. `is_alternate` says that the terminal shows
/// the alternate screen.
pub(super) fn reset_modes(is_alternate: bool) -> Vec<u8> {
    [if is_alternate { LEAVE_ALTERNATE } else { b"" }, RESET_MODES].concat()
}

/// Returns the separator before limpet's own output: nothing outside a control function.
pub(super) const fn separator(is_outside_function: bool) -> &'static [u8] {
    if is_outside_function { b"" } else { CANCEL }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_again_is_done_once_and_not_too_often() {
        let start = Instant::now();
        let mut own = OwnOutput::new(start);
        assert_eq!(own.due_at(), None);
        for _ in 0..1000 {
            own.request(Purpose::Clear, start);
            own.request(Purpose::ResetModes, start);
        }
        assert_eq!(own.take(true, start), Some(Purpose::Clear));
        assert_eq!(own.take(true, start), None);
        assert_eq!(own.due_at(), Some(start + MIN_INTERVAL));
        assert_eq!(own.take(true, start + MIN_INTERVAL), Some(Purpose::ResetModes));
        assert_eq!(own.due_at(), None);
    }

    #[test]
    fn what_may_be_left_over_is_looked_at_now_and_then() {
        let start = Instant::now();
        let mut own = OwnOutput::new(start);
        let stale_modes = StaleModes::default();
        for _ in 0..1000 {
            own.request(Purpose::ResetStaleModes(stale_modes), start);
        }
        assert!(own.has_stale_modes() && own.due_at() == Some(start));
        own.forget_stale_modes(start);
        assert_eq!(own.due_at(), None);
        own.request(Purpose::ResetStaleModes(stale_modes), start);
        assert_eq!(own.due_at(), Some(start + MIN_INTERVAL));
        assert_eq!(own.take(true, start + MIN_INTERVAL), Some(Purpose::ResetStaleModes(stale_modes)));
        assert!(!own.has_stale_modes());
    }

    #[test]
    fn the_rest_of_a_control_function_is_waited_for_but_not_for_ever() {
        let start = Instant::now();
        let mut own = OwnOutput::new(start);
        own.request(Purpose::Clear, start);
        assert_eq!(own.take(false, start), None);
        assert_eq!(own.due_at(), Some(start + CHECK_INTERVAL));
        own.request(Purpose::Clear, start + MAX_WAIT / 2);
        assert_eq!(own.take(false, start + MAX_WAIT), Some(Purpose::Clear));
    }
}
