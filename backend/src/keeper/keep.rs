//! The part of the keeper that carries out the server's requests. It runs in a process of its own,
//! or on a thread in tests.

use std::{
    collections::BTreeMap,
    io,
    ops::Bound,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::Duration,
};

use limpet_shared::SessionId;
use nix::unistd::Pid;
use tokio::runtime::Builder;

use super::{
    kept::Keep,
    process::Process,
    socket::{self, Descriptors},
    store::{Found, Part, Shelf, Store},
    wire::{Answer, FORMAT, Numbered, Order, Report},
};
use crate::pty::{Login, SpawnError, process_session};

/// Everything that outlives a server.
#[derive(Debug, Default)]
pub(super) struct Keeper {
    sessions: BTreeMap<SessionId, Keep>,
    /// The server's record for the next server.
    record: Option<String>,
    listener: Option<OwnedFd>,
    /// The text that `limpet link` prints.
    link: Option<String>,
    /// Programs that have been killed and are yet to be reaped.
    dying: Vec<Dying>,
    /// The limits of open files that programs start with, soft and hard.
    nofile: Option<(u64, u64)>,
    /// The user whose environment programs get.
    login: Login,
    store: Store,
    /// The part of the store that belongs to no session.
    shelf: Shelf,
    /// A server that an earlier keeper has started.
    old_server: Option<OwnedFd>,
}

/// A program that has been killed and is yet to be reaped.
#[derive(Debug)]
struct Dying {
    process: Process,
    /// Becomes readable when the program has ended. `None` if there was no descriptor for it; then
    /// each request checks the program.
    pidfd: Option<OwnedFd>,
}

impl Keeper {
    /// Takes over everything that was `found` in the store.
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

    /// Returns the server that an earlier keeper has started. It must be gone before another one
    /// starts.
    pub(super) fn take_old_server(&mut self) -> Option<Process> {
        self.old_server.take().map(Process::Adopted)
    }

    /// Stores the pidfd of a new server, in the place of the last one.
    pub(super) fn store_server(&mut self, pidfd: BorrowedFd<'_>) {
        self.shelf.put(Part::Server, pidfd);
    }

    /// Reports whether there is anything that a next server could continue with.
    pub(super) fn has_served(&self) -> bool {
        self.record.is_some()
    }

    /// Returns the text that the server has set for `limpet link`.
    pub(super) fn link(&self) -> Option<&str> {
        self.link.as_deref()
    }

    pub(super) fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Reports whether a child of this process is the program of a session. Such a child is reaped
    /// when its server asks for it.
    pub(super) fn is_parent_of(&self, pid: Pid) -> bool {
        self.sessions.values().any(|keep| keep.is_parent_of(pid))
            || self.dying.iter().any(|dying| dying.process.is_child(pid))
    }

