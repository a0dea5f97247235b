//! A list with a search field: the palette and the list of themes.

use leptos::{ev, prelude::*};

use super::{dialog::Dialog, keys::Keys};
use crate::{
    commands::{fuzzy, keys::Chord},
    themes::BuiltInTheme,
};

/// A line of a picker.
#[derive(Clone)]
pub struct Item<T: 'static> {
    /// The value that choosing the line returns.
    pub value: T,
    /// The text, which is also what the search looks at.
    pub title: String,
    /// A short note behind the text.
    pub note: &'static str,
    /// The shortcut.
    pub chord: Option<Chord>,
    /// The theme, if the line stands for one.
    pub theme: Option<&'static BuiltInTheme>,
}

/// A dialog with a search field over a list. Arrow keys move the mark, Enter chooses, Esc closes.
#[component]
pub fn Picker<T: Clone + Send + Sync + 'static>(
    /// The accessible name.
    label: &'static str,
    /// The placeholder of the search field.
    placeholder: &'static str,
    /// The lines.
    items: Vec<Item<T>>,
    /// The line that is marked first.
    #[prop(optional)]
    start: usize,
    /// Called with the marked value whenever the mark moves; `None` if no line matches.
    #[prop(into)]
    on_mark: Callback<Option<T>>,
    /// Called with the chosen value.
    #[prop(into)]
    on_choose: Callback<T>,
) -> impl IntoView {
    let items = StoredValue::new(items);
    let query = RwSignal::new(String::new());
    let marked = RwSignal::new(start);
    let found = Memo::new(move |_| {
        items.with_value(|items| fuzzy::rank(&query.read(), items.iter().map(|item| item.title.as_str())))
    });
    let value_at = move |row: usize| {
        let place = found.with_untracked(|found| found.get(row).copied())?;
        items.with_value(|items| items.get(place).map(|item| item.value.clone()))
    };
    let mark = move |row: usize| {
        marked.set(row);
        scroll_to(row);
        on_mark.run(value_at(row));
    };
    let choose = move |row: usize| {
        if let Some(value) = value_at(row) {
            on_choose.run(value);
        }
    };
    let on_key = move |event: ev::KeyboardEvent| {
        let (row, count) = (marked.get_untracked(), found.with_untracked(Vec::len));
        match event.key().as_str() {
            "Enter" => choose(row),
            key => match row_after_key(key, row, count) {
                Some(row) => mark(row),
                None => return,
            },
        }
        event.prevent_default();
    };
    let on_input = move |event| {
        query.set(event_target_value(&event));
        mark(0);
    };
    let row = move |(row, place): (usize, usize)| {
        let item = items.with_value(|items| items[place].clone());
        view! {
            <li id=row_id(row) role="option" class="row" aria-selected=move || (marked.get() == row).to_string()
                on:pointermove=move |_| if marked.get_untracked() != row { mark(row) }
                on:click=move |_| choose(row)>
                {item.theme.map(|theme| view! { <Swatches theme/> })}
                <span class="row-title">{item.title}</span>
                <span class="row-note">{item.note}</span>
                {item.chord.map(|chord| view! { <Keys chord/> })}
            </li>
        }
    };
    view! {
        <Dialog label class="picker">
            <input autofocus=true class="picker-input" on:focus=move |_| scroll_to(marked.get_untracked()) type="text" role="combobox" aria-expanded="true"
                aria-controls="picker-list" aria-label=label placeholder=placeholder autocomplete="off"
                autocapitalize="off" spellcheck="false"
                aria-activedescendant=move || row_id(marked.get()) on:input=on_input on:keydown=on_key/>
            <ul id="picker-list" class="picker-list" role="listbox" aria-label=label>
                {move || found.get().into_iter().enumerate().map(row).collect_view()}
            </ul>
            <p class="picker-empty" role="status" hidden=move || !found.with(Vec::is_empty)>"No matches."</p>
        </Dialog>
    }
}

/// A few colours of a theme.
#[component]
pub fn Swatches(
    /// The theme.
    theme: &'static BuiltInTheme,
) -> impl IntoView {
    let [ground, colours @ ..] = theme.swatches().map(|colour| colour.to_string());
    let dots = colours.map(|colour| view! { <i style:background=colour></i> });
    view! { <span class="swatches" aria-hidden="true" style:background=ground>{dots.into_iter().collect_view()}</span> }
}

fn row_id(row: usize) -> String {
    format!("picker-{row}")
}

/// Returns the row that a key moves to, of `count` rows. The arrow keys wrap around at the ends.
fn row_after_key(key: &str, row: usize, count: usize) -> Option<usize> {
    const PAGE_ROWS: usize = 8;
    let last = count.checked_sub(1)?;
    match key {
        "ArrowDown" => Some(if row >= last { 0 } else { row + 1 }),
        "ArrowUp" => Some(row.checked_sub(1).unwrap_or(last)),
        "PageDown" => Some((row + PAGE_ROWS).min(last)),
        "PageUp" => Some(row.saturating_sub(PAGE_ROWS)),
        _ => None,
    }
}

fn scroll_to(row: usize) {
    if let Some(row) = document().get_element_by_id(&row_id(row)) {
        super::tab::scroll_into_view(&row);
    }
}

#[cfg(test)]
mod tests {
    use super::row_after_key;

    #[test]
    fn keys_move_through_the_list_and_round() {
        assert_eq!(row_after_key("ArrowDown", 2, 3), Some(0));
        assert_eq!(row_after_key("ArrowUp", 0, 3), Some(2));
        assert_eq!(row_after_key("PageDown", 1, 3), Some(2));
        assert_eq!(row_after_key("PageUp", 1, 3), Some(0));
        assert_eq!(row_after_key("x", 1, 3), None);
        assert_eq!(row_after_key("ArrowDown", 0, 0), None);
    }
}
