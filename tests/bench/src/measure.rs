//! The measurements. Every part measures the servers in turns, round by round, so that a
//! disturbance affects all of them.

pub(crate) mod echo;
pub(crate) mod interrupt;
pub(crate) mod output;
pub(crate) mod page;
pub(crate) mod weight;

use std::time::Duration;

use tokio::time::sleep;

use crate::{
    figures::Recorder,
    peers::{Endpoint, Peer, Process},
    proc::ResourcesUsed,
    stage::Workload,
};

/// The amount of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Amount {
    /// Enough for meaningful figures.
    Full,
    /// Just enough to show that figures come out.
    Quick,
}

impl Amount {
    pub(crate) const fn pick<T: Copy>(self, full: T, quick: T) -> T {
        match self {
            Self::Full => full,
            Self::Quick => quick,
        }
    }
}

/// The state that all measurements share.
pub(crate) struct Bench {
    pub(crate) amount: Amount,
    /// Substring of the names of selected scenes.
    pub(crate) scene: String,
    pub(crate) workload: Workload,
    pub(crate) limpet: Peer,
    pub(crate) reader: Peer,
    pub(crate) relay: Peer,
    /// The floor for latency.
    pub(crate) lean: Peer,
    /// Other servers to compare with.
    pub(crate) peers: Vec<Peer>,
    /// Runtime on a separate thread for viewers that are not timed, so that timed viewers do not
    /// wait for them.
    pub(crate) crowd: tokio::runtime::Handle,
    /// The browser, if there is one.
    pub(crate) chromium: Option<std::path::PathBuf>,
    pub(crate) recorder: Recorder,
}

impl Bench {
    /// Returns all servers that viewers can watch, the floor first.
    pub(crate) fn servers(&self) -> Vec<Peer> {
        [&[self.relay.clone(), self.limpet.clone()], &self.peers[..]].concat()
    }

    /// Reports whether a scene is selected, and announces it if so.
    pub(crate) fn announce_if_selected(&self, scene: &str, rounds: usize) -> bool {
        let is_wanted = scene.contains(&self.scene);
        if is_wanted {
            crate::report_progress(&format!("{scene}, {rounds} rounds"));
        }
        is_wanted
    }

    /// Returns the result of a server. A failure is recorded and does not stop the measurements of
    /// others.
    pub(crate) fn accept<T>(&mut self, scene: &str, peer: &Peer, result: anyhow::Result<T>) -> Option<T> {
        match result {
            Ok(given) => Some(given),
            Err(error) => {
                self.recorder.record_failure(scene, &peer.name, &error);
                None
            }
        }
    }
}

/// Returns the resources that a server's processes have used so far.
pub(crate) fn resource_usage(processes: &[Process]) -> Vec<ResourcesUsed> {
    processes.iter().map(|process| ResourcesUsed::by(process.pid)).collect()
}

/// Like [`resource_usage`], once the processes are idle: deferred work counts as well.
pub(crate) async fn resource_usage_when_idle(processes: &[Process]) -> Vec<ResourcesUsed> {
    const MAX_POLLS: usize = 200;
    let mut last = resource_usage(processes);
    for _ in 0..MAX_POLLS {
        sleep(Duration::from_millis(20)).await;
        let now = resource_usage(processes);
        let spent: f64 = now.iter().zip(&last).map(|(now, last)| now.cpu - last.cpu).sum();
        last = now;
        if spent < 2e-4 {
            break;
        }
    }
    last
}

/// Opens a session that runs the workload's program, and attaches a viewer to it.
pub(crate) async fn open_ready_session(
    server: &Endpoint,
    follow: crate::peers::Follow,
) -> anyhow::Result<(crate::peers::Session, crate::viewer::Viewer)> {
    let session = server.open().await?;
    let mut viewer = server.attach(&session, follow).await?;
    viewer.until_within(crate::stage::READY_MARK).await?;
    Ok((session, viewer))
}
