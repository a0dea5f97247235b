//! Upgrades to a server that may not be able to take over.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::harness::{Client, Hello, Options, Server, client::viewer, until};

/// Script that prints its process id and then echoes lines.
const ECHO_SCRIPT: &str = "echo $$; while read line; do echo got $line; done";

/// Python functions that exchange a server's first messages with the keeper. The keeper's answer is
/// the hand-off.
const HANDSHAKE_PYTHON: &str = r#"
import json, os, signal, socket, time
keeper = socket.socket(fileno=0)
def greet():
    keeper.send(b'{"number":1,"what":{"hello":{"format":1,"version":"9.9.9"}}}')
def welcomed():
    said = b""
    while b"welcome" not in said: said = keeper.recv(1 << 20)
    return json.loads(said)["what"]["answer"]["welcome"]
def serve(kept):
    keeper.send(json.dumps({"number": 2, "what": {"serving": {"record": kept["record"]}}}).encode())
"#;

/// The directory from which limpet is started, in which the binary can be replaced.
struct InstallDir(TempDir);

impl InstallDir {
    /// Creates a directory with the real binary.
    fn new() -> Self {
        let install_dir = Self(tempfile::tempdir().unwrap());
        install_dir.install_binary();
        install_dir
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn options(&self) -> Options {
        Options { binary: Some(self.path("limpet").to_str().unwrap().to_owned()), ..Options::default() }
    }

    fn install_binary(&self) {
        assert!(fs::copy(env!("CARGO_BIN_EXE_limpet"), self.path("new")).unwrap() > 0);
        self.replace_installed();
    }

    fn install_content(&self, content: &str) {
        fs::write(self.path("new"), content).unwrap();
        self.replace_installed();
    }

    /// Installs a script instead of the binary. The keeper executes the binary through a
    /// descriptor, which a script's interpreter cannot open. So the installed file only names the
    /// actual script by its path.
    fn install_script(&self, interpreter: &str, script: &str) {
        fs::write(self.path("script"), script).unwrap();
        self.install_content(&format!("#!{interpreter} {}\n", self.path("script").display()));
    }

    fn replace_installed(&self) {
        fs::set_permissions(self.path("new"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(self.path("new"), self.path("limpet")).unwrap();
    }
}

#[tokio::test]
async fn a_server_that_cannot_begin_leaves_the_one_that_serves_in_place() {
    let install_dir = InstallDir::new();
    let server = Server::start(install_dir.options());
    let id = server.bash(ECHO_SCRIPT).await;
    let mut client = Client::attach(&server, &id, Hello::default()).await;
    client.sees("\r\n").await;
    let first = server.server_pid();
    for script in ["#!/bin/sh\nexit 3\n", "no program at all"] {
        install_dir.install_content(script);
        let (done, said) = server.upgrade();
        assert!(!done && said.contains("limpet continues as") || said.contains("could not start"), "{said}");
        assert_eq!(server.server_pid(), first);
        client.type_in("still here\n").await;
        client.sees("got still here").await;
    }
    install_dir.install_binary();
    let (done, said) = server.upgrade();
    assert!(done && said.contains("with 1 session"), "{said}");
    assert_ne!(server.server_pid(), first);
    let mut client = Client::attach(&server, &id, Hello::default()).await;
    client.type_in("and here\n").await;
    client.sees("got and here").await;
    server.signal_keeper(Signal::SIGUSR2);
    let second = server.server_pid();
    until("another server", || server.log().matches("with 1 session").count() >= 2).await;
    assert_ne!(server.server_pid(), second);
    server.kill().await;
    let mut client = Client::attach(&server, &id, Hello::default()).await;
    client.sees("got and here").await;
}

/// Requests an upgrade to the installed program, which says hello and then fails, and checks that
/// the previous server's binary continues: with the same program, with output and input at their
/// offsets, and with a message to the person.
async fn assert_falls_back(install_dir: &InstallDir, server: &Server, reason: &str) {
    let id = server.bash(ECHO_SCRIPT).await;
    let hello = Hello { viewer: viewer(), ..Hello::default() };
    let mut client = Client::attach(server, &id, hello.clone()).await;
    client.type_in("before\n").await;
    client.sees("got before\r\n").await;
    let (epoch, received, first) = (client.epoch().clone(), client.received, server.server_pid());
    let (done, said) = server.upgrade();
    assert!(!done && said.contains(reason), "{reason:?} is not in {said:?}");
    let version = env!("CARGO_PKG_VERSION");
    assert!(said.ends_with(&format!("limpet continues as {version}\n")), "{said}");
    client.read_to_end().await;

    let mut client = Client::attach(server, &id, hello.resume(&epoch, received)).await;
    assert_eq!((client.welcome.output, client.welcome.input.get()), (received, 7), "it goes on there");
    client.type_in("after\n").await;
    client.sees("got after\r\n").await;
    assert!(!client.text().contains("got before"), "nothing comes twice");
    let binary = fs::read_link(format!("/proc/{}/exe", server.server_pid())).unwrap();
    assert_eq!(
        binary.to_str().unwrap(),
        install_dir.path("limpet").to_str().unwrap().to_owned() + " (deleted)"
    );
    assert_ne!(server.server_pid(), first);
    server.close(&id).await;
}

#[tokio::test]
async fn a_server_that_fails_after_its_hello_is_followed_by_the_one_from_before() {
    let install_dir = InstallDir::new();
    let server = Server::start(install_dir.options());
    let before = server.idle_census().await;
    for (then, reason) in [
        ("greet(); os._exit(3)", "exit status: 3"),
        ("greet(); welcomed(); os._exit(4)", "exit status: 4"),
        ("greet(); welcomed(); os.kill(os.getpid(), signal.SIGSEGV)", "signal: 11"),
        ("greet(); welcomed(); keeper.close(); time.sleep(1000)", "signal: 9"),
    ] {
        install_dir.install_script("/usr/bin/env -S python3", &format!("{HANDSHAKE_PYTHON}{then}\n"));
        assert_falls_back(&install_dir, &server, reason).await;
    }
    // The real server, with a descriptor limit that is too low to take over the sessions.
    let real = env!("CARGO_BIN_EXE_limpet");
    install_dir.install_script("/bin/sh", &format!("shift; ulimit -n 20; exec {real} \"$@\"\n"));
    assert_falls_back(&install_dir, &server, "could not take over").await;
    until("nothing to be left of them", || server.census() == before).await;
    install_dir.install_binary();
    let (done, said) = server.upgrade();
    assert!(done, "{said}");
}

// The next two tests take as long as the keeper's deadlines.

#[tokio::test]
async fn a_server_that_never_says_hello_is_waited_for_no_longer_than_it_may_take() {
    let install_dir = InstallDir::new();
    let server = Server::start(install_dir.options());
    let before = server.idle_census().await;
    let id = server.bash(ECHO_SCRIPT).await;
    let mut client = Client::attach(&server, &id, Hello::default()).await;
    let first = server.server_pid();
    install_dir.install_script("/usr/bin/env -S python3", &format!("{HANDSHAKE_PYTHON}time.sleep(1000)\n"));
    let (done, said) = server.upgrade();
    assert!(!done && said.contains("the new server did not respond in time"), "{said}");
    assert_eq!(server.server_pid(), first);
    client.type_in("still here\n").await;
    client.sees("got still here").await;
    server.close(&id).await;
    drop(client);
    until("nothing to be left of it", || server.census() == before).await;
}

#[tokio::test]
async fn a_server_that_never_answers_is_followed_by_the_one_from_before() {
    let install_dir = InstallDir::new();
    let server = Server::start(install_dir.options());
    let before = server.idle_census().await;
    // The server claims to serve, which is not enough.
    let script = format!("{HANDSHAKE_PYTHON}greet(); serve(welcomed()); time.sleep(1000)\n");
    install_dir.install_script("/usr/bin/env -S python3", &script);
    assert_falls_back(&install_dir, &server, "signal: 9").await;
    assert!(server.log().contains("the server does not respond"), "{}", server.log());
    until("nothing to be left of it", || server.census() == before).await;
}
