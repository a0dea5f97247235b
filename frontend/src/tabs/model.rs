//! The list of tabs and everything that can be done to it.

#[cfg(test)]
mod tests;

use limpet_shared::{ExitStatus, SessionId, Winsize, api::SessionInfo};

use super::{Mark, Tab, TabKind, arrangement::Arrangement};
use crate::{
    connection::{Phase, Trouble},
    people::People,
};

/// All tabs of the page. While there is any, exactly one of them is active.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TabList {
    tabs: Vec<Tab>,
    active: usize,
    /// Sessions that were closed here and that the server may still list for a moment.
    closed: Vec<SessionId>,
}

/// Which neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one before.
    Before,
    /// The one after.
    After,
}

impl TabList {
    /// The tabs in their order.
    #[must_use]
    pub fn tabs(&self) -> &[Tab] {
        &self.tabs
    }

    /// What the tabs show, in their order.
    #[must_use]
    pub fn kinds(&self) -> Vec<TabKind> {
        self.tabs.iter().map(|tab| tab.kind.clone()).collect()
    }

    /// The one that is shown.
    #[must_use]
    pub fn active(&self) -> Option<&Tab> {
        self.tabs.get(self.active)
    }

    /// Whether this is the one that is shown.
    #[must_use]
    pub fn is_active(&self, kind: &TabKind) -> bool {
        self.active().is_some_and(|tab| tab.kind == *kind)
    }

    /// The tab that shows this.
    #[must_use]
    pub fn get(&self, kind: &TabKind) -> Option<&Tab> {
        self.tabs.iter().find(|tab| tab.kind == *kind)
    }

    /// Where the tab that shows this stands.
    #[must_use]
    pub fn position(&self, kind: &TabKind) -> Option<usize> {
        self.tabs.iter().position(|tab| tab.kind == *kind)
    }

    /// Adds a tab at the end and shows it; one that is there already is only shown.
    pub fn open(&mut self, tab: Tab) {
        let kind = tab.kind.clone();
        if self.position(&kind).is_none() {
            self.tabs.push(tab);
        }
        self.select(&kind);
    }

    /// Puts a tab in the place of another one and shows it.
    pub fn replace(&mut self, old: &TabKind, new: Tab) {
        let kind = new.kind.clone();
        match self.position(old) {
            Some(place) => {
                self.remember_closed(old);
                self.tabs[place] = new;
                self.select(&kind);
            }
            None => self.open(new),
        }
    }

    /// Takes a tab away. If it was shown, the one after it is, or the last one.
    pub fn close(&mut self, kind: &TabKind) {
        if let Some(place) = self.position(kind) {
            self.remember_closed(kind);
            self.remove(place);
        }
    }

    /// Shows a tab, which settles its mark.
    pub fn select(&mut self, kind: &TabKind) {
        if let Some(place) = self.position(kind) {
            self.select_at(place);
        }
    }

    /// Shows the tab at a place, counted from 0; beyond the last one nothing happens.
    pub fn select_at(&mut self, place: usize) {
        if let Some(tab) = self.tabs.get_mut(place) {
            tab.mark = Mark::None;
            self.active = place;
        }
    }

    /// Shows the neighbour of the active tab; the first one comes after the last.
    pub fn select_beside(&mut self, side: Side) {
        let count = self.tabs.len();
        if count > 0 {
            let step = if side == Side::Before { count - 1 } else { 1 };
            self.select_at((self.active + step) % count);
        }
    }

    /// Puts a tab at a place, counted from 0; beyond the last one means the end. What is shown stays shown.
    pub fn move_to(&mut self, kind: &TabKind, place: usize) {
        let Some(from) = self.position(kind) else { return };
        let Some(active) = self.active().map(|tab| tab.kind.clone()) else { return };
        let tab = self.tabs.remove(from);
        self.tabs.insert(place.min(self.tabs.len()), tab);
        self.active = self.position(&active).unwrap_or_default();
    }

    /// Moves the active tab by one place; at the ends it stays.
    pub fn move_active(&mut self, side: Side) {
        let Some(kind) = self.active().map(|tab| tab.kind.clone()) else { return };
        let place = match side {
            Side::Before => self.active.saturating_sub(1),
            Side::After => self.active + 1,
        };
        self.move_to(&kind, place);
    }

    /// Something happened in a tab; the one that is shown needs no mark.
    pub fn note(&mut self, kind: &TabKind, mark: Mark) {
        if !self.is_active(kind) {
            self.update(kind, |tab| tab.mark = tab.mark.max(mark));
        }
    }

    /// A tab has a new title.
    pub fn set_title(&mut self, kind: &TabKind, title: String) {
        self.update(kind, |tab| tab.title = title);
    }

