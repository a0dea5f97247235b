//! Output: its rate, and what it costs the server.

use std::time::Instant;

use anyhow::{Context, bail};
use tokio::task::JoinSet;

use super::{Amount, Bench, open_ready_session, resource_usage, resource_usage_when_idle};
use crate::{
    figures::Unit,
    floor::Floor,
    noise::NoiseMeter,
    peers::{Endpoint, Follow, Kind, Peer, Process},
    proc::ResourcesUsed,
    report_progress,
    stage::{END_MARK, PrintCommand, Text},
    stats::float,
    viewer::{ReadSpeed, Viewer},
};

/// The sessions and viewers of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Audience {
    sessions: usize,
    /// Viewers of each session that read everything they get.
    viewers: usize,
    /// Additional viewers of each session that read one megabyte per second.
    slow: usize,
}

impl Audience {
    const ONE: Self = Self { sessions: 1, viewers: 1, slow: 0 };

    fn name(self) -> String {
        let Self { sessions, viewers, slow } = self;
        match slow {
            0 => format!("{sessions}x{viewers}"),
            slow => format!("{sessions}x{viewers}+{slow}"),
        }
    }
}

const SLOW_SPEED: ReadSpeed = ReadSpeed::BytesPerSecond(1e6);

/// Returns the scene of one kind of text for one audience.
fn scene(text: Text, audience: Audience) -> String {
    format!("output {} {}", text.name(), audience.name())
}

/// Measures all texts and audiences.
pub(crate) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    measure_generator(bench).await?;
    let rounds = bench.amount.pick(5, 2);
    for text in Text::ALL {
        run_rounds(bench, text, &[Audience::ONE], rounds).await?;
    }
    let many = |sessions| Audience { sessions, viewers: 1, slow: 0 };
    let watched = |viewers, slow| Audience { sessions: 1, viewers, slow };
    let texts: &[Text] =
        if bench.amount == Amount::Full { &[Text::Lines, Text::Coloured] } else { &[Text::Lines] };
    for &text in texts {
        run_rounds(bench, text, &[many(4), many(16)], bench.amount.pick(3, 2)).await?;
        // The single viewer is measured again: the costs of further viewers are compared with it in
        // the same round.
        let audiences = [Audience::ONE, watched(4, 0), watched(16, 0), watched(1, 3)];
        run_rounds(bench, text, &audiences, bench.amount.pick(3, 2)).await?;
        record_further_viewers(bench, text);
    }
    Ok(())
}

/// Measures the load generator itself, with a server that does no other work.
async fn measure_generator(bench: &mut Bench) -> anyhow::Result<()> {
    const SCENE: &str = "load generator";
    let source = Peer::floor(Floor::Source)?;
    let bytes = bench.amount.pick(1_000_000_000, 20_000_000);
    report_progress(SCENE);
    for _ in 0..bench.amount.pick(5, 2) {
        let server = source.start(&[], &[]).await?;
        let mut viewer = server.endpoint.attach(&server.endpoint.open().await?, Follow::All).await?;
        let (meter, before, start) =
            (NoiseMeter::start(), ResourcesUsed::by(std::process::id()), Instant::now());
        viewer.send_command(&bytes.to_string()).await?;
        viewer.until_end(END_MARK).await?;
        let seconds = start.elapsed().as_secs_f64();
        let cpu = ResourcesUsed::by(std::process::id()).since(before).cpu;
        bench.recorder.record(
            SCENE,
            "rate",
            "source",
            Unit::MegabytesPerSecond,
            f64::from(bytes) / 1e6 / seconds,
        );
        bench.recorder.record(SCENE, "cpu", "source", Unit::SecondsPerGigabyte, cpu / f64::from(bytes) * 1e9);
        bench.recorder.record_noise(SCENE, "source", meter.stop());
        server.stop().await?;
    }
    Ok(())
}

/// Measures every audience with every server that supports it, round by round.
async fn run_rounds(
    bench: &mut Bench,
    text: Text,
    audiences: &[Audience],
    rounds: usize,
) -> anyhow::Result<()> {
    let servers = [vec![bench.reader.clone()], bench.servers()].concat();
    let command = bench.workload.print_command(text, bench.amount.pick(16_000_000, 600_000))?;
    let is_selected = |audience: &&Audience| bench.announce_if_selected(&scene(text, **audience), rounds);
    let audiences: Vec<_> = audiences.iter().filter(is_selected).copied().collect();
    for _ in 0..rounds {
        for &audience in &audiences {
            let wanted =
                |server: &&Peer| server.kind == Kind::Limpet || audience.viewers + audience.slow == 1;
            for server in servers.iter().filter(wanted) {
                let command = command_per_session(bench, text, &command, audience.sessions)?;
                let done = run_once(bench, server, text, audience, &command).await;
                bench.accept(&scene(text, audience), server, done);
            }
        }
    }
    Ok(())
}

/// Returns what each of several sessions prints, so that together they print as much as one would.
fn command_per_session(
    bench: &Bench,
    text: Text,
    command: &PrintCommand,
    sessions: usize,
) -> anyhow::Result<PrintCommand> {
    if sessions == 1 {
        return Ok(command.clone());
    }
    bench.workload.print_command(text, bench.amount.pick(16_000_000, 640_000) / sessions)
}

