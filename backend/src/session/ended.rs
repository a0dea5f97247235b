//! A session whose program has ended. Its state and its final screen can still be looked at.

use std::{pin::pin, sync::Arc};

use limpet_shared::{ExitStatus, Hello};

use super::{
    AttachingViewer, Attachment, AttachmentStart,
    attach::{ResumePoint, ViewerSnapshot, start_attachment},
    display::FinalScreen,
    flow::{Claim, FlowClass},
    request::{AttachRequest, Request, Requests},
    status_publisher::StatusPublisher,
};

/// The owner of what an ended session leaves.
#[derive(Debug)]
pub(super) struct EndedSession {
    publisher: StatusPublisher,
    screen: Arc<FinalScreen>,
    requests: Requests,
}

impl EndedSession {
    /// Takes over from the actor, or from an earlier server.
    pub(super) fn new(publisher: StatusPublisher, screen: FinalScreen, requests: Requests) -> Self {
        publisher.publish_title(screen.title());
        Self { publisher, screen: Arc::new(screen), requests }
    }

    /// Publishes how the program ended, and whether that was because an owner closed the session.
    pub(super) fn publish_exit(&self, exit: ExitStatus, closed: bool) {
        self.publisher.publish_exit(exit, closed);
    }

    /// Answers requests until `forgotten` completes, and then until no viewer is attached any more.
    /// Snapshots are made one after the other.
    pub(super) async fn serve(mut self, forgotten: impl Future<Output = ()>) {
        let mut forgotten = pin!(forgotten);
        let mut is_forgotten = false;
        while !is_forgotten || self.publisher.status().viewer_count() > 0 {
            tokio::select! {
                biased;
                () = &mut forgotten, if !is_forgotten => is_forgotten = true,
                () = self.publisher.session.shared().viewers_changed.notified() => {}
                Some(request) = self.requests.recv() => {
                    self.publisher.remove_departed();
                    self.answer(*request).await;
                }
            }
            self.publisher.remove_departed();
        }
    }

    async fn answer(&self, request: Request) {
        // An error in sending a reply means that the requester is gone.
        match request {
            Request::Attach(attaching) => {
                let AttachRequest { hello, visitor, reply } = *attaching;
                drop(reply.send(self.attach(&hello, visitor).await));
            }
            Request::Snapshot { history, rank, reply } => {
                let shared = self.publisher.session.shared();
                let make_snapshot = async |rows| Arc::clone(&self.screen).snapshot_frames(rows).await;
                let snapshot =
                    ViewerSnapshot::make(&shared.guest_snapshots, rank, history, make_snapshot).await;
                let output = shared.log.reader(snapshot.position, Claim::new(rank, FlowClass::Unpaced));
                drop(reply.send((snapshot, output)));
            }
            Request::Text { reply } => drop(reply.send(Arc::clone(&self.screen).text().await)),
            Request::Update { update, reply } => {
                let size = self.publisher.status().requested_size(&update);
                if size.is_ok() {
                    self.publisher.publish_update(&update);
                    self.publisher.session.mark_unsaved();
                }
                let _ = reply.send(size.map(drop));
            }
            // A primary viewer has nothing to decide any more.
            Request::MakePrimary { reply, .. } => {
                let _ = reply.send(true);
            }
            // There is no program any more that these would matter to.
            Request::Input(_)
            | Request::Resize { .. }
            | Request::Colours(_)
            | Request::OwnOutput(_)
            | Request::End(_) => {}
        }
    }

    async fn attach(&self, hello: &Hello, visitor: AttachingViewer) -> (Attachment, AttachmentStart) {
        let session = &self.publisher.session;
        let resume_point = ResumePoint::of(hello, session);
        let attachment = self.publisher.add_viewer(hello, visitor, resume_point.resumes());
        let make_snapshot = async |rows| Arc::clone(&self.screen).snapshot_frames(rows).await;
        let start = start_attachment(session, (hello, &attachment), resume_point, None, make_snapshot).await;
        (attachment, start)
    }
}
