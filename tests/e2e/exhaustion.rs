//! Open files, terminals, connections or disk space run out: one request is refused, and everything
//! else keeps working.

use std::time::Duration;

use limpet_shared::{
    ErrorCode, ServerMessage, SessionId,
    api::{ApiError, SessionInfo},
};
use nix::{
    sys::resource::{Resource, getrlimit, setrlimit},
    unistd::Pid,
};
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout},
};

use crate::harness::{
    Browser, Client, Hello, Options, Server, TOKEN, client::connect_with, passes, until, within,
};

const ECHO_SCRIPT: &str = "while read line; do echo got $line; done";

/// Number of visits by the owner, and the additional time that all of them may take beside
/// thousands of strangers on a busy machine.
const VISITS: u32 = 50;
const VISITS_ALLOWANCE: Duration = Duration::from_secs(5);

/// Starts a server with this limit on open files. The test itself may open as many as it needs.
fn start_with_open_files(count: u32) -> Server {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    let limit = format!("ulimit -Sn {count}; ulimit -Hn {count}; exec \"$0\" \"$@\"");
    Server::start(Options::default().wrapped(["bash", "-c", &limit]))
}

/// Starts a server in its own mount namespace.
fn start_with_mount(mount: &str, args: [&str; 2]) -> Server {
    let mounted = format!("{mount} && exec \"$0\" \"$@\"");
    Server::start(Options::args(args).wrapped(["unshare", "-rm", "bash", "-c", &mounted]))
}

/// Returns the processes that must not be replaced.
fn processes(server: &Server) -> (Pid, Pid) {
    (server.keeper_pid(), server.server_pid())
}

async fn assert_echo_works(server: &Server, id: &SessionId) {
    let mut client = Client::attach(server, id, Hello::default()).await;
    client.type_in("owner\n").await;
    client.sees("got owner\r\n").await;
}

/// Opens a session, or returns the refusal.
async fn open(server: &Server) -> Result<SessionId, (StatusCode, ApiError)> {
    let response = server.post("/api/sessions", json!({ "command": ["bash", "-c", ECHO_SCRIPT] })).await;
    match response.status() {
        StatusCode::CREATED => Ok(response.json::<SessionInfo>().await.unwrap().id),
        status => Err((status, response.json().await.unwrap())),
    }
}

/// An owner's open page: a connection that was there before all others and is kept open.
struct Page(reqwest::Client);

impl Page {
    async fn open(server: &Server) -> Self {
        let page = Self(reqwest::Client::builder().pool_max_idle_per_host(1).build().unwrap());
        page.list_sessions(server).await;
        page
    }

    async fn list_sessions(&self, server: &Server) {
        let list = self.0.get(format!("http://{}/api/sessions", server.address()));
        let response = list.bearer_auth(TOKEN).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        // The connection is reused only after the body has been read.
        response.bytes().await.unwrap();
    }

    async fn open_session(&self, server: &Server) -> SessionId {
        let request = self.0.post(format!("http://{}/api/sessions", server.address())).bearer_auth(TOKEN);
        let response = request.json(&json!({ "command": ["bash", "-c", ECHO_SCRIPT] })).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::CREATED);
        response.json::<SessionInfo>().await.unwrap().id
    }
}

#[tokio::test]
async fn the_session_that_does_not_fit_is_refused_and_the_others_live_on() {
    let server = start_with_open_files(256);
    let before = processes(&server);
    let mut sessions = Vec::new();
    let (status, refusal) = loop {
        match open(&server).await {
            Ok(id) => sessions.push(id),
            Err(refused) => break refused,
        }
        assert!(sessions.len() < 256, "there is a limit");
    };
    assert_eq!((status, refusal.code), (StatusCode::TOO_MANY_REQUESTS, ErrorCode::TooManySessions));
    assert!(refusal.message.contains("256 open files"), "{}", refusal.message);
    assert!(sessions.len() > 20, "{}", sessions.len());
    for _ in 0..30 {
        assert!(open(&server).await.is_err());
    }
    let mut clients = Vec::new();
    for id in sessions.iter().take(20) {
        clients.push(Client::attach(&server, id, Hello::default()).await);
    }
    for client in &mut clients {
        client.type_in("x\n").await;
        client.sees("got x\r\n").await;
    }
    assert_eq!(processes(&server), before);
    server.kill().await;
    for id in &sessions {
        assert_echo_works(&server, id).await;
    }
    server.close(&sessions.pop().unwrap()).await;
    open(&server).await.unwrap();
}

