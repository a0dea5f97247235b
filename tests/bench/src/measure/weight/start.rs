//! A server that has just started, and the rate at which sessions are opened.

use std::{
    fs,
    process::{Child, Command, Stdio},
    time::Instant,
};

use anyhow::Context;
use nix::pty::openpty;
use serde_json::json;

use super::{super::resource_usage_when_idle, Bench, resources_held};
use crate::{figures::Unit, noise::NoiseMeter, peers::Peer, report_progress, stats::float};

const SCENE: &str = "weight at the start";

const MEBIBYTE: f64 = 1_048_576.0;

/// A program that waits for input, and does no more.
const PROGRAM: &str = "cat";

pub(super) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    let rounds = bench.amount.pick(5, 2);
    report_progress(&format!("{SCENE}, {rounds} rounds"));
    for _ in 0..rounds {
        for peer in bench.servers() {
            let done = measure_start(bench, &peer).await;
            bench.accept(SCENE, &peer, done);
        }
    }
    let binary = fs::metadata(bench.limpet.program()).context("could not read the binary's size")?;
    bench.recorder.record(SCENE, "binary", "limpet", Unit::Mebibytes, float(binary.len()) / MEBIBYTE);
    measure_opening(bench, rounds).await
}

async fn measure_start(bench: &mut Bench, peer: &Peer) -> anyhow::Result<()> {
    let start = Instant::now();
    let server = peer.start(&bench.workload.program(), &[]).await?;
    let ready = start.elapsed().as_secs_f64();
    let processes = server.processes()?;
    resource_usage_when_idle(&processes).await;
    let held = resources_held(&processes);
    let mut record = |metric, unit, value| bench.recorder.record(SCENE, metric, &peer.name, unit, value);
    record("ready", Unit::Milliseconds, ready * 1e3);
    record("resident", Unit::Mebibytes, held.resident / MEBIBYTE);
    record("proportional", Unit::Mebibytes, held.proportional / MEBIBYTE);
    record("threads", Unit::Count, held.threads);
    record("descriptors", Unit::Count, held.descriptors);
    server.stop().await
}

/// Measures how fast sessions are opened, and how fast programs can be started on ptys at all.
async fn measure_opening(bench: &mut Bench, rounds: usize) -> anyhow::Result<()> {
    const SCENE: &str = "opening sessions";
    let sessions = bench.amount.pick(500, 20);
    report_progress(&format!("{SCENE}, {rounds} rounds of {sessions}"));
    for _ in 0..rounds {
        let meter = NoiseMeter::start();
        let rate = float(sessions) / time_spawn_loop(sessions)?;
        bench.recorder.record(SCENE, "rate", "spawn loop", Unit::PerSecond, rate);
        bench.recorder.record_noise(SCENE, "spawn loop", meter.stop());

        let server = bench.limpet.start(&bench.workload.program(), MANY_SESSIONS_FLAGS).await?;
        let mut client = server.endpoint.client().await?;
        let (meter, start) = (NoiseMeter::start(), Instant::now());
        for _ in 0..sessions {
            client.open(&json!({ "command": [PROGRAM] })).await?;
        }
        let rate = float(sessions) / start.elapsed().as_secs_f64();
        bench.recorder.record(SCENE, "rate", "limpet", Unit::PerSecond, rate);
        bench.recorder.record_noise(SCENE, "limpet", meter.stop());
        server.stop().await?;
    }
    Ok(())
}

/// Options that allow about as many sessions as there are ptys.
pub(super) const MANY_SESSIONS_FLAGS: &[&str] = &["--max-sessions", "5000"];

/// Opens ptys and starts programs on them in a loop, without a server. Returns the seconds taken.
fn time_spawn_loop(sessions: usize) -> anyhow::Result<f64> {
    let mut kept = Vec::new();
    let start = Instant::now();
    for _ in 0..sessions {
        let pty = openpty(None, None)?;
        let slave = || pty.slave.try_clone().map(Stdio::from);
        let mut command = Command::new(PROGRAM);
        let child: Child = command.stdin(slave()?).stdout(slave()?).stderr(slave()?).spawn()?;
        kept.push((child, pty));
    }
    let seconds = start.elapsed().as_secs_f64();
    for (mut child, _) in kept {
        child.kill()?;
        child.wait()?;
    }
    Ok(seconds)
}
