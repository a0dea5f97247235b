//! Sizes and output have one order, for viewers that are present, behind, away, or new.

use limpet_shared::{ServerMessage, SessionId, Winsize};
use reqwest::Method;
use serde_json::json;

use crate::{
    harness::{Client, Hello, Options, Server, Shown},
    stream::Step,
};

/// Script that echoes all bytes it is given.
pub(crate) const ECHO_SCRIPT: &str = "stty raw -echo; printf ready; exec cat";

/// Sets the size of a session's terminal, and waits until it is in force.
pub(crate) async fn set_size(server: &Server, id: &SessionId, size: Winsize) {
    let Winsize { cols, rows, .. } = size;
    let request = server.request(Method::PATCH, &format!("/api/sessions/{id}"));
    let body = json!({ "sizing": "fixed", "cols": cols, "rows": rows });
    assert!(request.json(&body).send().await.unwrap().status().is_success());
}

/// Starts a program that echoes its input, at a size that only the test changes.
pub(crate) async fn repeater(server: &Server, size: Winsize) -> SessionId {
    let Winsize { cols, rows, .. } = size;
    let session =
        json!({ "command": ["bash", "-c", ECHO_SCRIPT], "cols": cols, "rows": rows, "sizing": "fixed" });
    let info = server.post("/api/sessions", session).await.json::<limpet_shared::api::SessionInfo>().await;
    info.unwrap().id
}

/// Types a text, and waits for its echo.
pub(crate) async fn print(typist: &mut Client, text: &str) {
    let end = typist.received().advanced(text.len());
    typist.type_in(text).await;
    typist.until("what was typed", |client| client.received() >= end).await;
}

fn steps(shown: &Shown) -> Vec<String> {
    let step = |step: &Step| match step {
        Step::Output(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Step::Resize(size) => format!("<{}x{}>", size.cols, size.rows),
    };
    shown.steps.iter().map(step).collect()
}

const FIRST_SIZE: Winsize = Winsize::cells(20, 5);
const SECOND_SIZE: Winsize = Winsize::cells(30, 6);
const THIRD_SIZE: Winsize = Winsize::cells(10, 7);

/// Output and sizes of a session, as every viewer must get them.
const ALL_STEPS: [&str; 6] = ["<20x5>", "readyone", "<30x6>", "two", "<10x7>", "three"];

async fn resize_and_print(server: &Server, id: &SessionId, typist: &mut Client) {
    print(typist, "one").await;
    set_size(server, id, SECOND_SIZE).await;
    print(typist, "two").await;
    set_size(server, id, THIRD_SIZE).await;
    print(typist, "three").await;
}

async fn attach_typist(server: &Server, id: &SessionId) -> Client {
    let mut typist = Client::attach(server, id, Hello::default()).await.on(Shown::default());
    typist.sees("ready").await;
    typist
}

#[tokio::test]
async fn a_size_does_not_overtake_output_that_waits_for_a_viewer() {
    let server = Server::start(Options::default());
    let id = repeater(&server, FIRST_SIZE).await;
    let mut typist = attach_typist(&server, &id).await;
    let mut late =
        Client::attach(&server, &id, Hello::default().window(6)).await.on(Shown::default()).silent();
    late.until("a part of what there is", |client| client.received().get() == 5).await;
    resize_and_print(&server, &id, &mut typist).await;
    late.catches_up().await;
    late.sees("three").await;
    assert_eq!(steps(late.shown()), ALL_STEPS);
    assert_eq!(steps(typist.shown()), ALL_STEPS);
}

#[tokio::test]
async fn whoever_was_away_is_given_the_sizes_that_it_has_missed() {
    let server = Server::start(Options::default());
    let id = repeater(&server, FIRST_SIZE).await;
    let mut typist = attach_typist(&server, &id).await;
    let mut away = Client::attach(&server, &id, Hello::default().follow_now()).await.on(Shown::default());
    away.until("what there is", |client| client.received().get() == 5 && client.shown().is_whole()).await;
    let before = steps(away.shown()).len();
    let shown = away.leave();
    resize_and_print(&server, &id, &mut typist).await;
    for kill in [false, true] {
        if kill {
            server.kill().await;
        }
        let hello = Hello::default().follow_now().go_on(&shown);
        let mut back = Client::attach(&server, &id, hello).await.on(shown.clone());
        assert_eq!((back.welcome.size, back.welcome.resizes), (FIRST_SIZE, 0), "as of what it has had");
        back.sees("three").await;
        assert_eq!(steps(back.shown())[before..], ALL_STEPS[2..], "after {:?}", steps(&shown));
        assert_eq!(back.shown().resizes(), 2);
    }
}

#[tokio::test]
async fn whoever_does_not_say_which_sizes_it_has_had_is_drawn_a_snapshot() {
    let server = Server::start(Options::default());
    let id = repeater(&server, FIRST_SIZE).await;
    let mut typist = attach_typist(&server, &id).await;
    let (epoch, received) = (typist.epoch().clone(), typist.received());
    let resumed = async || Client::attach(&server, &id, Hello::default().resume(&epoch, received)).await;
    set_size(&server, &id, SECOND_SIZE).await;
    let back = resumed().await;
    assert_eq!(
        (back.welcome.output, back.welcome.size),
        (received, SECOND_SIZE),
        "nothing was printed before it"
    );
    print(&mut typist, "more").await;
    set_size(&server, &id, THIRD_SIZE).await;
    let mut back = resumed().await;
    back.wait_for_message("a reset", |message| matches!(message, ServerMessage::Reset { .. }).then_some(()))
        .await;
    assert_eq!((back.welcome.output, back.welcome.size), (typist.received(), THIRD_SIZE));
}

#[tokio::test]
async fn whoever_comes_late_for_all_of_the_output_begins_with_the_size_of_its_beginning() {
    let server = Server::start(Options::default());
    let id = repeater(&server, FIRST_SIZE).await;
    let mut typist = attach_typist(&server, &id).await;
    resize_and_print(&server, &id, &mut typist).await;
    for kill in [false, true] {
        if kill {
            server.kill().await;
        }
        let mut late = Client::attach(&server, &id, Hello::default()).await.on(Shown::default());
        late.sees("three").await;
        assert_eq!(steps(late.shown()), ALL_STEPS);
    }
}

#[tokio::test]
async fn whose_size_it_is_is_told_with_the_size() {
    let server = Server::start(Options::default());
    let id = server.bash(ECHO_SCRIPT).await;
    let mut desktop = Client::attach(&server, &id, Hello::default().size(120, 40)).await.on(Shown::default());
    desktop.sees("ready").await;
    let me = desktop.welcome.id;
    desktop.resize(100, 30).await;
    let resize = |message: &ServerMessage| match message {
        ServerMessage::Resize { size, by, .. } => Some((*size, *by)),
        _ => None,
    };
    while desktop.shown().size() != Some(Winsize::cells(100, 30)) {
        assert_eq!(desktop.wait_for_message("a size", resize).await.1, Some(me));
    }
    let phone = Client::attach(&server, &id, Hello::default().size(40, 20).follow_now()).await;
    assert_eq!((phone.welcome.size, phone.welcome.by), (Winsize::cells(100, 30), Some(me)));
}
