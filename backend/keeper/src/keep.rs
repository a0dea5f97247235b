//! The part of the keeper that carries out the server's requests. It runs in a process of its own,
//! or on a thread in tests.

use std::{
    collections::BTreeMap,
    io,
    ops::Bound,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::Duration,
};

use limpet_pty::{Login, SpawnError, process_session};
use limpet_shared::SessionId;
use nix::unistd::Pid;
use tokio::runtime::Builder;

use super::{
    process::Process,
    session_resources::SessionResources,
    socket::{self, Descriptors},
    store::{FdStoreSlot, Part, Store, StoredParts},
    wire::{Answer, Envelope, KeeperMessage, Request, WIRE_FORMAT},
};

/// Everything that outlives a server.
#[derive(Debug, Default)]
pub(super) struct Keeper {
    sessions: BTreeMap<SessionId, SessionResources>,
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
    store_slot: FdStoreSlot,
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
    /// Takes over everything that an earlier keeper has `stored`.
    pub(super) fn new(
        store: Store,
        (nofile, login): (Option<(u64, u64)>, Login),
        stored: BTreeMap<Option<SessionId>, StoredParts>,
    ) -> Self {
        let store_slot = FdStoreSlot::new(store, None);
        let mut keeper = Self { nofile, login, store, store_slot, ..Self::default() };
        for (session, mut parts) in stored {
            if session.is_some() {
                match SessionResources::adopt(&mut parts) {
                    Ok(resources) => {
                        drop(keeper.sessions.insert(resources.session().clone(), resources));
                    }
                    Err(error) => {
                        tracing::error!(?session, %error, "could not restore a stored session");
                        parts.take_slot().clear();
                    }
                }
            } else {
                keeper.old_server = parts.take(Part::Server);
                keeper.listener = parts.take(Part::Listener);
                keeper.record = parts.take_text(Part::Record).ok();
                keeper.store_slot = parts.take_slot();
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
        self.store_slot.put(Part::Server, pidfd);
    }

    /// Reports whether there is anything that a next server could continue with.
    pub(super) fn has_served(&self) -> bool {
        self.record.is_some()
    }

    /// Returns the text that the server has set for `limpet link`.
    pub(super) fn link(&self) -> Option<&str> {
        self.link.as_deref()
    }

    pub(super) fn session_count(&self) -> usize {
        self.sessions.len()
    }

    /// Reports whether a child of this process is the program of a session. Such a child is reaped
    /// when its server asks for it.
    pub(super) fn is_parent_of(&self, pid: Pid) -> bool {
        self.sessions.values().any(|resources| resources.is_parent_of(pid))
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
        let (record, is_stored) = (self.record.clone(), self.store.is_available());
        let suspect_before = u64::try_from(suspect_before.as_millis()).unwrap_or(u64::MAX);
        let welcome =
            Answer::Welcome { format: WIRE_FORMAT, record, is_stored, suspect_before, has_fallback };
        send_answer((server, number), welcome, &descriptors)
    }

    /// Carries out a request of a server that was welcomed.
    pub(super) fn handle_request(
        &mut self,
        Envelope { number, body: request }: Envelope<Request>,
        descriptors: Descriptors,
        server: BorrowedFd<'_>,
    ) -> io::Result<()> {
        if self.dying.iter().any(|dying| dying.pidfd.is_none()) {
            self.reap_dying();
        }
        let answer =
            |answer, descriptors: &[BorrowedFd<'_>]| send_answer((server, number), answer, descriptors);
        let to_answer =
            |result: io::Result<()>| result.map_or_else(|error| Answer::failed(&error), |()| Answer::Stored);
        match request {
            Request::Serving { record, link } => {
                // A server that sends a new record later does not repeat the link.
                self.link = Some(link).filter(|link| !link.is_empty()).or(self.link.take());
                answer(to_answer(self.store_record(record, descriptors)), &[])
            }
            Request::NextSession { after } => answer(self.next_session(after), &[]),
            Request::GetResources { session } => match self.sessions.get(&session) {
                Some(resources) => resources
                    .with_descriptors(|descriptors| answer(resources.answer(), descriptors))
                    .or_else(|error| answer(Answer::failed(&error), &[])),
                None => answer(Answer::NoSession, &[]),
            },
            Request::Start { session, program, size, tail, record } => {
                let store_slot = FdStoreSlot::new(self.store, Some(session.clone()));
                let program = program.into_program(self.nofile);
                let started =
                    SessionResources::start(session, record, store_slot, &program, &self.login, size, tail);
                match started {
                    Ok(resources) => self
                        .register(resources, |pid, descriptors| answer(Answer::Started { pid }, descriptors)),
                    Err(error) => Err(error),
                }
                .or_else(|error| answer(Answer::NotStarted(error.into()), &[]))
            }
            Request::Reap { session } => {
                let exit = self.sessions.get_mut(&session).and_then(SessionResources::reap);
                answer(Answer::Reaped { exit }, &[])
            }
            Request::Record { session, record } => {
                self.sessions.get_mut(&session).map_or(Ok(()), |resources| resources.set_record(record))
            }
            Request::Checkpoint { session } => {
                answer(to_answer(self.store_checkpoint(&session, descriptors)), &[])
            }
            Request::Forget { session } => {
                self.forget(&session);
                Ok(())
            }
            Request::Hello { .. } | Request::End | Request::Progress | Request::Answered => Ok(()),
        }
    }

    /// Registers a session that has been started, and passes it to the server. If that fails, the
    /// program is killed.
    fn register(
        &mut self,
        mut resources: SessionResources,
        pass: impl FnOnce(i32, &[BorrowedFd<'_>]) -> io::Result<()>,
    ) -> Result<(), SpawnError> {
        let (session, pid) = (resources.session().clone(), resources.pid());
        let passed =
            resources.store().and_then(|()| resources.with_descriptors(|descriptors| pass(pid, descriptors)));
        self.sessions.insert(session.clone(), resources);
        passed.map_err(|error| {
            self.forget(&session);
            SpawnError::opening(error)
        })
    }

    fn next_session(&self, after: Option<SessionId>) -> Answer {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let next = self.sessions.range((from, Bound::Unbounded)).next();
        next.map_or(Answer::NoSession, |(_, resources)| Answer::Session(resources.report()))
    }

    fn store_checkpoint(&mut self, session: &SessionId, mut descriptors: Descriptors) -> io::Result<()> {
        let checkpoint = descriptors.next()?;
        if let Some(resources) = self.sessions.get_mut(session) {
            resources.set_checkpoint(checkpoint);
        }
        Ok(())
    }

    fn store_record(&mut self, record: String, mut descriptors: Descriptors) -> io::Result<()> {
        // Every server uses the same listener, and a store does not accept a descriptor again under
        // another name.
        if self.listener.is_none() {
            let listener = descriptors.next()?;
            self.store_slot.put(Part::Listener, listener.as_fd());
            self.listener = Some(listener);
        }
        self.store_slot.put_text(Part::Record, &record)?;
        self.record = Some(record);
        Ok(())
    }

    fn forget(&mut self, session: &SessionId) {
        let Some(process) = self.sessions.remove(session).and_then(SessionResources::forget) else { return };
        let pidfd = process.pidfd().inspect_err(|error| {
            tracing::warn!(?process, %error, "could not watch a program that was killed; it is reaped later");
        });
        self.dying.push(Dying { pidfd: pidfd.ok(), process });
    }

    /// Returns descriptors that become readable when a program that was killed has ended.
    pub(super) fn dying_pidfds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
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
        let leaders: Vec<Pid> = self.sessions.values().filter_map(SessionResources::leader).collect();
        if !leaders.is_empty() {
            match Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime.block_on(process_session::end(&leaders)),
                Err(error) => {
                    tracing::error!(%error, "could not end programs gracefully; killing them");
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
        self.store_slot.clear();
    }
}

/// Answers a request. If this fails because the descriptors cannot be passed, the caller answers
/// without any.
fn send_answer(
    (server, number): (BorrowedFd<'_>, u64),
    answer: Answer,
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    socket::send_with_retries(server, &Envelope { number, body: KeeperMessage::Answer(answer) }, descriptors)
}
