//! The keeper's part that is the same in a process and on a thread: it carries out orders.

use std::{
    collections::BTreeMap,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use limpet_shared::SessionId;

use super::{
    kept::Keep,
    process::Process,
    socket,
    store::{Found, Part, Shelf, Store},
    wire::{Answer, FORMAT, Numbered, Order, Report},
};
use crate::pty::Login;

/// All that outlives a server.
#[derive(Debug, Default)]
pub(super) struct Keeper {
    sessions: BTreeMap<SessionId, Keep>,
    /// What the server wants the next one to know, and where it listens.
    record: Option<String>,
    listener: Option<OwnedFd>,
    /// What `limpet link` is told.
    link: Option<String>,
    /// Programs that were killed, each with its pidfd.
    dying: Vec<(OwnedFd, Process)>,
    /// The limits of open files that programs start with.
    nofile: Option<(u64, u64)>,
    /// Whose environment they get.
    login: Login,
    store: Store,
    /// Where that of it is stored that belongs to no session.
    shelf: Shelf,
    /// A server that an earlier keeper has started.
    old_server: Option<OwnedFd>,
}

impl Keeper {
    /// Goes on with what was `found` in the store.
    pub(super) fn new(
        store: Store,
        (nofile, login): (Option<(u64, u64)>, Login),
        found: BTreeMap<Option<SessionId>, Found>,
    ) -> Self {
        let shelf = Shelf::new(store, None);
        let mut keeper = Self { nofile, login, store, shelf, ..Self::default() };
        for (session, mut found) in found {
            if session.is_some() {
                match Keep::adopt(&mut found) {
                    Ok(keep) => drop(keeper.sessions.insert(keep.session().clone(), keep)),
                    Err(error) => {
                        tracing::error!(?session, %error, "could not go on with a session that was stored");
                        found.take_shelf().clear();
                    }
                }
            } else {
                keeper.old_server = found.take(Part::Server);
                keeper.listener = found.take(Part::Listener);
                keeper.record = found.take_text(Part::Record).ok();
                keeper.shelf = found.take_shelf();
            }
        }
        keeper
    }

    /// A server that an earlier keeper has started, and that must be gone before there is another one.
    pub(super) fn take_old_server(&mut self) -> Option<Process> {
        self.old_server.take().map(Process::Adopted)
    }

    /// There is another server now.
    pub(super) fn store_server(&mut self, pidfd: BorrowedFd<'_>) {
        self.shelf.put(Part::Server, pidfd);
    }

    /// Whether there is anything that a next server could go on with.
    pub(super) fn has_served(&self) -> bool {
        self.record.is_some()
    }

    /// What the server wants `limpet link` to be told.
    pub(super) fn link(&self) -> Option<&str> {
        self.link.as_deref()
    }

    pub(super) fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Tells a new server all that is kept.
    pub(super) fn welcome(&self, number: u64, server: BorrowedFd<'_>) -> io::Result<()> {
        for keep in self.sessions.values() {
            keep.tell(server)?;
        }
        let descriptors: Vec<BorrowedFd<'_>> = self.listener.iter().map(AsFd::as_fd).collect();
        let (record, is_stored) = (self.record.clone(), self.store.is_there());
        let answer = Answer::Welcome { format: FORMAT, record, is_stored };
        socket::send(server, &Numbered { number, what: Report::Answer(answer) }, &descriptors)
    }

    /// Carries out what a server that was welcomed says.
    pub(super) fn obey(
        &mut self,
        Numbered { number, what: order }: Numbered<Order>,
        descriptors: Vec<OwnedFd>,
        server: BorrowedFd<'_>,
    ) -> io::Result<()> {
        let answer = |answer, descriptors: &[BorrowedFd<'_>]| {
            socket::send(server, &Numbered { number, what: Report::Answer(answer) }, descriptors)
        };
        match order {
            Order::Serving { record, link } => {
                self.link = Some(link).filter(|link| !link.is_empty());
                self.serving(record, descriptors.into_iter().next())?;
                answer(Answer::Kept, &[])?;
            }
            Order::Start { session, program, size, tail, record } => {
                let place = Shelf::new(self.store, Some(session.clone()));
                let program = program.into_program(self.nofile);
                match Keep::start((session, record, place), (&program, &self.login), size, tail) {
                    Ok(keep) => {
                        let pid = keep.pid();
                        keep.lend(|descriptors| answer(Answer::Started { pid }, descriptors))?;
                        self.sessions.insert(keep.session().clone(), keep);
                    }
                    Err(error) => answer(Answer::NotStarted(error.into()), &[])?,
                }
            }
            Order::Reap { session } => {
                let exit = self.sessions.get_mut(&session).and_then(Keep::reap);
                answer(Answer::Reaped { exit }, &[])?;
            }
            Order::Record { session, record } => {
                if let Some(keep) = self.sessions.get_mut(&session) {
                    keep.set_record(record)?;
                }
            }
            Order::Checkpoint { session } => {
                if let Some(keep) = self.sessions.get_mut(&session) {
                    keep.set_checkpoint(descriptors.into_iter().next());
                }
            }
            Order::Forget { session } => self.forget(&session),
            Order::Hello { .. } | Order::End => {}
        }
        Ok(())
    }

    fn serving(&mut self, record: String, listener: Option<OwnedFd>) -> io::Result<()> {
        // It is the same one that every server goes on with, and a store takes nothing that it has under another name.
        if let (None, Some(listener)) = (&self.listener, listener) {
            self.shelf.put(Part::Listener, listener.as_fd());
            self.listener = Some(listener);
        }
        self.shelf.put_text(Part::Record, &record)?;
        self.record = Some(record);
        Ok(())
    }

    fn forget(&mut self, session: &SessionId) {
        let Some(process) = self.sessions.remove(session).and_then(Keep::forget) else { return };
        match process.pidfd() {
            Ok(pidfd) => self.dying.push((pidfd, process)),
            Err(error) => tracing::error!(?process, %error, "could not watch a program that was killed"),
        }
    }

    /// Becomes readable when a program that was killed has ended.
    pub(super) fn dying(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.dying.iter().map(|(pidfd, _)| pidfd.as_fd())
    }

    /// Reaps those that have ended.
    pub(super) fn reap_dying(&mut self) {
        self.dying.retain_mut(|(_, process)| matches!(process.is_over(), Ok(false)));
    }

    /// Ends everything that still runs, and waits until it is over: there is nothing else left to do.
    pub(super) fn end(mut self) {
        while let Some(session) = self.sessions.keys().next().cloned() {
            self.forget(&session);
        }
        for (_, mut process) in self.dying {
            if let Err(error) = process.wait() {
                tracing::error!(?process, %error, "could not reap a program");
            }
        }
        self.shelf.clear();
    }
}
