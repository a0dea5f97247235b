//! Which size a terminal has: the pane's own, or one that another viewer asked for.

use limpet_shared::Winsize;

/// What a size asks of the terminal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Layout {
    /// The size of the grid.
    pub size: Winsize,
    /// What the font is scaled by, at most 1, so that the grid fits into the pane.
    pub scale: f64,
}

/// The sizes that matter to one pane.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Extent {
    /// What fits into the pane in the chosen font.
    own: Winsize,
    /// What the server said last.
    in_force: Winsize,
    /// Whether this viewer's own size is the one in force, or asked for.
    claimed: bool,
}

impl Default for Extent {
    fn default() -> Self {
        Self { own: Winsize::default(), in_force: Winsize::default(), claimed: true }
    }
}

impl Extent {
    /// The pane now holds this much. Returns the size to ask for, if that is news and this viewer may ask.
    pub fn fitted(&mut self, own: Winsize, may_ask: bool) -> Option<Winsize> {
        if own == self.own {
            return None;
        }
        self.own = own;
        self.claimed = may_ask;
        may_ask.then_some(own)
    }

    /// A size is in force, asked for by this viewer or by another. The echo of what this viewer asked for may be
    /// older than what it has asked for since, so its own size is not taken from there.
    pub fn in_force(&mut self, size: Winsize, own: bool) {
        self.in_force = size;
        self.claimed = own;
    }

    /// The viewer is used again. Returns the size to ask for, if another one is in force.
    pub fn used(&mut self) -> Option<Winsize> {
        let overruled = !self.claimed && self.in_force != self.own;
        self.claimed = true;
        overruled.then_some(self.own)
    }

    /// How the terminal is to be laid out.
    #[must_use]
    pub fn layout(&self) -> Layout {
        if self.claimed {
            return Layout { size: self.own, scale: 1.0 };
        }
        let size = self.in_force;
        let ratio = |own: u16, foreign: u16| f64::from(own) / f64::from(foreign.max(1));
        let scale = ratio(self.own.cols, size.cols).min(ratio(self.own.rows, size.rows)).min(1.0);
        Layout { size, scale }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DESKTOP: Winsize = Winsize::cells(160, 50);
    const PHONE: Winsize = Winsize::cells(40, 25);

    fn pane(own: Winsize) -> Extent {
        let mut extent = Extent::default();
        extent.fitted(own, true);
        extent
    }

    #[test]
    fn asks_for_its_own_size_once() {
        let mut extent = Extent::default();
        assert_eq!(extent.fitted(DESKTOP, true), Some(DESKTOP));
        assert_eq!(extent.fitted(DESKTOP, true), None);
        extent.in_force(DESKTOP, true);
        assert_eq!(extent.layout(), Layout { size: DESKTOP, scale: 1.0 });
        assert_eq!(extent.used(), None);
    }

    #[test]
    fn shows_anothers_size_until_used() {
        let mut extent = pane(DESKTOP);
        extent.in_force(PHONE, false);
        assert_eq!(extent.layout(), Layout { size: PHONE, scale: 1.0 });
        assert_eq!(extent.fitted(DESKTOP, true), None, "being laid out again is no use");
        assert_eq!(extent.used(), Some(DESKTOP));
        assert_eq!(extent.used(), None);
        assert_eq!(extent.layout().size, DESKTOP);
    }

    #[test]
    fn a_larger_grid_gets_a_smaller_font() {
        let mut extent = pane(PHONE);
        extent.in_force(DESKTOP, false);
        assert_eq!(extent.layout(), Layout { size: DESKTOP, scale: 0.25 });
    }

    #[test]
    fn an_echo_of_an_older_own_size_changes_nothing() {
        let mut extent = pane(DESKTOP);
        extent.fitted(PHONE, true);
        extent.in_force(DESKTOP, true);
        assert_eq!(extent.layout().size, PHONE);
    }

    #[test]
    fn a_reader_shows_the_size_in_force_whatever_its_own() {
        let mut extent = pane(DESKTOP);
        extent.in_force(DESKTOP, true);
        assert_eq!(extent.fitted(PHONE, false), None);
        assert_eq!(extent.layout().size, DESKTOP);
    }
}
