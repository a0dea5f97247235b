//! Many sessions, with and without viewers.

use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::json;
use tokio::{sync::mpsc, task::JoinHandle, time::sleep};

use super::{
    super::{resource_usage, resource_usage_when_idle},
    Bench, resources_held,
    start::MANY_SESSIONS_FLAGS,
};
use crate::{
    figures::Unit,
    noise::NoiseMeter,
    peers::{Endpoint, Follow, Kind, Peer, Process, Session},
    proc::{ResourcesHeld, ResourcesUsed},
    report_progress,
    stats::float,
    viewer::Viewer,
};

/// Duration of the idle measurement: one heartbeat interval of limpet's, so that its cost is
/// included.
const IDLE_DURATION: Duration = Duration::from_secs(16);

pub(super) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    let sizes: &[usize] = bench.amount.pick(&[100, 1000, 4000], &[20]);
    for &sessions in sizes {
        report_progress(&format!("weight of {sessions} sessions"));
        let done = measure_limpet(bench, sessions).await;
        bench.accept(&format!("weight of {sessions} sessions"), &bench.limpet.clone(), done);
    }
    for peer in bench.servers().into_iter().filter(|peer| peer.kind != Kind::Limpet) {
        let scene = format!("weight of {} sessions", sizes[0]);
        let done = measure_other(bench, &peer, &scene, sizes[0]).await;
        bench.accept(&scene, &peer, done);
    }
    measure_full_scrollback(bench).await
}

/// Measures limpet's sessions, which also exist without viewers.
async fn measure_limpet(bench: &mut Bench, sessions: usize) -> anyhow::Result<()> {
    let scene = format!("weight of {sessions} sessions");
    let server = bench.limpet.start(&["cat".to_owned()], MANY_SESSIONS_FLAGS).await?;
    let processes = server.processes()?;
    let base = held_when_idle(&processes).await;
    let mut client = server.endpoint.client().await?;
    let (meter, start) = (NoiseMeter::start(), Instant::now());
    let mut ids = Vec::new();
    for _ in 0..sessions {
        ids.push(Session::Named(client.open(&json!({ "command": ["cat"] })).await?));
    }
    let opening = start.elapsed().as_secs_f64();
    bench.recorder.record_noise(&scene, "limpet", meter.stop());
    bench.recorder.record(&scene, "opened in", "limpet", Unit::Seconds, opening);
    let unwatched = held_when_idle(&processes).await;
    record_session_cost(bench, &scene, "limpet", "unwatched", base, unwatched, sessions);
    let echo = seconds_to_echo(&server.endpoint, &ids[sessions / 2]).await?;
    bench.recorder.record(&scene, "attached and echoed in", "limpet", Unit::Milliseconds, echo * 1e3);

    let watchers = attach_watchers(bench, &server.endpoint, ids).await?;
    let watched = held_when_idle(&processes).await;
    record_session_cost(bench, &scene, "limpet", "watched", base, watched, sessions);
    record_idle_cpu(bench, &scene, "limpet", &processes).await;
    watchers.iter().for_each(JoinHandle::abort);
    server.stop().await
}

/// Measures a server whose sessions live as long as their connections.
async fn measure_other(bench: &mut Bench, peer: &Peer, scene: &str, sessions: usize) -> anyhow::Result<()> {
    report_progress(&format!("{scene} with {}", peer.name));
    let server = peer.start(&bench.workload.program(), &[]).await?;
    let processes = server.processes()?;
    let base = held_when_idle(&processes).await;
    let start = Instant::now();
    let watchers = attach_watchers(bench, &server.endpoint, vec![Session::PerConnection; sessions]).await?;
    bench.recorder.record(scene, "opened in", &peer.name, Unit::Seconds, start.elapsed().as_secs_f64());
    let watched = held_when_idle(&processes).await;
    record_session_cost(bench, scene, &peer.name, "watched", base, watched, sessions);
    record_idle_cpu(bench, scene, &peer.name, &processes).await;
    watchers.iter().for_each(JoinHandle::abort);
    server.stop().await
}

async fn held_when_idle(processes: &[Process]) -> ResourcesHeld {
    resource_usage_when_idle(processes).await;
    resources_held(processes)
}

/// Records the cost of one session, relative to the server without sessions.
fn record_session_cost(
    bench: &mut Bench,
    scene: &str,
    server: &str,
    how: &str,
    base: ResourcesHeld,
    now: ResourcesHeld,
    sessions: usize,
) {
    let each = |now: f64, base: f64| (now - base) / float(sessions);
    let mut record = |metric: &str, unit, value| {
        bench.recorder.record(scene, &format!("{metric} {how}"), server, unit, value);
    };
    record("resident", Unit::Kibibytes, each(now.resident, base.resident) / 1024.0);
    record("proportional", Unit::Kibibytes, each(now.proportional, base.proportional) / 1024.0);
    record("descriptors", Unit::Count, each(now.descriptors, base.descriptors));
    record("threads", Unit::Count, each(now.threads, base.threads));
}

/// Returns the time to attach to one session among all of them and to get a line back, in seconds.
async fn seconds_to_echo(server: &Endpoint, session: &Session) -> anyhow::Result<f64> {
    let start = Instant::now();
    let mut viewer = server.attach(session, Follow::Now).await?;
    viewer.send_command("hello").await?;
    viewer.until_within(b"hello\r\n").await?;
    Ok(start.elapsed().as_secs_f64())
}

/// Attaches a viewer to each session, on another thread.
async fn attach_watchers(
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
            viewer.read_forever().await
        }));
        told.recv().await.context("a viewer could not attach")?;
    }
    Ok(watchers)
}

/// Records the CPU time of the idle sessions, in percent of one processor.
async fn record_idle_cpu(bench: &mut Bench, scene: &str, server: &str, processes: &[Process]) {
    let (before, start) = (resource_usage(processes), Instant::now());
    sleep(bench.amount.pick(IDLE_DURATION, IDLE_DURATION / 16)).await;
    let seconds = start.elapsed().as_secs_f64();
    let spent: f64 = resource_usage(processes)
        .into_iter()
        .zip(before)
        .map(|(now, then): (ResourcesUsed, ResourcesUsed)| now.since(then).cpu)
        .sum();
    bench.recorder.record(scene, "idle cpu watched", server, Unit::Percent, spent / seconds * 100.0);
}

/// Measures sessions with a full scrollback and no viewers.
async fn measure_full_scrollback(bench: &mut Bench) -> anyhow::Result<()> {
    const SCENE: &str = "weight of a full scrollback";
    let sessions = bench.amount.pick(10, 2);
    report_progress(SCENE);
    let server = bench.limpet.start(&bench.workload.program(), &[]).await?;
    let processes = server.processes()?;
    let base = held_when_idle(&processes).await;
    for _ in 0..sessions {
        let (_session, mut viewer) = super::super::open_ready_session(&server.endpoint, Follow::All).await?;
        // This prints 12,000 rows of 79 columns each.
        viewer.send_command("seq -f '%079.0f' 12000; printf '=DO''NE='").await?;
        viewer.until_end(crate::stage::END_MARK).await?;
    }
    let full = held_when_idle(&processes).await;
    record_session_cost(bench, SCENE, "limpet", "unwatched", base, full, sessions);
    server.stop().await
}
