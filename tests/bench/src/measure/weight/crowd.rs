//! Many sessions, with and without viewers.

use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::json;
use tokio::{sync::mpsc, task::JoinHandle, time::sleep};

use super::{
    super::{used, used_when_quiet},
    Bench, held,
    start::MANY,
};
use crate::{
    figures::Unit,
    noise::Listener,
    peers::{Endpoint, Follow, Kind, Peer, Process, Session},
    proc::{Held, Used},
    say,
    stats::float,
    viewer::Viewer,
};

/// Duration of the idle measurement: one heartbeat interval of limpet's, so that its cost is
/// included.
const IDLE: Duration = Duration::from_secs(16);

pub(super) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    let sizes: &[usize] = bench.extent.pick(&[100, 1000, 4000], &[20]);
    for &sessions in sizes {
        say(&format!("weight of {sessions} sessions"));
        let done = limpet(bench, sessions).await;
        bench.accept(&format!("weight of {sessions} sessions"), &bench.limpet.clone(), done);
    }
    for peer in bench.servers().into_iter().filter(|peer| peer.kind != Kind::Limpet) {
        let scene = format!("weight of {} sessions", sizes[0]);
        let done = other(bench, &peer, &scene, sizes[0]).await;
        bench.accept(&scene, &peer, done);
    }
    scrollback(bench).await
}

/// Measures limpet's sessions, which also exist without viewers.
async fn limpet(bench: &mut Bench, sessions: usize) -> anyhow::Result<()> {
    let scene = format!("weight of {sessions} sessions");
    let server = bench.limpet.start(&["cat".to_owned()], MANY).await?;
    let processes = server.processes()?;
    let base = quiet(&processes).await;
    let mut client = server.endpoint.client().await?;
    let (listener, start) = (Listener::start(), Instant::now());
    let mut ids = Vec::new();
    for _ in 0..sessions {
        ids.push(Session::Named(client.open(&json!({ "command": ["cat"] })).await?));
    }
    let opening = start.elapsed().as_secs_f64();
    bench.book.heard(&scene, "limpet", listener.stop());
    bench.book.note(&scene, "opened in", "limpet", Unit::Seconds, opening);
    let unwatched = quiet(&processes).await;
    note(bench, &scene, "limpet", "unwatched", base, unwatched, sessions);
    let echo = usable(&server.endpoint, &ids[sessions / 2]).await?;
    bench.book.note(&scene, "attached and echoed in", "limpet", Unit::Milliseconds, echo * 1e3);

    let watchers = watch(bench, &server.endpoint, ids).await?;
    let watched = quiet(&processes).await;
    note(bench, &scene, "limpet", "watched", base, watched, sessions);
    idle(bench, &scene, "limpet", &processes).await;
    watchers.iter().for_each(JoinHandle::abort);
    server.stop().await
}

/// Measures a server whose sessions live as long as their connections.
async fn other(bench: &mut Bench, peer: &Peer, scene: &str, sessions: usize) -> anyhow::Result<()> {
    say(&format!("{scene} with {}", peer.name));
    let server = peer.start(&bench.stage.program(), &[]).await?;
    let processes = server.processes()?;
    let base = quiet(&processes).await;
    let start = Instant::now();
    let watchers = watch(bench, &server.endpoint, vec![Session::Anew; sessions]).await?;
    bench.book.note(scene, "opened in", &peer.name, Unit::Seconds, start.elapsed().as_secs_f64());
    let watched = quiet(&processes).await;
    note(bench, scene, &peer.name, "watched", base, watched, sessions);
    idle(bench, scene, &peer.name, &processes).await;
    watchers.iter().for_each(JoinHandle::abort);
    server.stop().await
}

async fn quiet(processes: &[Process]) -> Held {
    used_when_quiet(processes).await;
    held(processes)
}

/// Records the cost of one session, relative to the server without sessions.
fn note(bench: &mut Bench, scene: &str, server: &str, how: &str, base: Held, now: Held, sessions: usize) {
    let each = |now: f64, base: f64| (now - base) / float(sessions);
    let mut note =
        |metric: &str, unit, value| bench.book.note(scene, &format!("{metric} {how}"), server, unit, value);
    note("resident", Unit::Kibibytes, each(now.resident, base.resident) / 1024.0);
    note("proportional", Unit::Kibibytes, each(now.proportional, base.proportional) / 1024.0);
    note("descriptors", Unit::Count, each(now.descriptors, base.descriptors));
    note("threads", Unit::Count, each(now.threads, base.threads));
}

/// Returns the time to attach to one session among all of them and to get a line back, in seconds.
async fn usable(server: &Endpoint, session: &Session) -> anyhow::Result<f64> {
    let start = Instant::now();
    let mut viewer = server.attach(session, Follow::Now).await?;
    viewer.order("hello").await?;
    viewer.until_within(b"hello\r\n").await?;
    Ok(start.elapsed().as_secs_f64())
}

/// Attaches a viewer to each session, on another thread.
async fn watch(
    bench: &Bench,
    server: &Endpoint,
    sessions: Vec<Session>,
) -> anyhow::Result<Vec<JoinHandle<anyhow::Result<()>>>> {
    let mut watchers = Vec::new();
    let (tell, mut told) = mpsc::channel::<()>(1);
    for session in sessions {
        let (server, tell) = (server.clone(), tell.clone());
        let attaching = async move { server.attach(&session, Follow::Now).await };
        watchers.push(bench.crowd.spawn(async move {
            let mut viewer: Viewer = attaching.await?;
            // The receiver is gone if it has given up waiting.
            let _ = tell.send(()).await;
            viewer.drink().await
        }));
        told.recv().await.context("a viewer did not come")?;
    }
    Ok(watchers)
}

/// Records the CPU time of the idle sessions, in percent of one processor.
async fn idle(bench: &mut Bench, scene: &str, server: &str, processes: &[Process]) {
    let (before, start) = (used(processes), Instant::now());
    sleep(bench.extent.pick(IDLE, IDLE / 16)).await;
    let seconds = start.elapsed().as_secs_f64();
    let spent: f64 =
        used(processes).into_iter().zip(before).map(|(now, then): (Used, Used)| now.since(then).cpu).sum();
    bench.book.note(scene, "idle cpu watched", server, Unit::Percent, spent / seconds * 100.0);
}

/// Measures sessions with a full scrollback and no viewers.
async fn scrollback(bench: &mut Bench) -> anyhow::Result<()> {
    const SCENE: &str = "weight of a full scrollback";
    let sessions = bench.extent.pick(10, 2);
    say(SCENE);
    let server = bench.limpet.start(&bench.stage.program(), &[]).await?;
    let processes = server.processes()?;
    let base = quiet(&processes).await;
    for _ in 0..sessions {
        let (_session, mut viewer) = super::super::ready(&server.endpoint, Follow::All).await?;
        // This prints 12,000 rows of 79 columns each.
        viewer.order("seq -f '%079.0f' 12000; printf '=DO''NE='").await?;
        viewer.until_end(crate::stage::END).await?;
    }
    let full = quiet(&processes).await;
    note(bench, SCENE, "limpet", "unwatched", base, full, sessions);
    server.stop().await
}
