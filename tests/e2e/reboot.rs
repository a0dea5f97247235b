//! Sessions are started again when only a state directory is left of limpet.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command};

use limpet_shared::{
    SessionId,
    api::{Screen, SessionInfo},
};
use nix::sys::signal::{Signal, kill};
use reqwest::{Method, header::ACCEPT};
use serde_json::json;

use crate::harness::{Client, Hello, Options, Server, census::is_running, until};

const RESTART_NOTE: &str = "from before limpet was restarted";

fn options(dir: &Path) -> Options {
    Options::args(["--state-dir", dir.to_str().unwrap()])
}

async fn screen(server: &Server, id: &SessionId) -> Screen {
    let request = server.request(Method::GET, &format!("/api/sessions/{id}/screen"));
    request.header(ACCEPT, "application/json").send().await.unwrap().json().await.unwrap()
}

async fn sessions(server: &Server) -> Vec<SessionInfo> {
    server.get("/api/sessions").await.json().await.unwrap()
}

/// Returns the contents of all complete files in the state directory. A file that is still being
/// written has another name.
fn saved(dir: &Path) -> String {
    let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_none_or(|ending| ending != "part"));
    let content = files.map(|file| String::from_utf8_lossy(&fs::read(file).unwrap_or_default()).into_owned());
    content.collect::<Vec<_>>().concat()
}

/// Kills all of limpet's processes at once, as a power cut does.
async fn cut_power(server: &mut Server) {
    let serving = server.server_pid();
    // The keeper dies first, since it would start another server.
    server.signal_keeper(Signal::SIGKILL);
    kill(serving, Signal::SIGKILL).unwrap();
    server.wait_until_ended().await;
    until("the server to be gone", || !is_running(&serving.to_string())).await;
}

#[tokio::test]
async fn sessions_are_there_again_after_a_reboot() {
    let dir = tempfile::tempdir().unwrap();
    let place = tempfile::tempdir().unwrap();
    let place = place.path().canonicalize().unwrap();
    for is_cut in [true, false] {
        let options = || options(dir.path()).with_args(["--state-output"]);
        let mut server = Server::start(options());
        for info in sessions(&server).await {
            server.close(&info.id).await;
        }
        let shell = json!({ "command": ["bash", "--norc", "-i"], "title": "mine", "cols": 90, "rows": 20, "sizing": "fixed", "env": { "PS1": "$ ", "MARK": "kept" } });
        let shell: SessionInfo = server.post("/api/sessions", shell).await.json().await.unwrap();
        let full = server.bash(r"printf 'before\n\e[?1049h\e[?1000h\e[Hall of it'; exec sleep 10000").await;
        let over = server.bash("echo over").await;
        let closed = server.open_session(["sleep", "10000"]).await;
        server.close(&closed).await;
        let mut client = Client::attach(&server, &shell.id, Hello::default()).await;
        client.type_in(&format!("cd {}; printf '\\e[3'1mred; seq -s _ 7\n", place.display())).await;
        client.sees("red1_2_3_4_5_6_7").await;
        drop(client);
        if is_cut {
            // The last changes are written a little later.
            until("all to be on the disk", || {
                let saved = saved(dir.path());
                saved.contains("red1_2_3_4_5_6_7")
                    && saved.contains("all of it")
                    && !saved.contains("echo over")
            })
            .await;
            cut_power(&mut server).await;
        } else {
            server.signal_keeper(Signal::SIGTERM);
            assert!(server.wait_until_ended().await.success());
        }
        for entry in fs::read_dir(dir.path()).unwrap() {
            let entry = entry.unwrap();
            let others_may = entry.metadata().unwrap().permissions().mode() % 0o100;
            assert!(others_may == 0 || entry.file_name() == "lock", "{:?}: {others_may:o}", entry.path());
        }

        let server = Server::start(options());
        let again = sessions(&server).await;
        let ids: Vec<_> = again.iter().map(|info| &info.id).collect();
        assert_eq!(ids, [&shell.id, &full], "not {over} nor {closed}");
        assert_eq!((&again[0].spec, again[0].state.cols, again[0].state.rows), (&shell.spec, 90, 20));
        let mut client = Client::attach(&server, &shell.id, Hello::default()).await;
        client.type_in("echo $MARK in $PWD\n").await;
        client.sees(&format!("kept in {}", place.display())).await;
        let lines = screen(&server, &shell.id).await.lines;
        let at = |what: &str| {
            lines.iter().position(|line| line.contains(what)).unwrap_or_else(|| panic!("{what}: {lines:?}"))
        };
        assert!(at("red1_2_3_4_5_6_7") < at(RESTART_NOTE) && at(RESTART_NOTE) < at("kept in"), "{lines:?}");
        assert!(client.text().contains("31mred1"), "colours are there again: {:?}", client.text());
        // The other program has drawn its full screen again, above the restored output.
        until("the program to be there", || runs_sleep(&server)).await;
        let lines = screen(&server, &full).await.lines;
        assert!(lines.iter().any(|line| line.contains("all of it")), "{lines:?}");
    }
}

