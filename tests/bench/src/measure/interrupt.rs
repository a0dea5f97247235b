//! Ctrl-C in a flood: the time until the prompt is on the viewer's screen, for different networks.

use std::time::{Duration, Instant};

use anyhow::Context;
use slow_link::{Shape, SlowLink};

use super::{Amount, Bench};
use crate::{
    figures::Unit,
    noise::NoiseMeter,
    peers::{Follow, Kind, Peer},
    viewer::{ReadSpeed, Viewer},
};

/// The network between server and viewer.
#[derive(Clone, Copy, Debug)]
enum Route {
    /// Loopback, with a viewer of this speed.
    Loopback(&'static str, ReadSpeed),
    SlowLink(&'static str, Shape),
}

const fn over_slow_link(name: &'static str, megabits: f64, milliseconds: u64) -> Route {
    Route::SlowLink(name, Shape { megabits, round_trip: Duration::from_millis(milliseconds) })
}

const ROUTES: [Route; 6] = [
    Route::Loopback("interrupt near", ReadSpeed::Full),
    Route::Loopback("interrupt 1 MB/s viewer", ReadSpeed::BytesPerSecond(1e6)),
    over_slow_link("interrupt 1 Mbit/s 30 ms", 1.0, 30),
    over_slow_link("interrupt 1 Mbit/s 300 ms", 1.0, 300),
    over_slow_link("interrupt 10 Mbit/s 30 ms", 10.0, 30),
    over_slow_link("interrupt 10 Mbit/s 300 ms", 10.0, 300),
];

impl Route {
    const fn name(self) -> &'static str {
        match self {
            Self::Loopback(name, _) | Self::SlowLink(name, _) => name,
        }
    }

    /// Reports whether to measure a server on this network. On a slow one, other servers queue up
    /// half a minute of output, so they run once in a full benchmark and never in a quick one.
    fn is_measured(self, round: usize, kind: Kind, amount: Amount) -> bool {
        matches!(self, Self::Loopback(_, ReadSpeed::Full))
            || kind == Kind::Limpet
            || round == 0 && amount == Amount::Full
    }

    fn round_trip(self) -> Duration {
        match self {
            Self::Loopback(..) => Duration::ZERO,
            Self::SlowLink(_, shape) => shape.round_trip,
        }
    }
}

/// Script for a shell whose prompt counts: `\#` is the number of the command, and the typed text
/// contains no such prompt.
const SHELL: &str = "stty echo; PS1='=P\\#=' exec bash --norc --noprofile";

/// Duration of a flood before it is interrupted, long enough to fill every buffer.
const FLOOD_DURATION: Duration = Duration::from_secs(3);

/// Measures all networks.
pub(crate) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    let routes = &ROUTES[..bench.amount.pick(ROUTES.len(), 3)];
    let rounds = bench.amount.pick(5, 1);
    for &route in routes {
        if !bench.announce_if_selected(route.name(), rounds) {
            continue;
        }
        for round in 0..rounds {
            for server in bench.servers() {
                if !route.is_measured(round, server.kind, bench.amount) {
                    continue;
                }
                let done = run_once(bench, &server, route).await;
                bench.accept(route.name(), &server, done);
            }
        }
    }
    Ok(())
}

async fn run_once(bench: &mut Bench, peer: &Peer, route: Route) -> anyhow::Result<()> {
    let server = peer.start(&bench.workload.program(), &[]).await?;
    let endpoint = &server.endpoint;
    let session = endpoint.open().await?;
    // Where a server offers the choice, the viewer follows the newest screen, as a person's page
    // does.
    let (_link, mut viewer) = match route {
        Route::Loopback(_, speed) => (None, endpoint.attach(&session, Follow::Now).await?.with_speed(speed)),
        Route::SlowLink(_, shape) => {
            let link = SlowLink::to(&endpoint.address, shape).await?;
            let viewer = endpoint.attach_at(link.address(), &session, Follow::Now).await?;
            (Some(link), viewer)
        }
    };
    viewer.until_within(crate::stage::READY_MARK).await?;
    let meter = NoiseMeter::start();
    let seconds = time_interrupt(&mut viewer, bench.amount.pick(FLOOD_DURATION, FLOOD_DURATION / 3)).await?;
    bench.recorder.record_noise(route.name(), &peer.name, meter.stop());
    server.stop().await?;
    let mut record =
        |metric, value| bench.recorder.record(route.name(), metric, &peer.name, Unit::Milliseconds, value);
    record("until the prompt", seconds * 1e3);
    record("beyond the round trip", (seconds - route.round_trip().as_secs_f64()) * 1e3);
    Ok(())
}

/// Returns the time from Ctrl-C to the prompt, in seconds.
async fn time_interrupt(viewer: &mut Viewer, flood: Duration) -> anyhow::Result<f64> {
    viewer.send_command(SHELL).await?;
    viewer.until_within(b"=P1=").await?;
    viewer.send_command("yes").await?;
    viewer.until_within(b"y\r\ny\r\ny\r\n").await?;
    let flooded = Instant::now();
    while flooded.elapsed() < flood {
        viewer.next_output().await?.context("the connection ended in a flood")?;
    }
    let start = Instant::now();
    viewer.type_in(b"\x03").await?;
    viewer.until_within(b"=P2=").await?;
    Ok(start.elapsed().as_secs_f64())
}
