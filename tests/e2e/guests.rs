//! Guests that behave as badly as possible: they slow, stall and exhaust only themselves.

use std::{fs, path::Path, time::Duration};

use limpet_shared::{
    ClientMessage, ErrorCode, ServerMessage, SessionId, Winsize,
    api::{ApiError, SessionInfo},
};
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::{task::JoinSet, time::sleep};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::harness::{
    Browser, Client, Hello, Options, Server, TOKEN,
    census::{anonymous_memory, run_time, unacknowledged_bytes_to},
    client::{data, viewer},
    passes, until, within,
};

/// Counts the unconsumed control messages that satisfy a condition.
fn count(client: &Client, is_counted: impl Fn(&ServerMessage) -> bool) -> usize {
    client.control.iter().filter(|message| is_counted(message)).count()
}

fn is_reset(message: &ServerMessage) -> bool {
    matches!(message, ServerMessage::Reset { .. })
}

fn is_resize(message: &ServerMessage) -> bool {
    matches!(message, ServerMessage::Resize { .. })
}

fn is_viewers(message: &ServerMessage) -> bool {
    matches!(message, ServerMessage::Viewers { .. })
}

/// Receives everything that the server sends before it answers a ping.
async fn catch_up(client: &mut Client, number: u64) {
    client.say(&ClientMessage::Ping { t: number.into() }).await;
    let pong = |message: &ServerMessage| match message {
        ServerMessage::Pong { t } if t.as_u64() == Some(number) => Some(()),
        _ => None,
    };
    client.wait_for_message("the pong", pong).await;
}

/// Returns a script that waits for the file `go`, prints far more than the output log keeps, and
/// creates the file `done`.
fn flood_between(go: &Path, done: &Path) -> String {
    let (go, done) = (go.display(), done.display());
    format!("until [ -e {go} ]; do sleep 0.05; done; seq 300000; touch {done}; read line")
}

#[tokio::test]
async fn a_reader_who_acknowledges_byte_by_byte_holds_no_program_back() {
    for flow in ["auto", "hold"] {
        let folder = tempfile::tempdir().unwrap();
        let (go, done) = (folder.path().join("go"), folder.path().join("done"));
        let server = Server::start(Options::args(["--tail", "512KiB"]));
        let body = json!({ "command": ["bash", "-c", flood_between(&go, &done)], "flow": flow });
        let id = server.post("/api/sessions", body).await.json::<SessionInfo>().await.unwrap().id;
        let [reader, _] = passes(&server, &id).await;
        let mut slow =
            Client::attach(&server, &id, Hello::default().with_token(&reader).window(1)).await.silent();
        fs::write(&go, "").unwrap();
        // The server sends one byte, and the next one when it is acknowledged. A program that
        // waited for this viewer would need two million acknowledgements.
        let mut bytes = 0;
        while !done.exists() {
            assert!(bytes < 40, "{flow}: the program stands still");
            slow.process_message().await;
            if !slow.output.is_empty() {
                bytes += slow.output.len();
                slow.output.clear();
                sleep(Duration::from_millis(250)).await;
                slow.acknowledge().await;
            }
        }
    }
}

#[tokio::test]
async fn history_is_drawn_once_until_it_is_acknowledged() {
    let server = Server::start(Options::default());
    let id = server.bash("seq 2000; read line").await;
    let [reader, _] = passes(&server, &id).await;
    let mut greedy = Client::attach(&server, &id, Hello::default().with_token(&reader)).await;
    greedy.sees("2000\r\n").await;
    let mut greedy = greedy.silent();
    for round in 0..3 {
        for _ in 0..100 {
            greedy.say(&ClientMessage::History).await;
        }
        catch_up(&mut greedy, round).await;
    }
    greedy.until("a picture with everything", |client| count(client, is_reset) > 0).await;
    catch_up(&mut greedy, 10).await;
    assert_eq!(count(&greedy, is_reset), 1, "300 were asked for");
    assert!(greedy.drawn().contains("2000"), "{}", greedy.drawn());
    greedy.acknowledge().await;
    greedy.until("the one that was asked for meanwhile", |client| count(client, is_reset) == 2).await;
}

/// Script that keeps its terminal open and prints nothing.
const QUIET_SCRIPT: &str = "stty -echo; read line";