/// Reports whether the program has reached its last command.
fn runs_sleep(server: &Server) -> bool {
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", server.keeper_pid())).unwrap();
    children
        .split_whitespace()
        .any(|pid| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "sleep\n"))
}

#[tokio::test]
async fn what_was_printed_is_on_no_disk_unless_that_is_wanted() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::start(options(dir.path()));
    let id = server.bash("echo se''cret; exec sleep 10000").await;
    let mut client = Client::attach(&server, &id, Hello::default()).await;
    client.sees("secret").await;
    drop(client);
    server.signal_keeper(Signal::SIGTERM);
    assert!(server.wait_until_ended().await.success());
    let saved = saved(dir.path());
    assert!(saved.contains("exec sleep") && !saved.contains("secret\r"), "{saved}");
    // A server without `--state-output` does not show output that an earlier one has saved.
    let file = dir.path().join(format!("{id}.session"));
    fs::write(&file, fs::read_to_string(&file).unwrap() + "secret\r\n").unwrap();
    let server = Server::start(options(dir.path()));
    until("the program to be there", || runs_sleep(&server)).await;
    let mut client = Client::attach(&server, &id, Hello::default()).await;
    client.sees("secret").await;
    assert_eq!(client.text(), "secret\r\n");
}

#[tokio::test]
async fn a_killed_server_restores_nothing_that_still_runs() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(options(dir.path()));
    let id = server.open_session(["cat"]).await;
    until("it to be on the disk", || saved(dir.path()).contains("cat")).await;
    server.kill().await;
    let ids: Vec<_> = sessions(&server).await.into_iter().map(|info| info.id).collect();
    assert_eq!(ids, std::slice::from_ref(&id));
    // The new server continues to save.
    server.close(&id).await;
    until("it to be gone from the disk", || !saved(dir.path()).contains("cat")).await;
}

#[tokio::test]
async fn what_cannot_be_restored_is_put_aside() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::start(options(dir.path()));
    let id = server.open_session(["sleep", "10000"]).await;
    server.signal_keeper(Signal::SIGTERM);
    server.wait_until_ended().await;
    let file = dir.path().join(format!("{id}.session"));
    let gone = fs::read_to_string(&file).unwrap().replacen("sleep", "no-such-program", 1);
    fs::write(&file, gone).unwrap();
    fs::write(dir.path().join("odd.session"), "nonsense").unwrap();
    let server = Server::start(options(dir.path()));
    assert!(sessions(&server).await.is_empty());
    assert!(server.log().contains("could not start no-such-program"), "{}", server.log());
    for name in [id.as_str(), "odd"] {
        let aside = dir.path().join(format!("{name}.session.failed"));
        assert!(aside.exists() && server.log().contains(aside.to_str().unwrap()), "{}", server.log());
    }
}

