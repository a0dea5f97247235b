//! Shows the current overlay.

use leptos::prelude::*;

use super::{
    close::CloseDialog, help::HelpDialog, menu::TabMenu, open_link::OpenLinkDialog, palette::Palette,
    people::PeopleDialog, rename::RenameDialog, settings::SettingsDialog, share::ShareDialog,
    sign_ins::SignInsDialog, switcher::Switcher, themes::ThemePicker,
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
            Overlay::Tabs => view! { <Switcher/> }.into_any(),
            Overlay::Settings => view! { <SettingsDialog/> }.into_any(),
            Overlay::Help => view! { <HelpDialog/> }.into_any(),
            Overlay::Menu { x, y } => view! { <TabMenu x y/> }.into_any(),
            Overlay::Rename(tab) => view! { <RenameDialog tab/> }.into_any(),
            Overlay::People => view! { <PeopleDialog/> }.into_any(),
            Overlay::SignIns => view! { <SignInsDialog/> }.into_any(),
            Overlay::Share(session) => view! { <ShareDialog session/> }.into_any(),
            Overlay::OpenLink(address, doubt) => view! { <OpenLinkDialog address doubt/> }.into_any(),
            Overlay::Close(tab, closing) => view! { <CloseDialog tab closing/> }.into_any(),
        })
    }
}