#[tokio::test]
async fn a_storm_of_sizes_changes_the_terminal_a_few_times_and_ends_with_the_last() {
    let server = Server::start(Options::default());
    let id = server.bash("seq 1000; stty -echo; read line").await;
    let [_, writer] = passes(&server, &id).await;
    let mut guest = Client::attach(&server, &id, Hello::default().with_token(&writer).size(100, 30)).await;
    guest.sees("1000\r\n").await;
    let mut owner = Client::attach(&server, &id, Hello::default().size(80, 24)).await;
    let last = Winsize::cells(77, 33);
    for number in 0..200 {
        guest.resize(60 + number % 80, 30).await;
    }
    guest.resize(last.cols, last.rows).await;
    let is_last =
        |message: &ServerMessage| matches!(message, ServerMessage::Resize { size, .. } if *size == last);
    owner.until("the last size", |client| count(client, is_last) > 0).await;
    let sizes = server.log().matches(" resized session=").count();
    assert!((2..40).contains(&sizes), "the terminal has had {sizes} sizes");
    let info = server.details(&id).await.info;
    assert_eq!((info.state.cols, info.state.rows), (last.cols, last.rows));
}

#[tokio::test]
async fn two_who_take_the_pen_from_each_other_change_the_size_a_few_times() {
    let server = Server::start(Options::default());
    let id = server.bash(QUIET_SCRIPT).await;
    let [_, writer] = passes(&server, &id).await;
    let mut owner = Client::attach(&server, &id, Hello::default()).await;
    let mut guests = Vec::new();
    for cols in [100, 120] {
        guests.push(Client::attach(&server, &id, Hello::default().with_token(&writer).size(cols, 30)).await);
    }
    for round in 0..500 {
        for guest in &mut guests {
            guest.say(&ClientMessage::Primary { to: None }).await;
        }
        if round % 50 == 49 {
            for guest in &mut guests {
                catch_up(guest, round).await;
            }
        }
    }
    catch_up(&mut owner, 1).await;
    let (sizes, lists) = (count(&owner, is_resize), count(&owner, is_viewers));
    assert!(sizes < 150 && lists < 150, "{sizes} sizes and {lists} lists of viewers for 1,000 changes");
}