    /// A tab's program has ended, perhaps because an owner closed its session.
    pub fn set_exit(&mut self, kind: &TabKind, exit: ExitStatus, closed: bool) {
        self.update(kind, |tab| (tab.exit, tab.closed) = (Some(exit), closed));
    }

    /// Something stands in the way of a tab's connection, or nothing does any more.
    pub fn set_trouble(&mut self, kind: &TabKind, trouble: Option<Trouble>) {
        self.update(kind, |tab| tab.trouble = trouble);
    }

    /// A tab's connection is in another phase.
    pub fn set_phase(&mut self, kind: &TabKind, phase: Phase) {
        self.update(kind, |tab| tab.phase = phase);
    }

    /// Others came to a tab's session or went.
    pub fn set_people(&mut self, kind: &TabKind, people: People) {
        self.update(kind, |tab| tab.people = people);
    }

    /// A tab's terminal has another size than its window's own, or no longer.
    pub fn set_foreign(&mut self, kind: &TabKind, foreign: Option<Winsize>) {
        self.update(kind, |tab| tab.foreign = foreign);
    }

    /// Whether tabs were closed whose sessions go on.
    #[must_use]
    pub fn has_closed(&self) -> bool {
        !self.closed.is_empty()
    }

    /// What was closed here may come back when the server lists it.
    pub fn forget_all_closed(&mut self) {
        self.closed.clear();
    }

    /// Closing did not succeed on the server, so the session may come back as a tab.
    pub fn forget_closed(&mut self, session: &SessionId) {
        self.closed.retain(|closed| closed != session);
    }

    /// Takes over what the server lists. `before` is what was open when the list was asked for: what is newer than
    /// that is not missed in the list. A tab whose session has vanished goes, unless somebody is looking at it: its
    /// connection explains what happened.
    pub fn merge(&mut self, sessions: Vec<SessionInfo>, before: &[TabKind]) {
        let listed: Vec<TabKind> = sessions.iter().map(|s| TabKind::Terminal(s.id.clone())).collect();
        self.closed.retain(|closed| sessions.iter().any(|session| session.id == *closed));
        for session in sessions {
            if !self.closed.contains(&session.id) {
                self.take_over(session);
            }
        }
        let vanished = |kind: &TabKind| {
            kind.session().is_some()
                && before.contains(kind)
                && !listed.contains(kind)
                && !self.is_active(kind)
        };
        let vanished: Vec<TabKind> = self.kinds().into_iter().filter(vanished).collect();
        for kind in &vanished {
            if let Some(place) = self.position(kind) {
                self.remove(place);
            }
        }
    }

    /// Shows what the server lists, as it was left; `first` is to be seen.
    pub fn enter(&mut self, sessions: Vec<SessionInfo>, left: &Arrangement, first: Option<&SessionId>) {
        let before = self.kinds();
        self.merge(sessions, &before);
        self.arrange(left);
        if let Some(session) = first {
            self.select(&TabKind::Terminal(session.clone()));
        }
    }

    /// Brings the tabs into the order they were left in; ones that it does not know keep theirs, at the end.
    pub fn arrange(&mut self, arrangement: &Arrangement) {
        let active = arrangement.active.clone().or_else(|| self.active().map(|tab| tab.kind.clone()));
        let rank = |tab: &Tab| arrangement.order.iter().position(|kind| *kind == tab.kind);
        self.tabs.sort_by_key(|tab| rank(tab).unwrap_or(usize::MAX));
        self.active = active.and_then(|kind| self.position(&kind)).unwrap_or_default();
    }

    /// What is worth remembering until the page is opened again.
    #[must_use]
    pub fn arrangement(&self) -> Arrangement {
        Arrangement { order: self.kinds(), active: self.active().map(|tab| tab.kind.clone()) }
    }

    /// Takes over what the server says of one session; a new one becomes a tab.
    pub fn take_over(&mut self, session: SessionInfo) {
        let listed = Tab::from(session);
        match self.tabs.iter_mut().find(|tab| tab.kind == listed.kind) {
            Some(tab) => {
                tab.title = listed.title;
                tab.exit = listed.exit;
                (tab.role, tab.sizing, tab.flow) = (listed.role, listed.sizing, listed.flow);
            }
            None => self.tabs.push(listed),
        }
    }

    fn remember_closed(&mut self, kind: &TabKind) {
        self.closed.extend(kind.session().cloned());
    }

    fn remove(&mut self, place: usize) {
        self.tabs.remove(place);
        if place < self.active {
            self.active -= 1;
        }
        self.active = self.active.min(self.tabs.len().saturating_sub(1));
        self.select_at(self.active);
    }

    fn update(&mut self, kind: &TabKind, change: impl FnOnce(&mut Tab)) {
        if let Some(tab) = self.tabs.iter_mut().find(|tab| tab.kind == *kind) {
            change(tab);
        }
    }
}
