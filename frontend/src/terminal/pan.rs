//! A pane that is smaller than its terminal's grid: the visible part follows the cursor, and the
//! user can scroll it.

use leptos::prelude::window;
use web_sys::{HtmlElement, WheelEvent};

use super::screen::Screen;

/// Scroll distance of a wheel that counts lines, per line, in CSS pixels.
const LINE_PX: f64 = 20.0;

/// Returns the new start of a view of length `len` that began at `start`, so that it shows
/// `from..to`. It moves forward as little as possible, but back to the very beginning, since lines
/// are read from there. A range that is longer than the view is shown from its own beginning.
#[must_use]
pub fn follow(start: f64, len: f64, (from, to): (f64, f64)) -> f64 {
    let start = if from < start { 0.0 } else { start };
    start.max(to - len).min(from)
}

/// Scrolls so that the cursor is visible.
pub fn show_cursor(element: &HtmlElement, screen: &Screen) {
    if let Some(place) = cursor(element, screen) {
        let (left, top) = (element.scroll_left().into(), element.scroll_top().into());
        let wanted = (follow(left, width(element), place.x), follow(top, height(element), place.y));
        if wanted != (left, top) {
            element.scroll_to_with_x_and_y(wanted.0, wanted.1);
        }
    }
}

/// Reports whether the cursor is visible, or there is none.
#[must_use]
pub fn shows_cursor(element: &HtmlElement, screen: &Screen) -> bool {
    cursor(element, screen).is_none_or(|place| {
        let within = |start: f64, len: f64, (from, to): (f64, f64)| from >= start && to <= start + len + 1.0;
        within(element.scroll_left().into(), width(element), place.x)
            && within(element.scroll_top().into(), height(element), place.y)
    })
}

/// Scrolls the pane by a wheel or a trackpad, as far as possible. Returns false if it cannot scroll
/// that way, so that the terminal gets the event.
pub fn scroll_by_wheel(element: &HtmlElement, event: &WheelEvent) -> bool {
    let unit = match event.delta_mode() {
        WheelEvent::DOM_DELTA_PIXEL => 1.0,
        WheelEvent::DOM_DELTA_LINE => LINE_PX,
        _ => height(element),
    };
    let (x, y) = (event.delta_x() * unit, event.delta_y() * unit);
    // Shift makes a wheel scroll sideways, if the browser does not do so itself.
    let (x, y) = if event.shift_key() && x == 0.0 { (y, 0.0) } else { (x, y) };
    let turned = can_scroll(element, x, y);
    if turned {
        element.scroll_by_with_x_and_y(x, y);
    }
    turned
}

/// Reports whether the pane can scroll in the dominant direction of this movement.
#[must_use]
pub fn can_scroll(element: &HtmlElement, x: f64, y: f64) -> bool {
    if x.abs() > y.abs() {
        can_move(x, element.scroll_left(), element.scroll_width() - element.client_width())
    } else {
        can_move(y, element.scroll_top(), element.scroll_height() - element.client_height())
    }
}

/// Reports whether the terminal is larger than the pane.
#[must_use]
pub fn overflows(element: &HtmlElement) -> bool {
    element.scroll_width() > element.client_width() || element.scroll_height() > element.client_height()
}

/// Returns the number of whole rows in a finger's movement by `down` CSS pixels, and the remaining
/// pixels.
#[must_use]
pub fn rows(screen: &Screen, down: f64) -> (i32, i32) {
    let dimensions = screen.terminal().dimensions();
    whole_rows(down, dimensions.map_or(LINE_PX, |dimensions| dimensions.css().cell().height()))
}

#[expect(clippy::cast_possible_truncation, reason = "float to integer casts saturate")]
fn whole_rows(down: f64, height: f64) -> (i32, i32) {
    let rows = (down / height.max(1.0)).trunc();
    (rows as i32, (down - rows * height.max(1.0)).round() as i32)
}

/// Reports whether a position `at`, from 0 to `end`, can move this way.
fn can_move(way: f64, at: i32, end: i32) -> bool {
    // Browsers round positions.
    if way < 0.0 { at > 0 } else { way > 0.0 && at + 1 < end }
}

/// The cursor's position in the scrolled content, in CSS pixels.
struct CursorArea {
    x: (f64, f64),
    y: (f64, f64),
}

/// Returns the cursor's position, or `None` while the program hides it or the viewport is scrolled
/// back.
fn cursor(element: &HtmlElement, screen: &Screen) -> Option<CursorArea> {
    let terminal = screen.terminal();
    let buffer = terminal.buffer().active();
    if !terminal.modes().show_cursor() || buffer.viewport_y() != buffer.base_y() {
        return None;
    }
    let cell = terminal.dimensions()?.css().cell();
    let span = |at: u32, size: f64| (f64::from(at) * size, f64::from(at + 1) * size);
    let (mut x, mut y) = (span(buffer.cursor_x(), cell.width()), span(buffer.cursor_y(), cell.height()));
    // The last row and column extend to the edges.
    let (wide, high) = (f64::from(element.scroll_width()), f64::from(element.scroll_height()));
    (x.1, y.1) = (x.1.min(wide), y.1.min(high));
    (x.0, y.0) = (x.0.min(x.1), y.0.min(y.1));
    Some(CursorArea { x, y })
}

fn width(element: &HtmlElement) -> f64 {
    element.client_width().into()
}

/// Returns the pane's height without the part at its bottom that is covered.
fn height(element: &HtmlElement) -> f64 {
    f64::from(element.client_height()) - covered(element)
}

/// Returns the share of the pane's height that is covered, 0 to 1.
#[must_use]
pub fn covered_share(element: &HtmlElement) -> f64 {
    covered(element) / f64::from(element.client_height().max(1))
}

/// Returns the height of the covered part at the pane's bottom, in CSS pixels. The style sheet sets
/// it as the pane's padding.
fn covered(element: &HtmlElement) -> f64 {
    let style = window().get_computed_style(element).ok().flatten();
    let padding = style.and_then(|style| style.get_property_value("padding-bottom").ok());
    // The browser parses the number, since Rust's own parser brings ten kilobytes of tables along.
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
        assert!(can_move(1.0, 0, 100) && !can_move(-1.0, 0, 100));
        assert!(can_move(-1.0, 100, 100) && !can_move(1.0, 99, 100), "positions are rounded");
        assert!(!can_move(1.0, 0, 0) && !can_move(0.0, 50, 100));
    }
}
