//! Ten viewers, of whom one takes nothing.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use limpet_shared::{ServerMessage, SessionId, limits::MAX_WINDOW};
use tokio::task::JoinSet;

use crate::harness::{
    Client, Hello, Options, Server,
    census::{own, waiting_for},
    until,
};

/// How many viewers take everything.
const GOOD: usize = 9;

/// How many numbered lines there are: 24 MB, much more than any viewer may cost, and six times what the log keeps.
const LINES: u32 = 240_000;

/// What a viewer may cost the server, in bytes, whatever it does or leaves undone.
const COST: usize = 2 << 20;

/// What the one does that takes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stall {
    /// It is not there.
    Absent,
    /// Nobody reads its socket.
    Unread,
    /// All is read, and nothing acknowledged.
    Unacknowledged,
}

/// The numbered lines, and what ends each of them.
fn lines(end: &str) -> String {
    (1..=LINES).map(|number| format!("{number:0100}{end}")).collect::<Vec<_>>().concat()
}

/// Takes everything in until it has seen the last line; stays.
async fn watch(mut client: Client) -> Client {
    while !client.output.ends_with(b"done\r\n") {
        assert!(client.turn().await, "the connection ended after {} bytes", client.output.len());
    }
    client
}

/// Ten viewers in a flood, one of them stalled. Gives what the server's own memory is in the end.
async fn flood(stall: Stall) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lines");
    // Long ones are printed so fast that a viewer is overtaken that has to wait for its turn too often.
    fs::write(&file, lines("\n")).unwrap();
    let options = Options::args(["--worker-threads", "1"]);
    // What is free is given back at once, else it would be counted.
    let options = options.env("LIMPET_HEARTBEAT_MS", "60000").env("MALLOC_TRIM_THRESHOLD_", "65536");
    let server = Server::start(options.env("MALLOC_MMAP_THRESHOLD_", "65536").env("MALLOC_ARENA_MAX", "1"));
    let script = format!("stty -echo; echo; read go; cat {}; echo done; read line", file.display());
    let id = server.bash(&script).await;
    let stalled = match stall {
        Stall::Absent => None,
        _ => Some(Client::attach(&server, &id, Hello::default().window(MAX_WINDOW)).await.silent()),
    };
    let port = stalled.as_ref().map(Client::port);
    let mut tasks = JoinSet::new();
    let mut good = JoinSet::new();
    for number in 0..GOOD {
        let mut client = Client::attach(&server, &id, Hello::default()).await;
        if number == 0 {
            client.sees("\r\n").await;
            client.type_in("\n").await;
        }
        good.spawn(watch(client));
    }
    // To be held until the end, unread, or read by somebody else.
    let _unread = match stalled {
        Some(mut client) if stall == Stall::Unacknowledged => {
            tasks.spawn(async move { while client.turn().await {} });
            None
        }
        other => other,
    };
    let good = good.join_all().await;
    let expected = format!("\r\n{}done\r\n", lines("\r\n"));
    for client in &good {
        assert!(client.output == expected.as_bytes(), "{} bytes", client.output.len());
    }
    if let Some(port) = port {
        assert_eq!(server.details(&id).await.info.viewers as usize, GOOD + 1, "it is still there");
        assert_eq!(waiting_for(port) > 0, stall == Stall::Unread, "whether its socket is full");
    }
    // The screen parses what waits for it before it is looked at.
    server.get(&format!("/api/sessions/{id}/screen")).await;
    own(server.pid())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_ten_that_takes_nothing_slows_nobody_and_costs_little() {
    let without = flood(Stall::Absent).await;
    for stall in [Stall::Unread, Stall::Unacknowledged] {
        let with = flood(stall).await;
        eprintln!("{stall:?}: {with} bytes, {without} without it");
        assert!(with < without + COST, "{stall:?}: {with} bytes, {without} without it");
    }
}

/// Whoever is told that there are so many viewers.
async fn hears_count(client: &mut Client, expected: usize) {
    let told = |message: &ServerMessage| match message {
        ServerMessage::Viewers { count, .. } if *count as usize == expected => Some(()),
        _ => None,
    };
    client.hears(&format!("that they are {expected}"), told).await;
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
    let (mut good, gone_on) = (JoinSet::new(), Arc::new(AtomicUsize::new(0)));
    for number in 0..GOOD {
        let mut client = Client::attach(&server, &id, Hello::default()).await;
        if number == 0 {
            client.sees("\r\n").await;
            client.type_in("\n").await;
        }
        let gone_on = Arc::clone(&gone_on);
        good.spawn(async move {
            hears_count(&mut client, GOOD + 1).await;
            hears_count(&mut client, GOOD).await;
            let then = client.output.len();
            client.until("more output", |client| client.output.len() > then + 100_000).await;
            gone_on.fetch_add(1, Relaxed);
            watch(client).await
        });
    }
    until("the others to go on alone", || gone_on.load(Relaxed) == GOOD).await;
    assert!(server.log().contains("reason=Silent"));
    fs::write(stop, "").unwrap();
    let good = good.join_all().await;
    assert!(good.iter().all(|client| client.output == good[0].output), "all have seen the same");
    assert_eq!(server.details(&id).await.info.viewers as usize, GOOD);
    drop(asleep);
}
