//! Every call that acquires a resource fails once: a descriptor, memory, a thread, a process, a
//! terminal, disk space. The operation that needed it fails with a clear message or succeeds all
//! the same, and nobody else notices.
//!
//! With `LIMPET_FAULT_STRIDE=1` every call of an upgrade and of a start after a kill fails, which
//! takes minutes; by default only some do.

use std::{env, ops::AsyncFn, time::Duration};

use limpet_shared::{
    ClientMessage, SessionId,
    api::{ApiError, SessionInfo},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use reqwest::{Method, Response};
use serde_json::json;
use tokio::time::timeout;

use crate::harness::{
    Census, Client, DEADLINE, Faults, Hello, Options, Server, census::server_of, until, within,
};

/// The program of the session that the bystander watches.
const ECHO_SCRIPT: &str = "while read line; do echo got $line; done";

/// A server whose calls can fail, and a bystander that types there meanwhile.
struct Scene {
    faults: Faults,
    server: Server,
    bystander: Client,
    session: SessionId,
    keeper: Pid,
    serving: Pid,
    typed: usize,
    before: Census,
}

impl Scene {
    async fn new(options: Options) -> Self {
        let faults = Faults::new();
        let server = Server::start(faults.options(options));
        let session = server.bash(ECHO_SCRIPT).await;
        let bystander = Client::attach(&server, &session, Hello::default()).await;
        // The first session allocates resources that remain.
        let first = server.open_session(["cat"]).await;
        server.details(&first).await;
        server.close(&first).await;
        let (keeper, serving) = (server.keeper_pid(), server.server_pid());
        let before = server.census();
        let mut scene = Self { faults, server, bystander, session, keeper, serving, typed: 0, before };
        scene.assert_echo().await;
        scene.before = scene.wait_for_stable_census().await;
        scene
    }

    /// Returns the census once nothing is in progress: two in a row are equal.
    async fn wait_for_stable_census(&self) -> Census {
        let mut last = self.server.census();
        within("nothing to be under way", async {
            loop {
                tokio::time::sleep(Duration::from_millis(100)).await;
                let now = self.server.census();
                if now == last {
                    break now;
                }
                last = now;
            }
        })
        .await
    }

    async fn assert_echo(&mut self) {
        self.typed += 1;
        let line = format!("line {}", self.typed);
        self.bystander.type_in(&format!("{line}\n")).await;
        self.bystander.sees(&format!("got {line}\r\n")).await;
    }

    /// Makes each call that `operation` leads to fail, until it runs without a failing call. The
    /// operation returns the refusal it got, if any, and leaves nothing behind.
    async fn fail_each_call(
        &mut self,
        what: &str,
        operation: impl AsyncFn(&Server, &SessionId, &Faults) -> Option<String>,
    ) {
        for number in 1.. {
            self.faults.arm(number);
            let refusal = operation(&self.server, &self.session, &self.faults).await;
            let call = self.faults.disarm();
            let case = format!("{what}, call {number}, {call:?}: {refusal:?}");
            eprintln!("{case}");
            self.assert_echo().await;
            assert_eq!(
                (self.server.keeper_pid(), self.server.server_pid()),
                (self.keeper, self.serving),
                "{case}"
            );
            let before = self.before;
            until(&format!("{case}; what it took to be given back, {before:?}"), || {
                let now = self.server.census();
                now.descriptors <= before.descriptors && now.children <= before.children
            })
            .await;
            if call.is_none() {
                assert_eq!(refusal, None, "{what}, when nothing fails");
                assert!(number > 1, "{what} acquires something");
                return;
            }
        }
    }
}

/// Returns the refusal of a request, if it was refused: a clear message, or a connection that was
/// closed before any could be sent.
async fn refusal(response: Result<Response, reqwest::Error>) -> Option<String> {
    let response = match response {
        Ok(response) if response.status().is_success() => return None,
        Ok(response) => response,
        Err(error) => return Some(format!("no answer: {error}")),
    };
    let status = response.status();
    let error: ApiError = response.json().await.unwrap();
    assert!(status.is_server_error() || status == 429, "{status}: {}", error.message);
    assert!(
        ["no more ", "out of memory", "the disk is full"].iter().any(|words| error.message.contains(words)),
        "{}",
        error.message
    );
    Some(error.message)
}

#[tokio::test]
async fn opening_and_closing_a_session_may_fail_and_nothing_else_does() {
    let mut scene = Scene::new(Options::default()).await;
    scene
        .fail_each_call("opening a session", async |server, _, faults| {
            let response = server
                .request(Method::POST, "/api/sessions")
                .json(&json!({ "command": ["cat"] }))
                .send()
                .await;
            faults.pause();
            let (opened, refused) = match response {
                Ok(response) if response.status().is_success() => {
                    (Some(response.json::<SessionInfo>().await.unwrap().id), None)
                }
                other => (None, refusal(other).await),
            };
            let sessions: Vec<SessionInfo> = server.get("/api/sessions").await.json().await.unwrap();
            assert_eq!(sessions.len(), 1 + usize::from(opened.is_some()));
            if let Some(id) = opened {
                server.close(&id).await;
            }
            refused
        })
        .await;
    scene
        .fail_each_call("closing a session", async |server, bystander, faults| {
            faults.pause();
            let id = server.bash("sleep 1000 & cat").await;
            faults.resume();
            let path = format!("/api/sessions/{id}");
            let refused = refusal(server.request(Method::DELETE, &path).send().await).await;
            faults.pause();
            if refused.is_some() {
                server.close(&id).await;
            }
            let left: Vec<SessionInfo> = server.get("/api/sessions").await.json().await.unwrap();
            assert!(left.iter().map(|info| &info.id).eq([bystander]));
            refused
        })
        .await;
}

/// Attaches, types, and leaves. Returns the error, if any.
async fn visit(server: &Server, session: &SessionId, message: Option<ClientMessage>) -> Option<String> {
    let attaching = Client::attach_at(server.address(), session, Hello::default());
    let mut client = match timeout(DEADLINE, attaching).await.unwrap() {
        Ok(client) => client,
        Err(error) => return Some(error.to_string()),
    };
    if let Some(message) = message {
        client.say(&message).await;
    }
    client.type_in("visitor\n").await;
    loop {
        if client.text().contains("got visitor\r\n") || client.drawn().contains("got visitor") {
            return None;
        }
        if !timeout(DEADLINE, client.process_message()).await.unwrap() {
            return Some(format!("closed with {:?}", client.close_code));
        }
    }
}

#[tokio::test]
async fn looking_at_sessions_may_fail_and_nothing_else_does() {
    let mut scene = Scene::new(Options::default()).await;
    let id = scene.server.bash("while read line; do echo got $line; done").await;
    scene.before = scene.wait_for_stable_census().await;
    let of = |path: &str| format!("/api/sessions/{id}{path}");
    scene.fail_each_call("attaching", async |server, _, _| visit(server, &id, None).await).await;
    scene
        .fail_each_call("history", async |server, _, _| {
            visit(server, &id, Some(ClientMessage::History)).await
        })
        .await;
    scene
        .fail_each_call("details", async |server, _, _| {
            refusal(server.request(Method::GET, &of("")).send().await).await
        })
        .await;
    scene
        .fail_each_call("a screen", async |server, _, _| {
            refusal(server.request(Method::GET, &of("/screen")).send().await).await
        })
        .await;
    let widths = std::sync::atomic::AtomicU16::new(80);
    scene
        .fail_each_call("a resize", async |server, _, _| {
            let cols = widths.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let update = json!({ "title": format!("{cols}"), "cols": cols });
            refusal(server.request(Method::PATCH, &of("")).json(&update).send().await).await
        })
        .await;
}

#[tokio::test]
async fn a_state_that_cannot_be_saved_is_saved_later() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("state");
    let options = Options::args(["--state-dir", dir.to_str().unwrap(), "--state-output"]);
    let mut scene = Scene::new(options).await;
    let file = dir.join(format!("{}.session", scene.session));
    for number in 1.. {
        scene.faults.arm(number);
        let title = format!("title {number}");
        let path = format!("/api/sessions/{}", scene.session);
        let changed =
            scene.server.request(Method::PATCH, &path).json(&json!({ "title": title })).send().await;
        if changed.is_err() {
            // The failed call belonged to the connection.
            continue;
        }
        until("a title to be saved in the end", || {
            std::fs::read_to_string(&file).is_ok_and(|saved| saved.contains(&title))
        })
        .await;
        scene.assert_echo().await;
        assert_eq!(scene.server.server_pid(), scene.serving);
        let call = scene.faults.disarm();
        eprintln!("saving, call {number}, {call:?}");
        if call.is_none() {
            break;
        }
    }
    let parts = std::fs::read_dir(&dir).unwrap();
    let names: Vec<String> = parts.map(|part| part.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(names.len(), 3, "the session's file, who is signed in, and the lock: {names:?}");
}

/// Returns the step between two calls that fail; 1 makes every call fail.
fn stride() -> usize {
    env::var("LIMPET_FAULT_STRIDE").ok().and_then(|stride| stride.parse().ok()).unwrap_or(7)
}

/// Makes some of the calls that replacing a server leads to fail, and checks that all sessions are
/// still there with their output.
async fn fail_calls_of_replacement(what: &str, replace: impl AsyncFn(&Server, &Faults)) {
    let scene = Scene::new(Options::default()).await;
    let over = scene.server.bash("echo it was here; exit 3").await;
    Client::attach(&scene.server, &over, Hello::default()).await.read_to_end().await;
    let mut sessions = vec![scene.session.clone(), over];
    for _ in 0..3 {
        sessions.push(scene.server.bash(ECHO_SCRIPT).await);
    }
    for number in (1..).step_by(stride()) {
        scene.faults.arm(number);
        replace(&scene.server, &scene.faults).await;
        let call = scene.faults.disarm();
        let case = format!("{what}, call {number}, {call:?}");
        eprintln!("{case}");
        within(&format!("{case}; all sessions"), async {
            loop {
                let there: Vec<SessionInfo> = scene.server.get("/api/sessions").await.json().await.unwrap();
                let mut there: Vec<SessionId> = there.into_iter().map(|info| info.id).collect();
                there.sort();
                let mut all = sessions.clone();
                all.sort();
                if there == all {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
        for session in &sessions {
            let mut client = Client::attach(&scene.server, session, Hello::default()).await;
            if session == &sessions[1] {
                client.sees("it was here").await;
            } else {
                client.type_in(&format!("{number}\n")).await;
                client.sees(&format!("got {number}\r\n")).await;
                assert!(number == 1 || client.text().contains("got 1\r\n"), "{case}: {}", client.text());
            }
        }
        assert_eq!(scene.server.keeper_pid(), scene.keeper, "{case}");
        if call.is_none() {
            assert!(number > 1, "{what} acquires something");
            return;
        }
    }
}

#[tokio::test]
async fn an_upgrade_that_lacks_something_loses_nothing() {
    fail_calls_of_replacement("an upgrade", async |server, _| {
        let (is_done, said) = server.upgrade();
        assert!(is_done || !said.is_empty());
        until("a server", || server_of(server.keeper_pid()).is_some()).await;
    })
    .await;
}

#[tokio::test]
async fn a_start_after_a_kill_that_lacks_something_loses_nothing() {
    fail_calls_of_replacement("a start after a kill", async |server, _| {
        let killed = server.server_pid();
        kill(killed, Signal::SIGKILL).unwrap();
        until("another server", || server_of(server.keeper_pid()).is_some_and(|server| server != killed))
            .await;
        within("it to serve", async {
            while server.anonymous(Method::GET, "/api/health").send().await.is_err() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
    })
    .await;
}
