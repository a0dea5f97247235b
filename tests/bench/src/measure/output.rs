//! Output: its rate, and what it costs the server.

use std::time::Instant;

use anyhow::{Context, bail};
use tokio::task::JoinSet;

use super::{Bench, Extent, ready, used, used_when_quiet};
use crate::{
    figures::Unit,
    floor::Floor,
    noise::Listener,
    peers::{Endpoint, Follow, Kind, Peer, Process},
    proc::Used,
    say,
    stage::{END, Piece, Text},
    stats::float,
    viewer::{Pace, Viewer},
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

const SLOW: Pace = Pace::BytesPerSecond(1e6);

/// Returns the scene of one kind of text for one audience.
fn scene(text: Text, audience: Audience) -> String {
    format!("output {} {}", text.name(), audience.name())
}

/// Measures all texts and audiences.
pub(crate) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    generator(bench).await?;
    let rounds = bench.extent.pick(5, 2);
    for text in Text::ALL {
        turns(bench, text, &[Audience::ONE], rounds).await?;
    }
    let many = |sessions| Audience { sessions, viewers: 1, slow: 0 };
    let watched = |viewers, slow| Audience { sessions: 1, viewers, slow };
    let texts: &[Text] =
        if bench.extent == Extent::Full { &[Text::Lines, Text::Coloured] } else { &[Text::Lines] };
    for &text in texts {
        turns(bench, text, &[many(4), many(16)], bench.extent.pick(3, 2)).await?;
        // The single viewer is measured again: the costs of further viewers are compared with it in
        // the same round.
        let audiences = [Audience::ONE, watched(4, 0), watched(16, 0), watched(1, 3)];
        turns(bench, text, &audiences, bench.extent.pick(3, 2)).await?;
        further_viewers(bench, text);
    }
    Ok(())
}

/// Measures the load generator itself, with a server that does no other work.
async fn generator(bench: &mut Bench) -> anyhow::Result<()> {
    const SCENE: &str = "load generator";
    let source = Peer::floor(Floor::Source)?;
    let bytes = bench.extent.pick(1_000_000_000, 20_000_000);
    say(SCENE);
    for _ in 0..bench.extent.pick(5, 2) {
        let server = source.start(&[], &[]).await?;
        let mut viewer = server.endpoint.attach(&server.endpoint.open().await?, Follow::All).await?;
        let (listener, before, start) = (Listener::start(), Used::by(std::process::id()), Instant::now());
        viewer.order(&bytes.to_string()).await?;
        viewer.until_end(END).await?;
        let seconds = start.elapsed().as_secs_f64();
        let cpu = Used::by(std::process::id()).since(before).cpu;
        bench.book.note(SCENE, "rate", "source", Unit::MegabytesPerSecond, f64::from(bytes) / 1e6 / seconds);
        bench.book.note(SCENE, "cpu", "source", Unit::SecondsPerGigabyte, cpu / f64::from(bytes) * 1e9);
        bench.book.heard(SCENE, "source", listener.stop());
        server.stop().await?;
    }
    Ok(())
}

/// Measures every audience with every server that supports it, round by round.
async fn turns(bench: &mut Bench, text: Text, audiences: &[Audience], rounds: usize) -> anyhow::Result<()> {
    let servers = [vec![bench.reader.clone()], bench.servers()].concat();
    let piece = bench.stage.text(text, bench.extent.pick(16_000_000, 600_000))?;
    let begins = |audience: &&Audience| bench.begins(&scene(text, **audience), rounds);
    let audiences: Vec<_> = audiences.iter().filter(begins).copied().collect();
    for _ in 0..rounds {
        for &audience in &audiences {
            let wanted =
                |server: &&Peer| server.kind == Kind::Limpet || audience.viewers + audience.slow == 1;
            for server in servers.iter().filter(wanted) {
                let piece = share(bench, text, &piece, audience.sessions)?;
                let done = once(bench, server, text, audience, &piece).await;
                bench.accept(&scene(text, audience), server, done);
            }
        }
    }
    Ok(())
}

/// Returns what each of several sessions prints, so that together they print as much as one would.
fn share(bench: &Bench, text: Text, piece: &Piece, sessions: usize) -> anyhow::Result<Piece> {
    if sessions == 1 {
        return Ok(piece.clone());
    }
    bench.stage.text(text, bench.extent.pick(16_000_000, 640_000) / sessions)
}

