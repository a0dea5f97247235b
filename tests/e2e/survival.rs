//! Sessions survive when the server is killed and when another one takes its place.

use std::fs;

use limpet_shared::{
    CloseCode, ExitStatus, SessionId,
    api::{Screen, SessionInfo},
};
use nix::sys::signal::{Signal, kill};
use reqwest::header::ACCEPT;
use serde_json::json;
use tokio::sync::oneshot;

use crate::{
    harness::{Client, Hello, Options, Server, census::is_running, client::viewer, until, within},
    integrity::{follow, numbered, sha256, type_all},
};

pub(crate) async fn screen(server: &Server, id: &SessionId) -> Screen {
    let request = server.request(reqwest::Method::GET, &format!("/api/sessions/{id}/screen"));
    let text = request.header(ACCEPT, "application/json").send().await.unwrap().text().await.unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Maximum number of times that a server is killed.
const MAX_KILLS: u32 = 12;

/// The way a server is replaced.
#[derive(Clone, Copy, Debug)]
enum Replacement {
    Kill,
    Upgrade,
}

impl Replacement {
    async fn replace_server(self, server: &Server) {
        match self {
            Self::Kill => server.kill().await,
            Self::Upgrade => {
                let (done, said) = server.upgrade();
                assert!(done, "{said}");
            }
        }
    }
}

#[tokio::test]
async fn a_session_goes_on_where_it_was() {
    for (replacement, options) in
        [Replacement::Kill, Replacement::Upgrade].into_iter().flat_map(|replacement| {
            Options::environments().into_iter().map(move |options| (replacement, options))
        })
    {
        let mut server = Server::start(options);
        let session = json!({
            "command": ["bash", "-c", "echo before; while read line; do echo got $line; done; exit 7"],
            "title": "mine", "sizing": "owner", "env": { "MARK": "kept" },
        });
        let info: SessionInfo = server.post("/api/sessions", session).await.json().await.unwrap();
        let id = info.id.clone();
        let hello = Hello { viewer: viewer(), ..Hello::default().size(100, 30) };
        let mut client = Client::attach(&server, &id, hello.clone()).await;
        client.type_in("one\n").await;
        client.sees("got one\r\n").await;
        let (epoch, received, first) = (client.epoch().clone(), client.received(), server.server_pid());
        replacement.replace_server(&server).await;
        let closed = client.read_to_end().await;
        assert!(
            matches!((replacement, closed.1), (Replacement::Kill, None) | (Replacement::Upgrade, Some(1001))),
            "{closed:?}"
        );
        assert_ne!(server.server_pid(), first);

        let mut client = Client::attach(&server, &id, hello.resume(&epoch, received)).await;
        assert_eq!((client.welcome.output, client.epoch()), (received, &epoch), "it goes on at its offset");
        assert_eq!(client.welcome.input.get(), 4, "and what it typed is known");
        let now = server.details(&id).await.info;
        assert_eq!((&now.spec, now.state.cols), (&info.spec, 100));
        client.type_in("two\n").await;
        client.sees("got two\r\n").await;
        client.type_in("\x04").await;
        assert_eq!(client.read_to_end().await, (Some(ExitStatus::Code(7)), Some(CloseCode::Normal.code())));

        // The screen of the ended session is still available from the next server.
        let last = screen(&server, &id).await;
        replacement.replace_server(&server).await;
        assert_eq!(screen(&server, &id).await, last);
        assert_eq!(server.details(&id).await.info.state.exit, Some(ExitStatus::Code(7)));
        let again = server.post("/api/sessions", json!({ "like": id })).await;
        assert_eq!(again.json::<SessionInfo>().await.unwrap().state.label, "mine");
        server.signal_keeper(Signal::SIGTERM);
        assert!(server.wait_until_ended().await.success());
    }
}

/// Kills the server repeatedly, each time as soon as the new one has served a client. Returns the
/// number of kills.
async fn kill_until(mut is_done: oneshot::Receiver<()>, server: &Server, id: &SessionId) -> u32 {
    let mut kills = 0;
    while is_done.try_recv().is_err() && kills < MAX_KILLS {
        server.kill().await;
        kills += 1;
        let mut client = Client::attach(server, id, Hello::default()).await;
        client.until("some output", |client| !client.output.is_empty() || client.exit.is_some()).await;
    }
    kills
}

#[tokio::test]
async fn every_line_arrives_once_however_often_the_server_is_killed() {
    const LINES: u32 = 60_000;
    for (seed, options) in Options::thread_and_core_variants().into_iter().enumerate() {
        let server = Server::start(options);
        // The output is slow enough for many kills.
        let script = format!("read go; for ((i=1; i<={LINES}; i++)); do echo line $i; done; exit 5");
        let id = server.bash(&script).await;
        let followers = [3_000, 300_000].map(|window| {
            let (address, id) = (server.address().to_owned(), id.clone());
            tokio::spawn(async move { follow(&address, &id, window, window + seed as u64).await })
        });
        let mut starter = Client::attach(&server, &id, Hello::default()).await;
        starter.type_in("\n").await;
        starter.wait_for_ack(1).await;
        drop(starter);
        let (done, is_done) = oneshot::channel();
        let all = async {
            let mut all = Vec::new();
            for follower in followers {
                all.push(follower.await.unwrap());
            }
            // If nobody listens any more, the server has been killed often enough.
            let _ = done.send(());
            all
        };
        let kills = kill_until(is_done, &server, &id);
        let (all, kills) =
            within("all viewers to see the end", Box::pin(async { tokio::join!(all, kills) })).await;
        assert!(kills > 5, "{kills} kills");
        let expected = "\r\n".to_owned() + &numbered(LINES);
        for (seen, exit) in all {
            assert_eq!(exit, ExitStatus::Code(5));
            assert!(seen == expected.as_bytes(), "{} bytes instead of {}", seen.len(), expected.len());
        }
    }
}

#[tokio::test]
async fn every_key_arrives_once_however_often_the_server_is_killed() {
    for options in Options::thread_and_core_variants() {
        let server = Server::start(options);
        let text: String = (1..=60_000).map(|n| format!("key {n}\n")).collect::<Vec<_>>().concat();
        let script = format!("stty raw -echo; echo ready; head -c {} | sha256sum", text.len());
        let id = server.bash(&script).await;
        let mut watcher = Client::attach(&server, &id, Hello::default()).await;
        watcher.sees("ready").await;
        drop(watcher);
        let (done, is_done) = oneshot::channel();
        let typing = async {
            type_all(server.address(), &id, viewer(), text.as_bytes(), 7).await;
            // If nobody listens any more, the server has been killed often enough.
            let _ = done.send(());
        };
        let kills = kill_until(is_done, &server, &id);
        let ((), kills) =
            within("everything to be typed", Box::pin(async { tokio::join!(typing, kills) })).await;
        assert!(kills > 5, "{kills} kills");
        let (screen, expected) = (screen(&server, &id).await, sha256(text.as_bytes()));
        assert!(screen.lines.concat().contains(&expected), "{screen:?}");
    }
}

/// The same program runs on two servers, one of which is killed again and again.
#[tokio::test]
async fn the_screen_is_what_it_would_be_had_nothing_happened() {
    // The output is much longer than the output log, and of a kind that the screen cannot skip.
    let script = r#"awk 'BEGIN {
        printf "\033]0;a title\007\033[?2004h\033[2 q"
        for (i = 1; i <= 70000; i++) {
            printf "\033[3%dm%d \033[1mcoloured\033[m 日 and as long as it takes to be more than that: %060d\n", i % 8, i, i
            if (i % 10 == 0) printf "\0337\033[H\033[7m top %d \033[m\0338", i
        }
        printf "\033[?1049h\033[5;10Hin the other one" }'; read line"#;
    let is_over = |screen: &Screen| screen.alternate && screen.cursor.x == 25;
    let server = Server::start(Options::args(["--tail", "512KiB", "--scrollback", "500"]));
    let (calm, hit) = (server.bash(script).await, server.bash(script).await);
    let (mut kills, mut reached) = (0, 0);
    within("both to have said everything", async {
        while !is_over(&screen(&server, &hit).await) || !is_over(&screen(&server, &calm).await) {
            let screen = screen(&server, &hit).await;
            let number = |line: &String| line.split_once(" coloured")?.0.parse::<u32>().ok();
            let number = screen.lines.iter().rev().find_map(number);
            // The server gets some time between two kills.
            if number.is_none_or(|number| number > reached + 2000) {
                server.kill().await;
                kills += 1;
                reached = number.unwrap_or(reached);
            }
        }
    })
    .await;
    for _ in 0..3 {
        server.kill().await;
    }
    let quiet = Server::start(Options::args(["--tail", "512KiB", "--scrollback", "500"]));
    let model = quiet.bash(script).await;
    within("the model to have said everything", async { while !is_over(&screen(&quiet, &model).await) {} })
        .await;
    let drawn = async |server: &Server, id: &SessionId| {
        let mut client = Client::attach(server, id, Hello::default().follow_now()).await;
        client.until("a picture", |client| client.drawn().contains("in the other one")).await;
        client.drawn()
    };
    let expected = drawn(&quiet, &model).await;
    for id in [&calm, &hit] {
        assert_eq!(screen(&server, id).await, screen(&quiet, &model).await, "after {kills} kills");
        assert!(drawn(&server, id).await == expected, "to the last cell of the scrollback");
    }
}

