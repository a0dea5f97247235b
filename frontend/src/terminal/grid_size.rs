//! The grid size of a terminal: the size that the server has announced, as of the output so far. It
//! follows the pane's own size, or is imposed by another viewer or a rule.

use limpet_shared::Winsize;

use crate::settings::Oversized;

/// The layout of a terminal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Layout {
    /// The size of the grid.
    pub size: Winsize,
    /// The factor by which the font is scaled, at most 1, so that the grid fits into the pane.
    pub scale: f64,
}

/// The grid size of one pane, and the sizes that decide it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GridSize {
    /// The size that fits into the pane with the chosen font.
    own: Winsize,
    /// The size that the server announced last; `None` before the first announcement. The terminal
    /// takes on even the pane's own size only when the server announces it, at its place in the
    /// output, so that all viewers and the server wrap the same lines.
    announced: Option<Winsize>,
    /// True if the size is imposed, and does not follow the pane's own.
    is_imposed: bool,
}

impl GridSize {
    /// Sets the size that fits into the pane. Returns true if it has changed, so that the server
    /// must be told.
    pub fn set_own(&mut self, own: Winsize) -> bool {
        let has_changed = own != self.own;
        self.own = own;
        has_changed
    }

    /// Sets the size that the server announced. `own` is true if it follows the pane's own.
    pub fn set_announced(&mut self, size: Winsize, own: bool) {
        self.announced = Some(size);
        self.is_imposed = !own;
    }

    /// Handles the end of the session. A terminal whose size followed the pane's continues to do
    /// so.
    pub fn on_session_ended(&mut self) {
        self.announced = self.announced.filter(|_| self.is_imposed);
    }

    /// Returns the size that fits into the pane with the chosen font.
    #[must_use]
    pub const fn own(&self) -> Winsize {
        self.own
    }

    /// Returns the imposed size, if there is one that differs from the pane's own.
    #[must_use]
    pub fn imposed(&self) -> Option<Winsize> {
        let differs = |size: &Winsize| (size.cols, size.rows) != (self.own.cols, self.own.rows);
        self.announced.filter(|size| self.is_imposed && differs(size))
    }

    /// Returns the layout of the terminal. `covered` is the share of the pane's height (0 to 1)
    /// that is covered while another size is shown.
    #[must_use]
    pub fn layout(&self, oversized: Oversized, covered: f64) -> Layout {
        let Some(size) = self.imposed() else {
            return Layout { size: self.announced.unwrap_or(self.own), scale: 1.0 };
        };
        let ratio = |room: u16, needed: u16| f64::from(room) / f64::from(needed.max(1));
        let free = 1.0 - covered.clamp(0.0, 0.5);
        let fitting = ratio(self.own.cols, size.cols).min(free * ratio(self.own.rows, size.rows)).min(1.0);
        let scale = match oversized {
            Oversized::Shrink => fitting,
            Oversized::Scroll => 1.0,
        };
        Layout { size, scale }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DESKTOP: Winsize = Winsize::cells(160, 50);
    const PHONE: Winsize = Winsize::cells(40, 25);

    fn pane(own: Winsize) -> GridSize {
        let mut grid_size = GridSize::default();
        grid_size.set_own(own);
        grid_size
    }

    fn shown(grid_size: GridSize) -> Layout {
        grid_size.layout(Oversized::Shrink, 0.0)
    }

    #[test]
    fn tells_its_own_size_once() {
        let mut grid_size = GridSize::default();
        assert!(grid_size.set_own(DESKTOP));
        assert!(!grid_size.set_own(DESKTOP));
        assert!(grid_size.set_own(PHONE));
    }

    #[test]
    fn its_own_size_is_taken_on_when_the_server_says_so() {
        let mut grid_size = pane(DESKTOP);
        assert_eq!(shown(grid_size).size, DESKTOP, "there is nothing to be wrapped yet");
        grid_size.set_announced(DESKTOP, true);
        grid_size.set_own(PHONE);
        assert_eq!((shown(grid_size), grid_size.imposed()), (Layout { size: DESKTOP, scale: 1.0 }, None));
        grid_size.set_announced(PHONE, true);
        assert_eq!(shown(grid_size).size, PHONE);
    }

    #[test]
    fn what_has_ended_follows_its_pane_unless_another_size_was_imposed() {
        for (own, size) in [(true, PHONE), (false, DESKTOP)] {
            let mut grid_size = pane(DESKTOP);
            grid_size.set_announced(DESKTOP, own);
            grid_size.on_session_ended();
            grid_size.set_own(PHONE);
            assert_eq!(shown(grid_size).size, size);
        }
    }

    #[test]
    fn shows_anothers_size_whatever_its_own_becomes() {
        let mut grid_size = pane(DESKTOP);
        grid_size.set_announced(PHONE, false);
        assert_eq!(shown(grid_size), Layout { size: PHONE, scale: 1.0 });
        assert!(grid_size.set_own(Winsize::cells(150, 45)), "the server is to know it all the same");
        assert_eq!(shown(grid_size).size, PHONE);
        grid_size.set_announced(Winsize::cells(150, 45), true);
        assert_eq!(shown(grid_size).size, Winsize::cells(150, 45));
    }

    #[test]
    fn another_s_size_that_fits_is_nothing_to_speak_of_until_the_pane_changes() {
        let mut grid_size = pane(DESKTOP);
        let alike = Winsize { xpixel: 7, ..DESKTOP };
        grid_size.set_announced(alike, false);
        assert_eq!((grid_size.imposed(), shown(grid_size)), (None, Layout { size: alike, scale: 1.0 }));
        grid_size.set_own(PHONE);
        assert_eq!(grid_size.imposed().map(|size| size.cols), Some(DESKTOP.cols));
    }

    #[test]
    fn a_larger_grid_is_shrunk_or_sticks_out() {
        let mut grid_size = pane(PHONE);
        grid_size.set_announced(DESKTOP, false);
        assert_eq!(grid_size.layout(Oversized::Shrink, 0.0), Layout { size: DESKTOP, scale: 0.25 });
        assert_eq!(grid_size.layout(Oversized::Scroll, 0.0), Layout { size: DESKTOP, scale: 1.0 });
    }

    #[test]
    fn what_is_covered_is_left_free_unless_the_size_is_its_own() {
        let mut grid_size = pane(DESKTOP);
        assert_eq!(grid_size.layout(Oversized::Shrink, 0.25), Layout { size: DESKTOP, scale: 1.0 });
        let narrower = Winsize::cells(159, 50);
        grid_size.set_announced(narrower, false);
        assert_eq!(grid_size.layout(Oversized::Shrink, 0.25), Layout { size: narrower, scale: 0.75 });
        assert!(grid_size.layout(Oversized::Shrink, 7.0).scale > 0.0, "whatever happens");
    }
}
