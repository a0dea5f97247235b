//! A terminal that has another size than its window: what would make it fit, and who may do that.

use limpet_shared::{Role, Sizing};

use super::Tab;

/// What makes a terminal fit into this window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// To be the window whose size is in force.
    TakePen,
    /// To give the session the size, which nobody's window decides on.
    Resize,
}

impl Fit {
    /// What it is for this tab.
    ///
    /// # Errors
    /// Why it cannot be had from here, in words for people.
    pub const fn of(tab: &Tab) -> Result<Self, &'static str> {
        match (tab.sizing, tab.role) {
            (Sizing::Pen | Sizing::Latest, Role::Owner | Role::Writer) => Ok(Self::TakePen),
            (Sizing::Fixed, Role::Owner) => Ok(Self::Resize),
            (Sizing::Smallest, _) => Err("The smallest window sets this terminal's size."),
            (Sizing::Owner | Sizing::Fixed, _) => Err("The owner sets this terminal's size."),
            (_, Role::Reader) => Err("You can view this terminal, not change it."),
        }
    }
}
