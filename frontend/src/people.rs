//! Who is at a session, in words. No DOM here.

pub mod agent;
pub mod since;

use limpet_shared::{Presence, Role};

/// Those who are at a session, as the server last told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct People {
    /// How many they are; 0 while that is not known.
    pub count: u32,
    /// Who they are, in the order they came; of many, the first ones.
    pub list: Vec<Presence>,
}

impl People {
    /// Whether nobody else is there.
    #[must_use]
    pub const fn is_alone(&self) -> bool {
        self.count <= 1
    }

    /// This window.
    #[must_use]
    pub fn you(&self) -> Option<&Presence> {
        self.list.iter().find(|one| one.you)
    }

    /// How many guests there are, as far as they are known.
    #[must_use]
    pub fn guests(&self) -> usize {
        self.list.iter().filter(|one| one.role != Role::Owner).count()
    }

    /// Who has the pen, if that is somebody else.
    #[must_use]
    pub fn other_pen(&self) -> Option<&Presence> {
        self.list.iter().find(|one| one.pen && !one.you)
    }

    /// All that are known, this window first.
    #[must_use]
    pub fn you_first(&self) -> Vec<Presence> {
        let mut list = self.list.clone();
        list.sort_by_key(|one| !one.you);
        list
    }

    /// How many there are beside those that are known.
    #[must_use]
    pub fn unknown(&self) -> usize {
        usize::try_from(self.count).unwrap_or(usize::MAX).saturating_sub(self.list.len())
    }

    /// What somebody is called: by what they watch with, unless it is the same that is used here.
    #[must_use]
    pub fn name(&self, one: &Presence) -> String {
        if one.you {
            "This window".to_owned()
        } else if self.is_alike(one) {
            "Your other window".to_owned()
        } else if one.agent.is_empty() {
            unnamed(one).to_owned()
        } else {
            agent::short(&one.agent)
        }
    }

    /// The same within a sentence.
    #[must_use]
    pub fn name_within(&self, one: &Presence) -> String {
        match (one.role, one.agent.is_empty()) {
            _ if self.is_alike(one) => "your other window".to_owned(),
            (Role::Owner, true) => "the owner".to_owned(),
            (Role::Writer | Role::Reader, true) => "a guest".to_owned(),
            (_, false) => agent::short(&one.agent),
        }
    }

    /// Whether somebody watches with what is used here.
    fn is_alike(&self, one: &Presence) -> bool {
        let alike = |you: &Presence| (&you.agent, &you.from) == (&one.agent, &one.from);
        self.you().is_some_and(alike) && !one.agent.is_empty()
    }
}

/// What somebody is called of whom the server does not say what they watch with: to guests it does not.
const fn unnamed(one: &Presence) -> &'static str {
    match one.role {
        Role::Owner => "The owner",
        Role::Writer | Role::Reader => "A guest",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn presence(id: u64, agent: &str) -> Presence {
        let (agent, from) = (agent.to_owned(), "192.0.2.1".to_owned());
        Presence { id, role: Role::Owner, since: 0, from, agent, pen: false, you: false }
    }

    fn people(list: [Presence; 3]) -> People {
        People { count: 5, list: list.into() }
    }

    #[test]
    fn this_window_comes_first_and_the_others_as_they_came() {
        let you = Presence { you: true, ..presence(2, "") };
        let people = people([presence(0, ""), presence(1, ""), you.clone()]);
        assert_eq!(people.you_first().iter().map(|one| one.id).collect::<Vec<_>>(), [2, 0, 1]);
        assert_eq!(people.you(), Some(&you));
        assert_eq!(people.unknown(), 2);
    }

    #[test]
    fn one_s_own_pen_is_nobody_else_s() {
        let mut people = people([presence(0, ""), presence(1, ""), presence(2, "")]);
        people.list[1].pen = true;
        assert_eq!(people.other_pen().map(|one| one.id), Some(1));
        people.list[1].you = true;
        assert_eq!(people.other_pen(), None);
    }

    #[test]
    fn another_window_of_one_s_own_is_called_so() {
        let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
        let you = Presence { you: true, ..presence(0, firefox) };
        let far = Presence { from: "192.0.2.9".to_owned(), ..presence(2, firefox) };
        let people = people([you, presence(1, firefox), far]);
        let names: Vec<String> = people.list.iter().map(|one| people.name(one)).collect();
        assert_eq!(names, ["This window", "Your other window", "Firefox on Linux"]);
        let unnamed = |role| people.name(&Presence { role, ..presence(7, "") });
        assert_eq!([Role::Owner, Role::Reader].map(unnamed), ["The owner", "A guest"]);
        let within: Vec<String> = people.list[1..].iter().map(|one| people.name_within(one)).collect();
        assert_eq!(within, ["your other window", "Firefox on Linux"]);
    }
}
