//! The size of a terminal.

use serde::{Deserialize, Serialize};

use crate::limits::{MAX_SCREEN_CELLS, MAX_SIDE_CELLS};

/// The size of a terminal in character cells and, where known, pixels, as in `struct winsize` of
/// `TIOCSWINSZ` (`ioctl_tty(2)`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Winsize {
    /// Columns of cells, 1 to [`MAX_SIDE_CELLS`].
    pub cols: u16,
    /// Rows of cells, 1 to [`MAX_SIDE_CELLS`].
    pub rows: u16,
    /// Width of the whole text area in pixels, 0 when unknown.
    #[serde(default, skip_serializing_if = "crate::message::is_default")]
    pub xpixel: u16,
    /// Height of the whole text area in pixels, 0 when unknown.
    #[serde(default, skip_serializing_if = "crate::message::is_default")]
    pub ypixel: u16,
}

/// The error for a size that no terminal can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{cols}x{rows} is not a valid terminal size: columns and rows must be 1 to {MAX_SIDE_CELLS}, and columns \
     times rows at most {MAX_SCREEN_CELLS}"
)]
pub struct WinsizeError {
    cols: u16,
    rows: u16,
}

impl Winsize {
    /// Returns a size in cells, with unknown pixels.
    #[must_use]
    pub const fn cells(cols: u16, rows: u16) -> Self {
        Self { cols, rows, xpixel: 0, ypixel: 0 }
    }

    /// Returns the size itself if a terminal can have it.
    ///
    /// # Errors
    /// If columns or rows are 0 or exceed [`MAX_SIDE_CELLS`], or if there are more than
    /// [`MAX_SCREEN_CELLS`] cells.
    pub fn checked(self) -> Result<Self, WinsizeError> {
        let Self { cols, rows, .. } = self;
        let is_side = |side| (1..=MAX_SIDE_CELLS).contains(&side);
        if is_side(cols) && is_side(rows) && usize::from(cols) * usize::from(rows) <= MAX_SCREEN_CELLS {
            Ok(self)
        } else {
            Err(WinsizeError { cols, rows })
        }
    }
}

impl Default for Winsize {
    /// Returns 80x24, the size of a VT100, which a terminal has unless told otherwise.
    fn default() -> Self {
        Self::cells(80, 24)
    }
}