#[tokio::test]
async fn every_question_is_answered_once_however_often_the_server_is_killed() {
    // After more kills in a row, the keeper pauses before it starts another server.
    const KILLS: u32 = 9;
    let folder = tempfile::tempdir().unwrap();
    let (stop, count) = (folder.path().join("stop"), folder.path().join("count"));
    // Each query comes from another cursor position, so a missing or duplicate answer shows.
    let script = format!(
        r#"stty -echo; for ((i=0; ; i++)); do
            row=$((i % 23 + 1)) column=$((i % 71 + 1))
            printf '\033[%d;%dH\033[6n' $row $column
            IFS= read -rs -d R -t 30 told || {{ printf '\033[H\033[Jlost at %d.' $i; break; }}
            [[ $told == $'\033['$row';'$column ]] || {{ printf '\033[H\033[Jtold %q at %d.' "$told" $i; break; }}
            [[ -e {} ]] && {{ printf '\033[H\033[Jasked %d times.' $i; break; }}
            echo $i > {}
        done; read line"#,
        stop.display(),
        count.display()
    );
    let asked = || fs::read_to_string(&count).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(-1);
    for options in Options::thread_and_core_variants() {
        let server = Server::start(options);
        let id = server.bash(&script).await;
        for _ in 0..KILLS {
            let before: i64 = asked();
            server.kill().await;
            until("another question to be answered", || asked() > before).await;
        }
        fs::write(&stop, "").unwrap();
        let said = within("the end", async {
            loop {
                let screen = screen(&server, &id).await;
                if let Some(line) = screen.lines.into_iter().find(|line| line.ends_with('.')) {
                    break line;
                }
            }
        })
        .await;
        let times = said.strip_prefix("asked ").and_then(|rest| rest.strip_suffix(" times.")?.parse().ok());
        assert!(times.is_some_and(|times: u32| times > KILLS), "{said}");
        fs::remove_file(&stop).unwrap();
        fs::remove_file(&count).unwrap();
    }
}

