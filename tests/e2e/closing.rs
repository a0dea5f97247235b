//! The end of a session and of the server, as viewers and background jobs see it.

use std::process::Command;

use limpet_shared::{CloseCode, ErrorCode, ExitStatus, ServerMessage};
use nix::sys::signal::Signal;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::harness::{Client, Hello, Options, Server, census::is_running, passes, until, within};

/// Returns the codes of the errors that the server sent to a viewer.
fn received_errors(client: &Client) -> Vec<ErrorCode> {
    let code = |message: &ServerMessage| match message {
        ServerMessage::Error { code, .. } => Some(*code),
        _ => None,
    };
    client.control.iter().filter_map(code).collect()
}

/// Waits until a server that ends or hands over has disconnected a viewer. Returns the errors that
/// the viewer got.
async fn wait_for_disconnection(mut client: Client) -> Vec<ErrorCode> {
    assert_eq!(client.read_to_end().await, (None, Some(CloseCode::GoingAway.code())));
    received_errors(&client)
}

#[tokio::test]
async fn viewers_are_told_that_limpet_was_stopped_and_not_when_it_continues() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        // Under nohup, which may also run these tests, limpet ignores SIGHUP.
        let options = Options::default().wrapped(["env", "--default-signal=HUP"]);
        let mut server = Server::start(options);
        let id = server.open_session(["cat"]).await;
        let before = Client::attach(&server, &id, Hello::default()).await;
        let (done, said) = server.upgrade();
        assert!(done, "{said}");
        assert_eq!(wait_for_disconnection(before).await, [], "another server continues with the session");
        let [pass, _] = passes(&server, &id).await;
        let mut viewers = Vec::new();
        for hello in [Hello::default(), Hello::default().with_token(&pass)] {
            viewers.push(Client::attach(&server, &id, hello).await);
        }
        server.signal_keeper(signal);
        for viewer in viewers {
            assert_eq!(wait_for_disconnection(viewer).await, [ErrorCode::ShuttingDown], "{signal}");
        }
        assert!(server.wait_until_ended().await.success());
    }
}

#[tokio::test]
async fn viewers_are_told_that_an_owner_closed_a_session() {
    let server = Server::start(Options::default());
    let id = server.open_session(["cat"]).await;
    let [reader, writer] = passes(&server, &id).await;
    let mut viewers = Vec::new();
    for hello in
        [Hello::default(), Hello::default().with_token(&reader), Hello::default().with_token(&writer)]
    {
        viewers.push(Client::attach(&server, &id, hello).await);
    }
    server.close(&id).await;
    for mut viewer in viewers {
        assert_eq!(viewer.read_to_end().await, (Some(ExitStatus::Signal(1)), Some(1000)));
        assert!(viewer.was_closed);
    }
    // This program ends by the same signal, but nobody closed the session.
    let id = server.bash("kill -HUP $$").await;
    let mut viewer = Client::attach(&server, &id, Hello::default()).await;
    assert_eq!(viewer.read_to_end().await, (Some(ExitStatus::Signal(1)), Some(1000)));
    assert!(!viewer.was_closed);
}

/// Script that starts the jobs of an interactive shell. It prints the process ids of the jobs and
/// the shell in words that the echo of this script does not contain.
const JOBS_SCRIPT: &str = "say() { printf '%s=%s\\n' pid $1; }\n\
    nohup sleep 1001 >/dev/null 2>&1 & say $!\n\
    sleep 1002 & say $!; disown -h\n\
    sleep 1003 & say $!\n\
    say $$; printf 'rea%s\\n' dy\n";

