//! limpet as a process: it reaps orphans, hides secrets, and copes with a system that is out of
//! processes.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

use limpet_shared::{ExitStatus, api::SessionInfo};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Uid,
};
use reqwest::StatusCode;
use serde_json::json;
use tempfile::TempDir;

use crate::harness::{Client, Hello, Options, Server, TOKEN, census::is_running, until};

/// Script that leaves a hundred processes without a parent, and waits until its own parent, the
/// keeper, has reaped them.
const ORPHANS_SCRIPT: &str = "for ((i=0; i<100; i++)); do sh -c 'sleep 0.1 & exec true'; done
    while pgrep -P $PPID -x sleep >/dev/null || ps --ppid $PPID -o stat= | grep -q Z; do sleep 0.05; done
    echo none is left";

/// A user that runs nothing else on this machine, so that limits on processes count nobody else's.
const OTHER_USER: &str = "54321";

/// A copy of the binary that every user may execute.
struct PublicBinary(TempDir);

impl PublicBinary {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
        assert!(fs::copy(env!("CARGO_BIN_EXE_limpet"), place.path().join("limpet")).unwrap() > 0);
        Self(place)
    }

    fn binary(&self) -> String {
        self.0.path().join("limpet").to_str().unwrap().to_owned()
    }

    /// Returns the options that run limpet as another user with this limit on processes and
    /// threads.
    fn options(&self, processes: &str) -> Options {
        let start = format!("cd /; ulimit -u {processes}; exec \"$@\"");
        let words = [
            "setpriv",
            "--reuid",
            OTHER_USER,
            "--regid",
            OTHER_USER,
            "--clear-groups",
            "bash",
            "-c",
            &start,
            "bash",
        ];
        Options { binary: Some(self.binary()), ..Options::default() }.wrapped(words)
    }
}

/// Reports whether the tests run as root, which alone can act as another user.
fn is_root() -> bool {
    Uid::current().is_root() || {
        eprintln!("not tested, since this is not the administrator");
        false
    }
}

async fn assert_orphans_reaped(options: Options) {
    let server = Server::start(options);
    let orphans = server.bash(ORPHANS_SCRIPT).await;
    let mut watcher = Client::attach(&server, &orphans, Hello::default()).await;
    // Meanwhile no program's exit status is taken by mistake.
    for code in 0..20 {
        let id = server.bash(&format!("sh -c 'sleep 0.01 & exec true'; exit {code}")).await;
        let mut client = Client::attach(&server, &id, Hello::default()).await;
        assert_eq!(client.read_to_end().await.0, Some(ExitStatus::Code(code)));
    }
    watcher.sees("none is left").await;
}

#[tokio::test]
async fn orphans_are_reaped() {
    assert_orphans_reaped(Options::default()).await;
}

#[tokio::test]
async fn orphans_are_reaped_by_process_1() {
    let user: &[&str] = if Uid::current().is_root() { &[] } else { &["--map-root-user"] };
    let words = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child=SIGTERM"].iter().chain(user);
    let wrapper = words.map(|&word| word.to_owned()).collect();
    assert_orphans_reaped(Options { wrapper, ..Options::default() }).await;
}

#[tokio::test]
async fn a_job_that_goes_on_after_its_session_is_not_killed() {
    let server = Server::start(Options::default());
    let id = server
        .bash("setsid sh -c 'echo $$; exec sleep 1000 >/dev/null 2>&1 </dev/null' & wait %1; exit")
        .await;
    let mut client = Client::attach(&server, &id, Hello::default()).await;
    client.sees("\r\n").await;
    let job = client.text().trim().to_owned();
    server.close(&id).await;
    assert!(is_running(&job));
    // limpet is its parent by now and reaps it.
    Command::new("kill").arg(&job).status().unwrap();
    until("it to be reaped", || !fs::exists(format!("/proc/{job}")).unwrap()).await;
}

