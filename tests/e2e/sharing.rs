//! The primary viewer, the viewer whose size applies, and the rights of guests.

use limpet_shared::{
    ClientMessage, ErrorCode, Role, ServerMessage, SessionId, Sizing, ViewerInfo, Winsize,
    api::{Access, Pass, SessionInfo},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Browser, Client, Hello, Options, Server, slow_link};

/// Script that prints the size whenever it has changed. It polls, since bash loses a signal that
/// arrives while it handles another.
const SIZE_SCRIPT: &str = r#"while :; do now=$(stty size); [ "$now" = "$last" ] || echo "$now"; last=$now; read -t 0.05 line; done"#;

fn resize(message: &ServerMessage) -> Option<(Winsize, Option<u64>)> {
    if let ServerMessage::Resize { size, by, .. } = message { Some((*size, *by)) } else { None }
}

fn viewer_list(message: &ServerMessage) -> Option<Vec<ViewerInfo>> {
    if let ServerMessage::Viewers { list, .. } = message { Some(list.clone()) } else { None }
}

/// Waits until the server lists `count` viewers, and returns that list. `primary` says whether the
/// client must be the primary viewer.
async fn wait_for_viewers(client: &mut Client, count: usize, primary: bool) -> Vec<ViewerInfo> {
    let wanted = |message: &ServerMessage| {
        viewer_list(message)
            .filter(|list| list.len() == count && list.iter().any(|one| one.you && one.primary) == primary)
    };
    client.wait_for_message(&format!("that there are {count}"), wanted).await
}

async fn wait_for_size(client: &mut Client, cols: u16, rows: u16) {
    let wanted = Winsize::cells(cols, rows);
    client.wait_for_message("the size", |message| resize(message).filter(|(size, _)| *size == wanted)).await;
    client.sees(&format!("{rows} {cols}\r\n")).await;
}

async fn update_session(server: &Server, id: &SessionId, body: Value) -> SessionInfo {
    let path = format!("/api/sessions/{id}");
    let response = server.request(Method::PATCH, &path).json(&body).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    response.json().await.unwrap()
}

#[tokio::test]
async fn a_phone_resizes_nothing_until_it_becomes_primary() {
    let server = Server::start(Options::default());
    let id = server.bash(SIZE_SCRIPT).await;
    let mut desktop = Client::attach(&server, &id, Hello::default().size(160, 50)).await;
    desktop.sees("50 160\r\n").await;
    let mut phone = Client::attach(&server, &id, Hello::default().size(40, 30)).await;
    assert_eq!(server.details(&id).await.info.state.cols, 160);
    let [first, second] = wait_for_viewers(&mut phone, 2, false).await.try_into().unwrap();
    assert!(first.primary && !first.you && !second.primary && second.you);
    assert_eq!((second.from.as_str(), second.role), ("127.0.0.1", Role::Owner));
    phone.type_in("x\n").await;
    phone.wait_for_ack(2).await;
    phone.resize(41, 31).await;
    // The desktop's request arrives after everything that the phone has sent.
    desktop.resize(150, 45).await;
    wait_for_size(&mut desktop, 150, 45).await;
    assert!(!desktop.text().contains(" 41") && !desktop.text().contains(" 40"), "{}", desktop.text());

    phone.say(&ClientMessage::Primary { to: None }).await;
    wait_for_size(&mut desktop, 41, 31).await;
    wait_for_viewers(&mut desktop, 2, false).await;
    // The phone, which took the role of primary viewer, hands it back.
    phone.say(&ClientMessage::Primary { to: Some(first.id) }).await;
    wait_for_size(&mut phone, 150, 45).await;
    wait_for_viewers(&mut desktop, 2, true).await;
    phone.say(&ClientMessage::Primary { to: Some(77) }).await;
    phone.wait_for_error(ErrorCode::NoSuchViewer).await;
}