    /// Answers a new server's hello. `suspect_before` is the uptime before which the last server
    /// must have begun the work that may have killed it; `has_fallback` says whether another server
    /// continues if the new one cannot take over everything. The new server asks for the sessions
    /// by itself.
    pub(super) fn welcome(
        &self,
        (server, number): (BorrowedFd<'_>, u64),
        suspect_before: Duration,
        has_fallback: bool,
    ) -> io::Result<()> {
        let descriptors: Vec<BorrowedFd<'_>> = self.listener.iter().map(AsFd::as_fd).collect();
        let (record, is_stored) = (self.record.clone(), self.store.is_there());
        let suspect_before = u64::try_from(suspect_before.as_millis()).unwrap_or(u64::MAX);
        let welcome = Answer::Welcome { format: FORMAT, record, is_stored, suspect_before, has_fallback };
        answer((server, number), welcome, &descriptors)
    }

    /// Carries out a request of a server that was welcomed.
    pub(super) fn obey(
        &mut self,
        Numbered { number, what: order }: Numbered<Order>,
        descriptors: Descriptors,
        server: BorrowedFd<'_>,
    ) -> io::Result<()> {
        if self.dying.iter().any(|dying| dying.pidfd.is_none()) {
            self.reap_dying();
        }
        let answer = |text, descriptors: &[BorrowedFd<'_>]| answer((server, number), text, descriptors);
        let done =
            |result: io::Result<()>| result.map_or_else(|error| Answer::failed(&error), |()| Answer::Kept);
        match order {
            Order::Serving { record, link } => {
                // A server that sends a new record later does not repeat the link.
                self.link = Some(link).filter(|link| !link.is_empty()).or(self.link.take());
                answer(done(self.serving(record, descriptors)), &[])
            }
            Order::NextSession { after } => answer(self.next_session(after), &[]),
            Order::Lend { session } => match self.sessions.get(&session) {
                Some(keep) => keep
                    .lend(|descriptors| answer(keep.lent(), descriptors))
                    .or_else(|error| answer(Answer::failed(&error), &[])),
                None => answer(Answer::NoSession, &[]),
            },
            Order::Start { session, program, size, tail, record } => {
                let place = Shelf::new(self.store, Some(session.clone()));
                let program = program.into_program(self.nofile);
                match Keep::start((session, record, place), (&program, &self.login), size, tail) {
                    Ok(keep) => {
                        self.started(keep, |pid, descriptors| answer(Answer::Started { pid }, descriptors))
                    }
                    Err(error) => Err(error),
                }
                .or_else(|error| answer(Answer::NotStarted(error.into()), &[]))
            }
            Order::Reap { session } => {
                let exit = self.sessions.get_mut(&session).and_then(Keep::reap);
                answer(Answer::Reaped { exit }, &[])
            }
            Order::Record { session, record } => {
                self.sessions.get_mut(&session).map_or(Ok(()), |keep| keep.set_record(record))
            }
            Order::Checkpoint { session } => answer(done(self.checkpoint(&session, descriptors)), &[]),
            Order::Forget { session } => {
                self.forget(&session);
                Ok(())
            }
            Order::Hello { .. } | Order::End | Order::Progress | Order::Answered => Ok(()),
        }
    }

    /// Registers a session that has been started, and passes it to the server. If that fails, the
    /// program is killed.
    fn started(
        &mut self,
        mut keep: Keep,
        pass: impl FnOnce(i32, &[BorrowedFd<'_>]) -> io::Result<()>,
    ) -> Result<(), SpawnError> {
        let (session, pid) = (keep.session().clone(), keep.pid());
        let passed = keep.store().and_then(|()| keep.lend(|descriptors| pass(pid, descriptors)));
        self.sessions.insert(session.clone(), keep);
        passed.map_err(|error| {
            self.forget(&session);
            SpawnError::opening(error)
        })
    }

    fn next_session(&self, after: Option<SessionId>) -> Answer {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let next = self.sessions.range((from, Bound::Unbounded)).next();
        next.map_or(Answer::NoSession, |(_, keep)| Answer::Session(keep.told()))
    }

    fn checkpoint(&mut self, session: &SessionId, mut descriptors: Descriptors) -> io::Result<()> {
        let checkpoint = descriptors.next()?;
        if let Some(keep) = self.sessions.get_mut(session) {
            keep.set_checkpoint(checkpoint);
        }
        Ok(())
    }

    fn serving(&mut self, record: String, mut descriptors: Descriptors) -> io::Result<()> {
        // Every server uses the same listener, and a store does not accept a descriptor again under
        // another name.
        if self.listener.is_none() {
            let listener = descriptors.next()?;
            self.shelf.put(Part::Listener, listener.as_fd());
            self.listener = Some(listener);
        }
        self.shelf.put_text(Part::Record, &record)?;
        self.record = Some(record);
        Ok(())
    }

    fn forget(&mut self, session: &SessionId) {
        let Some(process) = self.sessions.remove(session).and_then(Keep::forget) else { return };
        let pidfd = process.pidfd().inspect_err(|error| {
            tracing::warn!(?process, %error, "could not watch a program that was killed; it is reaped later");
        });
        self.dying.push(Dying { pidfd: pidfd.ok(), process });
    }

    /// Returns descriptors that become readable when a program that was killed has ended.
    pub(super) fn dying(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.dying.iter().filter_map(|dying| Some(dying.pidfd.as_ref()?.as_fd()))
    }

    /// Reaps the killed programs that have ended.
    pub(super) fn reap_dying(&mut self) {
        self.dying.retain_mut(|dying| matches!(dying.process.has_ended(), Ok(false)));
    }

    /// Ends all programs that still run, and waits until they are gone: the keeper has nothing else
    /// left to do.
    pub(super) fn end(mut self) {
        // A server that ends in good order leaves no programs.
        let leaders: Vec<Pid> = self.sessions.values().filter_map(Keep::leader).collect();
        if !leaders.is_empty() {
            match Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime.block_on(process_session::end(&leaders)),
                Err(error) => {
                    tracing::error!(%error, "could not end programs in good order; they are killed");
                }
            }
        }
        while let Some(session) = self.sessions.keys().next().cloned() {
            self.forget(&session);
        }
        for Dying { mut process, .. } in self.dying {
            if let Err(error) = process.wait() {
                tracing::error!(?process, %error, "could not reap a program");
            }
        }
        self.shelf.clear();
    }
}

/// Answers a request. If this fails because the descriptors cannot be passed, the caller answers
/// without any.
fn answer(
    (server, number): (BorrowedFd<'_>, u64),
    answer: Answer,
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    socket::send_patiently(server, &Numbered { number, what: Report::Answer(answer) }, descriptors)
}
