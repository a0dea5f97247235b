//! The wheel over a full-screen program, which has nothing to scroll: it presses arrow keys, one
//! for each line that it would have scrolled.

use std::cell::Cell;

use web_sys::WheelEvent;

/// Maximum number of arrow keys for one wheel event.
const MAX_LINES_PER_EVENT: f64 = 1000.0;

/// The accumulated movement of a wheel or a touchpad.
#[derive(Debug, Default)]
pub struct Wheel {
    /// The remaining fraction of a line, from -1 to 1.
    fraction: Cell<f64>,
}

impl Wheel {
    /// Returns the number of whole lines that the wheel was turned down since the last call,
    /// negative for up. `row` is the height of a row in CSS pixels, and there are `rows` of them.
    pub fn lines(&self, event: &WheelEvent, row: f64, rows: u32) -> f64 {
        let unit = match event.delta_mode() {
            WheelEvent::DOM_DELTA_PIXEL => row.max(1.0).recip(),
            WheelEvent::DOM_DELTA_LINE => 1.0,
            _ => rows.into(),
        };
        let (lines, rest) = split_lines(self.fraction.get(), event.delta_y() * unit);
        self.fraction.set(rest);
        lines
    }
}

/// Adds lines to the remaining fraction, and returns the whole lines and the new fraction. A change
/// of direction discards the old fraction.
fn split_lines(rest: f64, lines: f64) -> (f64, f64) {
    let before = if rest * lines < 0.0 { 0.0 } else { rest };
    let all = (before + lines).clamp(-MAX_LINES_PER_EVENT, MAX_LINES_PER_EVENT);
    (all.trunc(), all.fract())
}

/// Returns the bytes of `lines` arrow keys, up if `lines` is negative. `application` selects the
/// other form of the keys (DECCKM).
#[must_use]
pub fn arrows(lines: f64, application: bool) -> String {
    let key = match (lines < 0.0, application) {
        (true, false) => "\u{1b}[A",
        (true, true) => "\u{1b}OA",
        (false, false) => "\u{1b}[B",
        (false, true) => "\u{1b}OB",
    };
    let mut keys = String::new();
    let mut left = lines.abs();
    while left >= 1.0 {
        keys.push_str(key);
        left -= 1.0;
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_touchpad_s_pixels_add_up_to_lines() {
        let (mut rest, mut lines) = (0.0, 0.0);
        for _ in 0..64 {
            let (whole, left) = split_lines(rest, 3.0 / 16.0);
            lines += whole;
            rest = left;
        }
        assert_eq!((lines.to_string(), rest.to_string()), ("12".to_owned(), "0".to_owned()));
        assert!(
            split_lines(0.9, -0.5).0 > -0.1 && split_lines(0.9, -0.5).1 < -0.4,
            "who turns back starts anew"
        );
        assert!(split_lines(0.0, f64::INFINITY).0 <= MAX_LINES_PER_EVENT);
        assert!(split_lines(0.0, -1e300).0 >= -MAX_LINES_PER_EVENT);
    }

    #[test]
    fn there_is_a_key_for_each_line() {
        assert_eq!(arrows(-3.0, false), "\u{1b}[A".repeat(3));
        assert_eq!(arrows(2.0, true), "\u{1b}OB".repeat(2));
        assert_eq!(arrows(0.0, false), "");
        assert!(arrows(f64::NAN, false).is_empty());
    }
}
