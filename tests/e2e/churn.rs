//! Thousands of sessions that leave nothing behind.

use crate::harness::{
    Client, Hello, Options, Server,
    census::{resident, threads},
    until,
};

const SESSIONS: usize = 2000;

/// Number of sessions that are open at once: all of them fit, and rounds stay short.
const AT_ONCE: usize = 50;

/// Maximum growth of the server's memory over [`SESSIONS`] sessions, in bytes. A leak of 2 KiB per
/// session would exceed it.
const MEMORY: usize = 2 * 1024 * SESSIONS;

/// Opens sessions, attaches to each, and closes them. Every other viewer resets its connection
/// first.
async fn churn(server: &Server, sessions: usize) {
    for _ in 0..sessions / AT_ONCE {
        let mut open = Vec::new();
        for number in 0..AT_ONCE {
            let id = server.open(["sh", "-c", "echo ready; read line"]).await;
            let mut client = Client::attach(server, &id, Hello::default()).await;
            client.sees("ready").await;
            open.push((number, id, client));
        }
        for (number, id, mut client) in open {
            if number % 2 == 0 {
                client.vanish();
                server.close(&id).await;
            } else {
                client.type_in("\n").await;
                client.finishes().await;
                server.close(&id).await;
            }
        }
    }
}

#[tokio::test]
async fn two_thousand_sessions_leave_nothing() {
    let server = Server::start(Options::default());
    // The first sessions fill caches and pools that remain.
    churn(&server, 400).await;
    until("the first ones to be gone", || server.census().children == 0).await;
    let (before, threads_before, memory) =
        (server.idle_census().await, threads(server.pid()), resident(server.pid()));
    churn(&server, SESSIONS).await;
    until("descriptors and children to be gone", || {
        let now = server.census();
        now.descriptors <= before.descriptors && now.children == 0
    })
    .await;
    until("pooled threads to be gone", || threads(server.pid()) <= threads_before).await;
    let now = resident(server.pid());
    assert!(now < memory + MEMORY, "{memory} bytes before, {now} after");
}
