//! Valid messages on a socket, and the answers to invalid ones.

use futures_util::{SinkExt, StreamExt};
use limpet_shared::{
    ClientMessage, CloseCode, ErrorCode, ExitStatus, OutputOffset, ServerMessage, Winsize,
    limits::{MAX_INPUT_IN_FLIGHT_BYTES, MAX_TEXT_MESSAGE_BYTES},
};
use tokio_tungstenite::tungstenite::{Message, error::Error};

use crate::harness::{
    Client, Hello, Options, Server,
    client::{connect, data},
    flaky_proxy::SeededRng,
    within,
};

#[tokio::test]
async fn a_session_from_hello_to_exit() {
    let server = Server::start(Options::default());
    let id =
        server.bash("read line; printf '\\033]0;my title\\007'; read line; echo got $line; exit 7").await;
    let mut client = Client::attach(&server, &id, Hello::default().size(90, 30)).await;
    assert_eq!(client.welcome.session, id);
    assert_eq!(client.welcome.size, Winsize::cells(90, 30));
    assert_eq!(client.welcome.title, "bash");
    client.type_in("\n").await;
    client
        .wait_for_message("the title", |m| {
            matches!(m, ServerMessage::Title { title } if title == "my title").then_some(())
        })
        .await;
    client
        .wait_for_message("which viewer is primary", |m| {
            matches!(m, ServerMessage::Viewers { count: 1, primary: true, .. }).then_some(())
        })
        .await;
    client.type_in("hello\n").await;
    client.wait_for_ack(7).await;
    client.sees("got hello").await;
    assert_eq!(client.read_to_end().await, (Some(ExitStatus::Code(7)), Some(1000)));
}

#[tokio::test]
async fn a_session_that_has_ended_can_still_be_looked_at() {
    let server = Server::start(Options::default());
    let id = server.bash("echo the end; kill -KILL $$").await;
    for _ in 0..2 {
        let mut client = Client::attach(&server, &id, Hello::default()).await;
        assert_eq!(client.read_to_end().await, (Some(ExitStatus::Signal(9)), Some(1000)));
        assert_eq!(client.text(), "the end\r\n");
    }
}

#[tokio::test]
async fn a_new_size_reaches_the_program_and_every_viewer() {
    let server = Server::start(Options::default());
    let id = server.bash("while read line; do stty size; done").await;
    let mut one = Client::attach(&server, &id, Hello::default().size(90, 30)).await;
    let mut other = Client::attach(&server, &id, Hello::default().size(100, 35)).await;
    let size = |cols, rows| {
        move |message: &ServerMessage| match message {
            ServerMessage::Resize { size, by, .. } if *size == Winsize::cells(cols, rows) => Some(*by),
            _ => None,
        }
    };
    assert_eq!(other.welcome.size, Winsize::cells(90, 30));
    one.resize(120, 50).await;
    let by = other.wait_for_message("the size of the first", size(120, 50)).await;
    assert!(by.is_some());
    one.type_in("\n").await;
    other.sees("50 120").await;
}

