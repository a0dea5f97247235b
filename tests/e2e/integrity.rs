//! No byte is lost or duplicated, whatever happens to connections.

use limpet_client::Viewer;
use limpet_shared::{ExitStatus, SessionId, ViewerId, Winsize};

use crate::harness::{
    Client, CoreClient, FlakyProxy, Hello, Options, Server, client::viewer, flaky_proxy::SeededRng, within,
};

const LINES: u32 = 40_000;

pub(crate) fn numbered(last: u32) -> String {
    (1..=last).map(|n| format!("line {n}\r\n")).collect::<Vec<_>>().concat()
}

/// Follows a session until the exit arrives, over connections that break. Returns all output and
/// the exit status.
pub(crate) async fn follow(
    address: &str,
    session: &SessionId,
    window: u64,
    seed: u64,
) -> (Vec<u8>, ExitStatus) {
    let mut rng = SeededRng::new(seed);
    let viewer = Viewer { window: Some(window), ..Viewer::for_all_output(viewer(), Winsize::default()) };
    let mut client = CoreClient::start(address, session, viewer).await;
    loop {
        // Some attachments read to the end of the connection, others leave in between.
        let events = if rng.below(2) == 0 { u64::MAX } else { rng.below(200) };
        let attachments = client.attachments;
        for _ in 0..events {
            if client.exit.is_some() || client.attachments > attachments {
                break;
            }
            client.handle_next().await;
        }
        assert_eq!(client.clears, 0, "the output goes on where it was");
        if let Some(exit) = client.exit {
            return (client.output, exit);
        }
        if client.attachments == attachments {
            client.cut().await;
        }
    }
}

#[tokio::test]
async fn every_line_arrives_once_and_in_order_over_connections_that_break() {
    for (seed, options) in Options::thread_and_core_variants().into_iter().enumerate() {
        let server = Server::start(options);
        let script = format!("read go; for ((i=1; i<={LINES}; i++)); do echo line $i; done; exit 5");
        let id = server.bash(&script).await;
        let proxy = FlakyProxy::start(server.address(), 150_000, seed as u64).await;
        let mut starter = Client::attach(&server, &id, Hello::default()).await;
        let expected = "\r\n".to_owned() + &numbered(LINES);
        let followers = [1_000, 10_000, 100_000, 1_000_000].map(|most| {
            let (address, id) = (proxy.address().to_owned(), id.clone());
            let window = 100 + SeededRng::new(most + seed as u64).below(most);
            tokio::spawn(async move { follow(&address, &id, window, most).await })
        });
        starter.type_in("\n").await;
        let all = within("all viewers to see the end", async {
            starter.read_to_end().await;
            let mut all = Vec::new();
            for follower in followers {
                all.push(follower.await.unwrap());
            }
            all
        })
        .await;
        assert_eq!(starter.text(), expected);
        for (seen, exit) in all {
            assert_eq!(exit, ExitStatus::Code(5));
            assert!(seen == expected.as_bytes(), "{} bytes instead of {}", seen.len(), expected.len());
        }
    }
}

#[tokio::test]
async fn a_window_of_one_byte_is_enough() {
    let server = Server::start(Options::default());
    let id = server.bash("for ((i=1; i<=200; i++)); do echo line $i; done").await;
    let mut client = Client::attach(&server, &id, Hello::default().window(1)).await;
    client.read_to_end().await;
    assert_eq!(client.text(), numbered(200));
}

/// Types a text over connections that break. It speaks by hand, because it sends more again than a
/// client would.
pub(crate) async fn type_all(address: &str, session: &SessionId, viewer: ViewerId, text: &[u8], seed: u64) {
    let mut rng = SeededRng::new(seed);
    loop {
        let hello = Hello { viewer, ..Hello::default() };
        let Ok(mut client) = Client::attach_at(address, session, hello).await else { continue };
        // Some input that the server already has is sent again, as by a client that does not know
        // that.
        let again = client.welcome.input.get().min(rng.below(500));
        let mut sent = usize::try_from(client.welcome.input.get() - again).unwrap();
        client.set_input_offset(sent as u64);
        while sent < text.len() {
            let piece = usize::try_from(1 + rng.below(3000)).unwrap().min(text.len() - sent);
            client.type_in(std::str::from_utf8(&text[sent..sent + piece]).unwrap()).await;
            sent += piece;
            let all = client.welcome.input.get() + 1 < sent as u64;
            if all && !client.process_message().await {
                break;
            }
        }
        if client.exit.is_some() {
            return;
        }
        within("the end, or a cut", async { while client.process_message().await {} }).await;
        if client.exit.is_some() {
            return;
        }
    }
}

#[tokio::test]
async fn every_key_arrives_once_and_in_order_over_connections_that_break() {
    for (seed, options) in Options::thread_and_core_variants().into_iter().enumerate() {
        let server = Server::start(options);
        let text: String = (1..=20_000).map(|n| format!("key {n}\n")).collect::<Vec<_>>().concat();
        let script = format!("stty raw -echo; echo ready; head -c {} | sha256sum", text.len());
        let id = server.bash(&script).await;
        let mut watcher = Client::attach(&server, &id, Hello::default()).await;
        watcher.sees("ready").await;
        let proxy = FlakyProxy::start(server.address(), 60_000, seed as u64).await;
        type_all(proxy.address(), &id, viewer(), text.as_bytes(), seed as u64).await;
        watcher.read_to_end().await;
        let expected = sha256(text.as_bytes());
        assert!(watcher.text().contains(&expected), "{}", watcher.text());
    }
}

#[tokio::test]
async fn the_clients_core_types_every_key_once_over_connections_that_break() {
    for (seed, options) in Options::thread_and_core_variants().into_iter().enumerate() {
        let server = Server::start(options);
        let text: String = (1..=40_000).map(|n| format!("key {n}\n")).collect::<Vec<_>>().concat();
        let script = format!("stty raw -echo; echo ready; head -c {} | sha256sum", text.len());
        let id = server.bash(&script).await;
        let mut rng = SeededRng::new(seed as u64);
        // Some connections carry more than the longest frame, and none carries all of the text.
        let proxy = FlakyProxy::start(server.address(), 200_000, seed as u64).await;
        let viewer = Viewer::for_all_output(viewer(), Winsize::default());
        let mut client = CoreClient::start(proxy.address(), &id, viewer).await;
        client.until("the program", |client| client.output.ends_with(b"ready\n")).await;
        let mut rest = &text[..];
        while !rest.is_empty() {
            let len = usize::try_from(1 + rng.below(20_000)).unwrap().min(rest.len());
            client.type_in(&rest[..len]).await;
            rest = &rest[len..];
            within("an acknowledgement", client.handle_next()).await;
        }
        client.until("the exit", |client| client.exit.is_some()).await;
        let shown = String::from_utf8_lossy(&client.output);
        assert!(shown.contains(&sha256(text.as_bytes())), "{shown}");
        assert!(client.attachments > 1, "the connection has broken");
        assert_eq!(client.clears, 0, "the output goes on where it was");
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    hex::encode(sha2::Sha256::digest(bytes))
}