#[tokio::test]
async fn a_session_is_kept_as_soon_as_anybody_knows_of_it() {
    for options in [(); 8].map(|()| Options::thread_and_core_variants()).concat() {
        let server = Server::start(options);
        let first = server.server_pid();
        let id = server.bash("read line").await;
        kill(first, Signal::SIGKILL).unwrap();
        assert_eq!(server.details(&id).await.info.state.exit, None);
    }
}

#[tokio::test]
async fn a_program_that_ends_while_nobody_serves_is_told_of() {
    let server = Server::start(Options::default());
    let id = server.bash("read -t 1 x; kill -SEGV $$").await;
    // The server is killed until the program happens to end while no server runs.
    within("the end", async {
        while server.details(&id).await.info.state.exit.is_none() {
            server.kill().await;
        }
    })
    .await;
    assert_eq!(server.details(&id).await.info.state.exit, Some(ExitStatus::Signal(11)));
}

#[tokio::test]
async fn nothing_is_left_when_the_keeper_is_gone() {
    let server = Server::start(Options::default());
    let id = server.bash("echo $$ ready; sleep 1000").await;
    let mut client = Client::attach(&server, &id, Hello::default()).await;
    client.sees("ready").await;
    let (program, serving) =
        (client.text().split_whitespace().next().unwrap().to_owned(), server.server_pid().to_string());
    server.signal_keeper(Signal::SIGKILL);
    until("server and program to be gone", || !is_running(&serving) && !is_running(&program)).await;
}

#[tokio::test]
async fn nothing_is_lost_or_left_over_many_kills() {
    for options in Options::environments() {
        nothing_is_lost_or_left(&Server::start(options)).await;
    }
}

async fn nothing_is_lost_or_left(server: &Server) {
    let ids = [server.bash("read x").await, server.bash("cat").await, server.bash("exit 3").await];
    until("one to have ended", || server.log().contains("ended session")).await;
    server.kill().await;
    let before = server.idle_census().await;
    for _ in 0..10 {
        server.kill().await;
    }
    until("descriptors and children to be as before", || server.census() == before).await;
    for id in &ids {
        server.close(id).await;
    }
    assert_eq!(server.census().children, 0);
}
