//! The list of tabs and its operations.

#[cfg(test)]
mod tests;

use std::mem;

use limpet_shared::{ExitStatus, SessionId, Winsize, api::SessionInfo};

use super::{Mark, Tab, TabKind, arrangement::Arrangement};
use crate::{
    connection::{ConnectionProblem, Phase},
    viewers::ViewerList,
};

/// The tabs of the page. If there are any, exactly one of them is active.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TabList {
    tabs: Vec<Tab>,
    active: usize,
    /// Sessions that were closed here, but that the server may still list for a moment.
    closed: Vec<SessionId>,
}

/// A side of a tab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The side of the previous tab.
    Before,
    /// The side of the next tab.
    After,
}

impl TabList {
    /// Returns the tabs in their order.
    #[must_use]
    pub fn tabs(&self) -> &[Tab] {
        &self.tabs
    }

    /// Returns the tabs' contents in their order.
    #[must_use]
    pub fn kinds(&self) -> Vec<TabKind> {
        self.tabs.iter().map(|tab| tab.kind.clone()).collect()
    }

    /// Returns the active tab.
    #[must_use]
    pub fn active(&self) -> Option<&Tab> {
        self.tabs.get(self.active)
    }

    /// Reports whether this tab is active.
    #[must_use]
    pub fn is_active(&self, kind: &TabKind) -> bool {
        self.active().is_some_and(|tab| tab.kind == *kind)
    }

    /// Returns the tab with this content.
    #[must_use]
    pub fn get(&self, kind: &TabKind) -> Option<&Tab> {
        self.tabs.iter().find(|tab| tab.kind == *kind)
    }

    /// Returns the place of the tab with this content, counted from 0.
    #[must_use]
    pub fn position(&self, kind: &TabKind) -> Option<usize> {
        self.tabs.iter().position(|tab| tab.kind == *kind)
    }

    /// Adds a tab at the end and activates it. A tab that exists already is only activated.
    pub fn open(&mut self, tab: Tab) {
        let kind = tab.kind.clone();
        if self.position(&kind).is_none() {
            self.tabs.push(tab);
        }
        self.select(&kind);
    }

    /// Replaces a tab by another one and activates that.
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

    /// Removes a tab. If it was active, the next tab becomes active, or the last one.
    pub fn close(&mut self, kind: &TabKind) {
        if let Some(place) = self.position(kind) {
            self.remember_closed(kind);
            self.remove(place);
        }
    }

    /// Activates a tab, which clears its mark.
    pub fn select(&mut self, kind: &TabKind) {
        if let Some(place) = self.position(kind) {
            self.select_at(place);
        }
    }

    /// Activates the tab at a place, counted from 0. A place beyond the last tab has no effect.
    pub fn select_at(&mut self, place: usize) {
        if let Some(tab) = self.tabs.get_mut(place) {
            tab.mark = Mark::None;
            self.active = place;
        }
    }

    /// Activates the neighbour of the active tab, wrapping around at the ends.
    pub fn select_neighbour(&mut self, side: Side) {
        let count = self.tabs.len();
        if count > 0 {
            let step = if side == Side::Before { count - 1 } else { 1 };
            self.select_at((self.active + step) % count);
        }
    }

    /// Moves a tab to a place, counted from 0. A place beyond the last tab is the end. The active
    /// tab stays active.
    pub fn move_to(&mut self, kind: &TabKind, place: usize) {
        let Some(from) = self.position(kind) else { return };
        let Some(active) = self.active().map(|tab| tab.kind.clone()) else { return };
        let tab = self.tabs.remove(from);
        self.tabs.insert(place.min(self.tabs.len()), tab);
        self.active = self.position(&active).unwrap_or_default();
    }

    /// Moves the active tab by one place, but not beyond the ends.
    pub fn move_active(&mut self, side: Side) {
        let Some(kind) = self.active().map(|tab| tab.kind.clone()) else { return };
        let place = match side {
            Side::Before => self.active.saturating_sub(1),
            Side::After => self.active + 1,
        };
        self.move_to(&kind, place);
    }

