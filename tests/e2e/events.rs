//! The feed of events about sessions: snapshots, changes, resuming, and the end of a listener.

use std::{collections::BTreeSet, io::Read as _, net::TcpStream};

use limpet_shared::{
    ExitStatus, Role, SessionId,
    api::{SessionInfo, SignIn},
    events::{SessionChange, SessionEvent, SessionRemoval},
};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::json;
use socket2::SockRef;

use crate::harness::{
    Browser, Client, EventStream, Hello, Options, Server, TOKEN, census::anonymous_memory, passes, until,
    within,
};

fn feed(server: &Server) -> RequestBuilder {
    server.request(Method::GET, "/api/events")
}

async fn rename(server: &Server, id: &SessionId, title: &str) {
    let path = format!("/api/sessions/{id}");
    let answer = server.request(Method::PATCH, &path).json(&json!({ "title": title })).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
}

fn changed_fields(event: &SessionEvent) -> Vec<&str> {
    match event {
        SessionEvent::Changed(SessionChange { fields, .. })
        | SessionEvent::Ended(SessionChange { fields, .. }) => fields.keys().map(String::as_str).collect(),
        other => panic!("this is no change: {other:?}"),
    }
}

async fn listed(server: &Server) -> Vec<SessionInfo> {
    server.get("/api/sessions").await.json().await.unwrap()
}

#[tokio::test]
async fn a_listener_is_told_of_everything_in_order() {
    let server = Server::start(Options::default());
    let first = server.bash("read line; exit 3").await;
    let mut events = EventStream::begin(feed(&server)).await;
    assert_eq!(events.sessions, listed(&server).await);

    let second = server.bash("read line").await;
    let created = events.next().await.unwrap();
    assert!(matches!(&created, SessionEvent::Created(info) if info.id == second), "{created:?}");
    assert_eq!(events.ids(), [first.clone(), second.clone()]);
    rename(&server, &first, "mine").await;
    assert_eq!(changed_fields(&events.next().await.unwrap()), ["label", "title"], "and nothing else");
    rename(&server, &first, "").await;
    assert_eq!(changed_fields(&events.next().await.unwrap()), ["label", "title"]);
    assert_eq!(events.sessions[0].spec.title, None);

    let mut client = Client::attach(&server, &first, Hello::default()).await;
    events.until("a viewer", |sessions| sessions[0].state.viewers == 1).await;
    client.type_in("\n").await;
    let told = events.until("an end", |sessions| sessions[0].state.exit.is_some()).await;
    assert!(matches!(told.last(), Some(SessionEvent::Ended(change)) if change.id == first), "{told:?}");
    assert_eq!(events.sessions[0].state.exit, Some(ExitStatus::Code(3)));
    client.read_to_end().await;
    events.until("nobody to be left", |sessions| sessions[0].state.viewers == 0).await;
    assert_eq!(events.sessions, listed(&server).await);
    server.close(&first).await;
    let removed = events.next().await.unwrap();
    assert_eq!(removed, SessionEvent::Removed(SessionRemoval { id: first }));
}

#[tokio::test]
async fn a_listener_that_comes_back_is_told_what_it_has_missed() {
    let server = Server::start(Options::default());
    let first = server.bash("read line").await;
    let mut before = EventStream::begin(feed(&server)).await;
    let second = server.bash("read line").await;
    before.next().await.unwrap();
    let (last_id, sessions) = (before.last_id.take(), before.sessions.clone());
    drop(before);
    rename(&server, &first, "mine").await;
    server.close(&second).await;
    // Another listener sees when the changes are in the feed.
    let mut other = EventStream::begin(feed(&server)).await;
    other.until("the changes", |now| now.len() == 1 && now[0].state.label == "mine").await;

    let mut again = EventStream::open(feed(&server), last_id.as_deref()).await;
    again.sessions = sessions;
    let told = again.until("the same", |now| now.len() == 1 && now[0].state.label == "mine").await;
    assert!(!told.iter().any(|event| matches!(event, SessionEvent::Snapshot(_))), "{told:?}");
    assert_eq!((&again.sessions, &again.last_id), (&other.sessions, &other.last_id));

    for unknown in ["", "x", "-", "0123456789abcdef-1", "18446744073709551616", &"9".repeat(1000)] {
        let mut events = EventStream::open(feed(&server), Some(unknown)).await;
        assert!(matches!(events.next().await, Some(SessionEvent::Snapshot(_))), "{unknown}");
    }
    let future = last_id.unwrap().rsplit_once('-').unwrap().0.to_owned() + "-1000000";
    let mut events = EventStream::open(feed(&server), Some(&future)).await;
    assert!(matches!(events.next().await, Some(SessionEvent::Snapshot(_))));
}

