//! Modes that a program may have left behind.
//!
//! A shell's line editor switches bracketed paste on (`CSI ? 2004 h`) when it begins to read a
//! command. Modes that are on at that moment and that no line editor needs belong to an earlier
//! program, which was killed or whose connection broke. The caller has to know from the processes
//! whether a shell is reading at all. A mode that was already on when the line editor last stopped
//! reading (`CSI ? 2004 l`) is the shell's own: some prompts set modes.

use super::{
    Screen,
    modes::{MouseEncoding, MouseTracking},
    terminal::Terminal,
};

/// The number of bracketed paste in DECSET and DECRST.
pub(super) const BRACKETED_PASTE: i32 = 2004;

/// Modes that make a shell unusable if they stay on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StaleModes {
    keyboard: i32,
    mouse: MouseTracking,
    mouse_encoding: MouseEncoding,
    focus: bool,
    synchronized: bool,
    cursor_hidden: bool,
}

impl StaleModes {
    fn of(terminal: &Terminal) -> Self {
        Self {
            keyboard: terminal.keyboard.flags,
            mouse: terminal.mouse,
            mouse_encoding: terminal.mouse_encoding,
            focus: terminal.modes.focus,
            synchronized: terminal.modes.synchronized,
            cursor_hidden: terminal.cursor_hidden,
        }
    }

    /// Returns the modes that differ from those in `other`.
    fn without(self, other: Self) -> Self {
        fn unless<T: Copy + Default + PartialEq>(mode: T, other: T) -> T {
            if mode == other { T::default() } else { mode }
        }
        Self {
            keyboard: unless(self.keyboard, other.keyboard),
            mouse: unless(self.mouse, other.mouse),
            mouse_encoding: unless(self.mouse_encoding, other.mouse_encoding),
            focus: unless(self.focus, other.focus),
            synchronized: unless(self.synchronized, other.synchronized),
            cursor_hidden: unless(self.cursor_hidden, other.cursor_hidden),
        }
    }
}

impl Terminal {
    /// Records the modes that are on when a line editor begins to read, and were not on when it
    /// last stopped.
    pub(super) fn record_stale_modes(&mut self) {
        let left = StaleModes::of(self).without(self.prompt_modes);
        self.stale_modes = Some(left).filter(|&modes| modes != StaleModes::default());
    }

    /// Records the modes with which a line editor has read.
    pub(super) fn record_prompt_modes(&mut self) {
        self.prompt_modes = StaleModes::of(self);
    }
}

impl Screen {
    /// Takes the modes that were on when a line editor began to read.
    pub fn take_stale_modes(&mut self) -> Option<StaleModes> {
        self.terminal.stale_modes.take()
    }

    /// Returns output that resets those of the modes that have not changed since.
    #[must_use]
    pub fn reset_sequence(&self, left: StaleModes) -> String {
        let now = StaleModes::of(&self.terminal);
        let mut output = String::new();
        let mut reset = |is_left: bool, sequence: &str| output.push_str(if is_left { sequence } else { "" });
        // Pops more than the stack can hold, which leaves no flags.
        reset(left.keyboard != 0 && now.keyboard == left.keyboard, "\x1b[<32u");
        reset(left.mouse != MouseTracking::Off && now.mouse == left.mouse, "\x1b[?1000l");
        let has_encoding = left.mouse_encoding != MouseEncoding::Default;
        reset(has_encoding && now.mouse_encoding == left.mouse_encoding, "\x1b[?1006l");
        reset(left.focus && now.focus, "\x1b[?1004l");
        reset(left.synchronized && now.synchronized, "\x1b[?2026l");
        reset(left.cursor_hidden && now.cursor_hidden, "\x1b[?25h");
        output
    }
}

#[cfg(test)]
mod tests {
    use limpet_shared::Winsize;

    use super::*;

    fn screen_after(output: &str) -> Screen {
        let mut screen = Screen::new(Winsize::cells(20, 4), 0);
        screen.feed(output.as_bytes());
        screen
    }

    #[test]
    fn what_was_on_before_a_line_editor_is_left_over() {
        let mut screen =
            screen_after("\x1b[?25l\x1b[>31u\x1b[>1u\x1b[?1003h\x1b[?1006h\x1b[?1004h\x1b[?2004h$ ");
        let left = screen.take_stale_modes().unwrap();
        assert_eq!(screen.take_stale_modes(), None);
        let sequence = screen.reset_sequence(left);
        screen.feed(sequence.as_bytes());
        assert_eq!(StaleModes::of(&screen.terminal), StaleModes::default());
        assert!(screen.terminal.modes.bracketed_paste);
        assert_eq!(screen.reset_sequence(left), "");
    }

    #[test]
    fn what_a_line_editor_sets_itself_is_not() {
        let mut screen = screen_after("\x1b[?2004h\x1b[=5u\x1b[?1000h$ ");
        assert_eq!(screen.take_stale_modes(), None);
        let mut screen = screen_after("\x1b[?1000h\x1b[>31u\x1b[?2004h\x1b[=5u$ ");
        let left = screen.take_stale_modes().unwrap();
        assert_eq!(screen.reset_sequence(left), "\x1b[?1000l");
    }

    #[test]
    fn what_every_prompt_sets_is_not_either() {
        let prompt = "\x1b[?2004h\x1b[=5u$ ";
        let mut screen = screen_after(&[prompt, "\x1b[?2004l\r\n", prompt].concat());
        assert_eq!(screen.take_stale_modes(), None);
        screen.feed(["\x1b[?2004l\x1b[?1000h\x1b[>31u", prompt].concat().as_bytes());
        let left = screen.take_stale_modes().unwrap();
        assert_eq!(screen.reset_sequence(left), "\x1b[?1000l");
    }
}
