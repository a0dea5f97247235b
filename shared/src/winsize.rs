//! The size of a terminal.

use serde::{Deserialize, Serialize};

use crate::limits::{MAX_CELLS, MAX_SCREEN_CELLS};

/// What `struct winsize` of `TIOCSWINSZ` (`ioctl_tty(2)`) holds: character cells and, where known, pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Winsize {
    /// Columns of cells, 1 to [`MAX_CELLS`].
    pub cols: u16,
    /// Rows of cells, 1 to [`MAX_CELLS`].
    pub rows: u16,
    /// Width of the whole text area in pixels, 0 when unknown.
    #[serde(default, skip_serializing_if = "crate::message::is_default")]
    pub xpixel: u16,
    /// Height of the whole text area in pixels, 0 when unknown.
    #[serde(default, skip_serializing_if = "crate::message::is_default")]
    pub ypixel: u16,
}

/// A size that no terminal can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{cols}x{rows} is no terminal size; columns and rows are 1 to {MAX_CELLS}, and {MAX_SCREEN_CELLS} cells at most"
)]
pub struct WinsizeError {
    cols: u16,
    rows: u16,
}

impl Winsize {
    /// A size in cells alone.
    #[must_use]
    pub const fn cells(cols: u16, rows: u16) -> Self {
        Self { cols, rows, xpixel: 0, ypixel: 0 }
    }

    /// The size itself if a terminal can have it.
    ///
    /// # Errors
    /// Columns or rows of 0 or beyond [`MAX_CELLS`], or more than [`MAX_SCREEN_CELLS`] in all.
    pub fn checked(self) -> Result<Self, WinsizeError> {
        let Self { cols, rows, .. } = self;
        let is_side = |side| (1..=MAX_CELLS).contains(&side);
        if is_side(cols) && is_side(rows) && usize::from(cols) * usize::from(rows) <= MAX_SCREEN_CELLS {
            Ok(self)
        } else {
            Err(WinsizeError { cols, rows })
        }
    }
}

impl Default for Winsize {
    /// The size that a terminal has when nobody said otherwise, that of the VT100.
    fn default() -> Self {
        Self::cells(80, 24)
    }
}