#[tokio::test]
async fn a_listener_that_takes_nothing_gets_a_new_snapshot_and_costs_little() {
    const SESSIONS: usize = 40;
    const ROUNDS: usize = 20;
    let server = Server::start(Options::default());
    let mut ids = Vec::new();
    for _ in 0..SESSIONS {
        ids.push(server.bash("read line").await);
    }
    let mut witness = EventStream::begin(feed(&server)).await;
    let stalled = TcpStream::connect(server.address()).unwrap();
    SockRef::from(&stalled).set_recv_buffer_size(2048).unwrap();
    let head = format!(
        "GET /api/events HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n",
        server.address()
    );
    std::io::Write::write_all(&mut &stalled, head.as_bytes()).unwrap();
    let mut early = [0; 64];
    (&stalled).read_exact(&mut early).unwrap();
    let memory = anonymous_memory(server.server_pid());
    for round in 0..ROUNDS {
        let title = format!("{round} {}", "ü".repeat(250));
        for id in &ids {
            rename(&server, id, &title).await;
        }
        witness
            .until("the new titles", |sessions| sessions.iter().all(|session| session.state.label == title))
            .await;
    }
    let grown = anonymous_memory(server.server_pid()).saturating_sub(memory);
    assert!(grown < 4 * 1024 * 1024, "{grown} bytes for one listener");

    // It reads on, and is told of a change after a new snapshot.
    let (sender, mut received) = tokio::sync::mpsc::channel(2);
    std::thread::spawn(move || {
        let (mut text, mut piece) = (String::from_utf8_lossy(&early).into_owned(), [0; 4096]);
        for has_come in [|text: &str| snapshots(text) >= 2, |text: &str| text.contains("event: removed")] {
            while !has_come(&text) {
                let count = (&stalled).read(&mut piece).unwrap();
                assert!(count > 0, "the stream has ended: {text}");
                text += &String::from_utf8_lossy(&piece[..count]);
            }
            sender.blocking_send(text.clone()).unwrap();
        }
    });
    within("a new snapshot", received.recv()).await.unwrap();
    server.close(&ids[0]).await;
    let text = within("a change", received.recv()).await.unwrap();
    assert_eq!(snapshots(&text), 2);
    assert!(text.matches("event: changed").count() < SESSIONS * ROUNDS, "it was not sent everything");
}

fn snapshots(text: &str) -> usize {
    text.matches("event: snapshot").count()
}

