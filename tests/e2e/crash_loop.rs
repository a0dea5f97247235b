//! Output that crashes or hangs the server while it is parsed. Debug builds do so on certain words
//! in the output, if the environment enables it.

use std::time::Duration;

use limpet_shared::{SessionId, api::SessionInfo};
use nix::sys::signal::Signal;
use reqwest::Method;
use serde_json::json;
use tokio::time::sleep;

use crate::{
    harness::{Client, Hello, Options, Server, census::is_running, within},
    survival::screen,
};

/// Script that echoes lines.
const ECHO_SCRIPT: &str = "echo ready; while read line; do echo got $line; done";

/// Text on the screen of a session whose parsing has been given up, and on all screens if no screen
/// is parsed.
const SCREEN_GIVEN_UP_TEXT: &str = "limpet no longer draws this terminal";
const NO_SCREENS_TEXT: &str = "limpet draws no terminals at the moment";

/// Interval at which a screen is polled.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Time without an answer after which a server counts as hanging.
const HANG_TIMEOUT: Duration = Duration::from_secs(3);

fn start() -> Server {
    Server::start(Options::default().env("LIMPET_TEST_CRASH", "1"))
}

/// Returns a script that waits for a line, prints words that no parser survives, and then echoes
/// lines.
fn deadly_script(words: &str) -> String {
    format!("stty -echo; echo ready; read go; echo {words}; {ECHO_SCRIPT}")
}

async fn text(server: &Server, id: &SessionId) -> String {
    screen(server, id).await.lines.concat()
}

/// Waits until a screen shows these words.
async fn wait_for_text(server: &Server, id: &SessionId, words: &str) {
    let shown = async {
        while !try_text(server, id).await.contains(words) {
            sleep(POLL_INTERVAL).await;
        }
    };
    within(words, shown).await;
}

/// Returns the screen's text, or an empty string while no server answers.
async fn try_text(server: &Server, id: &SessionId) -> String {
    let request = server.request(Method::GET, &format!("/api/sessions/{id}/screen"));
    let Ok(response) = request.send().await else { return String::new() };
    response.text().await.unwrap_or_default().replace('\n', "")
}

async fn send_newline(server: &Server, id: &SessionId) {
    let mut client = Client::attach(server, id, Hello::default()).await;
    client.sees("ready").await;
    client.type_in("\n").await;
    client.wait_for_ack(1).await;
}

fn crash_count(server: &Server) -> usize {
    server.log().matches("the server ended unexpectedly").count()
}

#[tokio::test]
async fn output_that_crashes_the_server_twice_is_not_parsed_again() {
    let server = start();
    let (other, id) = (server.bash(ECHO_SCRIPT).await, server.bash(&deadly_script("abort the parser")).await);
    wait_for_text(&server, &other, "ready").await;
    send_newline(&server, &id).await;
    wait_for_text(&server, &id, SCREEN_GIVEN_UP_TEXT).await;
    assert_eq!(crash_count(&server), 2);
    // Other sessions are unaffected.
    assert_eq!(text(&server, &other).await, "ready");
    let mut client = Client::attach(&server, &other, Hello::default()).await;
    client.type_in("on\n").await;
    client.sees("got on").await;
    // A new viewer sees the notice, and gets everything that is printed from then on.
    for _ in 0..2 {
        let mut client = Client::attach(&server, &id, Hello::default().follow_now()).await;
        client.type_in("and this\n").await;
        client.sees("got and this").await;
        let drawn = String::from_utf8_lossy(&client.snapshot).into_owned();
        assert!(drawn.contains(SCREEN_GIVEN_UP_TEXT) && !drawn.contains("abort"), "{drawn}");
        drop(client);
        // The screen stays given up with every further server.
        server.kill().await;
        assert!(text(&server, &id).await.contains(SCREEN_GIVEN_UP_TEXT));
        let (done, said) = server.upgrade();
        assert!(done, "{said}");
    }
    assert!(text(&server, &id).await.contains(SCREEN_GIVEN_UP_TEXT));
    let again =
        server.post("/api/sessions", json!({ "like": id })).await.json::<SessionInfo>().await.unwrap();
    wait_for_text(&server, &again.id, "ready").await;
    assert_eq!(crash_count(&server), 4);
}

#[tokio::test]
async fn a_panic_while_output_is_parsed_ends_nothing() {
    let server = start();
    let id = server.bash(&deadly_script("panic in the parser")).await;
    send_newline(&server, &id).await;
    wait_for_text(&server, &id, SCREEN_GIVEN_UP_TEXT).await;
    let mut client = Client::attach(&server, &id, Hello::default()).await;
    client.type_in("on\n").await;
    client.sees("got on").await;
    assert_eq!(crash_count(&server), 0);
}

#[tokio::test]
async fn a_server_that_keeps_crashing_is_followed_by_one_without_screens() {
    let server = start();
    let other = server.bash(ECHO_SCRIPT).await;
    wait_for_text(&server, &other, "ready").await;
    // Each session crashes two servers. A file starts them together, since no input reaches a
    // program while no server runs.
    let folder = tempfile::tempdir().unwrap();
    let go = folder.path().join("go");
    for _ in 0..3 {
        let script = format!(
            "until [ -e {} ]; do sleep 0.01; done; echo abort the parser; {ECHO_SCRIPT}",
            go.display()
        );
        server.bash(&script).await;
    }
    std::fs::write(&go, "").unwrap();
    wait_for_text(&server, &other, NO_SCREENS_TEXT).await;
    assert_eq!(crash_count(&server), 5);
    let mut client = Client::attach(&server, &other, Hello::default()).await;
    client.type_in("on\n").await;
    client.sees("got on").await;
    // After an upgrade, screens are parsed again except those that have proved deadly.
    within("a server that draws", async { while !server.upgrade().0 {} }).await;
    wait_for_text(&server, &other, "got on").await;
}

#[tokio::test]
async fn a_server_that_hangs_is_killed_when_all_is_to_end() {
    let mut server = start();
    // A program that ignores signals, with a background job that no shell would hang up.
    let script = format!(
        "trap '' HUP TERM; (trap '' HUP TERM; sleep 1000) & echo pid=$!; {}",
        deadly_script("hang the parser")
    );
    let id = server.bash(&script).await;
    let mut client = Client::attach(&server, &id, Hello::default()).await;
    client.sees("ready").await;
    client.type_in("\n").await;
    client.sees("hang the parser").await;
    let seen = client.text();
    let job = seen.split_whitespace().find_map(|word| word.strip_prefix("pid=")).unwrap().to_owned();
    assert!(is_running(&job));
    // The server hangs as soon as it parses this, at the latest when it is asked for the screen.
    let request = server.request(Method::GET, &format!("/api/sessions/{id}/screen"));
    assert!(request.timeout(HANG_TIMEOUT).send().await.is_err(), "it does not hang");
    server.signal_keeper(Signal::SIGTERM);
    assert_eq!(server.wait_until_ended().await.code(), Some(1), "sessions did not end in good order");
    assert!(server.log().contains("the server does not respond"), "{}", server.log());
    assert!(!is_running(&job), "nothing is left behind all the same");
}
