//! Thousands of sessions that leave nothing behind.

use crate::harness::{
    Client, Hello, Options, Server,
    census::{resident_memory, threads},
    until,
};

const SESSIONS: usize = 2000;

/// Number of sessions that are open at once: all of them fit, and rounds stay short.
const SESSIONS_AT_ONCE: usize = 50;

/// Maximum growth of the server's memory over [`SESSIONS`] sessions, in bytes. A leak of 2 KiB per
/// session would exceed it.
const MAX_MEMORY_GROWTH_BYTES: usize = 2 * 1024 * SESSIONS;

/// Opens sessions, attaches to each, and closes them. Every other viewer resets its connection
/// first.
async fn churn(server: &Server, sessions: usize) {
    for _ in 0..sessions / SESSIONS_AT_ONCE {
        let mut open = Vec::new();
        for number in 0..SESSIONS_AT_ONCE {
            let id = server.open_session(["sh", "-c", "echo ready; read line"]).await;
            let mut client = Client::attach(server, &id, Hello::default()).await;
            client.sees("ready").await;
            open.push((number, id, client));
        }
        for (number, id, mut client) in open {
            if number % 2 == 0 {
                client.reset_connection();
                server.close(&id).await;
            } else {
                client.type_in("\n").await;
                client.read_to_end().await;
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
        (server.idle_census().await, threads(server.server_pid()), resident_memory(server.server_pid()));
    churn(&server, SESSIONS).await;
    until("descriptors and children to be gone", || {
        let now = server.census();
        now.descriptors <= before.descriptors && now.children == 0
    })
    .await;
    until("pooled threads to be gone", || threads(server.server_pid()) <= threads_before).await;
    let now = resident_memory(server.server_pid());
    assert!(now < memory + MAX_MEMORY_GROWTH_BYTES, "{memory} bytes before, {now} after");
}