#[tokio::test]
async fn a_guest_is_told_of_its_session_only() {
    let server = Server::start(Options::default());
    let other = server.bash("read line").await;
    let id = server.open_session(["sh", "-c", "read secret"]).await;
    for (pass, role) in passes(&server, &id).await.iter().zip([Role::Reader, Role::Writer]) {
        let request = server.anonymous(Method::GET, "/api/events").bearer_auth(pass);
        let mut events = EventStream::begin(request).await;
        let [info] = &events.sessions[..] else { panic!("{:?}", events.sessions) };
        assert_eq!((&info.id, info.role, info.command.is_empty()), (&id, role, true));
        rename(&server, &other, &format!("hidden from the {role:?}")).await;
        server.close(&server.bash("true").await).await;
        rename(&server, &id, &format!("shown to the {role:?}")).await;
        assert_eq!(changed_fields(&events.next().await.unwrap()), ["label", "title"]);
        assert_eq!(events.sessions[0].state.label, format!("shown to the {role:?}"));
    }
    let [reader, _] = passes(&server, &id).await;
    let mut events =
        EventStream::begin(server.anonymous(Method::GET, "/api/events").bearer_auth(&reader)).await;
    server.close(&other).await;
    server.close(&id).await;
    events.until("the end of its session", <[_]>::is_empty).await;
    let refused = server.anonymous(Method::GET, "/api/events").send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_listener_is_gone_with_its_sign_in() {
    let server = Server::start(Options::default());
    let id = server.bash("read line").await;
    let [reader, _] = passes(&server, &id).await;
    for token in [TOKEN, &reader] {
        let browser = Browser::sign_in(&server, token).await;
        let stays = Browser::sign_in(&server, token).await;
        let mut events = EventStream::begin(browser.request(&server, Method::GET, "/api/events")).await;
        let mut others = EventStream::begin(stays.request(&server, Method::GET, "/api/events")).await;
        let ended = if token == TOKEN {
            let list = browser.request(&server, Method::GET, "/api/sign-ins").send().await.unwrap();
            let list: Vec<SignIn> = list.json().await.unwrap();
            let own = list.into_iter().find(|sign_in| sign_in.you).unwrap();
            server.request(Method::DELETE, &format!("/api/sign-ins/{}", own.id))
        } else {
            browser.request(&server, Method::POST, "/api/logout")
        };
        assert_eq!(ended.send().await.unwrap().status(), StatusCode::NO_CONTENT);
        assert_eq!(events.next().await, None, "the stream ends");
        rename(&server, &id, &format!("after {}", browser.key)).await;
        assert!(others.next().await.is_some(), "the other one goes on");
        let request = browser.request(&server, Method::GET, "/api/events");
        assert_eq!(request.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn another_server_begins_with_a_snapshot() {
    let server = Server::start(Options::default());
    let id = server.bash("read line").await;
    let mut events = EventStream::begin(feed(&server)).await;
    rename(&server, &id, "mine").await;
    events.next().await.unwrap();
    for is_killed in [true, false] {
        let (last_id, before) = (events.last_id.take(), events.sessions.clone());
        if is_killed {
            server.kill().await;
        } else {
            assert!(server.upgrade().0);
        }
        assert_eq!(events.next().await, None);
        events = EventStream::open(feed(&server), last_id.as_deref()).await;
        assert!(matches!(events.next().await, Some(SessionEvent::Snapshot(_))));
        assert_eq!(events.sessions, before);
    }
}

#[tokio::test]
async fn hundreds_of_listeners_get_signs_of_life_and_leave_nothing() {
    const LISTENERS: usize = 300;
    /// Maximum memory of an idle listener with its connection, in bytes.
    const MAX_LISTENER_BYTES: usize = 32 * 1024;
    let server = Server::start(Options::args(["--heartbeat-ms", "500"]));
    let id = server.bash("read line").await;
    let before = server.idle_census().await;
    let memory = anonymous_memory(server.server_pid());
    let mut listeners = Vec::new();
    for _ in 0..LISTENERS {
        listeners.push(EventStream::begin(feed(&server)).await);
    }
    let each = anonymous_memory(server.server_pid()).saturating_sub(memory) / LISTENERS;
    eprintln!("{each} bytes per listener");
    assert!(each < MAX_LISTENER_BYTES, "{each} bytes per listener");
    rename(&server, &id, "mine").await;
    let mut ids = BTreeSet::new();
    for listener in &mut listeners {
        listener.until("the title", |sessions| sessions[0].state.label == "mine").await;
        ids.extend(listener.last_id.clone());
    }
    assert_eq!(ids.len(), 1, "all are told the same");
    for listener in &mut listeners {
        listener.wait_for_sign_of_life().await;
    }
    drop(listeners);
    until("nothing to be left of them", || server.census() == before).await;
}
