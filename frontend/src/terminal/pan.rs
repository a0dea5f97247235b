//! A pane that is smaller than its terminal's grid: what can be seen of it follows the cursor, and goes where a person
//! scrolls it.

use leptos::prelude::window;
use web_sys::{HtmlElement, WheelEvent};

use super::screen::Screen;

/// What a wheel that counts lines turns a pane by, in CSS pixels.
const LINE: f64 = 20.0;

/// Where a view of `len` must begin to show `from..to`, having begun at `start`: as near as possible, but back as far as it
/// goes, since lines are read from their beginning. What is longer than the view is shown from its own.
#[must_use]
pub fn follow(start: f64, len: f64, (from, to): (f64, f64)) -> f64 {
    let start = if from < start { 0.0 } else { start };
    start.max(to - len).min(from)
}

/// Scrolls so that the cursor can be seen.
pub fn show_cursor(element: &HtmlElement, screen: &Screen) {
    if let Some(place) = cursor(element, screen) {
        let (left, top) = (element.scroll_left().into(), element.scroll_top().into());
        let wanted = (follow(left, width(element), place.x), follow(top, height(element), place.y));
        if wanted != (left, top) {
            element.scroll_to_with_x_and_y(wanted.0, wanted.1);
        }
    }
}

/// Whether the cursor can be seen; also where there is none.
#[must_use]
pub fn shows_cursor(element: &HtmlElement, screen: &Screen) -> bool {
    cursor(element, screen).is_none_or(|place| {
        let within = |start: f64, len: f64, (from, to): (f64, f64)| from >= start && to <= start + len + 1.0;
        within(element.scroll_left().into(), width(element), place.x)
            && within(element.scroll_top().into(), height(element), place.y)
    })
}

/// Turns the pane by a wheel or a trackpad, as far as it goes; false if it does not, and the wheel is the terminal's.
pub fn wheel(element: &HtmlElement, event: &WheelEvent) -> bool {
    let unit = match event.delta_mode() {
        WheelEvent::DOM_DELTA_PIXEL => 1.0,
        WheelEvent::DOM_DELTA_LINE => LINE,
        _ => height(element),
    };
    let (x, y) = (event.delta_x() * unit, event.delta_y() * unit);
    // Where the browser does not do so itself, Shift turns a wheel sideways.
    let (x, y) = if event.shift_key() && x == 0.0 { (y, 0.0) } else { (x, y) };
    let turned = can_go(element, x, y);
    if turned {
        element.scroll_by_with_x_and_y(x, y);
    }
    turned
}

/// Whether there is something to see in the direction that is mostly meant.
#[must_use]
pub fn can_go(element: &HtmlElement, x: f64, y: f64) -> bool {
    if x.abs() > y.abs() {
        goes(x, element.scroll_left(), element.scroll_width() - element.client_width())
    } else {
        goes(y, element.scroll_top(), element.scroll_height() - element.client_height())
    }
}

/// Whether not all of the terminal can be seen at once.
#[must_use]
pub fn sticks_out(element: &HtmlElement) -> bool {
    element.scroll_width() > element.client_width() || element.scroll_height() > element.client_height()
}

/// As many whole rows as a finger has gone down, in CSS pixels, and the pixels that are left over.
#[must_use]
pub fn rows(screen: &Screen, down: f64) -> (i32, i32) {
    let height = screen.terminal().dimensions().map_or(LINE, |dimensions| dimensions.css().cell().height());
    whole_rows(down, height)
}

#[expect(clippy::cast_possible_truncation, reason = "float to integer casts saturate")]
fn whole_rows(down: f64, height: f64) -> (i32, i32) {
    let rows = (down / height.max(1.0)).trunc();
    (rows as i32, (down - rows * height.max(1.0)).round() as i32)
}

/// Whether one who stands at `at`, of 0 to `end`, can move this way.
fn goes(way: f64, at: i32, end: i32) -> bool {
    // Browsers round where one stands.
    if way < 0.0 { at > 0 } else { way > 0.0 && at + 1 < end }
}

/// The cursor's place in the scrolled content, in CSS pixels.
struct Place {
    x: (f64, f64),
    y: (f64, f64),
}

/// None while the program hides it, or looks are elsewhere in the scrollback.
fn cursor(element: &HtmlElement, screen: &Screen) -> Option<Place> {
    let terminal = screen.terminal();
    let buffer = terminal.buffer().active();
    if !terminal.modes().show_cursor() || buffer.viewport_y() != buffer.base_y() {
        return None;
    }
    let cell = terminal.dimensions()?.css().cell();
    let span = |at: u32, size: f64| (f64::from(at) * size, f64::from(at + 1) * size);
    let (mut x, mut y) = (span(buffer.cursor_x(), cell.width()), span(buffer.cursor_y(), cell.height()));
    // The last row and column are shown to their ends.
    let (wide, high) = (f64::from(element.scroll_width()), f64::from(element.scroll_height()));
    (x.1, y.1) = (x.1.min(wide), y.1.min(high));
    (x.0, y.0) = (x.0.min(x.1), y.0.min(y.1));
    Some(Place { x, y })
}

fn width(element: &HtmlElement) -> f64 {
    element.client_width().into()
}

/// Without what lies over the pane's bottom.
fn height(element: &HtmlElement) -> f64 {
    f64::from(element.client_height()) - covered(element)
}

/// The share of the pane's height that is covered, 0 to 1.
#[must_use]
pub fn covered_share(element: &HtmlElement) -> f64 {
    covered(element) / f64::from(element.client_height().max(1))
}

/// How much lies over the pane's bottom, in CSS pixels: the style sheet says so by the pane's padding.
fn covered(element: &HtmlElement) -> f64 {
    let style = window().get_computed_style(element).ok().flatten();
    let padding = style.and_then(|style| style.get_property_value("padding-bottom").ok());
    // By the browser: Rust's own way comes with ten kilobytes of tables.
    padding.map(|padding| js_sys::parse_float(&padding)).filter(|pixels| pixels.is_finite()).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_moves_no_further_than_it_must() {
        let moves = |start, len, range, to: f64| (follow(start, len, range) - to).abs() < 1e-9;
        assert!(moves(0.0, 100.0, (40.0, 50.0), 0.0));
        assert!(moves(0.0, 100.0, (140.0, 150.0), 50.0));
        assert!(moves(60.0, 100.0, (0.0, 10.0), 0.0));
        assert!(moves(60.0, 100.0, (40.0, 50.0), 0.0), "all the way to the line's beginning");
        assert!(moves(260.0, 100.0, (240.0, 250.0), 150.0), "as far as the cursor allows");
        assert!(moves(60.0, 100.0, (60.0, 160.0), 60.0));
        assert!(moves(0.0, 5.0, (40.0, 50.0), 40.0), "the beginning of what is too long");
    }

    #[test]
    fn a_finger_s_way_is_made_of_rows_and_nothing_is_lost() {
        assert_eq!(whole_rows(35.0, 16.0), (2, 3));
        assert_eq!(whole_rows(-35.0, 16.0), (-2, -3));
        assert_eq!(whole_rows(15.0, 16.0), (0, 15));
        assert_eq!(whole_rows(15.0, 0.0), (15, 0), "before there is a row");
    }

    #[test]
    fn who_stands_at_an_end_goes_only_back() {
        assert!(goes(1.0, 0, 100) && !goes(-1.0, 0, 100));
        assert!(goes(-1.0, 100, 100) && !goes(1.0, 99, 100), "positions are rounded");
        assert!(!goes(1.0, 0, 0) && !goes(0.0, 50, 100));
    }
}
