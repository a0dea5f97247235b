//! Clearing a terminal by output.

use std::mem;

use super::{Screen, buffer::Buffer, row::Row, scrollback::Scrollback, snapshot};

/// RIS: resets the terminal.
const RESET: &[u8] = b"\x1bc";

impl Screen {
    /// Returns output that clears a terminal which shows this screen. Of the scrollback and the
    /// primary screen only the line of the cursor remains, at the top. The alternate screen and all
    /// modes stay.
    #[must_use]
    pub fn clear_sequence(&mut self) -> Vec<u8> {
        let limit = self.terminal.primary.scrollback.limit();
        // The scrollback is taken out so that it is not copied.
        let scrollback = mem::replace(&mut self.terminal.primary.scrollback, Scrollback::new(limit));
        let mut cleared = self.terminal.clone();
        cleared.primary.keep_cursor_line(scrollback.len());
        self.terminal.primary.scrollback = scrollback;
        [RESET, &snapshot::write(&cleared, 0)].concat()
    }
}

impl Buffer {
    /// Drops everything but the line of the cursor, which is all the rows that it wraps to. The
    /// `scrolled` rows of scrollback have been dropped already.
    fn keep_cursor_line(&mut self, scrolled: usize) {
        let Some(last) = self.screen.len().checked_sub(1) else { return };
        let y = self.y.min(last);
        let first = (0..=y).rev().find(|&y| !self.screen[y].wrapped).unwrap_or(0);
        let end = (y + 1..=last).find(|&y| !self.screen[y].wrapped).unwrap_or(last + 1);
        self.screen.truncate(end);
        self.screen.drain(..first);
        self.screen.resize_with(self.rows, Row::default);
        self.screen[0].wrapped = false;
        self.y = y - first;
        self.saved.line = self.saved.line.saturating_sub(scrolled + first).min(last);
    }
}

#[cfg(test)]
mod tests {
    use limpet_shared::Winsize;

    use super::*;

    const SIZE: Winsize = Winsize::cells(10, 4);

    /// Returns the screen of a terminal that has shown `output` and was then cleared.
    fn cleared(output: &str) -> Screen {
        let mut screen = Screen::new(SIZE, 100);
        screen.feed(output.as_bytes());
        let sequence = screen.clear_sequence();
        screen.feed(&sequence);
        screen
    }

    #[test]
    fn the_line_of_the_cursor_is_left_at_the_top() {
        let mut screen = cleared("SECRET\r\n\r\n\r\n\r\n\r\n\x1b[31m$ \x1b[?2004hls");
        assert_eq!(screen.text().lines, ["$ ls", "", "", ""]);
        assert_eq!(screen.text().cursor, (4, 0));
        let snapshot = String::from_utf8(screen.snapshot(1000).output).unwrap();
        assert!(!snapshot.contains("SECRET") && snapshot.contains("?2004h"), "{snapshot:?}");
        screen.feed(b"X");
        assert_eq!(screen.text().lines[0], "$ lsX");
    }

    #[test]
    fn a_line_of_several_rows_is_kept_whole() {
        let screen = cleared("old\r\n$ 3456789012345678901234\x1b[A");
        assert_eq!(screen.text().lines, ["$ 34567890", "1234567890", "1234", ""]);
        assert_eq!(screen.text().cursor, (4, 1));
    }

    #[test]
    fn what_a_full_screen_program_shows_stays() {
        let mut screen = cleared("SECRET\r\n$ vim\x1b[?1049h\x1b[Hfull\x1b[?1000h");
        assert!(screen.text().is_alternate);
        assert_eq!(screen.text().lines[0], "full");
        screen.feed(b"\x1b[?1049l");
        assert_eq!(
            (screen.text().lines, screen.text().cursor),
            (["$ vim", "", "", ""].map(str::to_owned).to_vec(), (5, 0))
        );
    }

    #[test]
    fn titles_stay_as_they_are() {
        let mut screen = cleared("\x1b]2;one\x1b\\\x1b[22;2t\x1b]2;two\x1b\\");
        assert_eq!(screen.title(), "two");
        screen.feed(b"\x1b[23;2t");
        assert_eq!(screen.title(), "one");
        screen.feed(b"\x1b]2;two\x1b\\\x1b[23;2t");
        assert_eq!(screen.title(), "two", "there was one on the stack");
    }
}
