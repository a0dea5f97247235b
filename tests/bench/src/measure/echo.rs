//! Echo: the time from a key to the program's answer.

use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::{sync::oneshot, task::JoinHandle, time::sleep};

use super::{Amount, Bench, open_ready_session, resource_usage};
use crate::{
    figures::Unit,
    guests::GuestAccess,
    noise::NoiseMeter,
    peers::{Endpoint, Follow, Kind, Peer},
    stats::{float, percentile},
    viewer::Viewer,
};

/// A key that occurs in no flood.
const KEY: u8 = b'K';

/// The load during the measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Load {
    Nothing,
    /// No load, and the kernel echoes: no other program has to run.
    NothingByKernel,
    /// Floods in other sessions, each with a viewer.
    Floods(usize),
    /// A flood in the same session.
    OwnFlood,
}

impl Load {
    fn scene(self) -> String {
        match self {
            Self::Nothing => "echo idle".to_owned(),
            Self::NothingByKernel => "echo idle, by the kernel".to_owned(),
            Self::Floods(1) => "echo beside 1 flood".to_owned(),
            Self::Floods(floods) => format!("echo beside {floods} floods"),
            Self::OwnFlood => "echo in a flood".to_owned(),
        }
    }

    fn program(self) -> &'static str {
        match self {
            Self::NothingByKernel => KERNEL_ECHO,
            Self::OwnFlood => ECHO_IN_FLOOD,
            Self::Nothing | Self::Floods(_) => ECHO,
        }
    }
}

/// Script whose program echoes every key itself, as shells and editors do.
const ECHO: &str = "stty raw; printf '=DO''NE='; exec cat";

/// Script whose terminal echoes every key.
const KERNEL_ECHO: &str = "stty raw echo; printf '=DO''NE='; exec sleep infinity";

/// Script that echoes every key like [`ECHO`], and prints lines for ever.
const ECHO_IN_FLOOD: &str = "stty raw; yes 0123456789012345678901234567890 & printf '=DO''NE='; exec cat";

/// Script that prints lines for ever.
const FLOOD: &str = "exec yes 0123456789012345678901234567890";

/// The scene in which guests behave as badly as possible in another session.
const GUESTS_SCENE: &str = "echo beside 8 guests";

/// Names of the figures without active guests, in that scene.
pub(crate) const WITHOUT_GUESTS: [&str; 2] = ["limpet alone", "lean alone"];

/// Names of the figures in that scene: beside guests, and without them.
const LIMPET: [&str; 2] = ["limpet", WITHOUT_GUESTS[0]];
const LEAN: [&str; 2] = ["lean", WITHOUT_GUESTS[1]];

/// Program of the guests' session: the whole scrollback is full, lines keep coming, and nothing is
/// read. It starts no further processes, which would disturb both sides more than the guests do.
const GUESTS_PROGRAM: &str =
    "seq 11000; exec 3<> <(sleep infinity); while :; do echo $SECONDS of output; read -rt 0.05 <&3; done";

/// Time that the guests run before the measurement, so that their burst allowances are used up.
const GUEST_WARM_UP: Duration = Duration::from_secs(12);

/// Number of turns in which keys are typed with and without guests on one server.
const GUEST_TURNS: usize = 4;

/// Time after the guests continue or stop, before keys are typed.
const GUEST_PAUSE: Duration = Duration::from_millis(300);

/// Measures all scenes.
pub(crate) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    let scenes: &[Load] = match bench.amount {
        Amount::Full => {
            &[Load::Nothing, Load::NothingByKernel, Load::Floods(1), Load::Floods(4), Load::OwnFlood]
        }
        Amount::Quick => &[Load::Nothing, Load::Floods(1)],
    };
    for &load in scenes {
        let keys = match load {
            Load::Nothing | Load::NothingByKernel => bench.amount.pick(2_000, 100),
            _ => bench.amount.pick(400, 30),
        };
        let rounds = bench.amount.pick(5, 2);
        if bench.announce_if_selected(&load.scene(), rounds) {
            run_rounds(bench, load, keys, rounds).await?;
        }
    }
    let rounds = bench.amount.pick(5, 1);
    if bench.announce_if_selected(GUESTS_SCENE, rounds) {
        for _ in 0..rounds {
            let done = measure_beside_guests(bench).await;
            let limpet = bench.limpet.clone();
            bench.accept(GUESTS_SCENE, &limpet, done);
        }
    }
    Ok(())
}

/// Types keys in one session while eight guests behave as badly as possible in another session of
/// the same server, and while the same guests stand still. The two alternate, so that a machine
/// that becomes slower meanwhile slows both. The same keys go to the floor, which shares nothing
/// with the guests but the machine: it is slowed as much as any other program.
async fn measure_beside_guests(bench: &mut Bench) -> anyhow::Result<()> {
    let keys = bench.amount.pick(500, 30);
    let warm_up = bench.amount.pick(GUEST_WARM_UP, Duration::from_secs(1));
    let program = bench.workload.program();
    let (server, floor) = (bench.limpet.start(&program, &[]).await?, bench.lean.start(&program, &[]).await?);
    let mut client = server.endpoint.client().await?;
    let what = serde_json::json!({ "command": ["bash", "-c", GUESTS_PROGRAM] });
    let session = client.open(&what).await?;
    let passes = client.passes(&session).await?;
    let mut typists = Vec::new();
    for (endpoint, name) in [(&server.endpoint, LIMPET), (&floor.endpoint, LEAN)] {
        let (session, mut viewer) = open_ready_session(endpoint, Follow::All).await?;
        viewer.send_command(ECHO).await?;
        viewer.until_within(crate::stage::END_MARK).await?;
        typists.push((session, viewer, name, [Vec::new(), Vec::new()]));
    }
    let guests = GuestAccess::new(&server.endpoint.address, &session, passes).spawn()?;
    sleep(warm_up).await;
    for turn in 0..GUEST_TURNS {
        // The order alternates from turn to turn.
        for is_alone in [turn % 2 == 0, turn % 2 != 0] {
            guests.set_paused(is_alone)?;
            sleep(GUEST_PAUSE).await;
            for (_, viewer, names, times) in &mut typists {
                let meter = NoiseMeter::start();
                times[usize::from(is_alone)].extend(time_echoes(viewer, keys).await?);
                bench.recorder.record_noise(GUESTS_SCENE, names[usize::from(is_alone)], meter.stop());
            }
        }
    }
    for (_, _, names, times) in typists {
        for (name, times) in names.into_iter().zip(times) {
            record_percentiles(bench, GUESTS_SCENE, name, times);
        }
    }
    drop(guests);
    server.stop().await?;
    floor.stop().await
}

