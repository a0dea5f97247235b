//! limpet in a bare container: as the first process, of a user that no database knows, with an
//! empty environment and a read-only root.

use limpet_shared::{ExitStatus, api::SessionInfo};
use nix::sys::signal::Signal;
use serde_json::json;

use crate::harness::{Client, Hello, Options, Server, TOKEN, client::viewer, container, until};

#[tokio::test]
async fn a_bare_container_is_enough() {
    if !container::is_possible() {
        return;
    }
    let mut server = Server::start(Options::default().in_container());
    let shell: SessionInfo = server.post("/api/sessions", json!({})).await.json().await.unwrap();
    let hello = Hello { viewer: viewer(), ..Hello::default().size(100, 30) };
    let mut client = Client::attach(&server, &shell.id, hello.clone()).await;
    client.type_in("echo $USER $LOGNAME in $HOME with $SHELL as $(id -u)/$$-$PPID; locale charmap\n").await;
    client.sees("4242 4242 in / with /bin/bash as 4242/").await;
    client.sees("-1\r\n").await;
    client.sees("UTF-8\r\n").await;
    client.resize(120, 40).await;
    client.type_in("until [ \"$(stty size)\" = '40 120' ]; do sleep 0.01; done; echo resized''\n").await;
    client.sees("resized\r\n").await;

    let before = server.server_pid();
    server.kill().await;
    let mut client = Client::attach(&server, &shell.id, hello.clone()).await;
    client.type_in("echo after a kill''.\n").await;
    client.sees("after a kill.\r\n").await;
    let (done, said) = server.run_command("upgrade");
    assert!(done && said.contains("with 1 session"), "{said}");
    assert_ne!(server.server_pid(), before);
    let mut client = Client::attach(&server, &shell.id, hello).await;
    client.type_in("echo after an upgrade''.\n").await;
    client.sees("after an upgrade.\r\n").await;
    let (done, said) = server.run_command("link");
    assert!(done && said.contains(&format!("http://{}/#token={TOKEN}\n", server.address())), "{said}");

    client.type_in("exit 5\n").await;
    assert_eq!(client.read_to_end().await.0, Some(ExitStatus::Code(5)));
    server.signal_keeper(Signal::SIGTERM);
    assert!(server.wait_until_ended().await.success());
}

#[tokio::test]
async fn what_cannot_be_written_to_is_said() {
    if !container::is_possible() {
        return;
    }
    // Here there is no place for a socket either.
    let taken = ["/bin/sh", "-c", "touch /tmp/limpet-4242; exec \"$@\"", "sh"].map(str::to_owned);
    let mut options = Options::args(["--", "cat"]).in_container();
    options.wrapper.extend(taken);
    let server = Server::start(options);
    assert!(
        server.log().contains("`limpet upgrade` and `limpet link` are not available"),
        "{}",
        server.log()
    );
    let (done, said) = server.run_command("link");
    assert!(!done && said.contains("you have no running limpet"), "{said}");
    let before = server.server_pid();
    server.signal_keeper(Signal::SIGUSR2);
    until("another server", || server.log().contains("limpet now runs as") && server.server_pid() != before)
        .await;
    drop(server);
    for (args, reason) in [
        (["--token-file", "/no/token"], "could not be created: Read-only file system"),
        (["--state-dir", "/no/state"], "Read-only file system"),
    ] {
        let [program, rest @ ..] = container::WRAPPER;
        let mut command = std::process::Command::new(program);
        command
            .args(rest)
            .args([env!("CARGO_BIN_EXE_limpet"), "--listen", "127.0.0.1:0"])
            .args(args)
            .env_clear();
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(reason) && said.contains(args[0]), "{said}");
    }
}