#[tokio::test]
async fn a_size_stays_while_its_owner_is_away_for_a_moment() {
    let server = Server::start(Options::default());
    let id = server.bash(SIZE_SCRIPT).await;
    let hello = Hello::default().size(160, 50);
    let mut desktop = Client::attach(&server, &id, hello.clone()).await;
    let mut phone = Client::attach(&server, &id, Hello::default().size(40, 30)).await;
    wait_for_viewers(&mut desktop, 2, true).await;
    desktop.sees("50 160\r\n").await;
    phone.sees("50 160\r\n").await;
    let (epoch, received) = (desktop.epoch().clone(), desktop.received());
    desktop.reset_connection();
    wait_for_viewers(&mut phone, 1, true).await;
    let mut desktop = Client::attach(&server, &id, hello.resume(&epoch, received)).await;
    wait_for_viewers(&mut desktop, 2, true).await;
    wait_for_viewers(&mut phone, 2, false).await;
    // A reloaded page is another viewer.
    desktop.reset_connection();
    wait_for_viewers(&mut phone, 1, true).await;
    let mut desktop = Client::attach(&server, &id, Hello::default().size(160, 50)).await;
    wait_for_viewers(&mut desktop, 2, true).await;
    assert_eq!(phone.text().matches("50 160").count(), 1, "{}", phone.text());
    assert!(!phone.text().contains("30 40"), "{}", phone.text());
    // The desktop does not come back, and the phone's user types.
    desktop.reset_connection();
    wait_for_viewers(&mut phone, 1, true).await;
    phone.type_in("x").await;
    wait_for_size(&mut phone, 40, 30).await;
}

#[tokio::test]
async fn whose_size_counts_can_be_changed() {
    let server = Server::start(Options::args(["--sizing", "smallest"]));
    let id = server.bash(SIZE_SCRIPT).await;
    let mut wide = Client::attach(&server, &id, Hello::default().size(160, 30)).await;
    wide.sees("30 160\r\n").await;
    let mut tall = Client::attach(&server, &id, Hello::default().size(70, 60)).await;
    wait_for_size(&mut wide, 70, 30).await;
    assert_eq!(update_session(&server, &id, json!({ "sizing": "latest" })).await.spec.sizing, Sizing::Latest);
    wait_for_size(&mut wide, 160, 30).await;
    tall.type_in("x").await;
    wait_for_size(&mut wide, 70, 60).await;
    assert_eq!(update_session(&server, &id, json!({ "sizing": "fixed", "cols": 100 })).await.state.cols, 100);
    wait_for_size(&mut wide, 100, 60).await;
    wide.say(&ClientMessage::Primary { to: None }).await;
    wait_for_viewers(&mut wide, 2, true).await;
    assert_eq!(server.details(&id).await.info.state.cols, 100);
    update_session(&server, &id, json!({ "sizing": "smallest" })).await;
    wait_for_size(&mut wide, 70, 30).await;
    drop(tall);
    wait_for_size(&mut wide, 160, 30).await;
}

#[tokio::test]
async fn a_size_that_is_fixed_as_it_is_is_nobody_s_own_any_more() {
    let server = Server::start(Options::default());
    let id = server.bash(SIZE_SCRIPT).await;
    let mut viewer = Client::attach(&server, &id, Hello::default().size(160, 30)).await;
    viewer.sees("30 160\r\n").await;
    update_session(&server, &id, json!({ "sizing": "fixed" })).await;
    let nobody_s = |message: &ServerMessage| resize(message).filter(|(_, by)| by.is_none());
    assert_eq!(viewer.wait_for_message("whose size it is", nobody_s).await.0, Winsize::cells(160, 30));
}

async fn passes(server: &Server, id: &SessionId) -> [Pass; 2] {
    let passes: Vec<Pass> = server.get(&format!("/api/sessions/{id}/passes")).await.json().await.unwrap();
    passes.try_into().unwrap_or_else(|_| panic!("there is a pass for a reader, and one for a writer"))
}

