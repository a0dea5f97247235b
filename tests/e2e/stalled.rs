//! Ten viewers, one of which takes nothing.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use limpet_shared::{ServerMessage, SessionId, limits::MAX_WINDOW_BYTES};
use tokio::task::JoinSet;

use crate::harness::{
    Client, Hello, Options, Server,
    census::{anonymous_memory, unacknowledged_bytes_to},
    until,
};

/// Number of viewers that read everything.
const FAST_VIEWERS: usize = 9;

/// Number of numbered lines: 24 MB in all, far more than a viewer may cost, and six times what the
/// output log keeps.
const LINES: u32 = 240_000;

/// Maximum memory that a viewer may cost the server, in bytes, whatever it does or fails to do.
const MAX_VIEWER_MEMORY_BYTES: usize = 2 << 20;

/// The behaviour of the viewer that takes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stall {
    /// The viewer is not there.
    Absent,
    /// Nobody reads the viewer's socket.
    Unread,
    /// The viewer reads everything and acknowledges nothing.
    Unacknowledged,
}

/// Returns the numbered lines, each with this ending.
fn lines(end: &str) -> String {
    (1..=LINES).map(|number| format!("{number:0100}{end}")).collect::<Vec<_>>().concat()
}

/// Receives everything up to the last line, and stays attached.
async fn watch(mut client: Client) -> Client {
    while !client.output.ends_with(b"done\r\n") {
        assert!(client.process_message().await, "the connection ended after {} bytes", client.output.len());
    }
    client
}

/// Runs a flood with ten viewers, one of them stalled. Returns the server's own memory at the end,
/// in bytes.
async fn flood(stall: Stall) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lines");
    // Lines this long are printed so fast that they overtake a viewer that gets its turn too
    // rarely.
    fs::write(&file, lines("\n")).unwrap();
    let options = Options::args(["--worker-threads", "1"]);
    // Free memory is returned to the system at once; otherwise it would count.
    let options = options.env("LIMPET_HEARTBEAT_MS", "60000").env("MALLOC_TRIM_THRESHOLD_", "65536");
    let server = Server::start(options.env("MALLOC_MMAP_THRESHOLD_", "65536").env("MALLOC_ARENA_MAX", "1"));
    let script = format!("stty -echo; echo; read go; cat {}; echo done; read line", file.display());
    let id = server.bash(&script).await;
    let stalled = match stall {
        Stall::Absent => None,
        _ => Some(Client::attach(&server, &id, Hello::default().window(MAX_WINDOW_BYTES)).await.silent()),
    };
    let port = stalled.as_ref().map(Client::port);
    let mut tasks = JoinSet::new();
    let mut fast = JoinSet::new();
    for number in 0..FAST_VIEWERS {
        let mut client = Client::attach(&server, &id, Hello::default()).await;
        if number == 0 {
            client.sees("\r\n").await;
            client.type_in("\n").await;
        }
        fast.spawn(watch(client));
    }
    // The stalled viewer stays until the end: unread, or read by a task.
    let _unread = match stalled {
        Some(mut client) if stall == Stall::Unacknowledged => {
            tasks.spawn(async move { while client.process_message().await {} });
            None
        }
        other => other,
    };
    let fast = fast.join_all().await;
    let expected = format!("\r\n{}done\r\n", lines("\r\n"));
    for client in &fast {
        assert!(client.output == expected.as_bytes(), "{} bytes", client.output.len());
    }
    if let Some(port) = port {
        assert_eq!(
            server.details(&id).await.info.state.viewers as usize,
            FAST_VIEWERS + 1,
            "it is still there"
        );
        assert_eq!(unacknowledged_bytes_to(port) > 0, stall == Stall::Unread, "whether its socket is full");
    }
    // Asking for the screen makes it parse its backlog.
    server.get(&format!("/api/sessions/{id}/screen")).await;
    anonymous_memory(server.server_pid())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_ten_that_takes_nothing_slows_nobody_and_costs_little() {
    let without = flood(Stall::Absent).await;
    for stall in [Stall::Unread, Stall::Unacknowledged] {
        let with = flood(stall).await;
        eprintln!("{stall:?}: {with} bytes, {without} without it");
        assert!(with < without + MAX_VIEWER_MEMORY_BYTES, "{stall:?}: {with} bytes, {without} without it");
    }
}

/// Waits until the server reports this number of viewers.
async fn wait_for_viewer_count(client: &mut Client, expected: usize) {
    let told = |message: &ServerMessage| match message {
        ServerMessage::Viewers { count, .. } if *count as usize == expected => Some(()),
        _ => None,
    };
    client.wait_for_message(&format!("that they are {expected}"), told).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_ten_that_gives_no_sign_of_life_is_let_go_while_the_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let stop = folder.path().join("stop");
    let server = Server::start(Options::args(["--tail", "32MiB"]).env("LIMPET_HEARTBEAT_MS", "1000"));
    let script = format!(
        "stty -echo; echo; read go; until [ -e {} ]; do seq 1000; read -t 0.01 x; done; echo done; read line",
        stop.display()
    );
    let id: SessionId = server.bash(&script).await;
    let asleep = Client::attach(&server, &id, Hello::default()).await;
    let (mut fast, gone_on) = (JoinSet::new(), Arc::new(AtomicUsize::new(0)));
    for number in 0..FAST_VIEWERS {
        let mut client = Client::attach(&server, &id, Hello::default()).await;
        if number == 0 {
            client.sees("\r\n").await;
            client.type_in("\n").await;
        }
        let gone_on = Arc::clone(&gone_on);
        fast.spawn(async move {
            wait_for_viewer_count(&mut client, FAST_VIEWERS + 1).await;
            wait_for_viewer_count(&mut client, FAST_VIEWERS).await;
            let then = client.output.len();
            client.until("more output", |client| client.output.len() > then + 100_000).await;
            gone_on.fetch_add(1, Relaxed);
            watch(client).await
        });
    }
    until("the others to go on alone", || gone_on.load(Relaxed) == FAST_VIEWERS).await;
    assert!(server.log().contains("reason=Silent"));
    fs::write(stop, "").unwrap();
    let fast = fast.join_all().await;
    assert!(fast.iter().all(|client| client.output == fast[0].output), "all have seen the same");
    assert_eq!(server.details(&id).await.info.state.viewers as usize, FAST_VIEWERS);
    drop(asleep);
}
