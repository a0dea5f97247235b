//! Shows the current overlay.

use leptos::prelude::*;

use super::{
    close::CloseDialog, help::HelpDialog, menu::TabMenu, open_link::OpenLinkDialog, palette::Palette,
    rename::RenameDialog, settings::SettingsDialog, share::ShareDialog, sign_ins::SignInsDialog,
    tab_switcher::TabSwitcher, themes::ThemePicker, viewers::ViewersDialog,
};
use crate::app::{App, Overlay};

/// The current overlay, if there is one.
#[component]
pub fn Overlays() -> impl IntoView {
    let app = App::expect();
    move || {
        Some(match app.overlay.get()? {
            Overlay::Palette => view! { <Palette/> }.into_any(),
            Overlay::Themes => view! { <ThemePicker/> }.into_any(),
            Overlay::Tabs => view! { <TabSwitcher/> }.into_any(),
            Overlay::Settings => view! { <SettingsDialog/> }.into_any(),
            Overlay::Help => view! { <HelpDialog/> }.into_any(),
            Overlay::Menu { x, y } => view! { <TabMenu x y/> }.into_any(),
            Overlay::Rename(tab) => view! { <RenameDialog tab/> }.into_any(),
            Overlay::Viewers => view! { <ViewersDialog/> }.into_any(),
            Overlay::SignIns => view! { <SignInsDialog/> }.into_any(),
            Overlay::Share(session) => view! { <ShareDialog session/> }.into_any(),
            Overlay::OpenLink(address, warning) => view! { <OpenLinkDialog address warning/> }.into_any(),
            Overlay::Close(tab, closing) => view! { <CloseDialog tab closing/> }.into_any(),
        })
    }
}
