//! Sessions survive even the death of the keeper, where a service manager stores its descriptors.

use limpet_shared::{ExitStatus, SessionId, api::SessionInfo};
use nix::sys::signal::Signal;
use serde_json::json;

use crate::{
    harness::{Client, Hello, Server, ServiceManager, census::is_running, client::viewer, until},
    integrity::{numbered, type_all},
};

/// Kills the keeper, waits until its server is gone as well, and starts another keeper.
async fn restart(manager: &ServiceManager, mut server: Server) -> Server {
    let serving = server.server_pid();
    server.signal_keeper(Signal::SIGKILL);
    server.wait_until_ended().await;
    until("the server to be gone", || !is_running(&serving.to_string())).await;
    Server::start_again(manager.options(), server.address()).await
}

async fn sessions(server: &Server) -> Vec<SessionId> {
    let sessions: Vec<SessionInfo> = server.get("/api/sessions").await.json().await.unwrap();
    sessions.into_iter().map(|session| session.id).collect()
}

#[tokio::test]
async fn a_killed_keeper_loses_nothing_that_is_stored() {
    let manager = ServiceManager::start();
    let server = Server::start(manager.options());
    until("word that it is ready", || manager.has_received("READY=1")).await;
    let script =
        "env | grep -c -e NOTIFY -e LISTEN_ -e FDSTORE; while read line; do echo got $line; done; exit 7";
    let session = json!({ "command": ["bash", "-c", script], "title": "mine" });
    let id = server.post("/api/sessions", session).await.json::<SessionInfo>().await.unwrap().id;
    let over = server.bash("echo all of it; exit 3").await;
    Client::attach(&server, &over, Hello::default()).await.read_to_end().await;
    let hello = Hello { viewer: viewer(), ..Hello::default().size(100, 30) };
    let mut client = Client::attach(&server, &id, hello.clone()).await;
    client.sees("\n").await;
    assert_eq!(client.text(), "0\r\n", "programs know nothing of it");
    client.type_in("one\n").await;
    client.sees("got one\r\n").await;
    let (epoch, received) = (client.epoch().clone(), client.received());
    drop(client);

    let server = restart(&manager, server).await;
    assert_eq!(sessions(&server).await, [id.clone(), over.clone()]);
    let mut client = Client::attach(&server, &id, hello.resume(&epoch, received)).await;
    assert_eq!((client.welcome.output, client.epoch(), client.welcome.input.get()), (received, &epoch, 4));
    let now = server.details(&id).await.info;
    assert_eq!((&now.state.label[..], now.state.cols), ("mine", 100));
    client.type_in("two\n").await;
    client.sees("got two\r\n").await;
    // The program is not a child of this keeper, but its exit status is known all the same.
    client.type_in("\x04").await;
    assert_eq!(client.read_to_end().await.0, Some(ExitStatus::Code(7)));
    let mut client = Client::attach(&server, &over, Hello::default()).await;
    assert_eq!(client.read_to_end().await.0, Some(ExitStatus::Code(3)));
    assert_eq!(client.text(), "all of it\r\n");

    // A session that was taken over can be closed, and a killed server is replaced as usual.
    let last = server.open_session(["cat"]).await;
    let mut server = restart(&manager, server).await;
    server.kill().await;
    assert_eq!(sessions(&server).await, [id.clone(), over.clone(), last.clone()]);
    for id in [&id, &over, &last] {
        server.close(id).await;
    }
    until("all of it to be taken out", || !manager.stored_names().iter().any(|name| !name.starts_with('.')))
        .await;
    server.signal_keeper(Signal::SIGTERM);
    assert!(server.wait_until_ended().await.success());
    until("word that it ends", || manager.has_received("STOPPING=1")).await;
    until("the rest to be taken out", || manager.stored_names().is_empty()).await;
}

#[tokio::test]
async fn no_line_and_no_key_is_lost_with_the_keeper() {
    const LINES: u32 = 20_000;
    let manager = ServiceManager::start();
    let mut server = Server::start(manager.options());
    let text: String = (1..=20_000).map(|n| format!("key {n}\n")).collect::<Vec<_>>().concat();
    let script = format!(
        "stty raw -echo; head -c {} | sha256sum; stty sane; for ((i=1; i<={LINES}; i++)); do echo line $i; done; exit 5",
        text.len()
    );
    let id = server.bash(&script).await;
    let typing = {
        let (address, id, text) = (server.address().to_owned(), id.clone(), text.clone());
        tokio::spawn(async move { type_all(&address, &id, viewer(), text.as_bytes(), 3).await })
    };
    let mut restarts = 0;
    while server.details(&id).await.info.state.exit.is_none() {
        server = restart(&manager, server).await;
        restarts += 1;
    }
    typing.await.unwrap();
    assert!(restarts > 2, "{restarts} restarts");
    let mut client = Client::attach(&server, &id, Hello::default()).await;
    assert_eq!(client.read_to_end().await.0, Some(ExitStatus::Code(5)));
    let expected = format!("{}  -\n{}", crate::integrity::sha256(text.as_bytes()), numbered(LINES));
    let seen = client.text().replace("\r\n", "\n");
    assert!(seen.ends_with(&expected.replace("\r\n", "\n")), "{} bytes, {restarts} restarts", seen.len());
}
