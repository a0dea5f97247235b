//! The clients in `docs/clients` run a command over connections that break.

use std::{path::PathBuf, process::Stdio};

use limpet_shared::ExitStatus;
use tokio::process::Command;

use crate::{
    harness::{FlakyProxy, Options, Server, TOKEN, within},
    run_client,
};

/// A command whose output is longer than any connection lasts.
const COMMAND: &str = "seq 20000; exit 3";

/// Maximum number of bytes that a connection carries.
const MAX_BYTES: u64 = 100_000;

/// Starts a session with a shell, behind a network that breaks. Returns the URL of its socket.
async fn start_session(server: &Server, seed: u64) -> (FlakyProxy, String) {
    let id = server.bash("exec sh").await;
    let proxy = FlakyProxy::start(server.address(), MAX_BYTES, seed).await;
    let url = format!("ws://{}/api/sessions/{id}/attach", proxy.address());
    (proxy, url)
}

/// Checks that all output of the command has arrived once and in order.
fn assert_complete(output: &[u8]) {
    let output = String::from_utf8_lossy(output);
    let expected: String = (1..=20_000).map(|n| n.to_string() + "\r\n").collect();
    assert!(output.contains(&expected), "{} bytes: {output}", output.len());
    assert_eq!(output.matches("\r\n12345\r\n").count(), 1);
}

#[tokio::test]
async fn the_rust_client_runs_a_command_over_connections_that_break() {
    let server = Server::start(Options::default());
    let (_proxy, url) = start_session(&server, 1).await;
    let mut output = Vec::new();
    let exit = within("the exit", run_client::run(&url, TOKEN, COMMAND, &mut output)).await;
    assert_eq!(exit.unwrap(), ExitStatus::Code(3));
    assert_complete(&output);
    let missing = url.replace("/attach", "0/attach");
    let refused = within("a refusal", run_client::run(&missing, TOKEN, COMMAND, &mut output)).await;
    assert!(refused.unwrap_err().to_string().contains("SessionNotFound"));
}

#[tokio::test]
async fn the_python_client_runs_a_command_over_connections_that_break() {
    let server = Server::start(Options::default());
    let (_proxy, url) = start_session(&server, 2).await;
    let run = |url: &str| {
        let mut client = Command::new(python());
        client.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/clients/run.py"));
        client.args([url, TOKEN, COMMAND]).stdin(Stdio::null()).kill_on_drop(true).output()
    };
    let done = within("the exit", run(&url)).await.unwrap();
    assert_eq!(done.status.code(), Some(3), "{}", String::from_utf8_lossy(&done.stderr));
    assert_complete(&done.stdout);
    let refused = within("a refusal", run(&url.replace("/attach", "0/attach"))).await.unwrap();
    assert!(String::from_utf8_lossy(&refused.stderr).starts_with("cannot attach: "));
}

/// Returns the interpreter that `cargo xtask setup` has given the client's library.
fn python() -> PathBuf {
    let target = PathBuf::from(env!("CARGO_BIN_EXE_limpet")).ancestors().nth(2).unwrap().to_owned();
    let python = target.join("python-clients/bin/python");
    assert!(python.exists(), "{} is missing; run: cargo xtask setup", python.display());
    python
}
