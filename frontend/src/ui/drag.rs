//! Reorders tabs by dragging with a mouse, a pen or a finger.

use leptos::{ev::PointerEvent, html, prelude::*};
use web_sys::Element;

use crate::{app::App, tabs::TabKind};

/// Distance that a pointer has to move before a drag begins, in CSS pixels.
const DRAG_THRESHOLD_PX: i32 = 6;

/// The axis along which the tabs are lined up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    /// Side by side.
    Horizontal,
    /// One below the other.
    Vertical,
}

#[derive(Clone)]
struct Drag {
    kind: TabKind,
    pointer: i32,
    start: i32,
    moving: bool,
}

/// The drag state of a list whose children are the tabs in their order. The list itself captures
/// the pointer, since the tabs move under the pointer.
#[derive(Clone, Copy)]
pub struct Reorder {
    app: App,
    list: NodeRef<html::Div>,
    axis: Axis,
    drag: RwSignal<Option<Drag>>,
}

impl Reorder {
    /// Creates the drag state for the tabs in `list`.
    #[must_use]
    pub fn new(list: NodeRef<html::Div>, axis: Axis) -> Self {
        Self { app: App::expect(), list, axis, drag: RwSignal::new(None) }
    }

    /// Reports whether this tab is being dragged.
    #[must_use]
    pub fn is_dragging(&self, kind: &TabKind) -> bool {
        self.drag.with(|drag| drag.as_ref().is_some_and(|drag| drag.moving && drag.kind == *kind))
    }

    /// Handles a pointer press on a tab.
    pub fn on_pointer_down(&self, kind: TabKind, event: &PointerEvent) {
        if event.button() == 0 && event.is_primary() {
            let (pointer, start) = (event.pointer_id(), self.coordinate(event));
            self.drag.set(Some(Drag { kind, pointer, start, moving: false }));
        }
    }

    /// Handles a pointer movement over the list.
    pub fn on_pointer_move(&self, event: &PointerEvent) {
        let at = self.coordinate(event);
        let Some(drag) = self.drag.get_untracked().filter(|drag| drag.pointer == event.pointer_id()) else {
            return;
        };
        let Some(list) = self.list.get_untracked() else { return };
        if !drag.moving {
            if (at - drag.start).abs() < DRAG_THRESHOLD_PX {
                return;
            }
            // This fails if the pointer is gone; then there is no drag to follow.
            let _ = list.set_pointer_capture(drag.pointer);
            self.drag.update(|drag| {
                if let Some(drag) = drag {
                    drag.moving = true;
                }
            });
        }
        self.move_to_pointer(&drag.kind, at, &list);
    }

    /// Ends the drag when the pointer is released or lost.
    pub fn on_pointer_up(&self) {
        let moved = self.drag.get_untracked().is_some_and(|drag| drag.moving);
        self.drag.set(None);
        if moved && self.axis == Axis::Horizontal {
            self.app.focus_pane();
        }
    }

    fn move_to_pointer(&self, kind: &TabKind, at: i32, list: &Element) {
        let Some(from) = self.app.tabs.with_untracked(|tabs| tabs.position(kind)) else { return };
        let children = list.children();
        let middles: Vec<f64> = (0..children.length())
            .filter_map(|place| children.item(place))
            .map(|tab| self.middle(&tab))
            .collect();
        let place = place_at_pointer(f64::from(at), from, &middles);
        if place != from {
            self.app.tabs.update(|tabs| tabs.move_to(kind, place));
        }
    }

    fn coordinate(&self, event: &PointerEvent) -> i32 {
        match self.axis {
            Axis::Horizontal => event.client_x(),
            Axis::Vertical => event.client_y(),
        }
    }

    fn middle(&self, tab: &Element) -> f64 {
        let rect = tab.get_bounding_client_rect();
        match self.axis {
            Axis::Horizontal => rect.left() + rect.width() / 2.0,
            Axis::Vertical => rect.top() + rect.height() / 2.0,
        }
    }
}

/// Returns the new place of a tab from place `from` when the pointer is `at`: after all other tabs
/// whose middle the pointer has passed.
fn place_at_pointer(at: f64, from: usize, middles: &[f64]) -> usize {
    middles.iter().enumerate().filter(|&(place, &middle)| place != from && middle < at).count()
}

#[cfg(test)]
mod tests {
    use super::place_at_pointer;

    #[test]
    fn a_tab_passes_another_at_its_middle() {
        let middles = [50.0, 150.0, 250.0];
        assert_eq!(place_at_pointer(50.0, 0, &middles), 0);
        assert_eq!(place_at_pointer(149.0, 0, &middles), 0);
        assert_eq!(place_at_pointer(151.0, 0, &middles), 1);
        assert_eq!(place_at_pointer(999.0, 0, &middles), 2);
        assert_eq!(place_at_pointer(-5.0, 2, &middles), 0);
        assert_eq!(place_at_pointer(100.0, 1, &middles), 1);
    }
}