#[tokio::test]
async fn jobs_are_kept_that_a_shell_does_not_hang_up() {
    for (query, kept) in [("?jobs=keep", [true, true, false, false]), ("", [false; 4])] {
        let server = Server::start(Options::default());
        let id = server.open_session(["bash", "--norc", "--noprofile", "-i"]).await;
        let mut client = Client::attach(&server, &id, Hello::default()).await;
        client.type_in(JOBS_SCRIPT).await;
        client.sees("ready").await;
        let text = client.text();
        let pids: Vec<&str> = text.split_whitespace().filter_map(|word| word.strip_prefix("pid=")).collect();
        assert_eq!(pids.len(), 4, "{text}");
        // Each job is a shell before it executes its command.
        within("jobs to be listed", async { while server.details(&id).await.background != ["sleep"] {} })
            .await;
        let close = server.request(Method::DELETE, &format!("/api/sessions/{id}{query}"));
        assert_eq!(close.send().await.unwrap().status(), StatusCode::NO_CONTENT);
        client.read_to_end().await;
        assert!(client.was_closed);
        assert_eq!(pids.iter().map(|pid| is_running(pid)).collect::<Vec<_>>(), kept, "{query}: {text}");
        assert!(server.get(&format!("/api/sessions/{id}")).await.status() == StatusCode::NOT_FOUND);
        for pid in pids.iter().zip(kept).filter_map(|(pid, kept)| kept.then_some(pid)) {
            Command::new("kill").args(["-KILL", pid]).status().unwrap();
            // limpet is their parent by now.
            until("a job to be reaped", || !std::fs::exists(format!("/proc/{pid}")).unwrap()).await;
        }
    }
}

#[tokio::test]
async fn a_program_that_does_not_heed_a_hang_up_is_ended_alone() {
    let server = Server::start(Options::default());
    let script = "trap '' HUP TERM; (trap '' HUP; exec sleep 1000) & echo pid=$! pid=$$ ready; while :; do sleep 1; done";
    let id = server.bash(script).await;
    let mut client = Client::attach(&server, &id, Hello::default()).await;
    client.sees("ready").await;
    let text = client.text();
    let pids: Vec<&str> = text.split_whitespace().filter_map(|word| word.strip_prefix("pid=")).collect();
    within("programs that ignore SIGHUP to be listed", async {
        while server.details(&id).await.background != ["sleep"] {}
    })
    .await;
    let path = format!("/api/sessions/{id}");
    let wrong = server.request(Method::DELETE, &format!("{path}?jobs=some")).send().await.unwrap();
    assert_eq!(wrong.status(), StatusCode::BAD_REQUEST);
    let close = server.request(Method::DELETE, &format!("{path}?jobs=keep")).send().await.unwrap();
    assert_eq!(close.status(), StatusCode::NO_CONTENT);
    assert_eq!(client.read_to_end().await, (Some(ExitStatus::Signal(9)), Some(1000)));
    assert!(is_running(pids[0]) && !is_running(pids[1]), "{text}");
    Command::new("kill").args(["-KILL", pids[0]]).status().unwrap();
}

#[tokio::test]
async fn who_may_attach_is_told_by_a_request_that_is_no_websocket() {
    let server = Server::start(Options::default());
    let id = server.open_session(["cat"]).await;
    let [reader, _] = passes(&server, &id).await;
    let path = format!("/api/sessions/{id}/attach");
    let ask = |path: &str| server.anonymous(Method::POST, path);
    assert_eq!(ask(&path).bearer_auth(&reader).send().await.unwrap().status(), StatusCode::NO_CONTENT);
    assert_eq!(server.post(&path, json!({})).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(ask(&path).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let other = ask("/api/sessions/none/attach").bearer_auth(&reader).send().await.unwrap();
    assert_eq!(other.status(), StatusCode::NOT_FOUND);
    let foreign = ask(&path).bearer_auth(&reader).header("origin", "http://shell.example:8443");
    let foreign = foreign.send().await.unwrap();
    assert_eq!(foreign.status(), StatusCode::FORBIDDEN);
    let said = foreign.text().await.unwrap();
    assert!(said.contains("from http://shell.example:8443") && said.contains(server.address()), "{said}");
}
