//! The one task that owns a session's pty and child.

use std::pin::pin;

use bytes::Bytes;
use limpet_shared::{ExitStatus, InputOffset, ViewerId, Winsize};
use nix::libc::SIGKILL;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep_until},
};

use super::{AttachmentId, Progress, SessionHandle, flow::Flow, input::Input, output::Output};
use crate::{
    log::LogWriter,
    pty::{Child, Pty},
};

/// How many requests may wait for the actor. Senders wait when there are more.
pub(super) const REQUESTS: usize = 32;

/// What others may ask of a session's owner.
#[derive(Debug)]
pub(super) enum Request {
    /// Lets a viewer type, and gives the terminal its size if it brings one.
    Attach {
        viewer: ViewerId,
        attachment: AttachmentId,
        size: Option<Winsize>,
        reply: oneshot::Sender<(InputOffset, watch::Receiver<Progress>)>,
    },
    /// Input, at its offset among the viewer's.
    Input { viewer: ViewerId, attachment: AttachmentId, offset: u64, bytes: Bytes },
    /// A viewer's terminal has this size now.
    Resize { viewer: ViewerId, attachment: AttachmentId, size: Winsize },
    /// End the program and everything on its terminal.
    End,
}

/// All that can happen to a session.
#[derive(Debug)]
enum Event {
    Requested(Request),
    Readable,
    Writable,
    ProgramEnded,
    /// A viewer moved, or patience with them all ran out.
    ViewersMoved,
}

/// Why a session ends.
#[derive(Clone, Copy, Debug)]
enum Cause {
    ProgramEnded,
    Asked,
}

/// Owns the terminal and the program on it.
#[derive(Debug)]
pub(super) struct Actor {
    pty: Pty,
    child: Child,
    output: Output,
    input: Input,
    flow: Flow,
    session: Ending,
    /// Dropped last: its end tells others that everything is over.
    requests: mpsc::Receiver<Request>,
}

impl Actor {
    pub(super) fn new(
        (pty, child): (Pty, Child),
        log: LogWriter,
        requests: mpsc::Receiver<Request>,
        session: SessionHandle,
    ) -> Self {
        let (output, input, flow) = (Output::new(log), Input::default(), Flow::default());
        Self { pty, child, output, input, flow, session: Ending(session), requests }
    }

    /// Serves the session until its program has ended, or shall.
    pub(super) async fn run(mut self) {
        let cause = self.serve().await;
        self.finish(cause).await;
    }

    async fn serve(&mut self) -> Cause {
        loop {
            match self.next_event().await {
                Event::Requested(Request::End) => return Cause::Asked,
                Event::Requested(request) => self.answer(request),
                Event::Readable => {
                    let title = self.output.drain(&self.pty).await;
                    self.session.publish_title(title);
                }
                Event::Writable => self.write_input(),
                Event::ProgramEnded => return Cause::ProgramEnded,
                Event::ViewersMoved => {}
            }
        }
    }

    async fn next_event(&mut self) -> Event {
        let log = self.output.log();
        let held = self.flow.held_until(log.end(), log.fastest(), Instant::now());
        tokio::select! {
            // Requests first: a key must not wait behind a flood.
            biased;
            request = self.requests.recv() => Event::Requested(request.unwrap_or(Request::End)),
            _ = self.child.ended() => Event::ProgramEnded,
            _ = self.pty.writable(), if self.input.front().is_some() => Event::Writable,
            _ = self.pty.readable(), if held.is_none() && !self.output.has_ended() => Event::Readable,
            () = log.consumed(), if held.is_some() => Event::ViewersMoved,
            () = sleep_until(held.unwrap_or_else(Instant::now)), if held.is_some() => Event::ViewersMoved,
        }
    }

    fn answer(&mut self, request: Request) {
        match request {
            Request::Attach { viewer, attachment, size, reply } => {
                if let Some(size) = size {
                    self.resize(size, viewer);
                }
                // An error says that the viewer is gone again.
                let _ = reply.send(self.input.register(viewer, attachment));
            }
            Request::Input { viewer, attachment, offset, bytes } => {
                self.input.take(viewer, attachment, offset, bytes);
                self.session.take_pen(attachment);
                self.write_input();
            }
            Request::Resize { viewer, attachment, size } => {
                self.resize(size, viewer);
                self.session.take_pen(attachment);
            }
            Request::End => {}
        }
    }

    /// Writes as much of the waiting input as the terminal takes.
    fn write_input(&mut self) {
        while let Some(input) = self.input.front() {
            match self.pty.write(input) {
                Ok(0) => return,
                Ok(count) => self.input.written(count),
                Err(error) => {
                    tracing::debug!(%error, "nobody reads the terminal's input any more");
                    self.input.discard();
                }
            }
        }
    }

    fn resize(&mut self, size: Winsize, by: ViewerId) {
        if self.session.size() == size {
            return;
        }
        match self.pty.resize(size) {
            Ok(()) => self.session.publish_size(size, by),
            Err(error) => tracing::warn!(%error, ?size, "could not resize the terminal"),
        }
    }

    /// Ends what has to end, reads the rest, and closes the terminal. Only then is the session's end published.
    async fn finish(self, cause: Cause) {
        let Self { pty, child, mut output, mut input, session, requests, .. } = self;
        let status = match cause {
            Cause::ProgramEnded => child.reap(),
            Cause::Asked => {
                let mut end = pin!(child.end());
                loop {
                    tokio::select! {
                        status = &mut end => break status,
                        // A program that still has something to say must not block on it.
                        _ = pty.readable(), if !output.has_ended() => session.publish_title(output.drain(&pty).await),
                    }
                }
            }
        };
        session.publish_title(output.drain_rest(&pty));
        input.discard();
        drop((pty, output));
        session.publish_exit(status.unwrap_or_else(|error| {
            tracing::error!(%error, "could not reap a program");
            ExitStatus::Signal(SIGKILL)
        }));
        drop(requests);
    }
}

/// Publishes a session's state, and its end even if the actor panics: the program is killed then, by the drop of its
/// [`Child`].
#[derive(Debug)]
struct Ending(SessionHandle);

impl Ending {
    fn size(&self) -> Winsize {
        self.0.shared().status.borrow().size
    }

    fn publish_title(&self, title: Option<String>) {
        if let Some(title) = title {
            self.0.shared().status.send_if_modified(|status| status.set_program_title(title));
        }
    }

    fn publish_size(&self, size: Winsize, by: ViewerId) {
        self.0.shared().status.send_modify(|status| {
            status.size = size;
            status.size_by = Some(by);
        });
    }

    fn take_pen(&self, attachment: AttachmentId) {
        self.0.shared().status.send_if_modified(|status| status.take_pen(attachment));
    }

    fn publish_exit(&self, exit: ExitStatus) {
        self.0.shared().status.send_modify(|status| status.exit = Some(exit));
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if self.0.shared().status.borrow().exit.is_none() {
            self.publish_exit(ExitStatus::Signal(SIGKILL));
        }
    }
}
