use std::{os::fd::AsFd, time::Duration};

use super::*;
use crate::session::flow::LogWriter;

struct Session(LogWriter, Display);

impl Session {
    fn new() -> Self {
        let memory = output_log::create_memory(0).unwrap();
        let (writer, log, _) = output_log::open(memory.as_fd()).unwrap();
        let policy = ParsePolicy { draws_screens: true, suspect_before: Duration::ZERO };
        Self(writer, Display::new((Winsize::cells(40, 10), 100), log, policy))
    }

    /// Appends output. The screen parses only as much as it has to.
    fn print(&mut self, output: &[u8], is_answered_by_screen: bool) {
        for piece in output.chunks(MAX_FRAME_PAYLOAD_BYTES) {
            self.0.append(piece, |output| self.1.take(output, is_answered_by_screen));
            while self.1.is_overfull() {
                self.1.step_here();
            }
        }
    }
}

#[tokio::test]
async fn nothing_of_a_flood_is_parsed_but_its_end() {
    let mut session = Session::new();
    let lines = (0..50_000).map(|n| format!("line {n}\r\n")).collect::<Vec<_>>().concat();
    for round in 1..=40 {
        session.print(lines.as_bytes(), true);
        assert!(session.1.backlog.len() <= MAX_BACKLOG_BYTES && !session.1.owes_answers());
        assert!(round < 10 || session.1.screen.text().lines[0].is_empty());
    }
    session.print(b"\x1b[?2004hthe end", true);
    assert!(session.1.owes_answers(), "it might be a question");
    session.1.step_here();
    assert!(session.1.backlog.len() < 16 * 1024, "all but the last lines is left out at once");
    assert_eq!(session.1.skipped_to(), Some(session.1.parsed_to()));
    let text = session.1.text().await;
    assert_eq!(
        (&text.lines[8..], text.cursor),
        (&["line 49999".to_owned(), "the end".to_owned()][..], (7, 9))
    );
    assert_eq!((session.1.skipped_to(), session.1.parsed_to()), (None, session.0.end()));
}

#[tokio::test]
async fn what_cannot_be_left_out_is_parsed() {
    let mut session = Session::new();
    let moves = b"\x1b[3;3Hx".repeat(1_000_000);
    session.print(&moves, true);
    assert!(session.1.backlog.len() <= MAX_BACKLOG_BYTES);
    assert_eq!(session.1.text().await.lines[2], "  x");
}

#[test]
fn only_what_came_while_nobody_was_there_is_answered() {
    let mut session = Session::new();
    session.print(b"\x1b[5n", false);
    assert!(!session.1.owes_answers());
    session.print(b"\x1b[6n", true);
    assert!(session.1.owes_answers());
    session.print(b"\x1b[5n", false);
    session.1.catch_up();
    assert_eq!(session.1.take_answers(), b"\x1b[1;1R");
}

#[tokio::test]
async fn a_snapshot_ends_with_what_is_not_complete() {
    let mut session = Session::new();
    session.print(b"abc\x1b[3", true);
    let snapshot = session.1.snapshot_frames(usize::MAX).await;
    assert_eq!(snapshot.position.output.get(), 6);
    assert!(snapshot.frames[0].ends_with(b"\x1b[3"));
    session.print(&[b"\x1b]0;", &b"x".repeat(1024 * 1024)[..]].concat(), true);
    let snapshot = session.1.snapshot_frames(usize::MAX).await;
    assert_eq!(
        snapshot.position.output,
        session.0.end(),
        "a control string of that length does not come again"
    );
    assert!(snapshot.frames[0].ends_with(b"\x1b]x"));
}

#[tokio::test]
async fn a_size_waits_for_the_output_before_it() {
    let text = b"0123456789abcdef\r\n";
    let (mut behind, mut model) = (Session::new(), Session::new());
    for columns in [10, 7, 20] {
        behind.print(text, false);
        behind.1.backlog.take_size(Winsize::cells(columns, 4));
        model.print(text, false);
        model.1.resize_here(Winsize::cells(columns, 4));
    }
    let end = behind.0.end();
    for (resizes, (cols, rows)) in (0..).zip([(40, 10), (10, 4), (7, 4), (20, 4)]) {
        let (_, size, position) = behind.1.snapshot(0).await;
        let output = OutputOffset::ZERO.advanced(text.len() * usize::try_from(resizes).unwrap());
        assert_eq!((size, position), (Winsize::cells(cols, rows), Position { output, resizes }));
        while behind.1.parsed_to() < end.min(output.advanced(text.len())) {
            behind.1.step().await;
        }
        behind.1.step().await;
    }
    assert!(!behind.1.is_behind());
    let frames = async |session: &mut Session| session.1.snapshot_frames(usize::MAX).await.frames;
    assert!(frames(&mut behind).await == frames(&mut model).await);
}

#[tokio::test]
async fn nothing_of_a_flood_is_left_out_that_another_size_would_show() {
    let lines = (0..50_000).map(|n| format!("line {n} and some more of it\r\n")).collect::<Vec<_>>().concat();
    let sizes = [Winsize::cells(12, 30), Winsize::cells(60, 4), Winsize::cells(40, 10)];
    let (mut behind, mut model) = (Session::new(), Session::new());
    for size in sizes {
        behind.print(lines.as_bytes(), false);
        behind.1.backlog.take_size(size);
        model.print(lines.as_bytes(), false);
        model.1.resize_here(size);
    }
    let frames = async |session: &mut Session| session.1.snapshot_frames(usize::MAX).await.frames;
    assert!(frames(&mut behind).await == frames(&mut model).await);
}

#[test]
fn a_last_screen_with_much_scrollback_is_dropped_elsewhere() {
    let last = |rows: u64| {
        let mut screen = Screen::new(Winsize::cells(80, 24), 100_000);
        for n in 0..rows {
            screen.feed(format!("{:078}\r\n", n * n).as_bytes());
        }
        FinalScreen::new(screen, (Winsize::cells(80, 24), Position::START))
    };
    assert!(!last(100).takes_long_to_drop() && last(100_000).takes_long_to_drop());
}