async fn once(
    bench: &mut Bench,
    peer: &Peer,
    text: Text,
    audience: Audience,
    piece: &Piece,
) -> anyhow::Result<()> {
    let scene = scene(text, audience);
    let server = peer.start(&bench.stage.program(), &[]).await?;
    let (mut first, others, slow) = gather(&server.endpoint, audience).await?;
    let processes = server.processes()?;
    let slow: Vec<_> =
        slow.into_iter().map(|mut viewer| bench.crowd.spawn(async move { viewer.drink().await })).collect();

    let listener = Listener::start();
    let before = used(&processes);
    let own = Used::by(std::process::id());
    let start = Instant::now();
    for viewer in &mut first {
        viewer.order(&piece.line).await?;
    }
    let viewers = until_end(first, others).await?;
    let seconds = start.elapsed().as_secs_f64();
    let own = Used::by(std::process::id()).since(own);
    slow.iter().for_each(tokio::task::JoinHandle::abort);
    let spent: Vec<Used> = used_when_quiet(&processes)
        .await
        .into_iter()
        .zip(before)
        .map(|(now, before)| now.since(before))
        .collect();
    bench.book.heard(&scene, &peer.name, listener.stop());
    server.stop().await?;

    if peer.kind != Kind::Floor(Floor::Reader) {
        check(&viewers, piece)?;
    }
    let bytes = float(piece.bytes * audience.sessions);
    let mut note = |metric: &str, unit, value| bench.book.note(&scene, metric, &peer.name, unit, value);
    note("rate", Unit::MegabytesPerSecond, bytes / 1e6 / seconds);
    note("cpu", Unit::SecondsPerGigabyte, spent.iter().map(|used| used.cpu).sum::<f64>() / bytes * 1e9);
    for (process, used) in processes.iter().zip(&spent) {
        note_process(&mut note, *process, *used, bytes);
    }
    note("load generator busy", Unit::Percent, own.cpu / seconds * 100.0);
    if peer.kind != Kind::Floor(Floor::Reader) {
        let frames = float(viewers.iter().map(|viewer| viewer.frames).sum::<usize>());
        let taken = float(viewers.iter().map(|viewer| viewer.bytes).sum::<usize>());
        note("frames", Unit::PerMegabyte, frames / taken * 1e6);
        note("frame size", Unit::Bytes, taken / frames);
    }
    Ok(())
}

fn note_process(note: &mut impl FnMut(&str, Unit, f64), process: Process, used: Used, bytes: f64) {
    note(&format!("cpu of the {}", process.role), Unit::SecondsPerGigabyte, used.cpu / bytes * 1e9);
    note(&format!("switches of the {}", process.role), Unit::PerMegabyte, used.switches / bytes * 1e6);
}

/// Opens all sessions. Returns one viewer of each, the other fast viewers, and the slow ones.
async fn gather(
    server: &Endpoint,
    audience: Audience,
) -> anyhow::Result<(Vec<Viewer>, Vec<Viewer>, Vec<Viewer>)> {
    let (mut first, mut others, mut slow) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..audience.sessions {
        let (session, viewer) = ready(server, Follow::All).await?;
        first.push(viewer);
        for _ in 1..audience.viewers {
            let mut viewer = server.attach(&session, Follow::All).await?;
            viewer.until_within(crate::stage::READY).await?;
            others.push(viewer);
        }
        for _ in 0..audience.slow {
            slow.push(server.attach(&session, Follow::Now).await?.paced(SLOW));
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
        reading.spawn(async move { viewer.until_end(END).await.map(|()| viewer) });
    }
    let mut viewers = Vec::new();
    while let Some(viewer) = reading.join_next().await {
        viewers.push(viewer.context("a viewer broke")??);
    }
    Ok(viewers)
}

/// Checks that no viewer has missed output: a server must not look fast by leaving something out.
fn check(viewers: &[Viewer], piece: &Piece) -> anyhow::Result<()> {
    for viewer in viewers {
        if viewer.bytes != piece.bytes {
            bail!("a viewer got {} bytes of {}", viewer.bytes, piece.bytes);
        }
    }
    Ok(())
}

/// Records the cost of each viewer after the first, relative to the first viewer's cost.
fn further_viewers(bench: &mut Bench, text: Text) {
    let alone = scene(text, Audience::ONE);
    for viewers in [4, 16] {
        let scene = scene(text, Audience { sessions: 1, viewers, slow: 0 });
        let one = bench.book.values(&alone, "cpu", "limpet").to_vec();
        let many = bench.book.values(&scene, "cpu", "limpet").to_vec();
        // The first viewer's newest values are from the same rounds as the others'.
        for (one, many) in one.iter().rev().zip(many.into_iter().rev()) {
            let added = (many - one) / one / float(viewers - 1);
            bench.book.note(&scene, "each further viewer", "limpet", Unit::Percent, added * 100.0);
        }
    }
}
