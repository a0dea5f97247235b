//! Asks before a link is opened whose text shows another address.

use leptos::prelude::*;

use super::dialog::{Dialog, Heading};
use crate::{
    app::App,
    link_check::{Address, LinkWarning},
};

/// The dialog that shows a link's true address and asks whether to open it.
#[component]
pub fn OpenLinkDialog(
    /// The link's address.
    address: Address,
    /// The reason for asking.
    warning: LinkWarning,
) -> impl IntoView {
    let app = App::expect();
    let (before, host, after) = split_at_host(&address);
    let open = move |_| {
        app.open_link(&address.href);
        app.close_overlay();
    };
    view! {
        <Dialog label="Open this link?" class="form">
            <Heading title="Open this link?"/>
            <p>{reason(&warning)}</p>
            <p class="address" tabindex="0">{before}<strong>{host}</strong>{after}</p>
            <div class="actions">
                // The harmless button has the focus.
                <button autofocus=true type="button" class="button" on:click=move |_| app.close_overlay()>
                    "Cancel"
                </button>
                <button type="button" class="button" on:click=open>"Open link"</button>
            </div>
        </Dialog>
    }
}

fn reason(warning: &LinkWarning) -> String {
    match warning {
        LinkWarning::NamesAnother(name) => format!("Its text names {name}, but it leads to another address:"),
        LinkWarning::HasUser(user) => {
            format!("“{user}” is only a user name here. The link leads to the part in bold:")
        }
        LinkWarning::LooksAlike => {
            "Its host has letters that can look like others. This is its exact name:".to_owned()
        }
    }
}

/// Splits an address before and after its host.
fn split_at_host(Address { href, host, .. }: &Address) -> (String, String, String) {
    // The part before the host may contain the same text.
    let start = href.find("://").map_or(0, |at| at + 3);
    let authority = href[start..].find(['/', '?', '#']).map_or(href.len(), |end| start + end);
    let from = href[start..authority].rfind('@').map_or(start, |at| start + at + 1);
    match href.get(from..).filter(|rest| rest.starts_with(host.as_str())) {
        Some(rest) => (href[..from].to_owned(), host.clone(), rest[host.len()..].to_owned()),
        None => (href.clone(), String::new(), String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_true_host_is_found() {
        let cut = |href: &str, host: &str| {
            let address = Address { href: href.to_owned(), host: host.to_owned(), ..Address::default() };
            split_at_host(&address)
        };
        let parts =
            |before: &str, host: &str, after: &str| (before.to_owned(), host.to_owned(), after.to_owned());
        assert_eq!(cut("https://a.b/a.b", "a.b"), parts("https://", "a.b", "/a.b"));
        assert_eq!(cut("https://a.b:x@a.b/@c", "a.b"), parts("https://a.b:x@", "a.b", "/@c"));
        assert_eq!(cut("https://a.b", "c"), parts("https://a.b", "", ""));
        assert_eq!(cut("mailto:x@y?subject=@y", "y"), parts("mailto:x@", "y", "?subject=@y"));
    }
}
