//! A server that has just started, and the rate at which sessions are opened.

use std::{
    fs,
    process::{Child, Command, Stdio},
    time::Instant,
};

use anyhow::Context;
use nix::pty::openpty;
use serde_json::json;

use super::{super::used_when_quiet, Bench, held};
use crate::{figures::Unit, noise::Listener, peers::Peer, say, stats::float};

const SCENE: &str = "weight at the start";

const MEBIBYTE: f64 = 1_048_576.0;

/// A program that waits for input, and does no more.
const PROGRAM: &str = "cat";

pub(super) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    let rounds = bench.extent.pick(5, 2);
    say(&format!("{SCENE}, {rounds} rounds"));
    for _ in 0..rounds {
        for peer in bench.servers() {
            let done = once(bench, &peer).await;
            bench.accept(SCENE, &peer, done);
        }
    }
    let binary = fs::metadata(bench.limpet.program()).context("the binary is gone")?;
    bench.book.note(SCENE, "binary", "limpet", Unit::Mebibytes, float(binary.len()) / MEBIBYTE);
    opening(bench, rounds).await
}

async fn once(bench: &mut Bench, peer: &Peer) -> anyhow::Result<()> {
    let start = Instant::now();
    let server = peer.start(&bench.stage.program(), &[]).await?;
    let ready = start.elapsed().as_secs_f64();
    let processes = server.processes()?;
    used_when_quiet(&processes).await;
    let held = held(&processes);
    let mut note = |metric, unit, value| bench.book.note(SCENE, metric, &peer.name, unit, value);
    note("ready", Unit::Milliseconds, ready * 1e3);
    note("resident", Unit::Mebibytes, held.resident / MEBIBYTE);
    note("proportional", Unit::Mebibytes, held.proportional / MEBIBYTE);
    note("threads", Unit::Count, held.threads);
    note("descriptors", Unit::Count, held.descriptors);
    server.stop().await
}

/// Measures how fast sessions are opened, and how fast programs can be started on ptys at all.
async fn opening(bench: &mut Bench, rounds: usize) -> anyhow::Result<()> {
    const SCENE: &str = "opening sessions";
    let sessions = bench.extent.pick(500, 20);
    say(&format!("{SCENE}, {rounds} rounds of {sessions}"));
    for _ in 0..rounds {
        let listener = Listener::start();
        let rate = float(sessions) / spawning(sessions)?;
        bench.book.note(SCENE, "rate", "spawn loop", Unit::PerSecond, rate);
        bench.book.heard(SCENE, "spawn loop", listener.stop());

        let server = bench.limpet.start(&bench.stage.program(), MANY).await?;
        let mut client = server.endpoint.client().await?;
        let (listener, start) = (Listener::start(), Instant::now());
        for _ in 0..sessions {
            client.open(&json!({ "command": [PROGRAM] })).await?;
        }
        let rate = float(sessions) / start.elapsed().as_secs_f64();
        bench.book.note(SCENE, "rate", "limpet", Unit::PerSecond, rate);
        bench.book.heard(SCENE, "limpet", listener.stop());
        server.stop().await?;
    }
    Ok(())
}

/// Options that allow about as many sessions as there are ptys.
pub(super) const MANY: &[&str] = &["--max-sessions", "5000"];

/// Opens ptys and starts programs on them in a loop, without a server. Returns the seconds taken.
fn spawning(sessions: usize) -> anyhow::Result<f64> {
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