    /// Marks a tab, unless it is active.
    pub fn add_mark(&mut self, kind: &TabKind, mark: Mark) {
        if !self.is_active(kind) {
            self.update(kind, |tab| tab.mark = tab.mark.max(mark));
        }
    }

    /// Sets a tab's title.
    pub fn set_title(&mut self, kind: &TabKind, title: String) {
        self.update(kind, |tab| tab.title = title);
    }

    /// Records that a tab's program has ended, and whether an owner closed its session.
    pub fn set_exit(&mut self, kind: &TabKind, exit: ExitStatus, closed: bool) {
        self.update(kind, |tab| (tab.exit, tab.closed) = (Some(exit), closed));
    }

    /// Sets or clears the problem of a tab's connection.
    pub fn set_problem(&mut self, kind: &TabKind, problem: Option<ConnectionProblem>) {
        self.update(kind, |tab| tab.problem = problem);
    }

    /// Sets the phase of a tab's connection.
    pub fn set_phase(&mut self, kind: &TabKind, phase: Phase) {
        self.update(kind, |tab| tab.phase = phase);
    }

    /// Sets the viewers of a tab's session.
    pub fn set_viewers(&mut self, kind: &TabKind, viewers: ViewerList) {
        self.update(kind, |tab| tab.viewers = viewers);
    }

    /// Sets the imposed size of a tab's terminal, or clears it.
    pub fn set_imposed_size(&mut self, kind: &TabKind, size: Option<Winsize>) {
        self.update(kind, |tab| tab.imposed_size = size);
    }

    /// Reports whether the server may still have sessions whose tabs were closed here.
    #[must_use]
    pub fn has_closed(&self) -> bool {
        !self.closed.is_empty()
    }

    /// Lets all closed sessions reappear when the server lists them.
    pub fn forget_all_closed(&mut self) {
        self.closed.clear();
    }

    /// Lets a session reappear that the server failed to close.
    pub fn forget_closed(&mut self, session: &SessionId) {
        self.closed.retain(|closed| closed != session);
    }

    /// Merges the server's list. `before` is the list of tabs at the time of the request, so a
    /// newer tab may be missing in the server's list. A tab whose session has vanished is removed,
    /// unless it is active: its connection explains what happened.
    pub fn merge(&mut self, sessions: Vec<SessionInfo>, before: &[TabKind]) {
        let listed: Vec<TabKind> = sessions.iter().map(|s| TabKind::Terminal(s.id.clone())).collect();
        self.closed.retain(|closed| sessions.iter().any(|session| session.id == *closed));
        for session in sessions {
            if !self.closed.contains(&session.id) {
                self.merge_session(session);
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

    /// Merges the server's first list, restores the arrangement `stored`, and activates `first`.
    pub fn restore(&mut self, sessions: Vec<SessionInfo>, stored: &Arrangement, first: Option<&SessionId>) {
        let before = self.kinds();
        self.merge(sessions, &before);
        self.arrange(stored);
        if let Some(session) = first {
            self.select(&TabKind::Terminal(session.clone()));
        }
    }

    /// Restores the stored order of the tabs. Tabs that are not in it keep their order and come
    /// last.
    pub fn arrange(&mut self, arrangement: &Arrangement) {
        let active = arrangement.active.clone().or_else(|| self.active().map(|tab| tab.kind.clone()));
        // The standard library's sort would add three kilobytes to what is loaded before the first
        // prompt.
        let mut others = mem::take(&mut self.tabs);
        for kind in &arrangement.order {
            if let Some(place) = others.iter().position(|tab| tab.kind == *kind) {
                self.tabs.push(others.remove(place));
            }
        }
        self.tabs.append(&mut others);
        self.active = active.and_then(|kind| self.position(&kind)).unwrap_or_default();
    }

    /// Returns the arrangement to store for the next visit.
    #[must_use]
    pub fn arrangement(&self) -> Arrangement {
        Arrangement { order: self.kinds(), active: self.active().map(|tab| tab.kind.clone()) }
    }

    /// Merges the server's description of one session. A new session becomes a tab.
    pub fn merge_session(&mut self, session: SessionInfo) {
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