#[tokio::test]
async fn attaching_again_and_again_is_refused_after_a_while_and_told_to_others_seldom() {
    let server = Server::start(Options::default());
    let id = server.bash(QUIET_SCRIPT).await;
    let [reader, _] = passes(&server, &id).await;
    let mut owner = Client::attach(&server, &id, Hello::default()).await;
    let mut refused = 0;
    while refused < 20 {
        match Client::attach_at(server.address(), &id, Hello::default().with_token(&reader)).await {
            Ok(client) => client.reset_connection(),
            Err(Error::Http(answer)) => {
                assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
                refused += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    catch_up(&mut owner, 1).await;
    let told = count(&owner, is_viewers);
    assert!(told < 100, "the owner was told {told} times who is there");
    // The behaviour of guests does not keep the owner out.
    let mut again = Client::attach(&server, &id, Hello::default()).await;
    catch_up(&mut again, 1).await;
}

#[tokio::test]
async fn many_viewers_are_told_of_each_other_seldom() {
    const VIEWERS: usize = 40;
    let server = Server::start(Options::default());
    let id = server.bash(QUIET_SCRIPT).await;
    let [reader, _] = passes(&server, &id).await;
    let mut viewers = Vec::new();
    for _ in 0..VIEWERS {
        viewers.push(Client::attach(&server, &id, Hello::default().with_token(&reader)).await);
    }
    let all = |message: &ServerMessage| match message {
        ServerMessage::Viewers { count, .. } => (*count as usize == VIEWERS).then_some(()),
        _ => None,
    };
    let mut told = 0;
    for viewer in &mut viewers {
        viewer
            .until("that all are there", |viewer| viewer.control.iter().any(|message| all(message).is_some()))
            .await;
        told += count(viewer, is_viewers);
    }
    assert!(told < VIEWERS * 8, "{VIEWERS} viewers were told {told} times");
}

/// Waits until nobody is attached.
async fn wait_until_no_viewers(server: &Server, id: &SessionId) {
    within("all to be gone", async {
        while server.details(id).await.info.state.viewers > 0 {
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

/// Types bytes in frames of one byte each. The program reads none of them.
async fn type_byte_by_byte(client: &mut Client, bytes: u64) {
    let (from, mut answers) = (client.welcome.input.get(), 0);
    for offset in from..from + bytes {
        client.send(data(offset, b"x")).await;
    }
    answers += 1;
    catch_up(client, answers).await;
}

#[tokio::test]
async fn input_that_nobody_reads_costs_what_it_holds_and_goes_with_who_typed_it() {
    const TYPED: u64 = 96 * 1024;
    let options = Options::default().env("MALLOC_TRIM_THRESHOLD_", "65536").env("MALLOC_ARENA_MAX", "1");
    let server = Server::start(options.env("MALLOC_MMAP_THRESHOLD_", "65536"));
    let id = server.bash("stty raw -echo; echo ready; sleep 1000").await;
    let [_, writer] = passes(&server, &id).await;
    let mut before = None;
    for _ in 0..3 {
        let mut guest = Client::attach(&server, &id, Hello::default().with_token(&writer)).await;
        guest.sees("ready").await;
        let before = *before.get_or_insert_with(|| anonymous_memory(server.server_pid()));
        type_byte_by_byte(&mut guest, TYPED).await;
        let grown = anonymous_memory(server.server_pid()).saturating_sub(before);
        assert!(grown < 6 << 20, "{grown} bytes for {TYPED}");
        guest.reset_connection();
        wait_until_no_viewers(&server, &id).await;
    }
    // Nothing that the guests left is kept, so the owner's input does not queue behind it.
    let mut owner = Client::attach(&server, &id, Hello::default()).await;
    catch_up(&mut owner, 9).await;
    let grown = anonymous_memory(server.server_pid()).saturating_sub(before.unwrap());
    assert!(grown < 6 << 20, "{grown} bytes are kept");
}

#[tokio::test]
async fn a_guest_with_another_s_id_is_somebody_else() {
    let server = Server::start(Options::default());
    let id = server.bash("while read line; do echo got $line; done").await;
    let [reader, writer] = passes(&server, &id).await;
    let hello = Hello { viewer: viewer(), ..Hello::default() };
    let mut owner = Client::attach(&server, &id, hello.clone()).await;
    owner.type_in("one\n").await;
    owner.sees("got one").await;
    owner.wait_for_ack(4).await;
    for token in [&writer, &reader] {
        let mut guest = Client::attach(&server, &id, hello.clone().with_token(token)).await;
        assert_eq!(guest.welcome.input.get(), 0, "it has typed nothing itself");
        owner.type_in("two\n").await;
        guest.sees("got two").await;
        let told: Vec<String> = guest.control.iter().map(ServerMessage::to_json).collect();
        let told = format!("{} {}", ServerMessage::Welcome(guest.welcome.clone()).to_json(), told.concat());
        assert!(!told.contains(&hello.viewer.to_string()), "{told}");
        owner.sees("got two").await;
        owner.output.clear();
    }
    // Two guests with the same pass are distinct viewers, and each keeps its identity when it
    // reattaches.
    let (one, other) = (Hello { viewer: viewer(), ..hello.clone() }, Hello { viewer: viewer(), ..hello });
    let mut first = Client::attach(&server, &id, one.clone().with_token(&writer)).await;
    first.type_in("three\n").await;
    first.wait_for_ack(6).await;
    let second = Client::attach(&server, &id, other.with_token(&writer)).await;
    assert_eq!(second.welcome.input.get(), 0);
    let again = Client::attach(&server, &id, one.with_token(&writer)).await;
    assert_eq!(again.welcome.input.get(), 6);
    assert_eq!(first.read_to_end().await.1, Some(4409));
}

#[tokio::test]
async fn what_is_typed_and_said_in_a_storm_arrives_whole() {
    const PASTE: usize = 3_000_000;
    let server = Server::start(Options::default());
    let script = format!("stty raw -echo; echo ready; head -c {PASTE} | md5sum; read line");
    let id = server.bash(&script).await;
    let [reader, writer] = passes(&server, &id).await;
    let mut guest = Client::attach(&server, &id, Hello::default().with_token(&writer)).await;
    guest.sees("ready").await;
    // Meanwhile others send messages without pause.
    let mut storm = JoinSet::new();
    for message in [r#"{"type":"ping","t":1}"#, r#"{"type":"nonsense"}"#, r#"{"type":"history"}"#] {
        let mut noisy = Client::attach(&server, &id, Hello::default().with_token(&reader)).await;
        storm.spawn(async move {
            loop {
                noisy.send(Message::text(message)).await;
                tokio::select! {
                    biased;
                    here = noisy.process_message() => if !here { break },
                    () = sleep(Duration::ZERO) => {}
                }
            }
        });
    }
    let paste: Vec<u8> = (0..PASTE).map(|at| b'a' + u8::try_from(at % 23).unwrap()).collect();
    let (mut sent, mut written) = (0, 0);
    while written < PASTE {
        while sent < PASTE && sent - written < 256 * 1024 {
            let part = &paste[sent..(sent + 64 * 1024).min(PASTE)];
            guest.type_in(std::str::from_utf8(part).unwrap()).await;
            sent += part.len();
        }
        let acknowledged = guest.wait_for_message("an acknowledgement", |message| match message {
            ServerMessage::Ack { input } => Some(input.get()),
            _ => None,
        });
        written = usize::try_from(acknowledged.await).unwrap();
    }
    let expected = std::process::Command::new("bash")
        .args([
            "-c",
            &format!(
                "for i in $(seq {}); do printf abcdefghijklmnopqrstuvw; done | head -c {PASTE} | md5sum",
                PASTE / 23 + 1
            ),
        ])
        .output()
        .unwrap();
    guest.sees(String::from_utf8(expected.stdout).unwrap().trim()).await;
    assert_eq!(storm.try_join_next().map(|ended| ended.is_ok()), None, "nobody was thrown out");
    let mut owner = Client::attach(&server, &id, Hello::default()).await;
    owner.say(&ClientMessage::Primary { to: Some(u64::MAX) }).await;
    owner.wait_for_error(ErrorCode::NoSuchViewer).await;
}

/// Repeats `storm` until the flood threads have done some work. The session prints too little to
/// count as a flood.
async fn repeat_until_flood_threads_work(server: &Server, mut storm: impl AsyncFnMut()) {
    let time = || run_time(server.server_pid(), "floods");
    let before = time();
    within("the other threads to work", async {
        while time() < before + Duration::from_millis(20) {
            storm().await;
        }
    })
    .await;
}

#[tokio::test]
async fn who_sends_without_pause_is_served_by_the_threads_that_no_key_waits_for() {
    let server = Server::start(Options::args(["--worker-threads", "2"]));
    let id = server.bash("read line").await;
    let [reader, _] = passes(&server, &id).await;
    let mut guest = Client::attach(&server, &id, Hello::default().with_token(&reader)).await;
    let mut number = 0;
    repeat_until_flood_threads_work(&server, async || {
        number += 1;
        catch_up(&mut guest, number).await;
    })
    .await;
}

#[tokio::test]
async fn many_who_come_are_served_by_the_threads_that_no_key_waits_for() {
    let server = Server::start(Options::args(["--worker-threads", "2"]));
    let id = server.bash("seq 2000; read line").await;
    let [reader, _] = passes(&server, &id).await;
    repeat_until_flood_threads_work(&server, async || {
        // Some attempts are refused after a while.
        if let Ok(guest) =
            Client::attach_at(server.address(), &id, Hello::default().with_token(&reader)).await
        {
            guest.reset_connection();
        }
    })
    .await;
}

#[tokio::test]
async fn all_that_a_guest_asks_for_counts_and_an_owner_is_not_limited() {
    let server = Server::start(Options::default());
    let id = server.bash(QUIET_SCRIPT).await;
    let [reader, writer] = passes(&server, &id).await;
    let (browser, owner) = (Browser::sign_in(&server, &reader).await, Browser::sign_in(&server, TOKEN).await);
    let session = format!("/api/sessions/{id}");
    let paths = [
        "/api/sessions".to_owned(),
        "/api/access".to_owned(),
        session.clone(),
        format!("{session}/screen"),
        format!("{session}/passes"),
        "/api/sign-ins".to_owned(),
        "/api/sessions/none-of-that-name".to_owned(),
    ];
    let get = |path: &str, token: &str| server.anonymous(Method::GET, path).bearer_auth(token).send();
    for path in &paths {
        // The browser's sign-in shares the pass's grant and so its limit: the browser's requests
        // alone would stay below it.
        let mut are_refused = (false, false);
        for _ in 0..24 {
            let tokens = futures_util::future::join_all((0..60).map(|_| get(path, &reader)));
            let cookies = (0..20).map(|_| browser.request(&server, Method::GET, path).send());
            let (tokens, cookies) = tokio::join!(tokens, futures_util::future::join_all(cookies));
            for answer in tokens.into_iter().map(Result::unwrap) {
                if answer.status() != StatusCode::TOO_MANY_REQUESTS {
                    continue;
                }
                are_refused.0 = true;
                let wait: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
                assert!((1..60).contains(&wait), "{wait}");
                let error: ApiError = answer.json().await.unwrap();
                assert!(error.code == ErrorCode::TooManyRequests && error.message.contains("try again in"));
            }
            let mut cookies = cookies.into_iter().map(|answer| answer.unwrap().status());
            are_refused.1 |= cookies.any(|status| status == StatusCode::TOO_MANY_REQUESTS);
            if are_refused == (true, true) {
                break;
            }
        }
        assert_eq!(are_refused, (true, true), "{path}");
        // The limit applies to one grant: another pass is not affected.
        assert_ne!(get(path, &writer).await.unwrap().status(), StatusCode::TOO_MANY_REQUESTS, "{path}");
    }
    for path in &paths {
        let asked = (0..100).map(|_| owner.request(&server, Method::GET, path).send());
        for answer in futures_util::future::join_all(asked).await {
            assert_ne!(answer.unwrap().status(), StatusCode::TOO_MANY_REQUESTS, "{path}");
        }
    }
}

/// Maximum memory for snapshots that the guests of a session do not take, in bytes. It includes one
/// snapshot that is being written and the viewers' other costs.
const MAX_GUEST_SNAPSHOT_BYTES: usize = 48 << 20;

#[tokio::test]
async fn snapshots_that_readers_do_not_take_are_held_within_a_bound_and_not_for_ever() {
    const READERS: usize = 32;
    let options = Options::default().env("MALLOC_TRIM_THRESHOLD_", "65536").env("MALLOC_ARENA_MAX", "1");
    let server = Server::start(options.env("MALLOC_MMAP_THRESHOLD_", "65536"));
    // A snapshot with the whole scrollback takes 4 MB.
    let script = "stty -echo; head -c 4000000 /dev/zero | tr '\\0' x; echo; echo ready; read line; echo got $line; read line";
    let wish = json!({ "command": ["bash", "-c", script], "cols": 2000, "rows": 20, "sizing": "fixed" });
    let id = server.post("/api/sessions", wish).await.json::<SessionInfo>().await.unwrap().id;
    let mut owner = Client::attach(&server, &id, Hello::default()).await;
    owner.sees("ready").await;
    let [reader, writer] = passes(&server, &id).await;
    let mut honest = Client::attach(&server, &id, Hello::default().with_token(&writer).follow_now()).await;
    catch_up(&mut honest, 1).await;
    let mut readers = Vec::new();
    for _ in 0..READERS {
        let mut silent = Client::attach(&server, &id, Hello::default().with_token(&reader)).await;
        catch_up(&mut silent, 1).await;
        readers.push(silent.silent());
    }
    let before = anonymous_memory(server.server_pid());
    for silent in &mut readers {
        silent.say(&ClientMessage::History).await;
    }
    let mut peak = 0;
    let seen = |client: &Client| client.snapshot.len();
    until("several to be sent what they do not take", || {
        peak = peak.max(anonymous_memory(server.server_pid()).saturating_sub(before));
        readers.iter().filter(|silent| unacknowledged_bytes_to(silent.port()) > 0).count() >= 2
    })
    .await;
    // A viewer that reads the snapshot it asked for gets it in the end, and the owner gets output
    // at once.
    owner.type_in("something\n").await;
    owner.sees("got something").await;
    honest.say(&ClientMessage::History).await;
    within("all of the scrollback", async {
        while seen(&honest) < 4_000_000 {
            peak = peak.max(anonymous_memory(server.server_pid()).saturating_sub(before));
            assert!(honest.process_message().await);
        }
    })
    .await;
    eprintln!("{peak} bytes for {READERS} readers");
    assert!(peak < MAX_GUEST_SNAPSHOT_BYTES, "{peak} bytes for {READERS} readers");
    // A viewer that reads after all, but late, gets the screen of that moment.
    let mut late = readers.swap_remove(0);
    let shows =
        |late: &Client| late.drawn().contains("got something") || late.text().contains("got something");
    within("the present", async {
        while !shows(&late) {
            assert!(late.process_message().await);
            late.acknowledge().await;
        }
    })
    .await;
}