/// Script that prints everything a program can learn about the keeper and the server.
const INSPECTION_SCRIPT: &str = "keeper=$PPID; server=$(pgrep -P $PPID -x limpet)
    for pid in $keeper $server; do
        tr '\\0' '\\n' < /proc/$pid/environ; tr '\\0' '\\n' < /proc/$pid/cmdline; cat /proc/$pid/fd/*token* 2>&1
        ls -l /proc/$pid/fd 2>&1 | grep -c token
    done; env; echo all of it $server";

#[tokio::test]
async fn no_environment_and_no_command_line_holds_the_token() {
    let server = Server::start(Options::default());
    for _ in 0..2 {
        let id = server.bash(INSPECTION_SCRIPT).await;
        let mut client = Client::attach(&server, &id, Hello::default()).await;
        client.sees(&format!("all of it {}", server.server_pid())).await;
        let seen = client.text();
        assert!(!seen.contains(TOKEN) && seen.contains("--listen"), "{seen}");
        // The next server gets the token in the same way.
        server.kill().await;
    }
    let (done, said) = server.upgrade();
    assert!(done, "{said}");
    assert_eq!(server.get("/api/sessions").await.status(), StatusCode::OK, "and knows it");
}

#[tokio::test]
async fn programs_of_the_same_user_cannot_look_into_limpet() {
    let place = PublicBinary::new();
    let options = if Uid::current().is_root() { place.options("unlimited") } else { Options::default() };
    let server = Server::start(options.env("LIMPET_TEST_DUMPABLE", ""));
    for _ in 0..2 {
        let script = "server=$(pgrep -P $PPID -x limpet)
            for pid in $PPID $server; do
                for file in environ mem maps fd/0 fd/3; do
                    head -c 1 /proc/$pid/$file >/dev/null 2>&1 && echo $file of $pid can be read
                done
            done; ls /proc/$$/fd >/dev/null && echo all tried $server";
        let id = server.bash(script).await;
        let mut client = Client::attach(&server, &id, Hello::default()).await;
        client.read_to_end().await;
        assert_eq!(client.text(), format!("all tried {}\r\n", server.server_pid()));
        // The server works all the same, and can still start programs.
        let cat = server.open_session(["cat"]).await;
        let mut client = Client::attach(&server, &cat, Hello::default()).await;
        client.type_in("here\n").await;
        client.sees("here\r\nhere").await;
        server.kill().await;
    }
    server.signal_keeper(Signal::SIGUSR2);
    until("another server", || server.log().contains("limpet now runs as")).await;
    let sessions: Vec<SessionInfo> = server.get("/api/sessions").await.json().await.unwrap();
    assert_eq!(sessions.len(), 4);
}

/// Program that starts processes until no more can be created, and then waits.
const FILL_PROGRAM: &str = r#"
import os, signal, sys, time
count = 0
try:
    while True:
        if os.fork() == 0:
            signal.pause()
        count += 1
except OSError as error:
    print("full", flush=True)
time.sleep(1000)
"#;

#[tokio::test]
async fn sessions_end_when_no_process_and_no_thread_can_be_made() {
    if !is_root() {
        return;
    }
    let place = PublicBinary::new();
    let server = Server::start(place.options("25"));
    let other = server.open_session(["cat"]).await;
    let id = server.open_session(["python3", "-c", FILL_PROGRAM]).await;
    let mut client = Client::attach(&server, &id, Hello::default()).await;
    client.sees("full").await;
    assert_eq!(server.details(&id).await.running, ["python3"]);
    let refused = server.post("/api/sessions", json!({ "command": ["true"] })).await;
    assert!(refused.status().is_client_error() || refused.status().is_server_error(), "{}", refused.status());
    server.close(&id).await;
    assert_eq!(client.read_to_end().await.0, Some(ExitStatus::Signal(Signal::SIGHUP as i32)));
    let mut client = Client::attach(&server, &other, Hello::default()).await;
    client.type_in("here\n").await;
    client.sees("here\r\nhere").await;
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

#[tokio::test]
async fn a_server_starts_where_there_is_room_for_one_thread_only() {
    if !is_root() {
        return;
    }
    let place = PublicBinary::new();
    // The limit allows one thread for the keeper and one for the server.
    let server = Server::start(place.options("2"));
    assert_eq!(server.get("/api/sessions").await.status(), StatusCode::OK);
    let refused = server.post("/api/sessions", json!({ "command": ["true"] })).await;
    assert!(!refused.status().is_success(), "{}", refused.status());
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

#[test]
fn a_start_that_makes_no_sense_has_the_same_exit_code_every_time() {
    for _ in 0..30 {
        let mut command = Command::new(env!("CARGO_BIN_EXE_limpet"));
        let output = command.args(["--listen", "127.0.0.1:0", "--cwd", "/nope"]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("--cwd /nope"), "{output:?}");
    }
}

#[tokio::test]
async fn an_end_without_order_has_an_exit_code_and_leaves_nothing_running() {
    let mut server = Server::start(Options::default());
    let id = server.bash("trap '' HUP TERM; (trap '' HUP TERM; sleep 1000) & echo $! $$ ready; wait").await;
    let mut client = Client::attach(&server, &id, Hello::default()).await;
    client.sees("ready").await;
    server.signal_keeper(Signal::SIGTERM);
    client.read_to_end().await;
    // The server is killed while it is shutting down.
    kill(server.server_pid(), Signal::SIGKILL).unwrap();
    assert_eq!(server.wait_until_ended().await.code(), Some(1));
    assert!(client.text().split_whitespace().take(2).all(|pid| !is_running(pid)), "{}", client.text());
}