async fn run_rounds(bench: &mut Bench, load: Load, keys: usize, rounds: usize) -> anyhow::Result<()> {
    let servers = [vec![bench.lean.clone()], bench.servers()].concat();
    let mut all = vec![Vec::new(); servers.len()];
    for _ in 0..rounds {
        for (server, all) in servers.iter().zip(&mut all) {
            let times = run_once(bench, server, load, keys).await;
            all.extend(bench.accept(&load.scene(), server, times).unwrap_or_default());
        }
    }
    // The rarest delays only show in all runs together.
    for (server, mut all) in servers.iter().zip(all) {
        all.sort_by(f64::total_cmp);
        if let Some(value) = percentile(&all, 0.999) {
            bench.recorder.record(&load.scene(), "p99.9 of all", &server.name, Unit::Microseconds, value);
        }
    }
    Ok(())
}

async fn run_once(bench: &mut Bench, peer: &Peer, load: Load, keys: usize) -> anyhow::Result<Vec<f64>> {
    let program = bench.workload.program();
    let server = peer.start(&program, &[]).await?;
    // A floor has one process per session, so the floods run in another instance: they affect the
    // measured one only as load on the machine.
    let flooding = match peer.kind {
        Kind::Floor(_) => Some(peer.start(&program, &[]).await?),
        _ => None,
    };
    let floods = start_floods(bench, &flooding.as_ref().unwrap_or(&server).endpoint, load).await?;
    let (_session, mut viewer) = open_ready_session(&server.endpoint, Follow::All).await?;
    viewer.send_command(load.program()).await?;
    viewer.until_within(crate::stage::END_MARK).await?;

    let meter = NoiseMeter::start();
    let processes = server.processes()?;
    let before = resource_usage(&processes);
    let times = time_echoes(&mut viewer, keys).await?;
    let cpu: f64 =
        resource_usage(&processes).iter().zip(&before).map(|(now, before)| now.since(*before).cpu).sum();
    bench.recorder.record_noise(&load.scene(), &peer.name, meter.stop());
    // Beside floods, the time includes theirs.
    if !matches!(load, Load::Floods(_) | Load::OwnFlood) {
        let per_key = cpu * 1e6 / float(keys);
        bench.recorder.record(&load.scene(), "CPU per key", &peer.name, Unit::Microseconds, per_key);
    }
    floods.iter().for_each(JoinHandle::abort);
    server.stop().await?;
    if let Some(flooding) = flooding {
        flooding.stop().await?;
    }

    record_percentiles(bench, &load.scene(), &peer.name, times.clone());
    Ok(times)
}

fn record_percentiles(bench: &mut Bench, scene: &str, server: &str, mut times: Vec<f64>) {
    times.sort_by(f64::total_cmp);
    for (name, share) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)] {
        if let Some(value) = percentile(&times, share) {
            bench.recorder.record(scene, name, server, Unit::Microseconds, value);
        }
    }
}

/// Starts floods, and waits until each of them runs.
async fn start_floods(
    bench: &Bench,
    server: &Endpoint,
    load: Load,
) -> anyhow::Result<Vec<JoinHandle<anyhow::Result<()>>>> {
    let Load::Floods(count) = load else { return Ok(Vec::new()) };
    let mut floods = Vec::new();
    for _ in 0..count {
        let server = server.clone();
        let (tell, runs) = oneshot::channel();
        floods.push(bench.crowd.spawn(async move {
            let (_session, mut viewer) = open_ready_session(&server, Follow::All).await?;
            viewer.send_command(FLOOD).await?;
            viewer.until_within(b"0123456789").await?;
            // The receiver is gone if it has given up waiting.
            let _ = tell.send(());
            viewer.read_forever().await
        }));
        runs.await.context("a flood did not start")?;
    }
    Ok(floods)
}

/// Time between an echo and the next key. A person who types leaves the server more time than that
/// for the work after an echo, such as the viewer's acknowledgement.
const KEY_DELAY: Duration = Duration::from_millis(1);

/// Types keys, each a moment after the echo of the last one, and returns the times in microseconds.
async fn time_echoes(viewer: &mut Viewer, keys: usize) -> anyhow::Result<Vec<f64>> {
    let mut times = Vec::with_capacity(keys);
    for _ in 0..keys {
        let start = Instant::now();
        viewer.type_in(&[KEY]).await?;
        viewer.until_byte(KEY).await?;
        times.push(start.elapsed().as_secs_f64() * 1e6);
        viewer.acknowledge().await?;
        sleep(KEY_DELAY).await;
    }
    Ok(times)
}
