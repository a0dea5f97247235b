//! Who is shown the link, and who is not.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::{
        fs::{PermissionsExt as _, chown},
        net::UnixStream,
    },
    process::{Command, Stdio},
};

use limpet_shared::api::SessionInfo;
use nix::{sys::signal::Signal, unistd::Uid};
use serde_json::{Value, json};

use crate::harness::{
    Client, Hello, Options, Server, TOKEN,
    standalone::{Limpet, NOBODY, is_root, set_mode},
    until,
};

#[tokio::test]
async fn the_link_is_in_no_journal_and_can_be_asked_for() {
    let limpet = Limpet::start(&[], "text");
    let first_line = limpet.first_line.clone();
    let address = first_line
        .strip_prefix("limpet is ready at ")
        .and_then(|rest| rest.strip_suffix("; run `limpet link` to print the link\n"));
    let address = address.unwrap_or_else(|| panic!("{first_line}")).to_owned();
    assert!(!first_line.contains("token"), "{first_line}");
    let (done, link) = limpet.run_command(&["link", &limpet.pid()]);
    let token = link.strip_prefix(&format!("{address}#token=")).unwrap_or_else(|| panic!("{link}")).trim();
    assert!(done && token.len() == 64, "{link}");
    let (done, said) = limpet.run_command(&["link", &limpet.pid(), "--format", "json"]);
    let ready: Value = serde_json::from_str(&said).unwrap();
    assert!(done && ready["url"] == link.trim() && ready["token"] == token, "{said}");

    let other = Limpet::start(&[], "text");
    let (done, said) = limpet.run_command(&["link"]);
    assert!(!done && said.contains("several limpets are running. Choose one: limpet link PID ("), "{said}");
    assert!(said.contains(&limpet.pid()) && said.contains(&other.pid()), "{said}");
    let (done, said) = limpet.run_command(&["link", "1"]);
    assert!(!done && said.contains("process 1 is not your limpet. Running: "), "{said}");
    drop(other);

    // Neither a program in a session nor another user can print the link.
    let client = reqwest::Client::new();
    let script =
        format!("{} link {}; echo end of it; sleep 1000", env!("CARGO_BIN_EXE_limpet"), limpet.pid());
    let made = client.post(format!("{address}api/sessions")).bearer_auth(token);
    let made = made
        .json(&json!({ "command": ["sh", "-c", script], "env": { "XDG_RUNTIME_DIR": limpet.home.path() } }));
    let session: SessionInfo = made.send().await.unwrap().json().await.unwrap();
    let host = address.strip_prefix("http://").unwrap().trim_end_matches('/');
    let mut viewer = Client::attach_at(host, &session.id, Hello::default().with_token(token)).await.unwrap();
    viewer.sees("end of it").await;
    let said = viewer.text();
    assert!(
        !said.contains(token) && said.contains("the link cannot be printed in one of limpet's own terminals"),
        "{said}"
    );
    if is_root() {
        let mut command = Command::new("setpriv");
        command.args([
            "--reuid",
            NOBODY,
            "--clear-groups",
            env!("CARGO_BIN_EXE_limpet"),
            "link",
            &limpet.pid(),
        ]);
        let output = command.env("XDG_RUNTIME_DIR", limpet.home.path()).output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(!output.status.success() && said.contains("you have no running limpet"), "{said}");
    }
    let log = limpet.end();
    assert!(!log.contains("token=") && !log.contains(token), "{log}");
}

#[tokio::test]
async fn the_link_is_printed_to_a_terminal() {
    let limpet = format!("{} --listen 127.0.0.1:0", env!("CARGO_BIN_EXE_limpet"));
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", &limpet, "/dev/null"]);
    let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().starts_with("Open this link in a browser"));
    let link = lines.find(|line| line.as_ref().unwrap().contains("#token=")).unwrap().unwrap();
    assert!(link.starts_with("http://127.0.0.1:"), "{link}");
    // Ctrl-C.
    process.stdin.take().unwrap().write_all(b"\x03").unwrap();
    lines.for_each(drop);
    process.wait().unwrap();
}

#[tokio::test]
async fn the_socket_for_commands_can_be_neither_taken_nor_held_up() {
    let folder = tempfile::tempdir().unwrap();
    let squatted = folder.path().join("limpet");
    fs::create_dir(&squatted).unwrap();
    let options = || Options::default().env("XDG_RUNTIME_DIR", folder.path().to_str().unwrap());
    if is_root() {
        // A directory that belongs to another user is not used; the next candidate is.
        chown(&squatted, Some(4242), Some(4242)).unwrap();
        let server = Server::start(options());
        assert!(server.log().contains("belongs to user 4242"), "{}", server.log());
        assert_eq!(fs::read_dir(&squatted).unwrap().count(), 0);
        assert!(server.run_command("link").0);
        drop(server);
        chown(&squatted, Some(0), Some(0)).unwrap();
    }
    set_mode(&squatted, 0o777);
    let server = Server::start(options());
    assert_eq!(fs::metadata(&squatted).unwrap().permissions().mode() & 0o777, 0o700);
    let abstract_ones = fs::read_to_string("/proc/net/unix").unwrap();
    assert!(!abstract_ones.contains(&format!(
        "@limpet-upgrade-{}-{}",
        Uid::effective(),
        server.keeper_pid()
    )));
    let socket = squatted.join(format!("{}.sock", server.keeper_pid()));
    let silent: Vec<UnixStream> = (0..100).map(|_| UnixStream::connect(&socket).unwrap()).collect();
    let id = server.open_session(["cat"]).await;
    let (done, said) = server.run_command("link");
    assert!(done && said.contains(TOKEN), "{said}");
    let (done, said) = server.run_command("upgrade");
    assert!(done && said.contains("with 1 session"), "{said}");
    drop(silent);
    server.close(&id).await;
    drop(server);
    assert!(!socket.exists(), "and nothing is left of it");
}

#[tokio::test]
async fn a_server_that_ends_or_is_killed_leaves_no_page_with_the_link() {
    let folder = tempfile::tempdir().unwrap();
    let opener = folder.path().join("xdg-open");
    fs::write(&opener, "#!/bin/sh\necho \"$@\" > \"$XDG_RUNTIME_DIR/opened\"\n").unwrap();
    set_mode(&opener, 0o700);
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let options =
        Options::args(["--open"]).env("PATH", &path).env("XDG_RUNTIME_DIR", folder.path().to_str().unwrap());
    let started_with = folder.path().join("opened");
    for is_killed in [true, false] {
        let mut server = Server::start(options.clone());
        let words = || fs::read_to_string(&started_with).unwrap_or_default();
        until("the browser to be started", || words().ends_with('\n')).await;
        let page = words().trim().to_owned();
        assert!(fs::exists(&page).unwrap(), "{page}");
        if is_killed {
            server.kill().await;
            until("the page to be gone", || !fs::exists(&page).unwrap()).await;
        } else {
            server.signal_keeper(Signal::SIGTERM);
            server.wait_until_ended().await;
            assert!(!fs::exists(&page).unwrap(), "{page}");
        }
        fs::remove_file(&started_with).unwrap();
    }
}
