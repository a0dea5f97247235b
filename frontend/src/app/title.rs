//! Sets the title of the browser's window.

use leptos::prelude::*;

use super::App;

/// The title if no terminal is shown.
const NAME: &str = "limpet";

impl App {
    /// Keeps the document's title in step with the active terminal's.
    pub(super) fn follow_title(self) {
        let active = Memo::new(move |_| self.tabs.with(|tabs| tabs.active().map(|tab| tab.title.clone())));
        Effect::new(move || document().set_title(&window_title(active.get().as_deref())));
    }
}

fn window_title(terminal: Option<&str>) -> String {
    terminal.map_or_else(|| NAME.to_owned(), |title| format!("{title} – {NAME}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_terminal_s_title_comes_first() {
        assert_eq!(window_title(Some("vim")), "vim – limpet");
        assert_eq!(window_title(None), "limpet");
    }
}