async fn run_once(
    bench: &mut Bench,
    peer: &Peer,
    text: Text,
    audience: Audience,
    command: &PrintCommand,
) -> anyhow::Result<()> {
    let scene = scene(text, audience);
    let server = peer.start(&bench.workload.program(), &[]).await?;
    let (mut first, others, slow) = attach_audience(&server.endpoint, audience).await?;
    let processes = server.processes()?;
    let slow: Vec<_> = slow
        .into_iter()
        .map(|mut viewer| bench.crowd.spawn(async move { viewer.read_forever().await }))
        .collect();

    let meter = NoiseMeter::start();
    let before = resource_usage(&processes);
    let own = ResourcesUsed::by(std::process::id());
    let start = Instant::now();
    for viewer in &mut first {
        viewer.send_command(&command.line).await?;
    }
    let viewers = until_end(first, others).await?;
    let seconds = start.elapsed().as_secs_f64();
    let own = ResourcesUsed::by(std::process::id()).since(own);
    slow.iter().for_each(tokio::task::JoinHandle::abort);
    let spent: Vec<ResourcesUsed> = resource_usage_when_idle(&processes)
        .await
        .into_iter()
        .zip(before)
        .map(|(now, before)| now.since(before))
        .collect();
    bench.recorder.record_noise(&scene, &peer.name, meter.stop());
    server.stop().await?;

    if peer.kind != Kind::Floor(Floor::Reader) {
        check_complete(&viewers, command)?;
    }
    let bytes = float(command.bytes * audience.sessions);
    let mut record =
        |metric: &str, unit, value| bench.recorder.record(&scene, metric, &peer.name, unit, value);
    record("rate", Unit::MegabytesPerSecond, bytes / 1e6 / seconds);
    record("cpu", Unit::SecondsPerGigabyte, spent.iter().map(|used| used.cpu).sum::<f64>() / bytes * 1e9);
    for (process, used) in processes.iter().zip(&spent) {
        record_process(&mut record, *process, *used, bytes);
    }
    record("load generator busy", Unit::Percent, own.cpu / seconds * 100.0);
    if peer.kind != Kind::Floor(Floor::Reader) {
        let frames = float(viewers.iter().map(|viewer| viewer.frames).sum::<usize>());
        let taken = float(viewers.iter().map(|viewer| viewer.bytes).sum::<usize>());
        record("frames", Unit::PerMegabyte, frames / taken * 1e6);
        record("frame size", Unit::Bytes, taken / frames);
    }
    Ok(())
}

fn record_process(
    record: &mut impl FnMut(&str, Unit, f64),
    process: Process,
    used: ResourcesUsed,
    bytes: f64,
) {
    record(&format!("cpu of the {}", process.role), Unit::SecondsPerGigabyte, used.cpu / bytes * 1e9);
    record(&format!("switches of the {}", process.role), Unit::PerMegabyte, used.switches / bytes * 1e6);
}

/// Opens all sessions. Returns one viewer of each, the other fast viewers, and the slow ones.
async fn attach_audience(
    server: &Endpoint,
    audience: Audience,
) -> anyhow::Result<(Vec<Viewer>, Vec<Viewer>, Vec<Viewer>)> {
    let (mut first, mut others, mut slow) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..audience.sessions {
        let (session, viewer) = open_ready_session(server, Follow::All).await?;
        first.push(viewer);
        for _ in 1..audience.viewers {
            let mut viewer = server.attach(&session, Follow::All).await?;
            viewer.until_within(crate::stage::READY_MARK).await?;
            others.push(viewer);
        }
        for _ in 0..audience.slow {
            slow.push(server.attach(&session, Follow::Now).await?.with_speed(SLOW_SPEED));
        }
    }
    for viewer in first.iter_mut().chain(&mut others) {
        (viewer.bytes, viewer.frames) = (0, 0);
    }
    Ok((first, others, slow))
}

/// Reads with all viewers at once, each to the end.
async fn until_end(first: Vec<Viewer>, others: Vec<Viewer>) -> anyhow::Result<Vec<Viewer>> {
    let mut reading = JoinSet::new();
    for mut viewer in first.into_iter().chain(others) {
        reading.spawn(async move { viewer.until_end(END_MARK).await.map(|()| viewer) });
    }
    let mut viewers = Vec::new();
    while let Some(viewer) = reading.join_next().await {
        viewers.push(viewer.context("a viewer's task panicked")??);
    }
    Ok(viewers)
}

/// Checks that no viewer has missed output: a server must not look fast by leaving something out.
fn check_complete(viewers: &[Viewer], command: &PrintCommand) -> anyhow::Result<()> {
    for viewer in viewers {
        if viewer.bytes != command.bytes {
            bail!("a viewer got {} bytes of {}", viewer.bytes, command.bytes);
        }
    }
    Ok(())
}

/// Records the cost of each viewer after the first, relative to the first viewer's cost.
fn record_further_viewers(bench: &mut Bench, text: Text) {
    let alone = scene(text, Audience::ONE);
    for viewers in [4, 16] {
        let scene = scene(text, Audience { sessions: 1, viewers, slow: 0 });
        let one = bench.recorder.values(&alone, "cpu", "limpet").to_vec();
        let many = bench.recorder.values(&scene, "cpu", "limpet").to_vec();
        // The first viewer's newest values are from the same rounds as the others'.
        for (one, many) in one.iter().rev().zip(many.into_iter().rev()) {
            let added = (many - one) / one / float(viewers - 1);
            bench.recorder.record(&scene, "each further viewer", "limpet", Unit::Percent, added * 100.0);
        }
    }
}
