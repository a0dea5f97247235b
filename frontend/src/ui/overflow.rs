//! Handles tabs that do not fit into the bar: the wheel scrolls to them, the strip fades where it
//! is cut off, and a button counts them.

use leptos::{ev::WheelEvent, html, prelude::*};
use web_sys::HtmlDivElement;

use crate::{app::App, commands::Action, dom::SizeWatch, tabs::model::TabList};

/// Length of a wheel step in lines, in CSS pixels. `WheelEvent.deltaMode` says whether a wheel
/// reports pixels, lines or pages.
const WHEEL_LINE_PX: f64 = 40.0;

/// The parts of a tab strip that are out of sight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Overflow {
    /// True if there are tabs to the left.
    before: bool,
    /// True if there are tabs to the right.
    after: bool,
    /// Number of tabs whose middle is out of sight.
    hidden: usize,
}

/// A strip of tabs that can be scrolled.
#[derive(Clone, Copy)]
pub struct Strip {
    list: NodeRef<html::Div>,
    overflow: RwSignal<Overflow>,
}

impl Strip {
    /// Creates the strip for this list.
    #[must_use]
    pub fn new(list: NodeRef<html::Div>) -> Self {
        let strip = Self { list, overflow: RwSignal::default() };
        let app = App::expect();
        let count = Memo::new(move |_| app.tabs.with(|tabs| TabList::tabs(tabs).len()));
        Effect::new(move || {
            count.track();
            // The new tab is laid out by the next frame.
            request_animation_frame(move || strip.measure());
        });
        list.on_load(move |element| {
            let watch = StoredValue::new_local(SizeWatch::new(&element, move || strip.measure()));
            on_cleanup(move || watch.dispose());
        });
        strip
    }

    /// Reports whether there are tabs to the left of the visible part.
    #[must_use]
    pub fn is_cut_before(self) -> bool {
        self.overflow.with(|overflow| overflow.before)
    }

    /// Reports whether there are tabs to the right of the visible part.
    #[must_use]
    pub fn is_cut_after(self) -> bool {
        self.overflow.with(|overflow| overflow.after)
    }

    /// Measures which tabs are out of sight.
    pub fn measure(self) {
        let Some(list) = self.list.try_get_untracked().flatten() else { return };
        let overflow = measure_overflow(&list);
        if self.overflow.try_with_untracked(|before| *before != overflow) == Some(true) {
            self.overflow.set(overflow);
        }
    }

    /// Scrolls the strip by a wheel event.
    pub fn on_wheel(self, event: &WheelEvent) {
        let Some(list) = self.list.get_untracked() else { return };
        let sideways = event.delta_x().abs() > event.delta_y().abs();
        // The browser itself scrolls sideways, and zooms when Ctrl is held.
        if sideways || event.ctrl_key() || list.scroll_width() <= list.client_width() {
            return;
        }
        event.prevent_default();
        let unit = match event.delta_mode() {
            WheelEvent::DOM_DELTA_LINE => WHEEL_LINE_PX,
            WheelEvent::DOM_DELTA_PAGE => f64::from(list.client_width()),
            _ => 1.0,
        };
        list.set_scroll_left(list.scroll_left() + pixels(event.delta_y() * unit));
    }
}

#[expect(clippy::cast_possible_truncation, reason = "float to integer casts saturate")]
fn pixels(length: f64) -> i32 {
    length.round() as i32
}

fn measure_overflow(list: &HtmlDivElement) -> Overflow {
    let (from, width) = (list.scroll_left(), list.client_width());
    if width == 0 {
        return Overflow::default();
    }
    let window = list.get_bounding_client_rect();
    let tabs = list.children();
    let is_hidden = |place: &u32| {
        tabs.item(*place).is_some_and(|tab| {
            let tab = tab.get_bounding_client_rect();
            let middle = tab.left() + tab.width() / 2.0;
            middle < window.left() || middle > window.right()
        })
    };
    Overflow {
        before: from > 1,
        after: from + width < list.scroll_width() - 1,
        hidden: (0..tabs.length()).filter(is_hidden).count(),
    }
}

/// A button with the number of tabs out of sight, which shows all tabs.
#[component]
pub fn MoreTabs(
    /// The strip of tabs.
    strip: Strip,
) -> impl IntoView {
    let app = App::expect();
    let hidden = Memo::new(move |_| strip.overflow.with(|overflow| overflow.hidden));
    view! {
        <button type="button" class="more-tabs" aria-haspopup="dialog" hidden=move || hidden.get() == 0
            on:click=app.on_click(Action::SwitchTab)>
            {move || format!("{} more", hidden.get())}
        </button>
    }
}
