//! Scrolling of a pane that is smaller than its terminal's grid.

use web_sys::{TouchEvent, WheelEvent};

use super::Pane;
use crate::terminal::{pan, wheel};

impl Pane {
    /// Keeps the cursor visible, unless the user has scrolled it out of sight.
    pub fn follow_cursor(&self) {
        if self.can_pan() && self.follows_cursor.get() {
            pan::show_cursor(&self.element, &self.screen);
        }
    }

    /// Handles scrolling of the pane, which stops following the cursor once the cursor is out of
    /// sight.
    pub fn on_pane_scroll(&self) {
        self.follows_cursor.set(pan::shows_cursor(&self.element, &self.screen));
    }

    /// Handles the wheel. It scrolls the pane over its grid as far as possible, or presses arrow
    /// keys in a full-screen program that does not read the wheel. Otherwise the terminal gets the
    /// event. With Ctrl the browser gets it, and with Shift it scrolls sideways.
    pub fn on_wheel(&self, event: &WheelEvent) {
        if event.ctrl_key() {
            return;
        }
        let pans = self.can_pan() && pan::scroll_by_wheel(&self.element, event);
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

    /// Reports whether a full-screen program runs that does not read the wheel itself.
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

    /// Handles a finger, which scrolls the pane as well, and beyond the pane's end scrolls through
    /// the scrollback.
    pub fn on_touch(&self, event: &TouchEvent) {
        if !self.can_pan() || !pan::overflows(&self.element) {
            return;
        }
        // The browser scrolls by itself unless xterm.js prevents that when a finger comes down, so
        // xterm.js must not see the event.
        event.stop_propagation();
        let Some(finger) = event.touches().get(0) else { return };
        let (x, y) = (finger.client_x(), finger.client_y());
        let (before_x, before_y) = self.last_touch.replace((x, y));
        let (right, down) = (before_x - x, before_y - y);
        if event.type_() == "touchmove" && !pan::can_scroll(&self.element, right.into(), down.into()) {
            let rows = pan::rows(&self.screen, down.into());
            self.screen.terminal().scroll_lines(rows.0);
            self.last_touch.set((x, y + rows.1));
        }
    }

    /// Reports whether the pane may be smaller than its grid.
    pub(super) fn can_pan(&self) -> bool {
        self.grid_size.get().imposed().is_some()
    }
}
