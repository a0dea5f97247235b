//! Starts sessions again after a reboot, and shows what was on their screens before.

use std::{collections::BTreeSet, io};

use limpet_output_log as output_log;
use limpet_pty::Program;
use limpet_screen::Screen;
use limpet_shared::{SessionId, Winsize};
use limpet_sys::{background, exhausted};

use super::{
    CreateError, Limits, SessionHandle, SessionSaver, Sessions,
    own_output::{CANCEL, RESET_MODES},
    plan::SessionPlan,
    start_directory::StartDirectory,
};
use crate::session_files::SavedSession;

/// Divisor: earlier output may take the tail's size divided by this.
const TAIL_DIVISOR: usize = 2;

/// Clears the title.
const NO_TITLE: &[u8] = b"\x1b]0;\x1b\\";

/// The faint line between earlier output and the new program's.
const NOTE: &str = "── above: from before limpet was restarted ──";

/// The same line where only the program was started again.
const RESTARTED_NOTE: &str = "── above: output of the program before it was restarted ──";

/// The reason why a session is not restored.
#[derive(Debug, thiserror::Error)]
enum RestoreError {
    #[error("could not read what was saved: {0}")]
    Read(#[from] io::Error),
    #[error(transparent)]
    Create(#[from] CreateError),
}

impl RestoreError {
    /// Reports whether another start may succeed, because a resource has run out or there are
    /// too many sessions.
    fn is_temporary(&self) -> bool {
        match self {
            Self::Read(error) => exhausted::is_exhausted(error),
            Self::Create(error) => error.is_temporary(),
        }
    }
}

impl Sessions {
    /// Restores saved sessions, the oldest first. Files of sessions that cannot be restored are put
    /// aside. Sessions that lack a resource at the moment wait for another start. To be called
    /// within the runtime, before anything is [saved](Self::save).
    ///
    /// # Errors
    /// If the directory cannot be read.
    pub(crate) async fn restore(&self, saving: &SessionSaver) -> io::Result<()> {
        let mut known = Vec::new();
        let mut waiting = BTreeSet::new();
        let mut fail = |session: SessionId, error: RestoreError| {
            if error.is_temporary() {
                tracing::error!(
                    %session,
                    "could not restore a session now; its file is kept, and limpet tries again at its next \
                     start: {error}"
                );
                waiting.insert(session);
            } else {
                let file = saving.dir.set_failed_file_aside(&session);
                tracing::error!(
                    %session, %error, file = %file.display(),
                    "could not restore a session; its file is kept"
                );
            }
        };
        for session in saving.dir.sessions()? {
            match saving.dir.read(&session) {
                Ok((saved, screen)) => known.push((session, saved, screen)),
                Err(error) => fail(session, error.into()),
            }
        }
        known.sort_by_key(|(_, saved, _)| saved.created);
        for (session, saved, screen) in known {
            // If output is not to be saved, it is not shown either.
            let screen = if saving.with_output { screen } else { Vec::new() };
            match self.restore_one(session.clone(), saved, screen).await {
                Ok(session) => tracing::info!(session = %session.id(), "restored"),
                Err(error) => fail(session, error.into()),
            }
        }
        if let Err(error) = saving.dir.set_pending_restores(waiting) {
            tracing::error!(%error, "could not record which sessions wait for another start; the next server will not restore them");
        }
        Ok(())
    }

    async fn restore_one(
        &self,
        session: SessionId,
        saved: SavedSession,
        screen: Vec<u8>,
    ) -> Result<SessionHandle, CreateError> {
        let mut program: Program = saved.program.into_program(None);
        let directory = StartDirectory::choose(program.cwd.as_deref(), self.defaults().login.home());
        let note = directory.output();
        program.cwd = Some(directory.path);
        let (size, rules) = (saved.size.checked()?, (saved.sizing, saved.flow));
        let plan = SessionPlan { program, size, title: saved.title, rules, note };
        let Limits { tail, scrollback, .. } = self.limits();
        let draw = move || {
            earlier_output(
                &screen,
                size,
                scrollback,
                tail.max(output_log::MIN_TAIL_BYTES) / TAIL_DIVISOR,
                NOTE,
            )
        };
        let before = background::run(draw).await.unwrap_or_else(|error| {
            tracing::error!(%session, %error, "could not restore the contents of a screen");
            Vec::new()
        });
        self.start((session, saved.created), plan, before).await
    }

    /// Returns output that draws the screen of an earlier session, for one of this
    /// size that replaces it.
    pub(super) async fn last_output(&self, earlier: &SessionHandle, size: Winsize) -> Vec<u8> {
        let screen = earlier.snapshot_output().await;
        let Limits { tail, scrollback, .. } = self.limits();
        let most = tail.max(output_log::MIN_TAIL_BYTES) / TAIL_DIVISOR;
        let draw = move || earlier_output(&screen, size, scrollback, most, RESTARTED_NOTE);
        background::run(draw).await.unwrap_or_else(|error| {
            tracing::error!(session = %earlier.id(), %error, "could not restore the contents of a screen");
            Vec::new()
        })
    }
}

/// Returns output that draws an earlier screen above the output of a new program, in at most `most`
/// bytes. The oldest rows are left out if need be. Empty if there was nothing on the screen.
pub(super) fn earlier_output(
    screen: &[u8],
    size: Winsize,
    scrollback: usize,
    most: usize,
    note: &str,
) -> Vec<u8> {
    let mut before = Screen::new(size, scrollback);
    before.feed(screen);
    // The earlier output may end inside a control function.
    before.feed(CANCEL);
    before.feed(RESET_MODES);
    before.feed(NO_TITLE);
    let lines = before.text().lines;
    let Some(last) = lines.iter().rposition(|line| !line.is_empty()) else { return Vec::new() };
    let below = format!("\x1b[{};1H\x1b[m\r\n\x1b[J\x1b[2m{note}\x1b[m\r\n", last + 1);
    before.feed(below.as_bytes());
    let mut history = scrollback;
    loop {
        let output = before.snapshot(history).output;
        if output.len() <= most || history == 0 {
            return output;
        }
        history /= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Winsize = Winsize::cells(60, 5);

    fn shown(screen: &[u8], most: usize) -> (Vec<String>, (usize, usize), usize) {
        let output = earlier_output(screen, SIZE, 1000, most, NOTE);
        let mut after = Screen::new(SIZE, 1000);
        after.feed(&output);
        after.feed(b"$ ");
        let text = after.text();
        assert!(text.is_cursor_visible && !text.is_alternate);
        (text.lines, text.cursor, output.len())
    }

    #[test]
    fn a_new_program_goes_on_below_what_was_there() {
        let (lines, cursor, _) = shown(b"one\r\n\x1b[31mtwo\x1b[2;4r\x1b[?6h\x1b[?25l", usize::MAX);
        assert_eq!(lines[..2], ["one", "two"]);
        assert_eq!((lines[2].as_str(), lines[3].as_str(), cursor), (NOTE, "$", (2, 3)));
    }

    #[test]
    fn what_a_full_screen_program_hid_is_there_again() {
        let (lines, cursor, _) = shown(b"one\r\ntwo\x1b[?1049h\x1b[Hfull\x1b[?1000h\x1b[?2004h", usize::MAX);
        assert_eq!((&lines[..2], cursor), (&["one".to_owned(), "two".to_owned()][..], (2, 3)));
        let output = earlier_output(
            b"x\x1b[?1049h\x1b[?1000h\x1b[?2004h\x1b[?1h\x1b]0;title\x07",
            SIZE,
            10,
            usize::MAX,
            NOTE,
        );
        let text = String::from_utf8(output).unwrap();
        for mode in ["?1049h", "?1000h", "?2004h", "?1h"] {
            assert!(!text.contains(mode), "{mode}: {text:?}");
        }
        assert!(!text.contains("title"));
    }

    #[test]
    fn the_oldest_rows_go_if_there_is_no_room() {
        let lines = (0..500).map(|n| format!("row {n}\r\n")).collect::<Vec<_>>().concat();
        let (seen, _, len) = shown(lines.as_bytes(), 2000);
        assert!(len <= 2000 && seen.contains(&"row 499".to_owned()), "{len}: {seen:?}");
        assert!(earlier_output(b"\x1b[2J", SIZE, 10, 2000, NOTE).is_empty(), "nothing needs no note");
    }
}