/// A way to start a server that lacks a resource.
type Wrap = fn(Options, &'static str) -> Options;

/// Some sessions cannot be restored for the moment, for want of terminals or descriptors or because
/// of the limit on sessions. A later start restores them.
#[tokio::test]
async fn what_lacks_something_at_the_moment_waits_for_another_start() {
    const SESSIONS: usize = 7;
    let few_terminals =
        "mount -t devpts -o newinstance,max=4,ptmxmode=666 devpts /dev/pts && exec \"$0\" \"$@\"";
    let few_files = "ulimit -Sn 90; ulimit -Hn 90; exec \"$0\" \"$@\"";
    let in_mounts: Wrap = |options, script| options.wrapped(["unshare", "-rm", "bash", "-c", script]);
    let in_limits: Wrap = |options, script| options.wrapped(["bash", "-c", script]);
    let as_it_is: Wrap = |options, _| options.with_args(["--max-sessions", "4"]);
    let dir = tempfile::tempdir().unwrap();
    let options = || options(dir.path()).with_args(["--state-output"]);
    let mut server = Server::start(options());
    for number in 0..SESSIONS {
        let id = server.bash(&format!("echo here is {number}; exec sleep 10000")).await;
        Client::attach(&server, &id, Hello::default()).await.sees(&format!("here is {number}")).await;
    }
    let all: Vec<_> = sessions(&server).await.into_iter().map(|info| info.id).collect();
    server.signal_keeper(Signal::SIGTERM);
    server.wait_until_ended().await;
    for (wrapped, script, words) in [
        (in_mounts, few_terminals, "no more pseudo-terminals"),
        (in_limits, few_files, "the limit of 90 open files"),
        (as_it_is, "", "--max-sessions"),
    ] {
        let mut server = Server::start(wrapped(options(), script));
        let there = sessions(&server).await;
        assert_eq!(there.len(), 4, "{}", server.log());
        let log = server.log();
        let said = |line: &&str| line.contains(words) && line.contains("at its next start");
        assert_eq!(log.lines().filter(said).count(), SESSIONS - 4, "{log}");
        let files = || {
            let names = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
            let names = names.map(|name| name.into_string().unwrap());
            names.filter(|name| name.contains("session")).collect::<std::collections::BTreeSet<_>>()
        };
        let expected: std::collections::BTreeSet<_> = all.iter().map(|id| format!("{id}.session")).collect();
        assert_eq!(files(), expected);
        // The waiting sessions survive even a successor that does not know them, whatever is saved
        // meanwhile.
        server.kill().await;
        let path = format!("/api/sessions/{}", there[0].id);
        let title = json!({ "title": script.len().to_string() });
        server.request(Method::PATCH, &path).json(&title).send().await.unwrap();
        until("that to be on the disk", || {
            saved(dir.path()).contains(&format!("\"title\":\"{}\"", script.len()))
        })
        .await;
        server.signal_keeper(Signal::SIGTERM);
        server.wait_until_ended().await;
        assert_eq!(files(), expected);
    }
    let server = Server::start(options());
    let ids: Vec<_> = sessions(&server).await.into_iter().map(|info| info.id).collect();
    assert_eq!(ids, all);
    for (number, id) in all.iter().enumerate() {
        let lines = screen(&server, id).await.lines;
        assert!(lines.iter().any(|line| line.contains(&format!("here is {number}"))), "{lines:?}");
    }
}

#[tokio::test]
async fn a_directory_that_cannot_be_used_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let _server = Server::start(options(dir.path()));
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    for (path, advice) in [(dir.path(), "another limpet already uses"), (&file, "name a directory")] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_limpet"));
        let output = command.args(["--listen", "127.0.0.1:0", "--state-dir"]).arg(path).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(advice) && said.contains("--state-dir"), "{said}");
    }
}
