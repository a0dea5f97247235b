//! What is measured. Every part takes servers in turns, round by round, so that what disturbs one disturbs all.

pub(crate) mod echo;
pub(crate) mod interrupt;
pub(crate) mod output;
pub(crate) mod page;
pub(crate) mod weight;

use std::time::Duration;

use tokio::time::sleep;

use crate::{
    figures::Book,
    peers::{Endpoint, Peer, Process},
    proc::Used,
    stage::Stage,
};

/// How much is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Enough for figures that mean something.
    Full,
    /// Enough to see that figures come out.
    Quick,
}

impl Extent {
    pub(crate) const fn pick<T: Copy>(self, full: T, quick: T) -> T {
        match self {
            Self::Full => full,
            Self::Quick => quick,
        }
    }
}

/// What every part of the measuring has at hand.
pub(crate) struct Bench {
    pub(crate) extent: Extent,
    /// What is in the names of the scenes that are wanted.
    pub(crate) scene: String,
    pub(crate) stage: Stage,
    pub(crate) limpet: Peer,
    pub(crate) reader: Peer,
    pub(crate) relay: Peer,
    /// The floor for latency.
    pub(crate) lean: Peer,
    /// Others to be measured with it.
    pub(crate) peers: Vec<Peer>,
    /// A thread of its own for viewers that are not timed, so that those who are do not wait for them.
    pub(crate) crowd: tokio::runtime::Handle,
    /// The browser, if there is one.
    pub(crate) chromium: Option<std::path::PathBuf>,
    pub(crate) book: Book,
}

impl Bench {
    /// All that serve viewers, the floor first.
    pub(crate) fn servers(&self) -> Vec<Peer> {
        [&[self.relay.clone(), self.limpet.clone()], &self.peers[..]].concat()
    }

    /// Whether a scene is wanted. Who waits is told that it begins.
    pub(crate) fn begins(&self, scene: &str, rounds: usize) -> bool {
        let is_wanted = scene.contains(&self.scene);
        if is_wanted {
            crate::say(&format!("{scene}, {rounds} rounds"));
        }
        is_wanted
    }

    /// What a server gave. That it gave nothing is noted, and no reason to lose what others give.
    pub(crate) fn accept<T>(&mut self, scene: &str, peer: &Peer, result: anyhow::Result<T>) -> Option<T> {
        match result {
            Ok(given) => Some(given),
            Err(error) => {
                self.book.fail(scene, &peer.name, &error);
                None
            }
        }
    }
}

/// What the processes of a server have used so far.
pub(crate) fn used(processes: &[Process]) -> Vec<Used> {
    processes.iter().map(|process| Used::by(process.pid)).collect()
}

/// The same when they have nothing left to do: what is put off to a quiet moment counts as well.
pub(crate) async fn used_when_quiet(processes: &[Process]) -> Vec<Used> {
    const LOOKS: usize = 200;
    let mut last = used(processes);
    for _ in 0..LOOKS {
        sleep(Duration::from_millis(20)).await;
        let now = used(processes);
        let spent: f64 = now.iter().zip(&last).map(|(now, last)| now.cpu - last.cpu).sum();
        last = now;
        if spent < 2e-4 {
            break;
        }
    }
    last
}

/// A session with the program of the stage ready in it, and somebody who watches.
pub(crate) async fn ready(
    server: &Endpoint,
    follow: crate::peers::Follow,
) -> anyhow::Result<(crate::peers::Session, crate::viewer::Viewer)> {
    let session = server.open().await?;
    let mut viewer = server.attach(&session, follow).await?;
    viewer.until_within(crate::stage::READY).await?;
    Ok((session, viewer))
}
