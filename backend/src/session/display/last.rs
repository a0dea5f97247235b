//! The screen of a session that has ended.

use std::{mem, sync::Arc};

use limpet_output_log::Position;
use limpet_screen::{Screen, Text};
use limpet_shared::Winsize;
use limpet_sys::background;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{FramedSnapshot, SLICE_STEPS, blocking, snapshot_frames::framed_snapshot};

/// The final screen, which a session leaves to be looked at.
#[derive(Debug)]
pub(in super::super) struct FinalScreen {
    screen: Screen,
    size: Winsize,
    end: Position,
    /// Held while a snapshot is made, so that there is one at a time.
    turn: Semaphore,
}

impl FinalScreen {
    pub(super) fn new(screen: Screen, (size, end): (Winsize, Position)) -> Self {
        Self { screen, size, end, turn: Semaphore::new(1) }
    }

    /// Waits until nobody else has a snapshot made. Never returns `None`, since the
    /// semaphore stays open.
    pub(in super::super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.turn.acquire().await.ok()
    }

    pub(in super::super) async fn snapshot_frames(self: Arc<Self>, history: usize) -> FramedSnapshot {
        let steps = self.screen.snapshot_steps(history);
        let draw = move |last: &Self| framed_snapshot(&last.screen, (last.size, last.end), history);
        self.in_background_if_long(steps, draw).await
    }

    pub(in super::super) async fn text(self: Arc<Self>) -> Text {
        let steps = self.screen.text_steps();
        self.in_background_if_long(steps, |last| last.screen.text()).await
    }

    /// Does work of `steps` steps, on a background thread if they are many.
    async fn in_background_if_long<T: Send + 'static>(
        self: Arc<Self>,
        steps: u64,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> T {
        if steps <= SLICE_STEPS { work(&self) } else { blocking(move || work(&self)).await }
    }

    pub(in super::super) fn title(&self) -> &str {
        self.screen.title()
    }

    pub(super) fn takes_long_to_drop(&self) -> bool {
        self.screen.drop_steps() > SLICE_STEPS
    }
}

impl Drop for FinalScreen {
    fn drop(&mut self) {
        // The thread that drops it may serve keys.
        if self.takes_long_to_drop() {
            background::drop_in_background(mem::replace(
                &mut self.screen,
                Screen::new(Winsize::cells(1, 1), 0),
            ));
        }
    }
}
