//! The viewers of a session, described in words. No DOM here.

pub mod durations;
pub mod user_agent;

use limpet_shared::{Role, ViewerInfo};

/// The viewers of a session, as the server last reported them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ViewerList {
    /// Number of viewers; 0 while it is not known.
    pub count: u32,
    /// The viewers in the order in which they came. If there are many, only the first ones are
    /// listed.
    pub list: Vec<ViewerInfo>,
}

impl ViewerList {
    /// Reports whether there is no other viewer.
    #[must_use]
    pub const fn is_alone(&self) -> bool {
        self.count <= 1
    }

    /// Returns this window's own entry.
    #[must_use]
    pub fn you(&self) -> Option<&ViewerInfo> {
        self.list.iter().find(|viewer| viewer.you)
    }

    /// Returns the number of guests in the list.
    #[must_use]
    pub fn guests(&self) -> usize {
        self.list.iter().filter(|viewer| viewer.role != Role::Owner).count()
    }

    /// Returns the primary viewer, if it is not this window.
    #[must_use]
    pub fn other_primary(&self) -> Option<&ViewerInfo> {
        self.list.iter().find(|viewer| viewer.primary && !viewer.you)
    }

    /// Returns the list with this window first.
    #[must_use]
    pub fn you_first(&self) -> Vec<ViewerInfo> {
        let mut list = self.list.clone();
        list.sort_by_key(|viewer| !viewer.you);
        list
    }

    /// Returns the number of viewers that are not in the list.
    #[must_use]
    pub fn unlisted(&self) -> usize {
        usize::try_from(self.count).unwrap_or(usize::MAX).saturating_sub(self.list.len())
    }

    /// Returns a viewer's name: its browser or program, or a phrase if it is the same as this
    /// window's.
    #[must_use]
    pub fn name(&self, viewer: &ViewerInfo) -> String {
        if viewer.you {
            "This window".to_owned()
        } else if self.is_alike(viewer) {
            "Your other window".to_owned()
        } else if viewer.agent.is_empty() {
            unnamed(viewer).to_owned()
        } else {
            user_agent::short_name(&viewer.agent)
        }
    }

    /// Returns the viewer's name as it appears within a sentence.
    #[must_use]
    pub fn name_in_sentence(&self, viewer: &ViewerInfo) -> String {
        match (viewer.role, viewer.agent.is_empty()) {
            _ if self.is_alike(viewer) => "your other window".to_owned(),
            (Role::Owner, true) => "the owner".to_owned(),
            (Role::Writer | Role::Reader, true) => "a guest".to_owned(),
            (_, false) => user_agent::short_name(&viewer.agent),
        }
    }

    /// Reports whether a viewer has the same browser and address as this window.
    fn is_alike(&self, viewer: &ViewerInfo) -> bool {
        let alike = |you: &ViewerInfo| (&you.agent, &you.from) == (&viewer.agent, &viewer.from);
        self.you().is_some_and(alike) && !viewer.agent.is_empty()
    }
}

/// Returns the name of a viewer whose program is not known. The server does not tell it to guests.
const fn unnamed(viewer: &ViewerInfo) -> &'static str {
    match viewer.role {
        Role::Owner => "The owner",
        Role::Writer | Role::Reader => "A guest",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn viewer(id: u64, agent: &str) -> ViewerInfo {
        let (agent, from) = (agent.to_owned(), "192.0.2.1".to_owned());
        ViewerInfo { id, role: Role::Owner, since: 0, from, agent, primary: false, you: false }
    }

    fn viewer_list(list: [ViewerInfo; 3]) -> ViewerList {
        ViewerList { count: 5, list: list.into() }
    }

    #[test]
    fn this_window_comes_first_and_the_others_as_they_came() {
        let you = ViewerInfo { you: true, ..viewer(2, "") };
        let viewers = viewer_list([viewer(0, ""), viewer(1, ""), you.clone()]);
        assert_eq!(viewers.you_first().iter().map(|viewer| viewer.id).collect::<Vec<_>>(), [2, 0, 1]);
        assert_eq!(viewers.you(), Some(&you));
        assert_eq!(viewers.unlisted(), 2);
    }

    #[test]
    fn one_s_own_pen_is_nobody_else_s() {
        let mut viewers = viewer_list([viewer(0, ""), viewer(1, ""), viewer(2, "")]);
        viewers.list[1].primary = true;
        assert_eq!(viewers.other_primary().map(|viewer| viewer.id), Some(1));
        viewers.list[1].you = true;
        assert_eq!(viewers.other_primary(), None);
    }

    #[test]
    fn another_window_of_one_s_own_is_called_so() {
        let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
        let you = ViewerInfo { you: true, ..viewer(0, firefox) };
        let far = ViewerInfo { from: "192.0.2.9".to_owned(), ..viewer(2, firefox) };
        let viewers = viewer_list([you, viewer(1, firefox), far]);
        let names: Vec<String> = viewers.list.iter().map(|viewer| viewers.name(viewer)).collect();
        assert_eq!(names, ["This window", "Your other window", "Firefox on Linux"]);
        let unnamed = |role| viewers.name(&ViewerInfo { role, ..viewer(7, "") });
        assert_eq!([Role::Owner, Role::Reader].map(unnamed), ["The owner", "A guest"]);
        let within: Vec<String> =
            viewers.list[1..].iter().map(|viewer| viewers.name_in_sentence(viewer)).collect();
        assert_eq!(within, ["your other window", "Firefox on Linux"]);
    }
}
