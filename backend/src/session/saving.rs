//! Stores on disk what is needed to start sessions again after a reboot.
//!
//! A single task writes a moment after something has changed, and once more before the server ends.
//! While nothing changes it sleeps.

use std::{collections::BTreeSet, io, sync::Arc, time::Duration};

use limpet_shared::{ExitStatus, SessionId};
use limpet_sys::{
    background,
    exhausted::{self, ResourceKind},
};
use nix::libc::{SIGHUP, SIGKILL, SIGTERM};
use tokio::{sync::Notify, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{SessionHandle, Sessions};
use crate::session_files::StateDir;

/// Maximum delay between a change and its storage: changes of that time are lost if
/// the machine crashes.
const SAVE_DELAY: Duration = Duration::from_secs(3);

/// The directory for sessions, and the extent to which they are saved.
#[derive(Clone, Debug)]
pub(crate) struct SessionSaver {
    pub(crate) dir: Arc<StateDir>,
    /// Set if the contents of screens, which may be secret, are saved as well.
    pub(crate) with_output: bool,
}

impl SessionSaver {
    /// Saves changes until the server ends.
    pub(super) async fn run(
        self,
        sessions: Sessions,
        unsaved: Arc<Notify>,
        (shutdown, saved): (CancellationToken, CancellationToken),
    ) {
        let mut failed = false;
        let _done = saved.drop_guard();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = unsaved.notified() => tokio::select! {
                    () = shutdown.cancelled() => {}
                    () = sleep(SAVE_DELAY) => {}
                },
            }
            let is_last = shutdown.is_cancelled();
            match self.save(&sessions.list()).await {
                Ok(()) => failed = false,
                // One message is enough, since saving is tried again and again.
                Err(error) if !failed => {
                    failed = true;
                    let error = exhausted::describe_any(&error, ResourceKind::DiskSpace);
                    tracing::error!(
                        error,
                        "could not write to --state-dir; recent changes to sessions are not saved"
                    );
                }
                Err(_) => {}
            }
            if is_last {
                break;
            }
        }
    }

    async fn save(&self, sessions: &[SessionHandle]) -> io::Result<()> {
        let lasting: Vec<&SessionHandle> =
            sessions.iter().filter(|session| is_to_be_restored(session)).collect();
        let mut result = Ok(());
        for session in &lasting {
            if session.take_unsaved() {
                let saved = self.save_one(session).await;
                if saved.is_err() {
                    session.mark_unsaved();
                }
                result = result.and(saved);
            }
        }
        let names: BTreeSet<SessionId> = lasting.iter().map(|session| session.id().clone()).collect();
        let dir = Arc::clone(&self.dir);
        result.and(in_background(move || dir.remove_others(&names)).await)
    }

    async fn save_one(&self, session: &SessionHandle) -> io::Result<()> {
        let screen = if self.with_output { session.snapshot_output().await } else { Vec::new() };
        let (dir, session) = (Arc::clone(&self.dir), session.clone());
        in_background(move || dir.write(session.id(), &session.to_saved(), &screen)).await
    }
}

/// Reports whether a session is to be started again. A session whose program has ended by itself is
/// over. A session whose program was killed by a signal that is sent at shutdown is not.
fn is_to_be_restored(session: &SessionHandle) -> bool {
    matches!(session.exit(), None | Some(ExitStatus::Signal(SIGHUP | SIGTERM | SIGKILL)))
}

async fn in_background(work: impl FnOnce() -> io::Result<()> + Send + 'static) -> io::Result<()> {
    background::run(work).await?
}