#[tokio::test]
async fn who_was_invited_may_do_what_the_pass_says_and_no_more() {
    let server = Server::start(Options::default());
    let id = server.bash("while read line; do echo got $line; done").await;
    let other = server.bash("read line").await;
    let [reader, writer] = passes(&server, &id).await;
    assert_eq!((reader.role, writer.role), (Role::Reader, Role::Writer));

    let ask = |method: Method, path: String, pass: &Pass| {
        server.anonymous(method, &path).bearer_auth(&pass.token).json(&json!({})).send()
    };
    for pass in [&reader, &writer] {
        let sessions = ask(Method::GET, "/api/sessions".into(), pass).await.unwrap();
        let sessions = sessions.json::<Vec<SessionInfo>>().await.unwrap();
        let access: Access =
            ask(Method::GET, "/api/access".into(), pass).await.unwrap().json().await.unwrap();
        assert!(!access.owner && access.sessions == sessions);
        let [session] = sessions.try_into().unwrap();
        assert_eq!((session.id, session.role), (id.clone(), pass.role));
        for (method, path, status) in [
            (Method::GET, format!("/api/sessions/{id}/screen"), StatusCode::OK),
            (Method::GET, format!("/api/sessions/{other}"), StatusCode::NOT_FOUND),
            (Method::GET, format!("/api/sessions/{other}/screen"), StatusCode::NOT_FOUND),
            (Method::GET, format!("/api/sessions/{other}/attach"), StatusCode::NOT_FOUND),
            (Method::GET, format!("/api/sessions/{id}/passes"), StatusCode::FORBIDDEN),
            (Method::POST, "/api/sessions".into(), StatusCode::FORBIDDEN),
            (Method::PATCH, format!("/api/sessions/{id}"), StatusCode::FORBIDDEN),
            (Method::DELETE, format!("/api/sessions/{id}"), StatusCode::FORBIDDEN),
        ] {
            let answer = ask(method.clone(), path.clone(), pass).await.unwrap();
            assert_eq!(answer.status(), status, "{method} {path}");
        }
    }

    let mut watcher = Client::attach(&server, &id, Hello::default().with_token(&reader.token)).await;
    assert_eq!(watcher.welcome.role, Role::Reader);
    watcher.type_in("from the reader\n").await;
    watcher.wait_for_error(ErrorCode::ReadOnly).await;
    watcher.say(&ClientMessage::Primary { to: None }).await;
    watcher.wait_for_error(ErrorCode::ReadOnly).await;
    let mut helper = Client::attach(&server, &id, Hello::default().with_token(&writer.token)).await;
    assert_eq!(helper.welcome.role, Role::Writer);
    helper.type_in("from the writer\n").await;
    watcher.sees("got from the writer").await;
    assert!(!watcher.text().contains("reader"), "{}", watcher.text());
    let [first, second] = wait_for_viewers(&mut helper, 2, true).await.try_into().unwrap();
    assert_eq!((first.role, second.role), (Role::Reader, Role::Writer));
    helper.say(&ClientMessage::Primary { to: Some(first.id) }).await;
    helper.wait_for_error(ErrorCode::NoSuchViewer).await;
}

#[tokio::test]
async fn a_pass_logs_a_browser_in() {
    let server = Server::start(Options::default());
    let id = server.bash("read line").await;
    let [reader, writer] = passes(&server, &id).await;
    let mut browser = Browser::sign_in(&server, &writer.token).await;
    let list = browser.request(&server, Method::GET, "/api/sessions");
    let sessions: Vec<SessionInfo> = list.send().await.unwrap().json().await.unwrap();
    assert_eq!(sessions.iter().map(|session| session.role).collect::<Vec<_>>(), [Role::Writer]);
    assert_eq!((browser.access.owner, &browser.access.sessions), (false, &sessions));

    // A pass to another session adds access, and another pass to the same session replaces it.
    let other = server.bash("read line").await;
    let [_, elsewhere] = passes(&server, &other).await;
    for (pass, roles) in
        [(&elsewhere, &[Role::Writer, Role::Writer][..]), (&reader, &[Role::Reader, Role::Writer])]
    {
        browser.sign_in_again(&server, &pass.token).await;
        let told = &browser.access.sessions;
        assert_eq!(told.iter().map(|session| session.role).collect::<Vec<_>>(), roles);
    }
    let forged = reader.token.replace("reader", "writer");
    let login = server.anonymous(Method::POST, "/api/login").json(&json!({ "token": forged }));
    assert_eq!(login.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_program_that_is_free_outruns_a_viewer_that_wants_everything() {
    let server = Server::start(Options::args(["--tail", "512KiB", "--flow", "free"]));
    let id = server.bash("read go; seq 300000; echo done; read line").await;
    let mut client = Client::attach(&server, &id, Hello::default().window(300)).await;
    client.type_in("\n").await;
    let skipped = |message: &ServerMessage| match message {
        ServerMessage::Reset { skipped, .. } => Some(*skipped),
        _ => None,
    };
    assert!(client.wait_for_message("that it was left behind", skipped).await > 0);
}

#[tokio::test]
async fn a_program_that_is_held_waits_for_a_slow_person_too() {
    let server = Server::start(Options::args(["--tail", "512KiB"]));
    let body = json!({ "command": ["bash", "-c", "read go; seq 150000; echo done"], "flow": "hold" });
    let id = server.post("/api/sessions", body).await.json::<SessionInfo>().await.unwrap().id;
    let link = slow_link(&server, 3.2, 40).await;
    let mut client = Client::attach_at(link.address(), &id, Hello::default().follow_now()).await.unwrap();
    client.type_in("\n").await;
    client.read_to_end().await;
    let expected = (1..=150_000).map(|n| format!("{n}\r\n")).collect::<Vec<_>>().concat();
    assert!(client.text().ends_with(&(expected + "done\r\n")), "{} bytes", client.output.len());
}