#[tokio::test]
async fn strangers_who_say_nothing_take_no_room_from_the_owner() {
    let server = start_with_open_files(1024);
    let (first, before) = (open(&server).await.unwrap(), processes(&server));
    let page = Page::open(&server).await;
    let mut strangers = Vec::new();
    // These are more than there are descriptors, but few enough to wait for a server that accepts
    // no more.
    for number in 0..1060 {
        strangers.push(TcpStream::connect(server.address()).await.unwrap());
        if number % 50 == 0 {
            page.list_sessions(&server).await;
        }
    }
    for _ in 0..20 {
        let id = page.open_session(&server).await;
        assert_echo_works(&server, &id).await;
    }
    assert_echo_works(&server, &first).await;
    assert_eq!(processes(&server), before);
    // The oldest connections have been closed, and the youngest have not.
    let mut byte = [0];
    let oldest = within("the oldest to be closed", strangers[0].read(&mut byte)).await;
    assert!(oldest.is_err() || oldest.unwrap() == 0);
    let youngest = strangers.last_mut().unwrap();
    youngest.write_all(b"GET /api/health HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    within("the youngest to be answered", youngest.read_exact(&mut byte)).await.unwrap();
}

#[tokio::test]
async fn sockets_of_a_pass_that_say_nothing_take_no_room_from_the_owner() {
    let server = start_with_open_files(4096);
    let (first, before) = (open(&server).await.unwrap(), processes(&server));
    let [reader, _] = passes(&server, &first).await;
    // A viewer that has said hello keeps its place.
    let mut guest = Client::attach(&server, &first, Hello::default().with_token(&reader)).await;
    let page = Page::open(&server).await;
    let descriptors = server.census().descriptors;
    let mut silent = Vec::new();
    // Later sockets are served, but some are refused because they come too often.
    within("many to have been served", async {
        while silent.len() < 150 {
            page.list_sessions(&server).await;
            let attempts = (0..50).map(|_| connect_with(server.address(), &first, &reader));
            silent.extend(futures_util::future::join_all(attempts).await.into_iter().flatten());
        }
    })
    .await;
    let id = page.open_session(&server).await;
    assert_echo_works(&server, &id).await;
    let mut owner = Client::attach(&server, &first, Hello::default()).await;
    owner.type_in("to all\n").await;
    owner.sees("got to all\r\n").await;
    guest.sees("got to all\r\n").await;
    assert_eq!(processes(&server), before);
    until("all but a few to be closed", || server.census().descriptors < descriptors + 100).await;
}

#[tokio::test]
async fn sockets_of_an_owner_that_say_nothing_take_no_places_from_others() {
    let server = start_with_open_files(1024);
    let (first, before) = (open(&server).await.unwrap(), processes(&server));
    let [reader, _] = passes(&server, &first).await;
    let mut guest = Client::attach(&server, &first, Hello::default().with_token(&reader)).await;
    let descriptors = server.census().descriptors;
    // Half of the sockets come with the token, half with a browser's cookie alone.
    let browser = Browser::sign_in(&server, TOKEN).await;
    let (mut silent, mut half_open) = (Vec::new(), Vec::new());
    for number in 0..400 {
        if number % 2 == 0 {
            silent.push(connect_with(server.address(), &first, TOKEN).await.unwrap().0);
        } else {
            half_open.push(browser.open(&server, &first).await.unwrap());
        }
        if number % 50 == 49 {
            assert_echo_works(&server, &first).await;
            drop(Client::attach(&server, &first, Hello::default().with_token(&reader)).await);
        }
    }
    let mut owner = Client::attach(&server, &first, Hello::default()).await;
    owner.type_in("to all\n").await;
    owner.sees("got to all\r\n").await;
    guest.sees("got to all\r\n").await;
    let (messages, code) = half_open.remove(0).rest().await;
    assert!(code == Some(4400) && format!("{messages:?}").contains("hello-expected"), "{messages:?}");
    let mut youngest = half_open.pop().unwrap();
    youngest.hello(Some(&browser.key)).await;
    assert!(matches!(youngest.next().await, Some(ServerMessage::Welcome(_))));
    until("all but a few to be closed", || server.census().descriptors < descriptors + 60).await;
    assert_eq!(processes(&server), before);
}

/// A browser first shows only its cookie. Until it shows more, its sockets count against no session
/// that it was not admitted to, whatever session it names.
#[tokio::test]
async fn a_guest_takes_no_more_places_by_naming_many_sessions() {
    let server = start_with_open_files(1024);
    let (first, other) = (open(&server).await.unwrap(), open(&server).await.unwrap());
    let [reader, _] = passes(&server, &first).await;
    let [others_reader, _] = passes(&server, &other).await;
    let browser = Browser::sign_in(&server, &reader).await;
    let descriptors = server.census().descriptors;
    let mut silent = Vec::new();
    for number in 0..200 {
        let name = if number % 4 == 0 { other.clone() } else { format!("made-up-{number}").parse().unwrap() };
        // Sockets of a browser that may not attach are no reason to refuse others.
        if let Ok(socket) = browser.open(&server, &name).await {
            silent.push(socket);
        }
    }
    assert!(server.census().descriptors < descriptors + 60, "all but a few are closed");
    let mut guests = Vec::new();
    for pass in [&reader, &others_reader].repeat(15) {
        let id = if *pass == reader { &first } else { &other };
        guests.push(Client::attach(&server, id, Hello::default().with_token(pass)).await);
    }
    // The answer is the same as for any other session.
    let mut last = silent.pop().unwrap();
    last.hello(Some(&browser.key)).await;
    assert_eq!(last.rest().await.1, Some(4404));
}

#[tokio::test]
async fn whoever_has_credentials_is_served_beside_silent_slow_and_idle_strangers() {
    let server = start_with_open_files(8192);
    let (first, before) = (open(&server).await.unwrap(), processes(&server));
    let (page, idle) = (Page::open(&server).await, Instant::now());
    for _ in 0..VISITS {
        assert_echo_works(&server, &first).await;
    }
    let idle = idle.elapsed();
    let mut strangers = Vec::new();
    for number in 0..3600 {
        let mut stranger = TcpStream::connect(server.address()).await.unwrap();
        let said: &[u8] = match number % 12 {
            0 => b"POST /api/login HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{",
            1 => b"GET /api/health HTTP/1.1\r\nhost: localhost\r\n\r\n",
            2 => b"GET /api/health HTTP/1.1\r\nhost: lo",
            _ => b"",
        };
        stranger.write_all(said).await.unwrap();
        strangers.push(stranger);
        if number % 100 == 0 {
            assert_eq!(server.get("/api/sessions").await.status(), StatusCode::OK);
        }
    }
    // Strangers reconnect as soon as they are closed.
    let address = server.address().to_owned();
    let attack = tokio::spawn(async move {
        loop {
            let mut byte = [0];
            for stranger in &mut strangers {
                if let Ok(Ok(0) | Err(_)) = timeout(Duration::ZERO, stranger.read(&mut byte)).await {
                    *stranger = TcpStream::connect(&address).await.unwrap();
                }
            }
            tokio::task::yield_now().await;
        }
    });
    let attacked = Instant::now();
    for _ in 0..VISITS {
        assert_echo_works(&server, &first).await;
        page.list_sessions(&server).await;
    }
    let attacked = attacked.elapsed();
    eprintln!("{VISITS} visits: {idle:?} while idle, {attacked:?} beside strangers");
    // A server that waits for the strangers' timeouts would wait for seconds, again and again.
    assert!(attacked < 10 * idle + VISITS_ALLOWANCE, "{attacked:?} instead of {idle:?}");
    attack.abort();
    assert_eq!(processes(&server), before);
}

#[tokio::test]
async fn the_terminal_that_there_is_not_is_refused_in_plain_words() {
    let mount = "mount -t devpts -o newinstance,max=4,ptmxmode=666 devpts /dev/pts";
    let server = start_with_mount(mount, ["--worker-threads", "2"]);
    let before = processes(&server);
    let mut sessions = Vec::new();
    for _ in 0..4 {
        sessions.push(open(&server).await.unwrap());
    }
    let (status, refusal) = open(&server).await.unwrap_err();
    assert_eq!((status, refusal.code), (StatusCode::SERVICE_UNAVAILABLE, ErrorCode::OutOfResources));
    assert!(
        refusal.message.starts_with("no more pseudo-terminals: the system's limit is 4 ("),
        "{}",
        refusal.message
    );
    for id in &sessions {
        assert_echo_works(&server, id).await;
    }
    server.close(&sessions[0]).await;
    open(&server).await.unwrap();
    assert_eq!(processes(&server), before);
}

#[tokio::test]
async fn a_full_disk_is_said_and_nothing_else_comes_of_it() {
    let mount = "mount -t tmpfs -o size=8k,mode=700 none /mnt && head -c 8192 /dev/zero > /mnt/full || true";
    let server = start_with_mount(mount, ["--state-dir", "/mnt"]);
    let id = open(&server).await.unwrap();
    until("word of it", || server.log().contains("the disk is full")).await;
    assert_echo_works(&server, &id).await;
    let renamed =
        server.request(Method::PATCH, &format!("/api/sessions/{id}")).json(&json!({ "title": "x" }));
    assert_eq!(renamed.send().await.unwrap().status(), StatusCode::OK);
    assert_echo_works(&server, &id).await;
}
