//! Decides how a terminal can be given this window's size, and whether this viewer may do so.

use limpet_shared::{Role, Sizing};

use super::Tab;

/// The way to give a terminal this window's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// Become the primary viewer.
    BecomePrimary,
    /// Set the session's size, which does not follow any window.
    Resize,
}

impl Fit {
    /// Returns the way that works for this tab.
    ///
    /// # Errors
    /// A message for the user, if this window cannot change the size.
    pub const fn of(tab: &Tab) -> Result<Self, &'static str> {
        match (tab.sizing, tab.role) {
            (Sizing::Primary | Sizing::Latest, Role::Owner | Role::Writer) => Ok(Self::BecomePrimary),
            (Sizing::Fixed, Role::Owner) => Ok(Self::Resize),
            (Sizing::Smallest, _) => Err("The smallest window sets this terminal's size."),
            (Sizing::Owner | Sizing::Fixed, _) => Err("The owner sets this terminal's size."),
            (_, Role::Reader) => Err("You can view this terminal, not change it."),
        }
    }
}
