//! A pane that is smaller than its terminal's grid, and what moves it over that.

use web_sys::{TouchEvent, WheelEvent};

use super::Pane;
use crate::terminal::{pan, wheel};

impl Pane {
    /// Keeps the cursor in sight, if it was.
    pub fn follow_cursor(&self) {
        if self.pans() && self.following.get() {
            pan::show_cursor(&self.element, &self.screen);
        }
    }

    /// Somebody has scrolled the pane over its terminal: who looks elsewhere is left there.
    pub fn panned(&self) {
        self.following.set(pan::shows_cursor(&self.element, &self.screen));
    }

    /// A wheel scrolls the pane over its terminal as far as that goes, or presses arrow keys where nothing can be scrolled; else it is the
    /// terminal's. With Ctrl it is the browser's, and with Shift it turns sideways.
    pub fn wheel(&self, event: &WheelEvent) {
        if event.ctrl_key() {
            return;
        }
        let pans = self.pans() && pan::wheel(&self.element, event);
        let presses_arrows = !event.shift_key() && self.wheel_is_arrows();
        if !pans && !presses_arrows {
            return;
        }
        event.prevent_default();
        event.stop_propagation();
        if !pans {
            self.press_arrows(event);
        }
    }

    /// Whether a program fills the screen that does not read the wheel itself.
    fn wheel_is_arrows(&self) -> bool {
        let terminal = self.screen.terminal();
        let reads_wheel = !matches!(&*terminal.modes().mouse_tracking_mode(), "none" | "x10");
        terminal.buffer().active().kind() == "alternate" && !reads_wheel
    }

    fn press_arrows(&self, event: &WheelEvent) {
        let terminal = self.screen.terminal();
        let row = terminal.dimensions().map_or(0.0, |dimensions| dimensions.css().cell().height());
        let lines = self.wheel.lines(event, row, terminal.get_rows());
        let keys = wheel::arrows(lines, terminal.modes().application_cursor());
        if !keys.is_empty() {
            terminal.input(&keys);
        }
    }

    /// A finger does the same, and beyond the pane's end turns the scrollback.
    pub fn touch(&self, event: &TouchEvent) {
        if !self.pans() || !pan::sticks_out(&self.element) {
            return;
        }
        // The browser itself scrolls, unless xterm.js keeps it from that as soon as a finger comes down.
        event.stop_propagation();
        let Some(finger) = event.touches().get(0) else { return };
        let (x, y) = (finger.client_x(), finger.client_y());
        let (before_x, before_y) = self.touched.replace((x, y));
        let (right, down) = (before_x - x, before_y - y);
        if event.type_() == "touchmove" && !pan::can_go(&self.element, right.into(), down.into()) {
            let rows = pan::rows(&self.screen, down.into());
            self.screen.terminal().scroll_by(rows.0);
            self.touched.set((x, y + rows.1));
        }
    }

    /// Whether the pane may be smaller than its terminal.
    pub(super) fn pans(&self) -> bool {
        self.extent.get().foreign().is_some()
    }
}
