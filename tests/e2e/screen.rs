//! The screen that viewers get who return or are slow, and the answers to programs' queries.

use std::{fs, time::Duration};

use limpet_shared::{
    ClientMessage, ServerMessage, SessionId,
    api::Screen,
    theme::{Colours, Rgb},
};
use reqwest::{Method, header::ACCEPT};
use tokio::time::sleep;

use crate::harness::{Client, Hello, Options, Server, slow_link, within};

/// Returns a script that sends a query to its terminal and prints the answer up to `end`.
fn query_script(question: &str, end: char) -> String {
    format!(
        "stty -echo; printf '{question}'; IFS= read -rs -d '{end}' -t 60 told; printf 'told %q.' \"$told\"; read line"
    )
}

async fn screen(server: &Server, id: &SessionId) -> Screen {
    let request = server.request(Method::GET, &format!("/api/sessions/{id}/screen"));
    request.header(ACCEPT, "application/json").send().await.unwrap().json().await.unwrap()
}

/// Waits until a line of the screen contains a text, and returns that line.
async fn wait_for_line(server: &Server, id: &SessionId, text: &str) -> String {
    within(&format!("{text:?} on the screen"), async {
        loop {
            let found = screen(server, id).await.lines.into_iter().find(|line| line.contains(text));
            if let Some(line) = found {
                break line;
            }
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await
}

fn reset(message: &ServerMessage) -> Option<(u64, u64)> {
    match message {
        ServerMessage::Reset { skipped, earlier, .. } => Some((*skipped, *earlier)),
        _ => None,
    }
}

#[tokio::test]
async fn the_screen_can_be_read_without_a_viewer() {
    let server = Server::start(Options::default());
    let id = server.bash(r"printf 'one\r\n\033[31mtwo\033[m 日本\033]2;a title\a\033[5;3H'; read line").await;
    wait_for_line(&server, &id, "two 日本").await;
    let seen = screen(&server, &id).await;
    assert_eq!((&seen.lines[0][..], seen.lines.len(), &seen.title[..]), ("one", 24, "a title"));
    assert_eq!((seen.cursor.x, seen.cursor.y, seen.cursor.visible, seen.alternate), (2, 4, true, false));
    let text = server.get(&format!("/api/sessions/{id}/screen")).await.text().await.unwrap();
    assert!(text.starts_with("one\ntwo 日本\n\n"), "{text:?}");
    assert_eq!(server.get("/api/sessions/none/screen").await.status(), 404);
    let path = format!("/api/sessions/{id}/screen");
    assert_eq!(server.anonymous(Method::GET, &path).send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn who_looks_at_the_present_is_shown_the_screen() {
    let server = Server::start(Options::default());
    let script = r"seq 3000; printf '\033[?1049h\033[2J\033[3;4Hfull screen\033[?2004h\033[?1000h'; read line; echo $line; read line";
    let id = server.bash(script).await;
    wait_for_line(&server, &id, "full screen").await;
    let mut client = Client::attach(&server, &id, Hello::default().follow_now()).await;
    client.type_in("on\n").await;
    client.sees("on\r\n").await;
    assert_eq!(
        client.wait_for_message("a reset", reset).await,
        (0, 3001 - 24 - 1000),
        "what is left out can be had"
    );
    let drawn = client.drawn();
    for part in ["full screen", "\x1b[?2004h", "\x1b[?1000h", "\r\n3000", "\r\n2000\r\n"] {
        assert!(drawn.contains(part), "{part:?} in {drawn:?}");
    }
    assert!(!drawn.contains("\r\n1900\r\n"));
    client.say(&ClientMessage::History).await;
    assert_eq!(client.wait_for_message("another reset", reset).await, (0, 0));
    client.type_in("x").await;
    client.sees("x").await;
    assert!(client.drawn().contains("1\r\n2\r\n3\r\n"), "all of the scrollback");
}

#[tokio::test]
async fn a_session_that_has_ended_can_be_looked_at() {
    let server = Server::start(Options::args(["--tail", "512KiB"]));
    let id = server.bash("seq 200000; echo the end").await;
    let mut client = Client::attach(&server, &id, Hello::default()).await;
    client.read_to_end().await;
    let mut late = Client::attach(&server, &id, Hello::default().follow_now()).await;
    let (exit, _) = late.read_to_end().await;
    assert!(exit.is_some_and(limpet_shared::ExitStatus::success));
    assert!(late.drawn().contains("200000\r\nthe end"), "{}", late.drawn());
    assert_eq!(wait_for_line(&server, &id, "the end").await, "the end");
}

#[tokio::test]
async fn programs_are_answered_when_nobody_is_there() {
    let server = Server::start(Options::default());
    for (question, end, told) in [
        (r"\033[c", 'c', r"$'\E[?1;2'"),
        (r"ab\r\n\033[6n", 'R', r"$'\E[2;1'"),
        (r"\033[?u", 'u', r"$'\E[?0'"),
        (r"\033[>q", ')', r"$'\EP>|xterm.js(6.1.0-beta.336'"),
        (r"\033[?2004h\033[?2004$p", 'y', r"$'\E[?2004;1$'"),
        (r"\033]11;?\a", '\\', r"$'\E]11;rgb:1414/1919/1c1c\E'"),
    ] {
        let id = server.bash(&query_script(question, end)).await;
        assert_eq!(
            wait_for_line(&server, &id, "told").await.split("told ").last().unwrap(),
            format!("{told}.")
        );
    }
}

#[tokio::test]
async fn programs_are_told_the_colours_of_who_was_there_last() {
    let server = Server::start(Options::default());
    let folder = tempfile::tempdir().unwrap();
    let go = folder.path().join("go");
    let wait = format!("until [ -e {} ]; do sleep 0.01; done", go.display());
    let id = server.bash(&format!("{wait}; {}", query_script(r"\033]11;?\a", '\\'))).await;
    let mut client = Client::attach(&server, &id, Hello::default()).await;
    let colours = Colours { background: Rgb::from_number(0xfa_fb_fc), ..Colours::default() };
    client.say(&ClientMessage::Colours(colours)).await;
    client.type_in("\n").await;
    // Messages are processed in order, so the server has the colours once this input is written.
    client.wait_for_ack(1).await;
    drop(client);
    // As long as the client is attached, its terminal answers rather than the server.
    within("nobody to be there", async { while server.details(&id).await.info.state.viewers > 0 {} }).await;
    fs::write(go, "").unwrap();
    let told = wait_for_line(&server, &id, "told").await;
    assert!(told.contains("rgb:fafa/fbfb/fcfc"), "{told}");
}

#[tokio::test]
async fn the_server_is_silent_while_a_terminal_is_there_to_answer() {
    let server = Server::start(Options::default());
    let script = r"stty -echo; read go; printf '\033[6n'; read -rs -d R -t 1 told || echo silence; read line";
    let id = server.bash(script).await;
    let mut client = Client::attach(&server, &id, Hello::default()).await;
    client.type_in("\n").await;
    client.sees("silence").await;
}

#[tokio::test]
async fn ctrl_c_in_a_flood_is_felt_at_once_on_a_slow_link() {
    let server = Server::start(Options::default());
    let id = server.open_session(["bash", "--norc", "--noprofile", "-i"]).await;
    let link = slow_link(&server, 1.0, 300).await;
    let mut client = Client::attach_at(link.address(), &id, Hello::default().follow_now()).await.unwrap();
    client.type_in("yes\n").await;
    for _ in 0..3 {
        let skips = |message: &ServerMessage| reset(message).filter(|&(skipped, _)| skipped > 0);
        client.wait_for_message("that it is brought to the present", skips).await;
    }
    let before = client.bytes_received;
    client.type_in("\x03").await;
    client.until("the prompt", |client| (client.drawn() + &client.text()).contains("^C")).await;
    // This is what the link carries in a round trip and 100 ms. The buffers in between hold
    // megabytes.
    let received = client.bytes_received - before;
    assert!(received < 50_000, "{received} bytes came before the prompt");
}

#[tokio::test]
async fn a_slow_viewer_who_wants_the_present_holds_nobody_up() {
    let server = Server::start(Options::default());
    let id = server.bash("read go; seq 2000000; echo done; read line").await;
    let link = slow_link(&server, 0.8, 40).await;
    let mut client = Client::attach_at(link.address(), &id, Hello::default().follow_now()).await.unwrap();
    client.type_in("\n").await;
    client.until("the end", |client| (client.drawn() + &client.text()).contains("done")).await;
    assert!(client.bytes_received < 5_000_000, "{} of 15 MB were carried", client.bytes_received);
}
