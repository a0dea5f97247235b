//! The keeper's part that is the same in a process and on a thread: it carries out orders.

use std::{
    collections::BTreeMap,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    process::Child,
};

use limpet_shared::SessionId;

use super::{
    kept::Keep,
    socket,
    wire::{Answer, FORMAT, Numbered, Order, Report},
};
use crate::pty::sys::pidfd_open;

/// All that outlives a server.
#[derive(Debug, Default)]
pub(super) struct Keeper {
    sessions: BTreeMap<SessionId, Keep>,
    /// What the server wants the next one to know, and where it listens.
    record: Option<String>,
    listener: Option<OwnedFd>,
    /// Programs that were killed, each with its pidfd.
    dying: Vec<(OwnedFd, Child)>,
    /// The limits of open files that programs start with.
    nofile: Option<(u64, u64)>,
}

impl Keeper {
    pub(super) fn new(nofile: Option<(u64, u64)>) -> Self {
        Self { nofile, ..Self::default() }
    }

    /// Whether there is anything that a next server could go on with.
    pub(super) fn has_served(&self) -> bool {
        self.record.is_some()
    }

    pub(super) fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Tells a new server all that is kept.
    pub(super) fn welcome(&self, number: u64, server: BorrowedFd<'_>) -> io::Result<()> {
        for (session, keep) in &self.sessions {
            keep.tell(session, server)?;
        }
        let descriptors: Vec<BorrowedFd<'_>> = self.listener.iter().map(AsFd::as_fd).collect();
        let answer = Answer::Welcome { format: FORMAT, record: self.record.clone() };
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
            Order::Serving { record } => {
                self.record = Some(record);
                self.listener = descriptors.into_iter().next().or_else(|| self.listener.take());
                answer(Answer::Kept, &[])?;
            }
            Order::Start { session, program, size, tail } => {
                match Keep::start(&program.into_program(self.nofile), size, tail) {
                    Ok(keep) => {
                        let pid = keep.pid();
                        keep.lend(|descriptors| answer(Answer::Started { pid }, descriptors))?;
                        self.sessions.insert(session, keep);
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
                    keep.record = record;
                }
            }
            Order::Checkpoint { session } => {
                if let Some(keep) = self.sessions.get_mut(&session) {
                    keep.checkpoint = descriptors.into_iter().next();
                }
            }
            Order::Forget { session } => self.forget(&session),
            Order::Hello { .. } | Order::End => {}
        }
        Ok(())
    }

    fn forget(&mut self, session: &SessionId) {
        let Some(child) = self.sessions.remove(session).and_then(Keep::forget) else { return };
        let pid = nix::unistd::Pid::from_raw(child.id().cast_signed());
        match pidfd_open(pid) {
            Ok(pidfd) => self.dying.push((pidfd, child)),
            Err(error) => tracing::error!(%pid, %error, "could not watch a program that was killed"),
        }
    }

    /// Becomes readable when a program that was killed has ended.
    pub(super) fn dying(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.dying.iter().map(|(pidfd, _)| pidfd.as_fd())
    }

    /// Reaps those that have ended.
    pub(super) fn reap_dying(&mut self) {
        self.dying.retain_mut(|(_, child)| matches!(child.try_wait(), Ok(None)));
    }

    /// Ends everything that still runs, and waits until it is over: there is nothing else left to do.
    pub(super) fn end(mut self) {
        while let Some(session) = self.sessions.keys().next().cloned() {
            self.forget(&session);
        }
        for (_, mut child) in self.dying {
            if let Err(error) = child.wait() {
                tracing::error!(pid = child.id(), %error, "could not reap a program");
            }
        }
    }
}
