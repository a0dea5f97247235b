//! Ctrl-C in a flood: the time until the prompt is on the viewer's screen, for different networks.

use std::time::{Duration, Instant};

use anyhow::Context;
use slow_link::{Shape, SlowLink};

use super::{Bench, Extent};
use crate::{
    figures::Unit,
    noise::Listener,
    peers::{Follow, Kind, Peer},
    viewer::{Pace, Viewer},
};

/// The network between server and viewer.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// Loopback, with a viewer of this speed.
    Near(&'static str, Pace),
    Far(&'static str, Shape),
}

const fn far(name: &'static str, megabits: f64, milliseconds: u64) -> Way {
    Way::Far(name, Shape { megabits, round_trip: Duration::from_millis(milliseconds) })
}

const WAYS: [Way; 6] = [
    Way::Near("interrupt near", Pace::Full),
    Way::Near("interrupt 1 MB/s viewer", Pace::BytesPerSecond(1e6)),
    far("interrupt 1 Mbit/s 30 ms", 1.0, 30),
    far("interrupt 1 Mbit/s 300 ms", 1.0, 300),
    far("interrupt 10 Mbit/s 30 ms", 10.0, 30),
    far("interrupt 10 Mbit/s 300 ms", 10.0, 300),
];

impl Way {
    const fn name(self) -> &'static str {
        match self {
            Self::Near(name, _) | Self::Far(name, _) => name,
        }
    }

    /// Reports whether to measure a server on this network. On a slow one, other servers queue up
    /// half a minute of output, so they run once in a full benchmark and never in a quick one.
    fn is_worth_it(self, round: usize, kind: Kind, extent: Extent) -> bool {
        matches!(self, Self::Near(_, Pace::Full))
            || kind == Kind::Limpet
            || round == 0 && extent == Extent::Full
    }

    fn round_trip(self) -> Duration {
        match self {
            Self::Near(..) => Duration::ZERO,
            Self::Far(_, shape) => shape.round_trip,
        }
    }
}

/// Script for a shell whose prompt counts: `\#` is the number of the command, and the typed text
/// contains no such prompt.
const SHELL: &str = "stty echo; PS1='=P\\#=' exec bash --norc --noprofile";

/// Duration of a flood before it is interrupted, long enough to fill every buffer.
const FLOOD: Duration = Duration::from_secs(3);

/// Measures all networks.
pub(crate) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    let ways = &WAYS[..bench.extent.pick(WAYS.len(), 3)];
    let rounds = bench.extent.pick(5, 1);
    for &way in ways {
        if !bench.begins(way.name(), rounds) {
            continue;
        }
        for round in 0..rounds {
            for server in bench.servers() {
                if !way.is_worth_it(round, server.kind, bench.extent) {
                    continue;
                }
                let done = once(bench, &server, way).await;
                bench.accept(way.name(), &server, done);
            }
        }
    }
    Ok(())
}

async fn once(bench: &mut Bench, peer: &Peer, way: Way) -> anyhow::Result<()> {
    let server = peer.start(&bench.stage.program(), &[]).await?;
    let endpoint = &server.endpoint;
    let session = endpoint.open().await?;
    // Where a server offers the choice, the viewer follows the newest screen, as a person's page
    // does.
    let (_link, mut viewer) = match way {
        Way::Near(_, pace) => (None, endpoint.attach(&session, Follow::Now).await?.paced(pace)),
        Way::Far(_, shape) => {
            let link = SlowLink::to(&endpoint.address, shape).await?;
            let viewer = endpoint.attach_at(link.address(), &session, Follow::Now).await?;
            (Some(link), viewer)
        }
    };
    viewer.until_within(crate::stage::READY).await?;
    let listener = Listener::start();
    let seconds = interrupt(&mut viewer, bench.extent.pick(FLOOD, FLOOD / 3)).await?;
    bench.book.heard(way.name(), &peer.name, listener.stop());
    server.stop().await?;
    let mut note = |metric, value| bench.book.note(way.name(), metric, &peer.name, Unit::Milliseconds, value);
    note("until the prompt", seconds * 1e3);
    note("beyond the round trip", (seconds - way.round_trip().as_secs_f64()) * 1e3);
    Ok(())
}

/// Returns the time from Ctrl-C to the prompt, in seconds.
async fn interrupt(viewer: &mut Viewer, flood: Duration) -> anyhow::Result<f64> {
    viewer.order(SHELL).await?;
    viewer.until_within(b"=P1=").await?;
    viewer.order("yes").await?;
    viewer.until_within(b"y\r\ny\r\ny\r\n").await?;
    let flooded = Instant::now();
    while flooded.elapsed() < flood {
        viewer.piece().await?.context("the connection ended in a flood")?;
    }
    let start = Instant::now();
    viewer.type_in(b"\x03").await?;
    viewer.until_within(b"=P2=").await?;
    Ok(start.elapsed().as_secs_f64())
}