#[tokio::test]
async fn latency_can_be_measured() {
    let server = Server::start(Options::default());
    let id = server.bash("read line").await;
    let mut client = Client::attach(&server, &id, Hello::default()).await;
    client.send(Message::text(r#"{"type":"ping","t":1234.5}"#)).await;
    let t = client
        .wait_for_message(
            "a pong",
            |m| if let ServerMessage::Pong { t } = m { Some(t.clone()) } else { None },
        )
        .await;
    assert_eq!(t.to_string(), "1234.5");
}

#[tokio::test]
async fn what_a_later_version_may_say_is_no_reason_to_part() {
    let server = Server::start(Options::default());
    let id = server.bash("read line; echo $line").await;
    let mut client = Client::attach(&server, &id, Hello::default()).await;
    client.send(Message::text(r#"{"type":"sing","song":1}"#)).await;
    client.wait_for_error(ErrorCode::UnknownType).await;
    client.send(Message::text(r#"{"type":"resize","cols":70,"rows":20,"mood":"good"}"#)).await;
    client.send(Message::text(r#"{"type":"resize","cols":0,"rows":20}"#)).await;
    client.wait_for_error(ErrorCode::BadSize).await;
    client.type_in("still here\n").await;
    client.sees("still here").await;
}

/// Returns messages that break the protocol after `hello`, each with the error that ends the
/// connection.
fn broken_messages() -> Vec<(Message, ErrorCode)> {
    let text = |text: &str| Message::text(text.to_owned());
    vec![
        (text("no json"), ErrorCode::MalformedMessage),
        (text("[]"), ErrorCode::MalformedMessage),
        (text(r#"{"type":"ack"}"#), ErrorCode::MalformedMessage),
        (text(r#"{"type":"ack","output":-1}"#), ErrorCode::MalformedMessage),
        (text(r#"{"type":"ack","output":999999}"#), ErrorCode::BadAck),
        (
            text(&format!(r#"{{"type":"ping","t":{}}}"#, "1".repeat(MAX_TEXT_MESSAGE_BYTES))),
            ErrorCode::MalformedMessage,
        ),
        (
            text(r#"{"type":"hello","viewer":"00000000-0000-4000-8000-000000000000","cols":1,"rows":1}"#),
            ErrorCode::HelloExpected,
        ),
        (Message::binary(vec![]), ErrorCode::MalformedFrame),
        (Message::binary(vec![0; 8]), ErrorCode::MalformedFrame),
        (Message::binary(vec![2; 9]), ErrorCode::MalformedFrame),
        (Message::binary(vec![1, 0, 0, 0, 0, 0, 0, 0, 0]), ErrorCode::MalformedFrame),
        (data(u64::MAX, b"x"), ErrorCode::MalformedFrame),
        (data(1, b"x"), ErrorCode::InputGap),
        (Message::binary(vec![0; MAX_INPUT_IN_FLIGHT_BYTES + 10]), ErrorCode::MalformedFrame),
    ]
}

#[tokio::test]
async fn who_breaks_the_protocol_is_told_how_and_let_go() {
    let server = Server::start(Options::default());
    let id = server.bash("read line").await;
    for (message, code) in broken_messages() {
        let shown = format!("{message:?}").chars().take(80).collect::<String>();
        let mut client = Client::attach(&server, &id, Hello::default()).await;
        client.send(message).await;
        let explained = client.wait_for_error(code).await;
        assert!(!explained.is_empty(), "{shown}");
        assert_eq!(client.read_to_end().await, (None, Some(CloseCode::Protocol.code())), "{shown}");
    }
    assert!(server.details(&id).await.info.state.exit.is_none());
}

#[tokio::test]
async fn the_first_message_is_hello() {
    let server = Server::start(Options::default());
    let id = server.bash("read line").await;
    let size = r#"{"type":"hello","viewer":"00000000-0000-4000-8000-000000000000","cols":0,"rows":1}"#;
    for (first, code) in [
        (data(0, b"x"), ErrorCode::HelloExpected),
        (Message::text(r#"{"type":"ping","t":1}"#), ErrorCode::HelloExpected),
        (Message::text(size), ErrorCode::BadSize),
        (Message::text("{"), ErrorCode::MalformedMessage),
    ] {
        let (mut socket, _) = connect(server.address(), &id).await.unwrap();
        socket.send(first).await.unwrap();
        let Some(Ok(Message::Text(text))) = within("the error", socket.next()).await else {
            panic!("an error is expected");
        };
        let error = ServerMessage::parse(&text).unwrap();
        assert!(matches!(error, ServerMessage::Error { code: said, .. } if said == code), "{error:?}");
    }
}

#[tokio::test]
async fn an_upgrade_without_the_subprotocol_is_refused() {
    let server = Server::start(Options::default());
    let id = server.bash("read line").await;
    let upgrade = server
        .request(reqwest::Method::GET, &format!("/api/sessions/{id}/attach"))
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("sec-websocket-protocol", "limpet.v0");
    let response = upgrade.send().await.unwrap();
    assert_eq!(response.status(), 400);
    assert!(response.text().await.unwrap().contains("limpet.v1"));
    let unknown = connect(server.address(), &"nothing".parse().unwrap()).await;
    assert!(matches!(unknown, Err(Error::Http(response)) if response.status() == 404));
}

#[tokio::test]
async fn who_sends_more_than_may_be_on_its_way_is_let_go() {
    let server = Server::start(Options::default());
    // The program reads nothing, so nothing is acknowledged beyond what the terminal's buffer
    // holds.
    let id = server.bash("stty raw -echo; echo ready; sleep 1000").await;
    let mut client = Client::attach(&server, &id, Hello::default()).await;
    client.sees("ready").await;
    client.type_in(&"x".repeat(MAX_INPUT_IN_FLIGHT_BYTES)).await;
    client.type_in(&"x".repeat(MAX_INPUT_IN_FLIGHT_BYTES / 2)).await;
    client.wait_for_error(ErrorCode::InputOverflow).await;
    assert_eq!(client.read_to_end().await, (None, Some(CloseCode::Protocol.code())));
}

#[tokio::test]
async fn garbage_hurts_nobody_but_its_sender() {
    let server = Server::start(Options::default());
    let id = server.bash("read line; echo alive").await;
    let mut bystander = Client::attach(&server, &id, Hello::default()).await;
    let mut rng = SeededRng::new(1);
    for _ in 0..200 {
        let mut client = Client::attach(&server, &id, Hello::default()).await;
        for _ in 0..10 {
            let mut bytes: Vec<u8> =
                (0..rng.below(200)).map(|_| u8::try_from(rng.below(256)).unwrap()).collect();
            // A data frame would be input to the program, which other tests cover.
            if let Some(kind @ 0) = bytes.first_mut() {
                *kind = 3;
            }
            let message = match rng.below(3) {
                0 => Message::text(String::from_utf8_lossy(&bytes).into_owned()),
                1 => Message::Ping(bytes.into_iter().take(125).collect()),
                _ => Message::binary(bytes),
            };
            client.send(message).await;
        }
    }
    bystander.type_in("\n").await;
    bystander.sees("alive").await;
}

#[tokio::test]
async fn a_resume_point_of_another_life_is_none() {
    let server = Server::start(Options::default());
    let id = server.bash("echo first; read line").await;
    let mut client = Client::attach(&server, &id, Hello::default()).await;
    client.sees("first").await;
    let epoch = client.epoch().clone();
    let reset = |message: &ServerMessage| match message {
        ServerMessage::Reset { output, skipped, .. } => Some((*output, *skipped)),
        _ => None,
    };
    let foreign = serde_json::from_str(r#""another life""#).unwrap();
    for hello in [
        Hello::default().resume(&foreign, OutputOffset::new(3)),
        Hello::default().resume(&epoch, OutputOffset::new(1 << 40)),
    ] {
        let mut client = Client::attach(&server, &id, hello).await;
        assert_eq!(client.wait_for_message("a reset", reset).await, (OutputOffset::ZERO, 0));
        client.sees("first\r\n").await;
    }
    let resumed = Hello::default().resume(&epoch, OutputOffset::new(3));
    let mut client = Client::attach(&server, &id, resumed).await;
    client.sees("st\r\n").await;
    assert_eq!(client.text(), "st\r\n");
    assert!(client.control.iter().all(|message| reset(message).is_none()));
    client.say(&ClientMessage::Ack { output: OutputOffset::ZERO }).await;
    client.type_in("late acks do no harm\n").await;
    client.until("the exit", |client| client.exit.is_some()).await;
}
